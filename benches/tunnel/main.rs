//! What the tunnel costs, without a socket: peers, handshakes, packets. The server's part alone is timed, on one thread.
//!
//! ```text
//! cargo bench --bench tunnel
//! ```
//!
//! Prints a table. These machines are shared and noisy: rows are measured turn by turn, and medians are told.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

mod cores;
mod ends;
mod packets;
mod peers;

/// Devices in a large household, and then some.
const PEERS: u32 = 10_000;

fn main() -> Result<()> {
    println!("| what | figure |\n|---|--:|");
    peers::measure(PEERS)?;
    packets::measure()?;
    cores::measure()?;
    Ok(())
}

/// A row of the table.
fn row(what: &str, figure: impl std::fmt::Display) {
    println!("| {what} | {figure} |");
}

/// Anonymous memory of this process in bytes, without what was freed.
fn anonymous_bytes() -> Result<u64> {
    adit::daemon::memory::give_back();
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Adds the time that something takes.
fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *total += began.elapsed();
    done
}
