//! What indexing and searching cost, against the number of passages, beside tantivy used plainly, ripgrep and ugrep on the same files:
//! `cargo bench --bench search -- [--large] [--space] [PASSAGES…]`.
//!
//! Without numbers 10,000 and 100,000 passages are measured, with `--large` 1,000,000 too (2.5 GB of text, and as much again for the
//! indexes, in `$TMPDIR`). `--space` tells what each part of our index takes.
//!
//! Texts are made of a vocabulary whose words are as frequent as words are (Zipf), three passages to a file; questions have one to five
//! words of all frequencies. Every engine runs in a process of its own, so that memory is its own; the time of indexing is from the first
//! file's reading to the last commit, extraction included, that of a question is of a whole answer of ten results, snippets included.

mod greps;
mod ours;
mod plain;
mod texts;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Questions that each engine is asked; of those that read every file for each, the first few.
const QUESTIONS: usize = 1000;
const QUESTIONS_OF_GREPS: usize = 20;

/// Seconds between two looks at a process's memory.
const SAMPLE_SECS: f64 = 0.02;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, task, files, index] = arguments.as_slice()
        && flag == "--task"
    {
        return run_task(task, Path::new(files), Path::new(index));
    }
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000];
        sizes.extend(has("--large").then_some(1_000_000));
    }
    println!(
        "| passages | engine | MB/s | files/s | peak MB | index/text | idle MB | p50 ms | p99 ms | of a scope: p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for passages in sizes {
        measure(passages, has("--space"))?;
    }
    Ok(())
}

fn measure(passages: usize, space: bool) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let files = dir.path().join("files");
    let written = texts::write(&files, passages)?;
    for engine in ["ours", "plain"] {
        let index = dir.path().join(engine);
        let indexed = task(&format!("index-{engine}"), &files, &index)?;
        let [seconds, peak] = figures(&indexed)?;
        let asked = task(&format!("ask-{engine}"), &files, &index)?;
        let [idle, p50, p99, p50_of_scope, p99_of_scope] = figures(&asked)?;
        let name = if engine == "ours" { "adit" } else { "tantivy, plainly" };
        let ratio = size(&index)? as f64 / written.bytes as f64;
        let mut row = format!("| {passages} | {name} | {:.1} ", written.bytes as f64 / 1e6 / seconds);
        write!(row, "| {:.0} | {peak:.0} | {ratio:.2} ", written.files as f64 / seconds)?;
        write!(row, "| {idle:.0} | {p50:.2} | {p99:.2} ")?;
        match p50_of_scope.is_nan() {
            true => row.push_str("| – | – |"),
            false => write!(row, "| {p50_of_scope:.2} | {p99_of_scope:.2} |")?,
        }
        println!("{row}");
        if space && engine == "ours" {
            print!("{}", ours::space(&index)?);
        }
        std::fs::remove_dir_all(&index)?;
    }
    for grep in greps::ALL {
        match greps::ask(grep, &files)? {
            Some(mut times) => {
                let (p50, p99) = percentiles(&mut times);
                println!("| {passages} | {} | – | – | – | 0 | – | {p50:.2} | {p99:.2} | – | – |", grep.name);
            }
            None => println!("| {passages} | {}: not installed | | | | | | | | | |", grep.name),
        }
    }
    Ok(())
}

/// Runs a task in a process of its own; what it printed.
fn task(task: &str, files: &Path, index: &Path) -> Result<String> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["--task", task]).args([files, index]).output()?;
    if !output.status.success() {
        bail!("{task}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn run_task(task: &str, files: &Path, index: &Path) -> Result<()> {
    std::fs::create_dir_all(index)?;
    match task {
        "index-ours" => timed(|| ours::index(files, index)),
        "index-plain" => timed(|| plain::index(files, index)),
        "ask-ours" => ours::ask(index),
        "ask-plain" => plain::ask(index),
        _ => bail!("no such task"),
    }
}

/// Prints how long it took, and the most memory it had, in megabytes.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let is_done = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_done);
    let sampler = std::thread::spawn(move || {
        let mut peak = 0.0_f64;
        while !seen.load(Ordering::Relaxed) {
            peak = peak.max(anonymous_megabytes().unwrap_or(f64::NAN));
            std::thread::sleep(Duration::from_secs_f64(SAMPLE_SECS));
        }
        peak
    });
    let begin = Instant::now();
    work()?;
    let seconds = begin.elapsed().as_secs_f64();
    is_done.store(true, Ordering::Relaxed);
    let peak = sampler.join().map_err(|_| anyhow::anyhow!("the sampler of memory failed"))?;
    println!("{seconds} {peak}");
    Ok(())
}

fn figures<const COUNT: usize>(line: &str) -> Result<[f64; COUNT]> {
    let figures: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    figures.try_into().ok().with_context(|| format!("figures: {line}"))
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

/// Anonymous memory of this process.
fn anonymous_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1000.0)
}

/// The middle one of these, and the one that a hundredth of them exceed.
fn percentiles(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}
