//! Puts documents into one collection's index, and shows them all at once.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, UserOperation};
use tantivy::schema::Term;
use tantivy::{IndexWriter, TantivyDocument, TantivyError};

use super::catalogue::{Catalogue, Entry};
use super::copies::text_number;
use super::error::LibraryError;
use super::files::Files;
use super::gate::{Gate, Queued};
use super::passages::{Detail, Maker, division};
use super::shelf::{Shelf, guarded};
use super::stored;
use super::text::Tongue;
use crate::documents::{Extracted, Format, Stamp};
use crate::limits::{DATE_AHEAD, DELETED_BEFORE_MERGE, PUT_PASSAGES, WRITER_BYTES_PER_THREAD};

/// Puts documents into one collection's index. Nothing shows before `commit`. After an error everything since the last commit is
/// undone: [`Writer::files`] says what is there, and what is not has to be put again.
pub struct Writer {
    shelf: Arc<Shelf>,
    options: IndexWriterOptions,
    tantivy: Option<IndexWriter<Queued>>,
    gate: Arc<Gate>,
    catalogue: Arc<Catalogue>,
    now: Option<Timestamp>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("collection", &self.shelf.name).finish_non_exhaustive()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.tantivy = None;
        self.shelf.end_writing();
    }
}

impl Writer {
    /// The writer of this shelf, with `memory` bytes over `threads` threads.
    pub(super) fn new(shelf: Arc<Shelf>, memory: usize, threads: usize) -> Result<Writer, LibraryError> {
        if !shelf.begin_writing() {
            return Err(LibraryError::Busy { path: shelf.dir.clone() });
        }
        let threads = threads.min(memory / WRITER_BYTES_PER_THREAD).clamp(1, 8);
        let options = IndexWriterOptions::builder()
            .num_worker_threads(threads)
            .num_merge_threads(1)
            .memory_budget_per_thread((memory / threads).clamp(WRITER_BYTES_PER_THREAD, 1 << 30))
            .build();
        let catalogue = Arc::clone(&shelf.snapshot().catalogue);
        let mut writer = Writer { shelf, options, tantivy: None, gate: Arc::default(), catalogue, now: None };
        writer.begin()?;
        Ok(writer)
    }

    /// The wall clock, for what is put from now on: the index remembers when it read a file.
    pub fn now_is(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// Every file the index knows, committed or not.
    pub fn files(&self) -> Files {
        Files(Arc::clone(&self.catalogue))
    }

    /// Replaces a document by what came out of it now.
    pub fn put(&mut self, path: &str, format: Format, stamp: Stamp, extracted: &Extracted) -> Result<(), LibraryError> {
        self.begin()?;
        let mut entry = self.entry(path, stamp);
        entry.format = Some(format);
        entry.dated = self.dated(format, extracted);
        entry.title = extracted.title.as_deref().and_then(Entry::kept_title);
        entry.tongue = Tongue::of(extracted.language.as_deref()).number();
        entry.text_bytes = extracted.text.len() as u64;
        entry.truncated = extracted.truncated;
        entry.text = text_number(&extracted.text);
        self.undo_on_error(|writer| writer.add(entry, extracted))
    }

    /// Notes that a file could not be read; what was indexed of it before is gone.
    pub fn put_failure(&mut self, path: &str, stamp: Stamp, reason: &str) -> Result<(), LibraryError> {
        self.begin()?;
        let mut entry = self.entry(path, stamp);
        entry.failure = Some(Entry::kept_reason(reason));
        self.undo_on_error(|writer| {
            writer.forget(entry.slot)?;
            let fields = writer.shelf.fields.clone();
            let record = Maker::new(&fields, &mut entry).record(&Detail { read: writer.now, ..Detail::default() });
            writer.send(vec![record], entry.path.len())?;
            Arc::make_mut(&mut writer.catalogue).put(entry);
            Ok(())
        })
    }

    /// Takes a document over to a new path without extracting it again; false where its text isn't known here (then it is to be
    /// extracted, and the old path deleted).
    pub fn rename(&mut self, from: &str, to: &str, stamp: Stamp) -> Result<bool, LibraryError> {
        self.begin()?;
        let snapshot = self.shelf.snapshot();
        let (Some(pending), Some(committed)) = (self.catalogue.at_path(from), snapshot.catalogue.at_path(from)) else {
            return Ok(false);
        };
        if pending != committed || !committed.is_searchable() || self.catalogue.at_path(to).is_some() {
            return Ok(false);
        }
        let extracted = guarded(|| stored::extracted(&self.shelf, &snapshot, committed));
        let extracted = extracted.map_err(|error| self.error(error))?;
        let Some(format) = committed.format else { return Ok(false) };
        self.put(to, format, stamp, &extracted)?;
        self.delete(from)?;
        Ok(true)
    }

    /// Forgets a document.
    pub fn delete(&mut self, path: &str) -> Result<(), LibraryError> {
        self.begin()?;
        let Some(slot) = self.catalogue.at_path(path).map(|entry| entry.slot) else { return Ok(()) };
        self.undo_on_error(|writer| {
            writer.forget(slot)?;
            Arc::make_mut(&mut writer.catalogue).delete(path);
            Ok(())
        })
    }

    /// Makes everything since the last commit searchable, at once and durably.
    pub fn commit(&mut self) -> Result<(), LibraryError> {
        self.undo_on_error(|writer| {
            writer.tantivy()?.commit()?;
            writer.shelf.sync()?;
            writer.shelf.publish(Arc::clone(&writer.catalogue))
        })
    }

    /// Lets go of what merges have left behind: to be called now and then when nothing else is to be done, so that the text of
    /// deleted documents leaves the disk although no commit follows. Cheap where there is nothing to do.
    pub fn tidy(&mut self) -> Result<(), LibraryError> {
        self.begin()?;
        let committed = Arc::clone(&self.shelf.snapshot().catalogue);
        let result = guarded(|| {
            self.shelf.publish(committed)?;
            self.tantivy()?.garbage_collect_files().wait()?;
            Ok(())
        });
        result.map_err(|error| self.error(error))
    }

    /// Notes that the folder and the index agreed at this time (for `index_age_seconds`).
    pub fn agreed(&self, at: Timestamp) {
        self.shelf.set_agreed(at);
    }

    /// Ends it with all its threads, so that nothing writes into the index's folder any more.
    pub fn end(mut self) {
        if let Some(tantivy) = self.tantivy.take()
            && let Err(error) = guarded(|| tantivy.wait_merging_threads())
        {
            tracing::debug!(%error, "an index writer ended badly");
        }
    }

    /// The index's folder on disk.
    pub fn dir(&self) -> &Path {
        &self.shelf.dir
    }

    /// The date that a document bears. One in the future is a wrong clock or an attempt to stand first: it does not count.
    fn dated(&self, format: Format, extracted: &Extracted) -> Option<i64> {
        let date = extracted.created.filter(|_| format.bears_its_date())?;
        let is_past = self.now.is_none_or(|now| date.as_second() - now.as_second() <= DATE_AHEAD);
        is_past.then(|| date.as_second())
    }

    fn entry(&self, path: &str, stamp: Stamp) -> Entry {
        Entry::new(self.catalogue.slot_for(path), &self.shelf.name, path, stamp)
    }

    fn add(&mut self, mut entry: Entry, extracted: &Extracted) -> tantivy::Result<()> {
        self.forget(entry.slot)?;
        let fields = self.shelf.fields.clone();
        let mut maker = Maker::new(&fields, &mut entry);
        for passages in division(extracted).chunks(PUT_PASSAGES) {
            let bytes = passages.iter().map(|(range, _)| range.len()).sum();
            let made =
                passages.iter().map(|(range, place)| maker.passage(range.start, place, &extracted.text[range.clone()]));
            self.send(made.collect(), bytes)?;
        }
        let record = maker.record(&Detail::of(extracted, self.now));
        self.send(vec![record], entry.path.len())?;
        Arc::make_mut(&mut self.catalogue).put(entry);
        Ok(())
    }

    fn forget(&mut self, slot: u32) -> tantivy::Result<()> {
        let term = Term::from_field_u64(self.shelf.fields.slot, u64::from(slot));
        self.tantivy()?.delete_term(term);
        Ok(())
    }

    fn send(&mut self, documents: Vec<TantivyDocument>, bytes: usize) -> tantivy::Result<()> {
        let queued = self.gate.pass(documents, bytes);
        let queued = queued.ok_or_else(|| TantivyError::SystemError("the index writer stands still".to_owned()))?;
        let tantivy = self.tantivy()?;
        tantivy.run(queued.into_iter().map(UserOperation::Add).collect::<Vec<_>>())?;
        Ok(())
    }

    /// Begins from the last commit, where nothing is under way.
    fn begin(&mut self) -> Result<(), LibraryError> {
        if self.tantivy.is_some() {
            return Ok(());
        }
        self.undo_on_error(|writer| {
            writer.shelf.settle()?;
            writer.catalogue = Arc::clone(&writer.shelf.snapshot().catalogue);
            writer.tantivy().map(drop)
        })
    }

    fn tantivy(&mut self) -> tantivy::Result<&mut IndexWriter<Queued>> {
        if self.tantivy.is_none() {
            let writer: IndexWriter<Queued> = self.shelf.index.writer_with_options(self.options.clone())?;
            let mut policy = LogMergePolicy::default();
            policy.set_del_docs_ratio_before_merge(DELETED_BEFORE_MERGE);
            writer.set_merge_policy(Box::new(policy));
            self.tantivy = Some(writer);
        }
        self.tantivy.as_mut().ok_or(TantivyError::Poisoned)
    }

    /// After an error tantivy's writer may be dead, and holds what was not committed: a new one begins from the last commit. That may
    /// be the one that failed, if it failed late.
    fn undo_on_error(&mut self, work: impl FnOnce(&mut Writer) -> tantivy::Result<()>) -> Result<(), LibraryError> {
        guarded(|| work(self)).map_err(|error| {
            self.tantivy = None;
            self.shelf.doubt();
            // Where even looking fails, it is looked again before anything else is written.
            let _ = guarded(|| self.shelf.settle());
            self.catalogue = Arc::clone(&self.shelf.snapshot().catalogue);
            self.error(error)
        })
    }

    fn error(&self, error: TantivyError) -> LibraryError {
        LibraryError::of(&self.shelf.dir, error)
    }
}
