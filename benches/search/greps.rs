//! Programs that read every file for every question: the names of files with any of the words.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::cost::Asked;
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

/// What questions cost; none where the program is not there.
pub fn ask(grep: &Grep, files: &Path) -> Result<Option<Asked>> {
    let is_there = Command::new(grep.program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if is_there.is_err() {
        return Ok(None);
    }
    let mut asked = Asked { idle: 0.0, kinds: Vec::new() };
    asked.measure("words", &texts::questions(QUESTIONS_OF_GREPS), |words| {
        let mut command = Command::new(grep.program);
        command.args(grep.arguments).args(words.iter().flat_map(|word| ["-e", word])).arg(files);
        // Into a pipe: with nowhere to write to, ugrep ends at the first file it finds.
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        match output.status.code() {
            Some(0 | 1) => Ok(()),
            _ => bail!("{} failed: {}", grep.name, output.status),
        }
    })?;
    Ok(Some(asked))
}
