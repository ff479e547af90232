//! The sample library, cut off and damaged at random.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adit::daemon::workers::Pool;
use adit::documents::{Dotfiles, Format, HEAD_BYTES, Kind, Visibility, detect};
use tokio::task::JoinSet;

use crate::{check, check_good, pool};

/// Damaged copies of each sample, unless `ADIT_MUTATIONS` says otherwise.
const MUTATIONS: usize = 200;

/// After so long, the rest of them is left for another time; so many are read on the slowest machine.
const TIME: Duration = Duration::from_secs(60);
const LEAST: usize = 8;

/// Lengths at which each sample is cut off.
const CUTS: usize = 12;

fn samples() -> Vec<(String, Format, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library");
    let rule = Visibility::new(&root, &[], Dotfiles::Hidden, 1 << 20).unwrap();
    let walk = rule.walk(&Default::default()).unwrap();
    let sample = |path: String| {
        let bytes = std::fs::read(root.join(&path)).unwrap();
        match detect(&path, &bytes[..bytes.len().min(HEAD_BYTES)]) {
            Kind::Document(format) => (path, format, bytes),
            other => panic!("{path}: {other:?}"),
        }
    };
    walk.files.into_iter().map(|file| sample(file.path)).collect()
}

/// A small generator of our own: the same damage at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn mutate(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = chance.below(bytes.len());
    let length = chance.below(bytes.len() - at).min(200);
    match chance.below(5) {
        0 => bytes.truncate(at),
        1 => (0..=length).for_each(|_| {
            let at = chance.below(bytes.len());
            bytes[at] = chance.below(256) as u8;
        }),
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let piece = bytes[at..at + length].repeat(20);
            bytes.splice(at..at, piece);
        }
        _ => bytes[at..at + length].fill(b'9'),
    }
    bytes
}

/// How many damaged copies of each sample are read.
fn mutations() -> usize {
    std::env::var("ADIT_MUTATIONS").map_or(MUTATIONS, |number| number.parse().expect("ADIT_MUTATIONS is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_documents_of_every_format_harm_nobody() {
    let pool = pool(Duration::from_secs(30));
    for (path, format, bytes) in samples() {
        for part in 0..CUTS {
            let cut = &bytes[..bytes.len() * part / CUTS];
            check(&pool, &format!("{path}, {} bytes of it", cut.len()), format, cut).await;
        }
        check_good(&pool).await;
    }
}

/// Round by round, so that every sample has its share when the time is over.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_documents_of_every_format_harm_nobody() {
    let (pool, samples) = (pool(Duration::from_secs(30)), Arc::new(samples()));
    let bounded = std::env::var_os("ADIT_MUTATIONS").is_none().then(|| Instant::now() + TIME);
    let mut rounds = JoinSet::new();
    let mut counts = BTreeMap::new();
    for round in 0..mutations() {
        if rounds.len() == pool.workers() {
            gather(&mut rounds, &mut counts).await;
        }
        if bounded.is_some_and(|end| round >= LEAST && Instant::now() > end) {
            println!("{round} rounds in {TIME:?}; ADIT_MUTATIONS={MUTATIONS} runs them all");
            break;
        }
        rounds.spawn(damage(pool.clone(), Arc::clone(&samples), round as u64));
    }
    while !rounds.is_empty() {
        gather(&mut rounds, &mut counts).await;
    }
    println!("{counts:?}");
    assert!(counts["read"] > counts.values().sum::<usize>() / 2, "{counts:?}");
    check_good(&pool).await;
}

type Counts = BTreeMap<&'static str, usize>;

async fn gather(rounds: &mut JoinSet<Counts>, counts: &mut Counts) {
    let round = rounds.join_next().await.expect("a round is under way").expect("no round panics");
    round.into_iter().for_each(|(outcome, number)| *counts.entry(outcome).or_default() += number);
}

/// Reads a damaged copy of each sample. The same damage in the same round of every run.
async fn damage(pool: Pool, samples: Arc<Vec<(String, Format, Vec<u8>)>>, round: u64) -> Counts {
    let mut chance = Chance(0x5eed + round);
    let mut counts = Counts::new();
    for (path, format, bytes) in samples.iter() {
        let mutant = mutate(bytes, &mut chance);
        *counts.entry(check(&pool, &format!("{path}, round {round}"), *format, &mutant).await).or_default() += 1;
    }
    counts
}
