//! The power goes between two system calls of a process that writes an index, at as many places as there are; and single calls fail.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::{Disk, Unsynced};
use super::script::{Chance, open, script, state_of, take};
use super::tracer::{CHILD, ack, record, wait_to_be_watched};

/// The seed of what is written.
const SEED: u64 = 0xad17;

/// How many cuts are tried, and how many commits are written for them; `ADIT_CUTS` says another number of cuts, and there are commits
/// enough for it.
const CUTS: usize = 240;

/// Changes to the disk that one commit is good for, at least.
const CHANGES_PER_COMMIT: usize = 60;

fn cuts() -> usize {
    std::env::var("ADIT_CUTS").map_or(CUTS, |number| number.parse().expect("ADIT_CUTS is a number"))
}

/// The process that writes; without its variable, nothing.
#[test]
#[ignore = "it is the process that is watched: the other tests here run it"]
fn writes() {
    let Ok(with) = std::env::var(CHILD) else { return };
    let (commits, dir) = with.split_once(' ').unwrap();
    wait_to_be_watched();
    let library = open(Path::new(dir)).unwrap();
    let mut writer = library.writer(&super::script::collection()).unwrap();
    let mut committed = 0;
    for step in script(SEED, commits.parse().unwrap()).0 {
        take(&mut writer, step).unwrap();
        if step == super::script::Step::Commit {
            committed += 1;
            ack(committed);
        }
    }
}

/// What a cut came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Opened,
    Rebuilt,
}

#[test]
fn wherever_the_power_goes_the_index_opens_with_all_that_was_committed() {
    let commits = cuts() / CHANGES_PER_COMMIT + 4;
    let dir = tempfile::tempdir().unwrap();
    let disk = record("crash::cuts::writes", dir.path(), &format!("{commits} {}", dir.path().display()), None);
    let states = script(SEED, commits).1;
    let mut chance = Chance(SEED);
    let mut ends: BTreeMap<End, usize> = BTreeMap::new();
    for number in 0..cuts() {
        // Every cut once, as far as there are cuts enough; each time with another fate for what was not synced.
        let cut = (number * disk.changes()).div_ceil(cuts());
        let unsynced = match number % 4 {
            0 => Unsynced::Dropped,
            1 => Unsynced::Kept,
            2 => Unsynced::NamesKept,
            _ => Unsynced::Partly(chance.below(u64::MAX)),
        };
        let end = check(&disk, cut, unsynced, &states);
        *ends.entry(end).or_default() += 1;
    }
    println!("{} changes, {} cuts: {ends:?}", disk.changes(), cuts());
}

fn check(disk: &Disk, cut: usize, unsynced: Unsynced, states: &[super::script::State]) -> End {
    let dir = tempfile::tempdir().unwrap();
    disk.restore(cut, unsynced, dir.path());
    let acknowledged = disk.acknowledged(cut).unwrap_or(0) as usize;
    let library = open(dir.path()).unwrap_or_else(|error| panic!("cut {cut}, {unsynced:?}: {error}"));
    let state = state_of(&library);
    let of = states.iter().skip(acknowledged).position(|committed| *committed == state);
    assert!(of.is_some(), "cut {cut}, {unsynced:?}: after commit {acknowledged} there is {state:?}");
    let is_moved = dir.path().join("index/notes.damaged-1").exists();
    assert!(!is_moved || acknowledged == 0, "cut {cut}, {unsynced:?}: what was committed is moved aside");
    if is_moved { End::Rebuilt } else { End::Opened }
}
