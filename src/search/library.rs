//! All collections, to be searched by many threads at once. Every reading verb takes a [`Scope`].

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::browse;
use super::catalogue::Entry;
use super::error::LibraryError;
use super::files::Files;
use super::id::Wanted;
use super::read;
use super::shelf::{Shelf, guarded};
use super::stored;
use super::types::{
    Answer, CollectionStatus, Difference, Document, DocumentInfo, Failure, FileRecord, Indexing, Listing, ReadRequest,
    Reading, SearchRequest,
};
use super::view::{Part, View};
use super::writer::Writer;
use crate::access::Scope;
use crate::documents::open_beneath;
use crate::name::CollectionName;

/// All collections, to be searched by many threads at once.
#[derive(Debug)]
pub struct Library {
    shelves: Vec<ArcSwap<Shelf>>,
    index_dir: PathBuf,
    memory: usize,
    threads: usize,
    alarm: Alarm,
}

/// Whom to tell that a collection's index may be damaged.
#[derive(Default)]
struct Alarm(Mutex<Option<Told>>);

type Told = Box<dyn Fn(&CollectionName) + Send + Sync>;

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Alarm")
    }
}

/// A collection to open: its name and root folder.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its name.
    pub name: CollectionName,
    /// Its absolute root folder.
    pub root: PathBuf,
}

/// How indexes are opened.
#[derive(Debug, Clone)]
pub struct LibraryConfig {
    /// Folder that holds one index folder per collection.
    pub index_dir: PathBuf,
    /// Collections, in the order of the configuration.
    pub collections: Vec<Collection>,
    /// Memory of one writer in bytes.
    pub memory: usize,
    /// Threads of one writer.
    pub threads: usize,
}

impl Library {
    /// Opens or makes the index of every collection. A damaged one, or one of another version, is moved aside and begun anew; a lock,
    /// permission or disk error is returned.
    pub fn open(config: LibraryConfig) -> Result<Library, LibraryError> {
        let LibraryConfig { index_dir, collections, memory, threads } = config;
        let open = |Collection { name, root }| Shelf::open(name, root, &index_dir).map(ArcSwap::from_pointee);
        let shelves = collections.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Library { shelves, index_dir, memory, threads, alarm: Alarm::default() })
    }

    /// Whom to tell that a collection's index may be damaged, as reading it found: the last to ask.
    pub fn on_damage(&self, tell: impl Fn(&CollectionName) + Send + Sync + 'static) {
        *self.alarm.0.lock() = Some(Box::new(tell));
    }

    /// Compares every byte of a collection's last commit with its checksums: what is wrong, if anything is. Takes as long as the disk
    /// takes to read it; asks `between` two files whether to go on.
    pub fn check(
        &self,
        collection: &CollectionName,
        between: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Option<String>, LibraryError> {
        self.shelf(collection)?.check(between)
    }

    /// Moves a damaged index aside and begins another; what is under way still reads the old one. Nobody may be writing it.
    pub fn begin_anew(&self, collection: &CollectionName, reason: &str) -> Result<(), LibraryError> {
        let slot = self.slot(collection)?;
        let old = slot.load_full();
        if !old.begin_writing() {
            return Err(LibraryError::Busy { path: old.dir.clone() });
        }
        let new = Shelf::begin_anew(old.name.clone(), old.root.clone(), &self.index_dir, reason);
        old.end_writing();
        slot.store(Arc::new(new?));
        old.put_aside();
        Ok(())
    }

    /// Why a collection's index was begun anew, until its folder has been read into it.
    pub fn begun_anew(&self, collection: &CollectionName) -> Option<String> {
        self.shelf(collection).ok()?.begun_anew()
    }

    /// Every file that the index of a collection knows, as of its last commit.
    pub fn files(&self, collection: &CollectionName) -> Result<Files, LibraryError> {
        let shelf = self.shelf(collection)?;
        guarded(|| shelf.settle()).map_err(|error| LibraryError::of(&shelf.dir, error))?;
        Ok(Files(Arc::clone(&shelf.snapshot().catalogue)))
    }

    /// Best passages for a question.
    pub fn search(&self, scope: &Scope, request: &SearchRequest) -> Result<Answer, LibraryError> {
        self.answer(scope, |view| super::ask::ask(view, request))
    }

    /// Part of a document's text.
    pub fn read(&self, scope: &Scope, request: &ReadRequest) -> Result<Reading, LibraryError> {
        self.answer(scope, |view| {
            let (part, entry, passage) = find(view, &request.id)?;
            read::read(part, entry, passage, request)
        })
    }

    /// Documents by name: part of it, a glob, or with typos; best first.
    pub fn find_document(&self, scope: &Scope, query: &str, limit: usize) -> Result<Vec<Document>, LibraryError> {
        self.answer(scope, |view| {
            browse::find(view, query, limit)?.into_iter().map(|(part, entry)| document(part, entry)).collect()
        })
    }

    /// Collections (`path` empty), or what is below a folder.
    pub fn list(&self, scope: &Scope, path: &str, offset: usize, limit: usize) -> Result<Listing, LibraryError> {
        self.answer(scope, |view| {
            let (mut listing, files) = browse::list(view, path, offset, limit)?;
            listing.documents =
                files.into_iter().map(|(part, entry)| document(part, entry)).collect::<Result<_, _>>()?;
            Ok(listing)
        })
    }

    /// What is known of a document: by id, or by `collection/path`.
    pub fn info(&self, scope: &Scope, id_or_path: &str) -> Result<DocumentInfo, LibraryError> {
        self.answer(scope, |view| {
            let (part, entry, _) = find(view, id_or_path)?;
            let detail = stored::detail(&part.shelf, &part.snapshot, entry.slot);
            let mut detail = detail.map_err(|error| part.error(error))?;
            let outline = std::mem::take(&mut detail.outline);
            Ok(DocumentInfo { document: read::document(part, entry, detail), outline })
        })
    }

    /// The file itself, opened beneath its root without following links.
    pub fn original(&self, scope: &Scope, id: &str) -> Result<(File, Document), LibraryError> {
        self.answer(scope, |view| {
            let (part, entry, _) = find(view, id)?;
            // Why it cannot be opened is the owner's to know (`why`, `index failures`), not the caller's.
            let file = open_beneath(&part.shelf.root, &entry.path).map_err(|_| LibraryError::NotFound)?;
            Ok((file, document(part, entry)?))
        })
    }

    /// The most recently modified documents in scope.
    pub fn recent(&self, scope: &Scope, limit: usize) -> Result<Vec<Document>, LibraryError> {
        self.answer(scope, |view| {
            browse::recent(view, limit).into_iter().map(|(part, entry)| document(part, entry)).collect()
        })
    }

    /// Figures per collection in scope.
    pub fn status(&self, scope: &Scope) -> Vec<CollectionStatus> {
        self.view(scope).parts.iter().map(status).collect()
    }

    /// Files that could not be read, or not to their end, in scope.
    pub fn failures(&self, scope: &Scope) -> Vec<Failure> {
        let view = self.view(scope);
        let failure = |part: &Part, entry: &Entry| {
            let truncated =
                entry.truncated.then_some("longer than `extract.max_text`: only its beginning is searchable");
            let reason = entry.failure.as_deref().or(truncated)?.to_owned();
            let (collection, path) = (part.shelf.name.clone(), entry.path.to_string());
            Some(Failure { collection, path, reason, truncated: entry.truncated })
        };
        view.parts.iter().flat_map(|part| part.entries().filter_map(move |entry| failure(part, entry))).collect()
    }

    /// What is known of the file at a path of a collection, searchable or not.
    pub fn file(
        &self,
        scope: &Scope,
        collection: &CollectionName,
        path: &str,
    ) -> Result<Option<FileRecord>, LibraryError> {
        self.answer(scope, |view| {
            let part = view.parts.iter().find(|part| part.shelf.name == *collection).ok_or(LibraryError::NotFound)?;
            let Some(entry) = part.snapshot.catalogue.at_path(path).filter(|entry| part.sees(entry.slot)) else {
                return Ok(None);
            };
            let detail = stored::detail(&part.shelf, &part.snapshot, entry.slot).map_err(|error| part.error(error))?;
            Ok(Some(FileRecord {
                stamp: entry.stamp,
                failure: entry.failure.as_deref().map(str::to_owned),
                format: entry.format,
                passages: entry.passages.into(),
                truncated: entry.truncated,
                pages: detail.pages,
                empty_pages: detail.empty_pages,
                read: detail.read,
            }))
        })
    }

    /// Searchable documents and unreadable files below a folder of a collection (empty: all of it).
    pub fn below(&self, scope: &Scope, collection: &CollectionName, folder: &str) -> (u64, u64) {
        let view = self.view(scope);
        let parts = view.parts.iter().filter(|part| part.shelf.name == *collection);
        let is_below = |entry: &&Arc<Entry>| {
            folder.is_empty() || entry.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let entries = parts.flat_map(|part| part.entries().filter(is_below));
        entries.fold((0, 0), |(documents, failed), entry| match entry.is_searchable() {
            true => (documents + 1, failed),
            false => (documents, failed + 1),
        })
    }

    /// The documents that lie between two scopes, of each side no more than `most` by name.
    pub fn difference(&self, before: &Scope, after: &Scope, most: usize) -> Difference {
        let mut difference = Difference::default();
        let owner = Scope::owner();
        for part in &self.view(&owner).parts {
            let name = &part.shelf.name;
            for entry in part.entries().filter(|entry| entry.is_searchable()) {
                let documents = match [before, after].map(|scope| scope.admits_path(name, &entry.path)) {
                    [false, true] => &mut difference.gained,
                    [true, false] => &mut difference.lost,
                    _ => continue,
                };
                documents.documents += 1;
                if documents.paths.len() < most {
                    documents.paths.push(format!("{name}/{}", entry.path));
                }
            }
        }
        difference
    }

    /// The writer of a collection: one at a time.
    pub fn writer(&self, collection: &CollectionName) -> Result<Writer, LibraryError> {
        Writer::new(self.shelf(collection)?, self.memory, self.threads)
    }

    /// Notes how far the reading of a collection has come, so that answers say so; none when nothing is left to read.
    pub fn set_indexing(&self, collection: &CollectionName, indexing: Option<Indexing>) {
        if let Ok(shelf) = self.shelf(collection) {
            shelf.set_indexing(indexing);
        }
    }

    /// Answers from what a scope sees now. Where that shows an index to be damaged, or ends in a panic as damage may, it is told.
    fn answer<T>(&self, scope: &Scope, verb: impl FnOnce(&View) -> Result<T, LibraryError>) -> Result<T, LibraryError> {
        let view = self.view(scope);
        let answered = guarded(|| Ok(verb(&view)));
        let suspects = || view.parts.iter().map(|part| &part.shelf);
        match answered {
            Ok(Err(LibraryError::Damaged { path, reason })) => {
                suspects().filter(|shelf| shelf.dir == path).for_each(|shelf| self.suspect(shelf, &reason));
                Err(LibraryError::Damaged { path, reason })
            }
            Ok(answer) => answer,
            Err(error) => {
                suspects().for_each(|shelf| self.suspect(shelf, &error.to_string()));
                Err(LibraryError::Index(error.to_string()))
            }
        }
    }

    fn suspect(&self, shelf: &Shelf, reason: &str) {
        tracing::error!(collection = %shelf.name, reason, "reading the index failed: it may be damaged");
        if let Some(tell) = &*self.alarm.0.lock() {
            tell(&shelf.name);
        }
    }

    fn slot(&self, collection: &CollectionName) -> Result<&ArcSwap<Shelf>, LibraryError> {
        self.shelves.iter().find(|shelf| shelf.load().name == *collection).ok_or(LibraryError::NotFound)
    }

    fn shelf(&self, collection: &CollectionName) -> Result<Arc<Shelf>, LibraryError> {
        Ok(self.slot(collection)?.load_full())
    }

    fn view(&self, scope: &Scope) -> View {
        View::new(self.shelves.iter().map(ArcSwap::load_full), scope)
    }
}

/// The document with this id, or at this `collection/path`, in view.
fn find<'a>(view: &'a View, wanted: &str) -> Result<(&'a Part, &'a Arc<Entry>, Option<u32>), LibraryError> {
    let visible = |part: &Part, entry: &Entry| entry.is_searchable() && part.sees(entry.slot);
    if let Ok(Wanted { document, passage }) = wanted.parse() {
        let found = view.parts.iter().find_map(|part| Some((part, part.snapshot.catalogue.with_id(document)?)));
        if let Some((part, entry)) = found.filter(|(part, entry)| visible(part, entry)) {
            return Ok((part, entry, passage));
        }
    }
    let (part, path) = view.place(wanted.trim_matches('/')).ok_or(LibraryError::NotFound)?;
    let entry = part.snapshot.catalogue.at_path(path).filter(|entry| visible(part, entry));
    entry.map(|entry| (part, entry, None)).ok_or(LibraryError::NotFound)
}

fn document(part: &Part, entry: &Entry) -> Result<Document, LibraryError> {
    let detail = stored::detail(&part.shelf, &part.snapshot, entry.slot).map_err(|error| part.error(error))?;
    Ok(read::document(part, entry, detail))
}

fn status(part: &Part) -> CollectionStatus {
    let totals = part.totals();
    CollectionStatus {
        name: part.shelf.name.clone(),
        documents: totals.documents,
        passages: totals.passages,
        failed: part.entries().filter(|entry| !entry.is_searchable()).count() as u64,
        truncated: part.entries().filter(|entry| entry.truncated).count() as u64,
        text_bytes: totals.text_bytes,
        agreed: part.shelf.agreed(),
    }
}

/// A document's date and when its file was modified; the nearest times there are.
pub(super) fn date_and_modified(entry: &Entry) -> (Timestamp, Timestamp) {
    (time(entry.date()), time(entry.stamp.modified_ns))
}

fn time(nanoseconds: i128) -> Timestamp {
    let nanoseconds = nanoseconds.clamp(Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
    Timestamp::from_nanosecond(nanoseconds).unwrap_or_default()
}
