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
        let (mut passed, mut worked) = (Vec::new(), Vec::new());
        for words in questions {
            let (begin, cpu) = (Instant::now(), cpu_seconds()?);
            ask(words)?;
            passed.push(begin.elapsed().as_secs_f64() * 1000.0);
            worked.push((cpu_seconds()? - cpu) * 1000.0);
        }
        let times = Times { passed: percentiles(passed), worked: percentiles(worked) };
        self.kinds.push((kind.to_owned(), times));
        Ok(())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.idle)?;
        for (kind, Times { passed: [p50, p99], worked: [cpu50, cpu99] }) in &self.kinds {
            writeln!(f, "{p50} {p99} {cpu50} {cpu99}\t{kind}")?;
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
            let [p50, p99, cpu50, cpu99] = figures(times)?;
            Ok((kind.to_owned(), Times { passed: [p50, p99], worked: [cpu50, cpu99] }))
        };
        Ok(Asked { idle, kinds: lines.map(kind).collect::<Result<_>>()? })
    }
}

/// Milliseconds of questions, that passed and that processors worked: the middle one, and the one that a hundredth of them exceed.
pub struct Times {
    passed: [f64; 2],
    worked: [f64; 2],
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[p50, p99], [cpu50, cpu99]] = [self.passed, self.worked];
        write!(f, "{p50:.2} | {p99:.2} | {cpu50:.2} | {cpu99:.2}")
    }
}

fn percentiles(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    [times[times.len() / 2], times[times.len() * 99 / 100]]
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
