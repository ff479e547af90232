//! The table: every path with every round trip, what TCP makes of it, and that beside what theory allows.

use std::fmt::Write;
use std::num::NonZero;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::measure::{self, Direction, MTU_BYTES, Sharing};
use crate::network::path::{Conditions, LINE_BITS_PER_SECOND, Loss, Order};

const ROUND_TRIPS_MILLIS: [u64; 3] = [5, 40, 150];
/// What a bulk stream is measured over, in bits at the bound's rate, and in time at least and at most: slow paths need longer to show
/// as many losses, and cost no more.
const BULK_BITS: f64 = 120e6;
const BULK_LEAST: Duration = Duration::from_secs(4);
const BULK_MOST: Duration = Duration::from_secs(60);
const BULK_SEEDS: u64 = 2;
const FETCH_SEEDS: u64 = 9;
const ANSWER_SEEDS: u64 = 3;
/// Inner IPv4 and TCP headers without options.
const HEADER_BYTES: usize = 40;

/// One row: a path and what was measured on it.
pub struct Row {
    pub path: &'static str,
    pub conditions: Conditions,
    /// Bits per second, the mean over the seeds.
    pub down: f64,
    pub up: f64,
    /// The median and the longest.
    pub fetch: [Duration; 2],
    /// The longest silence within an answer: the median and the 99th percentile of all answers.
    pub silence: [Duration; 2],
}

/// Two downloads side by side.
pub struct Shared {
    pub path: &'static str,
    pub conditions: Conditions,
    pub sharing: Sharing,
    /// Bits per second of both together, the mean over the seeds.
    pub sum: f64,
    /// Jain's index of the mean rates, and the least of all seeds.
    pub jain: [f64; 2],
}

impl Row {
    /// What theory allows.
    pub fn bound(&self) -> f64 {
        bound(&self.conditions)
    }
}

/// What is lost and what comes late, for a round trip.
fn paths(round_trip_millis: u64) -> Vec<(&'static str, Conditions)> {
    let clean = Conditions::clean(round_trip_millis);
    let with = |loss, order| Conditions { loss, order, ..clean };
    let late = Duration::from_micros(round_trip_millis * 250);
    let (nothing, stragglers) = (Loss::Random(0.0), Order::Stragglers(late));
    vec![
        ("clean", clean),
        ("random 0.1 %", with(Loss::Random(0.001), Order::Kept)),
        ("random 1 %", with(Loss::Random(0.01), Order::Kept)),
        ("random 3 %", with(Loss::Random(0.03), Order::Kept)),
        ("bursty 0.1 %", with(Loss::Bursty(0.001), Order::Kept)),
        ("bursty 1 %", with(Loss::Bursty(0.01), Order::Kept)),
        ("bursty 3 %", with(Loss::Bursty(0.03), Order::Kept)),
        ("stragglers", with(nothing, stragglers)),
        ("stragglers, random 1 %", with(Loss::Random(0.01), stragglers)),
        ("jitter 2 ms", with(nothing, Order::Jitter(Duration::from_millis(2)))),
    ]
}

/// The least of the line's rate and MSS/RTT · 1.22/√p (Mathis, Semke, Mahdavi, Ott 1997), in bits per second of payload. For bursts the
/// same, though their losses come together and cost less.
fn bound(conditions: &Conditions) -> f64 {
    let segment_bits = ((MTU_BYTES - HEADER_BYTES) * 8) as f64;
    let line = LINE_BITS_PER_SECOND as f64 * (MTU_BYTES - HEADER_BYTES) as f64 / MTU_BYTES as f64;
    // Without loss this is infinite.
    line.min(segment_bits / conditions.round_trip.as_secs_f64() * 1.22 / conditions.loss.mean().sqrt())
}

/// Measures all rows.
pub fn rows() -> Vec<Row> {
    let paths: Vec<_> = ROUND_TRIPS_MILLIS.into_iter().flat_map(paths).collect();
    in_parallel(&paths, |&(path, conditions)| Row {
        path,
        conditions,
        down: bulk(conditions, Direction::Down),
        up: bulk(conditions, Direction::Up),
        fetch: {
            let times = sorted((1..=FETCH_SEEDS).map(|seed| measure::fetch(conditions, seed)).collect());
            [percentile(&times, 50), percentile(&times, 100)]
        },
        silence: {
            let silences = sorted((1..=ANSWER_SEEDS).flat_map(|seed| measure::silences(conditions, seed)).collect());
            [percentile(&silences, 50), percentile(&silences, 99)]
        },
    })
}

/// Measures two downloads side by side, over clean paths and at 1 % of loss.
pub fn shared() -> Vec<Shared> {
    let cells: Vec<_> = ROUND_TRIPS_MILLIS
        .into_iter()
        .flat_map(paths)
        .filter(|(path, _)| ["clean", "random 1 %"].contains(path))
        .flat_map(|(path, conditions)| [Sharing::Stack, Sharing::Bottleneck].map(|sharing| (path, conditions, sharing)))
        .collect();
    in_parallel(&cells, |&(path, conditions, sharing)| {
        let rates: Vec<_> = (1..=seeds(&conditions)).map(|seed| measure::two(conditions, sharing, seed)).collect();
        let sums = [0, 1].map(|stream| rates.iter().map(|rates| rates[stream]).sum::<f64>() / rates.len() as f64);
        let least = rates.iter().map(|rates| measure::jain(rates)).fold(1.0, f64::min);
        Shared { path, conditions, sharing, sum: sums.iter().sum(), jain: [measure::jain(&sums), least] }
    })
}

/// Bits per second, the mean over the seeds.
fn bulk(conditions: Conditions, direction: Direction) -> f64 {
    let time = Duration::from_secs_f64(BULK_BITS / bound(&conditions)).clamp(BULK_LEAST, BULK_MOST);
    let seeds = seeds(&conditions);
    (1..=seeds).map(|seed| measure::bulk(conditions, direction, time, seed)).sum::<f64>() / seeds as f64
}

/// Where chance has little to say, one seed says it all.
fn seeds(conditions: &Conditions) -> u64 {
    if conditions.loss.mean() == 0.0 { 1 } else { BULK_SEEDS }
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort();
    times
}

/// The smallest time that at least so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// Maps on all cores: each cell has a world of its own, so that nothing depends on which comes first.
fn in_parallel<T: Sync, R: Send>(cells: &[T], measure: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (cells, results) = (Mutex::new(cells.iter().enumerate()), Mutex::new(Vec::new()));
    let next = || cells.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some((number, cell)) = next() {
                    let result = measure(cell);
                    results.lock().unwrap().push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Rows as Markdown.
pub fn render_rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut text = heading(&[
        "RTT ms",
        "path",
        "bound Mbit/s",
        "down Mbit/s",
        "of bound",
        "up Mbit/s",
        "of bound",
        "1 MB ms, p50",
        "1 MB ms, worst",
        "silence ms, p50",
        "silence ms, p99",
    ]);
    for row in rows {
        let rate = |rate: f64| format!("{:.2} | {:.0} %", rate / 1e6, rate / row.bound() * 100.0);
        let times = row.fetch.iter().chain(&row.silence).map(|time| time.as_millis().to_string());
        let cells = [
            row.conditions.round_trip.as_millis().to_string(),
            row.path.to_owned(),
            format!("{:.2}", row.bound() / 1e6),
            rate(row.down),
            rate(row.up),
        ];
        let cells: Vec<_> = cells.into_iter().chain(times).collect();
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
    text
}

/// Downloads side by side as Markdown.
pub fn render_shared<'a>(shared: impl IntoIterator<Item = &'a Shared>) -> String {
    let mut text = heading(&["RTT ms", "path", "they share", "sum Mbit/s", "Jain's index", "least of all seeds"]);
    for row in shared {
        let share = match row.sharing {
            Sharing::Stack => "a stack",
            Sharing::Bottleneck => "the bottleneck",
        };
        let (round_trip, [jain, least]) = (row.conditions.round_trip.as_millis(), row.jain);
        let sum = row.sum / 1e6;
        writeln!(text, "| {round_trip} | {} | {share} | {sum:.2} | {jain:.2} | {least:.2} |", row.path).unwrap();
    }
    text
}

/// The first two lines of a table: figures stand right.
fn heading(names: &[&str]) -> String {
    let align = |name: &&str| if ["path", "they share"].contains(name) { "---" } else { "--:" };
    format!("| {} |\n|{}|\n", names.join(" | "), names.iter().map(align).collect::<Vec<_>>().join("|"))
}
