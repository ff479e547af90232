//! Programs that read every file for every question: the names of files with any of the words.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;

use super::{QUESTIONS_OF_GREPS, texts};

/// One of them.
pub struct Grep {
    pub name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

pub const ALL: &[Grep] = &[
    Grep { name: "ripgrep", program: "rg", arguments: &["-l", "-i", "-w", "-F"] },
    Grep { name: "ugrep", program: "ugrep", arguments: &["-r", "-l", "-i", "-w", "-F"] },
];

/// Milliseconds of each question; none where the program is not there.
pub fn ask(grep: &Grep, files: &Path) -> Result<Option<Vec<f64>>> {
    let is_there = Command::new(grep.program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if is_there.is_err() {
        return Ok(None);
    }
    let mut times = Vec::new();
    for words in texts::questions(QUESTIONS_OF_GREPS) {
        let mut command = Command::new(grep.program);
        command.args(grep.arguments).args(words.iter().flat_map(|word| ["-e", word])).arg(files);
        let begin = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(Some(times))
}
