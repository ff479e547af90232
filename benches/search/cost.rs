//! What work costs: time that passed, processor time, memory.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sys::resource::{UsageWho, getrusage};

/// Seconds between two looks at a process's memory.
const SAMPLE_SECS: f64 = 0.02;

/// What indexing took: seconds, seconds of processors, and the most anonymous memory there was, in megabytes.
pub struct Indexed {
    seconds: f64,
    cpu: f64,
    peak: f64,
}

impl Indexed {
    pub fn measure(work: impl FnOnce() -> Result<()>) -> Result<Indexed> {
        let is_done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_done);
        let sampler = std::thread::spawn(move || {
            let mut peak = 0.0_f64;
            while !seen.load(Ordering::Relaxed) {
                peak = peak.max(anonymous_megabytes());
                std::thread::sleep(Duration::from_secs_f64(SAMPLE_SECS));
            }
            peak
        });
        let (begin, cpu) = (Instant::now(), cpu_seconds()?);
        work()?;
        let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
        is_done.store(true, Ordering::Relaxed);
        let peak = sampler.join().map_err(|_| anyhow!("the sampler of memory failed"))?;
        Ok(Indexed { seconds, cpu, peak })
    }

    /// As a row of the table.
    pub fn row(&self, megabytes: f64, files: usize) -> String {
        let (rate, files, cpu) = (megabytes / self.seconds, files as f64 / self.seconds, self.cpu / megabytes * 100.0);
        format!("{rate:.1} | {files:.0} | {cpu:.1} | {:.0}", self.peak)
    }
}

impl fmt::Display for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seconds, self.cpu, self.peak)
    }
}

impl FromStr for Indexed {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Indexed> {
        let [seconds, cpu, peak] = figures(line)?;
        Ok(Indexed { seconds, cpu, peak })
    }
}

/// What questions took, by their kind, and the anonymous memory that the engine has before any, in megabytes.
pub struct Asked {
    pub idle: f64,
    pub kinds: Vec<(String, Times)>,
}

impl Asked {
    /// Of an engine that is open already.
    pub fn new() -> Asked {
        Asked { idle: anonymous_megabytes(), kinds: Vec::new() }
    }

    /// Asks questions of one kind.
    pub fn measure(
        &mut self,
        kind: &str,
        questions: &[Vec<String>],
        mut ask: impl FnMut(&[String]) -> Result<()>,
    ) -> Result<()> {
        let (mut times, cpu) = (Vec::with_capacity(questions.len()), cpu_seconds()?);
        for words in questions {
            let begin = Instant::now();
            ask(words)?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        let cpu = (cpu_seconds()? - cpu) * 1000.0 / questions.len() as f64;
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        self.kinds.push((kind.to_owned(), Times { p50, p99, cpu }));
        Ok(())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.idle)?;
        for (kind, Times { p50, p99, cpu }) in &self.kinds {
            writeln!(f, "{p50} {p99} {cpu}\t{kind}")?;
        }
        Ok(())
    }
}

impl FromStr for Asked {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Asked> {
        let mut lines = text.lines();
        let [idle] = figures(lines.next().context("no figures")?)?;
        let kind = |line: &str| {
            let (times, kind) = line.split_once('\t').context("a kind of question")?;
            let [p50, p99, cpu] = figures(times)?;
            Ok((kind.to_owned(), Times { p50, p99, cpu }))
        };
        Ok(Asked { idle, kinds: lines.map(kind).collect::<Result<_>>()? })
    }
}

/// Milliseconds of questions: the middle one, the one that a hundredth of them exceed, and of processors in the mean.
pub struct Times {
    p50: f64,
    p99: f64,
    cpu: f64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} | {:.2} | {:.2}", self.p50, self.p99, self.cpu)
    }
}

fn figures<const COUNT: usize>(line: &str) -> Result<[f64; COUNT]> {
    let figures: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    figures.try_into().ok().with_context(|| format!("figures: {line}"))
}

/// Seconds that processors worked for this process, and for its children that have ended.
fn cpu_seconds() -> Result<f64> {
    let mut sum = 0.0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        for time in [usage.user_time(), usage.system_time()] {
            sum += time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        }
    }
    Ok(sum)
}

/// Anonymous memory of this process.
fn anonymous_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes / 1000.0)
}
