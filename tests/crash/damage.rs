//! Bytes that are not what was written: whatever they are, the index opens or is begun anew, and a check tells.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use adit::access::Scope;
use adit::search::{Library, SearchRequest};

use super::script::{Chance, collection, open, script, state_of, take};

/// How many times each file is spoilt in each way; `ADIT_DAMAGES` says another number.
const EACH: usize = 3;

/// An index with several segments, deletions among them, and the folder it is in.
fn index() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path()).unwrap();
    let mut writer = library.writer(&collection()).unwrap();
    for step in script(7, 6).0 {
        take(&mut writer, step).unwrap();
    }
    writer.end();
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("index/notes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// One way to spoil a file.
#[derive(Debug, Clone, Copy)]
enum Spoil {
    Flip(u64),
    Cut(u64),
    Zero(u64),
    Remove,
    Replace,
}

fn spoil(path: &Path, how: Spoil) {
    let mut bytes = fs::read(path).unwrap();
    let at = |seed: u64| (seed as usize) % bytes.len().max(1);
    match how {
        Spoil::Flip(seed) if !bytes.is_empty() => {
            let at = at(seed);
            bytes[at] ^= 1 << (seed % 8);
        }
        Spoil::Cut(seed) => bytes.truncate(at(seed)),
        Spoil::Zero(seed) => {
            let at = at(seed);
            bytes[at..].iter_mut().take(512).for_each(|byte| *byte = 0);
        }
        Spoil::Remove => return fs::remove_file(path).unwrap(),
        Spoil::Replace => bytes = b"something else".repeat(10),
        Spoil::Flip(_) => {}
    }
    fs::write(path, bytes).unwrap();
}

/// Asks all that can be asked. The answers may be errors, and nothing worse.
fn ask_all(library: &Library) {
    let owner = Scope::owner();
    for query in ["common words", "\"of common\"", "vers*", "pasage~", "passage1 -version3", "folder"] {
        let request =
            SearchRequest { query: query.to_owned(), limit: 50, snippet_budget: 2000, ..SearchRequest::default() };
        let _ = library.search(&owner, &request);
    }
    let _ = library.status(&owner);
    let _ = library.failures(&owner);
    let _ = library.recent(&owner, 50);
    for document in 0..24 {
        let _ = library.info(&owner, &format!("notes/{}", super::script::path(document)));
    }
}

#[test]
fn whatever_becomes_of_its_bytes_an_index_opens_and_a_check_tells() {
    let whole = index();
    let expected = state_of(&open(whole.path()).unwrap());
    let each = std::env::var("ADIT_DAMAGES").map_or(EACH, |number| number.parse().expect("ADIT_DAMAGES is a number"));
    let (mut chance, mut aside, mut told) = (Chance(0xdead), 0, 0);
    for file in files(whole.path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let mut ways = vec![Spoil::Remove, Spoil::Replace];
        for _ in 0..each {
            let seed = chance.below(u64::MAX);
            ways.extend([Spoil::Flip(seed), Spoil::Flip(seed / 3), Spoil::Cut(seed), Spoil::Zero(seed)]);
        }
        for how in ways {
            let dir = tempfile::tempdir().unwrap();
            copy(&whole.path().join("index"), &dir.path().join("index"));
            let spoilt = dir.path().join("index/notes").join(&name);
            let before = fs::read(&spoilt).unwrap();
            spoil(&spoilt, how);
            let is_same = fs::read(&spoilt).is_ok_and(|now| now == before);
            let library = open(dir.path()).unwrap_or_else(|error| panic!("{name}, {how:?}: {error}"));
            if library.begun_anew(&collection()).is_some() {
                aside += 1;
                continue;
            }
            let found = library.check(&collection(), || ControlFlow::Continue(()));
            match found {
                Ok(None) => {
                    // Files of tantivy's own bookkeeping, and ours, may be other than they were without any harm.
                    let is_segments = name.split('.').next().is_some_and(|stem| stem.len() == 32);
                    assert!(is_same || !is_segments, "{name}, {how:?}: nobody noticed");
                    ask_all(&library);
                    if name != "meta.json" {
                        assert_eq!(state_of(&library), expected, "{name}, {how:?}");
                    }
                    continue;
                }
                Ok(Some(_)) | Err(_) => told += 1,
            }
            library.begin_anew(&collection(), "a test").unwrap();
            assert_eq!(state_of(&library).len(), 0);
        }
    }
    println!("moved aside at opening: {aside}, told by a check: {told}");
    assert!(aside > 0 && told > 0);
}

#[test]
fn what_ended_its_process_before_it_was_checked_is_checked_before_it_is_opened() {
    let dir = index();
    let store = files(dir.path()).into_iter().find(|path| path.extension().is_some_and(|end| end == "store")).unwrap();
    // In the midst of the texts, where opening does not look.
    let mut bytes = fs::read(&store).unwrap();
    bytes[10] ^= 1;
    fs::write(&store, bytes).unwrap();
    let marker = dir.path().join("index/.notes.unchecked");
    let library = open(dir.path()).unwrap();
    assert!(library.begun_anew(&collection()).is_none() && marker.exists());
    drop(library);
    assert!(!marker.exists(), "an end in good order");
    fs::write(&marker, "").unwrap();
    let library = open(dir.path()).unwrap();
    assert!(library.begun_anew(&collection()).is_some_and(|reason| reason.contains("not what was written")));
    assert_eq!(state_of(&library).len(), 0);
    assert_eq!(library.check(&collection(), || ControlFlow::Continue(())).unwrap(), None);
    assert!(!marker.exists(), "it has been checked");
}
