//! What a writing process does, fixed by a seed: whoever reads its index afterwards knows what each commit held.

use std::collections::BTreeMap;
use std::path::Path;

use adit::access::Scope;
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::name::CollectionName;
use adit::search::{Collection, Library, LibraryConfig, LibraryError, ReadRequest, Writer};

/// Documents, in number: few enough that most steps replace or delete one.
const DOCUMENTS: u64 = 24;

/// Passages of a long document, which goes to tantivy in several pieces.
const LONG: usize = 300;

/// One step of the script.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Puts this version of a document.
    Put(u64, u64),
    Fail(u64, u64),
    Delete(u64),
    /// Moves a document to the path of another, where that is free.
    Move(u64, u64),
    Commit,
    /// Lets go of what merges left.
    Tidy,
}

/// Versions by document; a negative one could not be read.
pub type State = BTreeMap<u64, i64>;

/// A small generator, the same on every machine (xorshift).
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

/// Steps until so many commits, and what each commit holds; the first state is the empty one.
pub fn script(seed: u64, commits: usize) -> (Vec<Step>, Vec<State>) {
    let (mut chance, mut version) = (Chance(seed | 1), 0);
    let (mut steps, mut states, mut state) = (Vec::new(), vec![State::new()], State::new());
    while states.len() <= commits {
        version += 1;
        let document = chance.below(DOCUMENTS);
        let step = match chance.below(100) {
            0..50 => Step::Put(document, version),
            50..54 => Step::Fail(document, version),
            54..68 => Step::Delete(document),
            68..74 => Step::Move(document, chance.below(DOCUMENTS)),
            74..98 => Step::Commit,
            _ => Step::Tidy,
        };
        match step {
            Step::Put(document, version) => drop(state.insert(document, version as i64)),
            Step::Fail(document, version) => drop(state.insert(document, -(version as i64))),
            Step::Delete(document) => drop(state.remove(&document)),
            Step::Move(from, to) => {
                // Only what the last commit shows, and nothing that changed since, is taken over as it is.
                let last = states.last().expect("there is the empty one");
                let is_committed =
                    state.get(&from).is_some_and(|version| last.get(&from) == Some(version) && *version > 0);
                if !is_committed || state.contains_key(&to) {
                    continue;
                }
                let version = state.remove(&from).expect("it is there");
                state.insert(to, version);
            }
            Step::Commit => states.push(state.clone()),
            Step::Tidy => {}
        }
        steps.push(step);
    }
    (steps, states)
}

/// Takes one step. The stamp of a document holds its version.
pub fn take(writer: &mut Writer, step: Step) -> Result<(), LibraryError> {
    match step {
        Step::Put(document, version) => {
            writer.put(&path(document), Format::Text, stamp(version), &extracted(&text(version)))
        }
        Step::Fail(document, version) => writer.put_failure(&path(document), stamp(version), "it cannot be read"),
        Step::Delete(document) => writer.delete(&path(document)),
        Step::Move(from, to) => {
            let known = writer.files().get(&path(from)).expect("what is moved is known");
            assert!(writer.rename(&path(from), &path(to), known.stamp)?, "what was committed is taken over");
            Ok(())
        }
        Step::Commit => writer.commit(),
        Step::Tidy => writer.tidy(),
    }
}

pub fn path(document: u64) -> String {
    format!("folder/{document}.txt")
}

fn stamp(version: u64) -> Stamp {
    Stamp { size: version, modified_ns: 1, inode: 1 }
}

/// The text of a version: one in twelve is long.
pub fn text(version: u64) -> String {
    let passages = if version.is_multiple_of(12) { LONG } else { 1 + version as usize % 4 };
    (0..passages).map(|n| format!("version{version} passage{n} of common words\n")).collect()
}

/// A text with a passage for each line.
fn extracted(text: &str) -> Extracted {
    let mut passages = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = passages.last().map_or(0, |last: &Passage| last.end);
        let place = Place { line: Some(number as u32 + 1), ..Place::default() };
        passages.push(Passage { start, end: start + line.len(), place });
    }
    Extracted { text: text.to_owned(), passages, ..Extracted::default() }
}

pub fn collection() -> CollectionName {
    "notes".parse().unwrap()
}

/// Opens the library whose index is in `dir`.
pub fn open(dir: &Path) -> Result<Library, LibraryError> {
    open_over(dir, &dir.join("documents"))
}

/// The same over this folder of documents.
pub fn open_over(dir: &Path, documents: &Path) -> Result<Library, LibraryError> {
    Library::open(LibraryConfig {
        index_dir: dir.join("index"),
        collections: vec![Collection { name: collection(), root: documents.to_owned() }],
        memory: 30_000_000,
        threads: 1,
    })
}

/// What a library holds. Panics where a document is there in part, or its passages are not those of its text.
pub fn state_of(library: &Library) -> State {
    let known = library.files(&collection()).expect("it can be read");
    let owner = Scope::owner();
    let mut passages = 0;
    let state: State = known
        .iter()
        .map(|(path, known)| {
            let document = path.strip_prefix("folder/").and_then(|rest| rest.strip_suffix(".txt")?.parse().ok());
            let version = known.stamp.size;
            if !known.failed {
                let request = ReadRequest { id: format!("notes/{path}"), limit: 200_000, ..ReadRequest::default() };
                let text = text(version);
                assert_eq!(library.read(&owner, &request).expect("it can be read").text, text, "{path} is whole");
                passages += text.lines().count() as u64;
            }
            (document.expect("its name is ours"), if known.failed { -(version as i64) } else { version as i64 })
        })
        .collect();
    let status = &library.status(&owner)[0];
    assert_eq!(status.passages, passages, "no passage too many or too few");
    state
}
