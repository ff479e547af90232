//! What the index knows of a collection, and the writer that changes it: changes in, commits out at sensible times.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::plan::{Catalogue, Change};
use super::queue::Urgency;
use crate::daemon::memory;
use crate::documents::{Extracted, Format, Found, Stamp};
use crate::limits::{
    COMMIT_BULK, COMMIT_BYTES, COMMIT_DOCUMENTS, COMMIT_FIRST, COMMIT_SPACING, LARGE_FILE, WRITER_REST,
};
use crate::name::CollectionName;
use crate::search::{Files, Indexing, Library, LibraryError, Writer};

/// The index of one collection, as the indexer sees it.
#[derive(Debug)]
pub(super) struct Ledger {
    library: Arc<Library>,
    name: CollectionName,
    /// Documents that are to be read again whatever they look like.
    outdated: HashSet<String>,
    writer: Option<Writer>,
    uncommitted: Uncommitted,
    last_commit: Option<Instant>,
    used: Instant,
    /// How many of the next documents are committed one by one: one of a commit that failed is not to be indexed, and which is not known.
    careful: usize,
}

/// What the next commit will show.
#[derive(Debug, Default)]
struct Uncommitted {
    changes: usize,
    bytes: usize,
    since: Option<Instant>,
    urgent: bool,
}

impl Ledger {
    pub(super) fn new(library: Arc<Library>, name: CollectionName, now: Instant) -> Ledger {
        Ledger {
            library,
            name,
            outdated: HashSet::new(),
            writer: None,
            uncommitted: Uncommitted::default(),
            last_commit: None,
            used: now,
            careful: 0,
        }
    }

    /// What the index knows, committed or not. Nothing where it cannot be read.
    pub(super) fn known(&self) -> Catalogue<'_> {
        Catalogue::new(self.files(), &self.outdated)
    }

    /// Learns what the index knows; what was not committed is forgotten.
    pub(super) fn load(&mut self) -> Result<(), LibraryError> {
        self.abandon();
        self.library.files(&self.name).map(drop)
    }

    /// Takes every document for outdated, so that it is read again.
    pub(super) fn outdate(&mut self) {
        self.outdated = self.files().iter().map(|(path, _)| path.to_owned()).collect();
    }

    /// Makes a change that needs no reading. Returns a file that must be read after all.
    pub(super) fn apply(&mut self, change: Change, now: Instant) -> Result<Option<Found>, LibraryError> {
        match change {
            Change::Rename { from, to, stamp } => {
                if !self.writer(now)?.rename(&from, &to, stamp)? {
                    self.delete(&from, now)?;
                    return Ok(Some(Found { path: to, stamp }));
                }
                self.outdated.remove(&from);
                self.changed(0, Urgency::Urgent, now);
            }
            Change::Delete { path } => self.delete(&path, now)?,
            Change::Fail { path, stamp, reason } => self.fail(&path, stamp, &reason, now)?,
        }
        Ok(None)
    }

    /// Replaces a document that somebody waits for, or not. Before a large one, which takes its time, everything else is shown.
    pub(super) fn put(
        &mut self,
        path: &str,
        (format, stamp, extracted): (Format, Stamp, &Extracted),
        urgency: Urgency,
        now: Instant,
    ) -> Result<(), LibraryError> {
        if extracted.text.len() as u64 >= LARGE_FILE && self.uncommitted.since.is_some() {
            self.commit(now)?;
        }
        self.writer(now)?.put(path, format, stamp, extracted)?;
        self.outdated.remove(path);
        self.changed(extracted.text.len(), urgency, now);
        if self.careful > 0 {
            self.commit(now)?;
            self.careful -= 1;
        }
        Ok(())
    }

    /// Whether documents are committed one by one: then it is the last one's fault where that fails.
    pub(super) fn is_careful(&self) -> bool {
        self.careful > 0
    }

    /// Something that was put since the last commit cannot be indexed: as many are committed one by one from here on.
    pub(super) fn be_careful(&mut self) {
        self.careful = self.careful.max(self.uncommitted.changes + 1);
    }

    /// Notes that a file cannot be read.
    pub(super) fn fail(&mut self, path: &str, stamp: Stamp, reason: &str, now: Instant) -> Result<(), LibraryError> {
        self.writer(now)?.put_failure(path, stamp, reason)?;
        self.outdated.remove(path);
        self.changed(0, Urgency::Bulk, now);
        Ok(())
    }

    /// Forgets a document, if it is known.
    pub(super) fn delete(&mut self, path: &str, now: Instant) -> Result<(), LibraryError> {
        if self.files().get(path).is_some() {
            self.writer(now)?.delete(path)?;
            self.outdated.remove(path);
            self.changed(0, Urgency::Urgent, now);
        }
        Ok(())
    }

    /// When the next commit is due. At once when somebody waits for it or nothing else is under way, but with some space between two;
    /// after a while in the midst of work.
    pub(super) fn commit_due(&self, is_idle: bool) -> Option<Instant> {
        let since = self.uncommitted.since?;
        if self.uncommitted.bytes >= COMMIT_BYTES || self.uncommitted.changes >= COMMIT_DOCUMENTS {
            return Some(since);
        }
        match self.last_commit {
            Some(last) if self.uncommitted.urgent || is_idle => Some(since.max(last + COMMIT_SPACING)),
            None if self.uncommitted.urgent || is_idle => Some(since),
            Some(_) => Some(since + COMMIT_BULK),
            None => Some(since + COMMIT_FIRST),
        }
    }

    /// Changes that are not committed.
    pub(super) fn uncommitted(&self) -> usize {
        self.uncommitted.changes
    }

    /// Shows everything since the last commit.
    pub(super) fn commit(&mut self, now: Instant) -> Result<(), LibraryError> {
        self.writer(now)?.commit()?;
        tracing::debug!(collection = %self.name, changes = self.uncommitted.changes, "committed");
        self.uncommitted = Uncommitted::default();
        self.last_commit = Some(now);
        Ok(())
    }

    /// Notes that folder and index agreed at this time.
    pub(super) fn agreed(&mut self, at: Timestamp, now: Instant) -> Result<(), LibraryError> {
        self.writer(now)?.agreed(at);
        Ok(())
    }

    /// Tells whoever searches how far reading has come; none where nothing is left to read.
    pub(super) fn tell(&self, indexing: Option<Indexing>) {
        self.library.set_indexing(&self.name, indexing);
    }

    /// When the writer can be let go.
    pub(super) fn release_due(&self) -> Option<Instant> {
        (self.writer.is_some() && self.uncommitted.changes == 0).then(|| self.used + WRITER_REST)
    }

    /// Lets the writer go, and its memory and threads with it; before that, what merges have left behind.
    pub(super) fn release(&mut self) -> Result<(), LibraryError> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let tidied = writer.tidy();
        drop(writer);
        memory::give_back();
        tidied
    }

    /// Moves the index aside and begins another.
    pub(super) fn begin_anew(&mut self, reason: &str) -> Result<(), LibraryError> {
        if let Some(writer) = self.writer.take() {
            writer.end();
        }
        self.abandon();
        self.library.begin_anew(&self.name, reason)
    }

    /// Why the index was begun anew, until it has everything again.
    pub(super) fn begun_anew(&self) -> Option<String> {
        self.library.begun_anew(&self.name)
    }

    /// Gives up what was not committed.
    pub(super) fn abandon(&mut self) {
        self.writer = None;
        self.uncommitted = Uncommitted::default();
    }

    fn files(&self) -> Files {
        match &self.writer {
            Some(writer) => writer.files(),
            None => self.library.files(&self.name).unwrap_or_default(),
        }
    }

    fn writer(&mut self, now: Instant) -> Result<&mut Writer, LibraryError> {
        self.used = now;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.library.writer(&self.name)?,
        };
        writer.now_is(Timestamp::now());
        Ok(self.writer.insert(writer))
    }

    fn changed(&mut self, bytes: usize, urgency: Urgency, now: Instant) {
        self.uncommitted.changes += 1;
        self.uncommitted.bytes += bytes;
        self.uncommitted.since = self.uncommitted.since.or(Some(now));
        self.uncommitted.urgent |= urgency == Urgency::Urgent;
    }
}
