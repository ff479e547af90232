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
    let anew = library.begun_anew(&super::script::collection());
    assert!(of.is_some(), "cut {cut}, {unsynced:?}: after commit {acknowledged} there is {state:?}; {anew:?}");
    if anew.is_some() { End::Rebuilt } else { End::Opened }
}

/// How many system calls fail, one in each run; `ADIT_FAULTS` says another number.
#[cfg(target_arch = "x86_64")]
const FAULTS: usize = 12;

/// Commits of a run in which calls fail.
const FAULT_COMMITS: usize = 6;

/// The number that is acknowledged when the disk is to work again.
const MENDED: u64 = 1_000_000;

/// The process whose disk fails: after an error it finds what was committed, and goes on from there.
#[test]
#[ignore = "it is the process that is watched: the other tests here run it"]
fn endures() {
    let Ok(with) = std::env::var(CHILD) else { return };
    let dir = Path::new(&with);
    wait_to_be_watched();
    let library = loop {
        match open(dir) {
            Ok(library) => break library,
            Err(error) => mended(&error),
        }
    };
    let (steps, states) = script(SEED, FAULT_COMMITS);
    let (mut at, mut committed, mut errors) = (0, 0, 0);
    'again: loop {
        let mut writer = match library.writer(&super::script::collection()) {
            Ok(writer) => writer,
            Err(error) => {
                mended(&error);
                continue;
            }
        };
        for (number, step) in steps.iter().enumerate().skip(at) {
            if let Err(error) = take(&mut writer, *step) {
                drop(writer);
                errors += 1;
                assert!(errors < 10, "it never goes on: {error}");
                mended(&error);
                let state = state_of(&library);
                // A commit that failed late may be there all the same.
                let is_late = *step == super::script::Step::Commit && state == states[committed + 1];
                assert!(is_late || state == states[committed], "after {error}: {state:?}, not {:?}", states[committed]);
                if is_late {
                    (at, committed) = (number + 1, committed + 1);
                }
                continue 'again;
            }
            if *step == super::script::Step::Commit {
                (at, committed) = (number + 1, committed + 1);
            }
        }
        break;
    }
    assert_eq!(state_of(&library), states[FAULT_COMMITS]);
    drop(library);
    assert_eq!(state_of(&open(dir).unwrap()), states[FAULT_COMMITS], "and after a restart");
}

/// It failed as disks fail; from now on it works again.
fn mended(error: &adit::search::LibraryError) {
    eprintln!("{error}");
    ack(MENDED);
}

/// Where the kernel can be made to do nothing.
#[cfg(target_arch = "x86_64")]
#[test]
fn whichever_call_fails_search_goes_on_from_the_last_commit_and_writing_recovers() {
    use super::tracer::Fault;
    use nix::errno::Errno;

    let run = |fault| {
        let dir = tempfile::tempdir().unwrap();
        record("crash::cuts::endures", dir.path(), &dir.path().display().to_string(), fault)
    };
    let calls = run(None).calls;
    let faults = std::env::var("ADIT_FAULTS").map_or(FAULTS, |number| number.parse().expect("ADIT_FAULTS is a number"));
    for number in 0..faults {
        let error = [Errno::ENOSPC, Errno::EIO][number % 2];
        // A disk that is full stays so for a while; one that has an error may have just the one.
        let until_ack = (number % 4 < 2).then_some(MENDED);
        println!("{error} from call {} of {calls} on, until {until_ack:?}", number * calls / faults);
        run(Some(Fault { call: number * calls / faults, error, until_ack }));
    }
}
