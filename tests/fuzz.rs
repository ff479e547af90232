//! A small fuzzer that every run of the tests has time for: what `tests/fuzz/guided/run` found at length is tried again, then sound bytes
//! changed in many ways, by a seed, against every parser that is ours, requests, and both sides of the tunnel. What fails is made as
//! small as it can be and kept.

#![cfg(feature = "server")]

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/subjects/mod.rs"]
mod subjects;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::Mutator;
use subjects::{SUBJECTS, Subject, wire};

/// How long each subject is tried; `ADIT_FUZZ_SECS` says another number of seconds, `ADIT_FUZZ_SEED` another seed.
const TIME: Duration = Duration::from_millis(800);

/// Stack of a worker's thread that parses, in bytes.
const STACK_BYTES: usize = adit::limits::WORKER_STACK_BYTES;

/// Attempts at making a failing input smaller.
const SHRINKS: usize = 2_000;

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn no_parser_of_ours_panics_or_breaks_its_promises_whatever_the_bytes() {
    let time = number_of("ADIT_FUZZ_SECS").map_or(TIME, Duration::from_secs);
    let seed = number_of("ADIT_FUZZ_SEED").unwrap_or(1);
    let only = std::env::var("ADIT_FUZZ_ONLY").ok();
    let failed: Vec<String> = SUBJECTS
        .into_iter()
        // With a clock of its own only the wire is another; without it sessions don't grow old.
        .filter(|subject| !cfg!(feature = "simulation") || subject.is_of_the_wire())
        .filter(|subject| only.as_ref().is_none_or(|only| subject.name().contains(only.as_str())))
        .filter_map(|subject| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            let tried = thread.spawn(move || fuzz(subject, seed, time)).unwrap();
            tried.join().unwrap().err()
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Tries one subject for some time. An error says where the input is that failed.
fn fuzz(subject: Subject, seed: u64, time: Duration) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = subject.seeds(&root.join("tests/library"));
    let fails = |bytes: &[u8]| catch_unwind(|| subject.try_bytes(bytes)).is_err();
    for seed in &seeds {
        assert!(!fails(seed), "{}: a seed itself fails", subject.name());
    }
    let begun = Instant::now();
    let corpus = corpus(&root.join("tests/fuzz/corpus").join(subject.name()));
    let broken: Vec<String> =
        corpus.iter().filter(|(_, bytes)| fails(bytes)).map(|(path, _)| path.display().to_string()).collect();
    if !broken.is_empty() {
        return Err(format!("{}: it fails with {}", subject.name(), broken.join(", ")));
    }
    println!("{}: {} inputs of its corpus took {} ms", subject.name(), corpus.len(), begun.elapsed().as_millis());
    seeds.extend(corpus.into_iter().map(|(_, bytes)| bytes));
    let mut mutator = Mutator::new(seed, seeds);
    let (end, mut tries, mut slowest) = (Instant::now() + time, 0, Duration::ZERO);
    while Instant::now() < end {
        let bytes = mutator.next();
        let begun = Instant::now();
        if fails(&bytes) {
            return Err(format!(
                "{}: it fails with {}",
                subject.name(),
                keep(subject, &shrink(bytes, fails)).display()
            ));
        }
        (tries, slowest) = (tries + 1, slowest.max(begun.elapsed()));
    }
    println!("{}: {tries} inputs, the slowest took {} ms", subject.name(), slowest.as_millis());
    Ok(())
}

/// What `tests/fuzz/guided/run` found, by name.
fn corpus(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Leaves out of a failing input what it does not need to fail.
fn shrink(mut bytes: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut piece, mut tries) = (bytes.len() / 2, 0);
    while piece > 0 && tries < SHRINKS {
        let mut at = 0;
        while at < bytes.len() && tries < SHRINKS {
            let mut smaller = bytes.clone();
            smaller.drain(at..(at + piece).min(bytes.len()));
            tries += 1;
            match fails(&smaller) {
                true => bytes = smaller,
                false => at += piece,
            }
        }
        piece /= 2;
    }
    bytes
}

fn keep(subject: Subject, bytes: &[u8]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(subject.name());
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_fails_is_made_small() {
    let fails = |bytes: &[u8]| bytes.windows(2).any(|pair| pair == b"ab");
    let bytes = [vec![b'x'; 700], b"ab".to_vec(), vec![b'y'; 300]].concat();
    assert_eq!(shrink(bytes, fails), b"ab");
}

#[test]
fn stories_about_the_wire_come_as_far_as_a_connection() {
    type Told = (Vec<Vec<u8>>, fn(&[u8]) -> u64);
    let told: [Told; 4] = [
        (wire::datagram_seeds(), wire::datagrams),
        (wire::packet_seeds(), wire::packets),
        (wire::segment_seeds(), wire::segments),
        (wire::operation_seeds(), wire::operations),
    ];
    for (stories, tell) in told {
        assert_eq!(tell(&stories[0]), 1);
    }
}
