//! What indexing and searching cost, against the number of passages, beside tantivy used plainly, ripgrep and ugrep on the same files:
//! `cargo bench --bench search -- [--large] [--space] [--keep DIR] [PASSAGES…]`.
//!
//! Without numbers 10,000 and 100,000 passages are measured, with `--large` 1,000,000 too (2.5 GB of text, and as much again for the
//! indexes, in `$TMPDIR`). `--space` tells what each part of our index takes. With `--keep` texts and indexes stay in a folder, and are
//! measured again by the next run.
//!
//! Texts are made of a vocabulary whose words are as frequent as words are (Zipf), three passages to a file; questions have one to five
//! words of all frequencies. Every engine runs in a process of its own, so that memory is its own; the time of indexing is from the first
//! file's reading to the last commit, extraction included, that of a question is of a whole answer of ten results, snippets included.
//! Processor time stands beside the time that passed: on a busy machine it tells more.

mod cost;
mod greps;
mod ours;
mod plain;
mod texts;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cost::{Asked, Indexed};

/// Questions that each engine is asked; of those that read every file for each, the first few.
const QUESTIONS: usize = 1000;
const QUESTIONS_OF_GREPS: usize = 20;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut sizes, mut space, mut keep, mut large) = (Vec::new(), false, None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--task" => return run_task(&arguments.collect::<Vec<_>>()),
            "--large" => large = true,
            "--space" => space = true,
            "--keep" => keep = Some(PathBuf::from(arguments.next().context("--keep needs a folder")?)),
            number => sizes.push(number.parse().with_context(|| format!("a number of passages: {number}"))?),
        }
    }
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000];
        sizes.extend(large.then_some(1_000_000));
    }
    let mut tables = Tables::default();
    for passages in sizes {
        let temporary = tempfile::tempdir()?;
        let dir = keep.as_ref().map_or(temporary.path().to_owned(), |dir| dir.join(passages.to_string()));
        measure(passages, &dir, space, keep.is_some(), &mut tables)?;
    }
    print!("{}", tables.shown());
    Ok(())
}

/// Rows as they come.
#[derive(Default)]
struct Tables {
    indexing: String,
    asking: String,
}

impl Tables {
    fn shown(&self) -> String {
        let Tables { indexing, asking } = self;
        format!(
            "| passages | engine | MB/s | files/s | CPU s/100 MB | peak MB | index/text |\n|---|---|---|---|---|---|---|\n{indexing}\n\
             | passages | engine | asked | p50 ms | p99 ms | CPU: p50 | p99 | idle MB |\n|---|---|---|---|---|---|---|---|\n{asking}"
        )
    }

    fn asked(&mut self, passages: usize, name: &str, asked: &Asked) {
        for (kind, times) in &asked.kinds {
            let row = format!("| {passages} | {name} | {kind} | {times} | {:.0} |", asked.idle);
            eprintln!("{row}");
            self.asking.push_str(&row);
            self.asking.push('\n');
        }
    }
}

fn measure(passages: usize, dir: &Path, space: bool, keep: bool, tables: &mut Tables) -> Result<()> {
    let files = dir.join("files");
    if !files.exists() {
        texts::write(&files, passages)?;
    }
    let texts = files_of(&files)?;
    let bytes = size(&files)? as f64;
    for engine in ["ours", "plain"] {
        let index = dir.join(engine);
        let name = if engine == "ours" { "adit" } else { "tantivy, plainly" };
        if !index.exists() {
            let indexed: Indexed = task(&format!("index-{engine}"), &files, &index)?.parse()?;
            let ratio = size(&index)? as f64 / bytes;
            let row = indexed.row(bytes / 1e6, texts.len());
            let row = format!("| {passages} | {name} | {row} | {ratio:.2} |");
            eprintln!("{row}");
            tables.indexing.push_str(&row);
            tables.indexing.push('\n');
        }
        tables.asked(passages, name, &task(&format!("ask-{engine}"), &files, &index)?.parse()?);
        if space && engine == "ours" {
            eprint!("{}", ours::space(&index)?);
        }
        if !keep {
            std::fs::remove_dir_all(&index)?;
        }
    }
    for grep in greps::ALL {
        match greps::ask(grep, &files)? {
            Some(asked) => tables.asked(passages, grep.name, &asked),
            None => eprintln!("{}: not installed", grep.name),
        }
    }
    Ok(())
}

/// Runs a task in a process of its own; what it printed.
fn task(task: &str, files: &Path, index: &Path) -> Result<String> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["--task", task]).args([files, index]);
    let output = command.output()?;
    if !output.status.success() {
        bail!("{task}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn run_task(arguments: &[String]) -> Result<()> {
    let [task, files, index] = arguments else { bail!("--task WHICH FILES INDEX") };
    let (files, index) = (Path::new(files), Path::new(index));
    adit::daemon::memory::settle();
    std::fs::create_dir_all(index)?;
    match task.as_str() {
        "index-ours" => println!("{}", Indexed::measure(|| ours::index(files, index))?),
        "index-plain" => println!("{}", Indexed::measure(|| plain::index(files, index))?),
        "ask-ours" => print!("{}", ours::ask(index)?),
        "ask-plain" => print!("{}", plain::ask(index)?),
        _ => bail!("no such task"),
    }
    Ok(())
}

/// The files of a folder, in order.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => files.extend(files_of(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    files.sort();
    Ok(files)
}

fn size(folder: &Path) -> Result<u64> {
    files_of(folder)?.iter().map(|file| Ok(file.metadata()?.len())).sum()
}
