//! How often reading a file cost a worker, or adit itself: kept between starts, so that no file has more tries than others.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::write_atomically;
use crate::documents::Stamp;
use crate::limits::STRUCK_FILES;
use crate::name::CollectionName;

/// What is said of a file that was being read when adit ended without a word.
const ENDED: &str = "adit itself ended while it was being read";

/// The strikes of one collection's files.
#[derive(Debug)]
pub(super) struct Strikes {
    file: PathBuf,
    struck: BTreeMap<String, Strike>,
    /// The file that names what is being read, and what it names now.
    reading_file: PathBuf,
    reading: HashMap<String, Stamp>,
}

/// How often reading a file went wrong as it is now, and what was said the last time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Strike {
    stamp: Stamp,
    /// How often.
    pub(super) count: usize,
    /// The last time's reason.
    pub(super) reason: String,
}

impl Strikes {
    /// Reads what was kept. Whatever was being read when adit ended has one strike more; what cannot be read is forgotten.
    pub(super) fn open(state_dir: &Path, collection: &CollectionName) -> Strikes {
        let file = state_dir.join(format!("strikes-{collection}.json"));
        let reading_file = state_dir.join(format!("reading-{collection}.json"));
        let mut strikes = Strikes { struck: read(&file), file, reading: HashMap::new(), reading_file };
        let reading: HashMap<String, Stamp> = read(&strikes.reading_file);
        for (path, stamp) in &reading {
            let count = strikes.add(path, *stamp, ENDED);
            tracing::warn!(%collection, count, "adit ended while a file was being read; it is tried again, last of all");
        }
        strikes.reading = reading;
        strikes.note_reading(&HashMap::new());
        strikes
    }

    /// The strikes of a file, if it has any as it is now.
    pub(super) fn of(&self, path: &str, stamp: Stamp) -> Option<&Strike> {
        self.struck.get(path).filter(|strike| strike.stamp == stamp)
    }

    /// One more; how many that makes.
    pub(super) fn add(&mut self, path: &str, stamp: Stamp, reason: &str) -> usize {
        let count = self.of(path, stamp).map_or(0, |strike| strike.count) + 1;
        if self.struck.len() < STRUCK_FILES || self.struck.contains_key(path) {
            self.struck.insert(path.to_owned(), Strike { stamp, count, reason: reason.to_owned() });
            self.keep();
        }
        count
    }

    /// It has been read, given up, or is gone.
    pub(super) fn forget(&mut self, path: &str) {
        if self.struck.remove(path).is_some() {
            self.keep();
        }
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        if !self.struck.is_empty() {
            self.struck.clear();
            self.keep();
        }
    }

    /// Notes what is being read, where that changed: for the case that adit ends without a word. A power cut may lose the note.
    pub(super) fn note_reading(&mut self, reading: &HashMap<String, Stamp>) {
        if self.reading == *reading {
            return;
        }
        let noted = match reading.is_empty() {
            true => std::fs::remove_file(&self.reading_file),
            false => serde_json::to_vec(reading)
                .map_err(io::Error::other)
                .and_then(|bytes| std::fs::write(&self.reading_file, bytes)),
        };
        match noted {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(%error, "what is being read is not noted");
            }
            _ => self.reading.clone_from(reading),
        }
    }

    fn keep(&self) {
        let bytes = serde_json::to_vec(&self.struck).map_err(io::Error::other);
        if let Err(error) = bytes.and_then(|bytes| write_atomically(&self.file, &bytes, 0o600)) {
            tracing::warn!(path = %self.file.display(), %error, "what cost a worker is not remembered");
        }
    }
}

fn read<T: Default + for<'de> Deserialize<'de>>(path: &Path) -> T {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_are_kept_between_starts_and_count_what_was_being_read() {
        let dir = tempfile::tempdir().unwrap();
        let name: CollectionName = "papers".parse().unwrap();
        let stamp = |size| Stamp { size, modified_ns: 7, inode: 3 };
        let open = || Strikes::open(dir.path(), &name);
        assert_eq!(open().add("a.pdf", stamp(1), "it crashed"), 1);
        let mut strikes = open();
        assert_eq!(strikes.add("a.pdf", stamp(1), "it crashed again"), 2);
        assert_eq!(strikes.add("b.pdf", stamp(1), "it crashed"), 1);
        strikes.forget("b.pdf");
        strikes.note_reading(&HashMap::from([("a.pdf".to_owned(), stamp(1)), ("c.pdf".to_owned(), stamp(2))]));
        drop(strikes);
        let mut strikes = open();
        assert_eq!(strikes.of("a.pdf", stamp(1)).map(|it| (it.count, it.reason.as_str())), Some((3, ENDED)));
        assert_eq!(strikes.of("c.pdf", stamp(2)).map(|it| it.count), Some(1));
        assert_eq!(strikes.of("a.pdf", stamp(9)), None, "it is another file now");
        assert_eq!(strikes.of("b.pdf", stamp(1)), None);
        strikes.note_reading(&HashMap::new());
        drop(strikes);
        assert_eq!(open().of("c.pdf", stamp(2)).map(|it| it.count), Some(1), "an end in good order is no strike");
        open().clear();
        assert_eq!(open().of("a.pdf", stamp(1)), None);
        std::fs::write(dir.path().join("strikes-papers.json"), "{\"a\":").unwrap();
        assert_eq!(open().of("a.pdf", stamp(1)), None);
    }
}
