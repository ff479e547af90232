//! All collections, to be searched by many threads at once. Every reading verb takes a [`Scope`].

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::browse;
use super::catalogue::Entry;
use super::error::LibraryError;
use super::id::Wanted;
use super::read;
use super::shelf::Shelf;
use super::stored;
use super::types::{
    Answer, CollectionStatus, Document, DocumentInfo, Failure, FileRecord, Indexing, Listing, ReadRequest, Reading,
    SearchRequest,
};
use super::view::{Part, View};
use super::writer::Writer;
use crate::access::Scope;
use crate::documents::open_beneath;
use crate::name::CollectionName;

/// All collections, to be searched by many threads at once.
#[derive(Debug)]
pub struct Library {
    shelves: Vec<Arc<Shelf>>,
    memory: usize,
    threads: usize,
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
        let open = |Collection { name, root }| Shelf::open(name, root, &config.index_dir).map(Arc::new);
        let shelves = config.collections.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Library { shelves, memory: config.memory, threads: config.threads })
    }

    /// Best passages for a question.
    pub fn search(&self, scope: &Scope, request: &SearchRequest) -> Result<Answer, LibraryError> {
        super::ask::ask(&self.view(scope), request)
    }

    /// Part of a document's text.
    pub fn read(&self, scope: &Scope, request: &ReadRequest) -> Result<Reading, LibraryError> {
        let view = self.view(scope);
        let (part, entry, passage) = find(&view, &request.id)?;
        read::read(part, entry, passage, request)
    }

    /// Documents by name: part of it, a glob, or with typos; best first.
    pub fn find_document(&self, scope: &Scope, query: &str, limit: usize) -> Result<Vec<Document>, LibraryError> {
        let view = self.view(scope);
        browse::find(&view, query, limit)?.into_iter().map(|(part, entry)| document(part, entry)).collect()
    }

    /// Collections (`path` empty), or what is below a folder.
    pub fn list(&self, scope: &Scope, path: &str, offset: usize, limit: usize) -> Result<Listing, LibraryError> {
        let view = self.view(scope);
        let (mut listing, files) = browse::list(&view, path, offset, limit)?;
        listing.documents = files.into_iter().map(|(part, entry)| document(part, entry)).collect::<Result<_, _>>()?;
        Ok(listing)
    }

    /// What is known of a document: by id, or by `collection/path`.
    pub fn info(&self, scope: &Scope, id_or_path: &str) -> Result<DocumentInfo, LibraryError> {
        let view = self.view(scope);
        let (part, entry, _) = find(&view, id_or_path)?;
        let mut detail = stored::detail(&part.shelf, &part.snapshot, entry.slot).map_err(|error| part.error(error))?;
        let outline = std::mem::take(&mut detail.outline);
        Ok(DocumentInfo { document: read::document(part, entry, detail), outline })
    }

    /// The file itself, opened beneath its root without following links.
    pub fn original(&self, scope: &Scope, id: &str) -> Result<(File, Document), LibraryError> {
        let view = self.view(scope);
        let (part, entry, _) = find(&view, id)?;
        // Why it cannot be opened is the owner's to know (`why`, `index failures`), not the caller's.
        let file = open_beneath(&part.shelf.root, &entry.path).map_err(|_| LibraryError::NotFound)?;
        Ok((file, document(part, entry)?))
    }

    /// The most recently modified documents in scope.
    pub fn recent(&self, scope: &Scope, limit: usize) -> Result<Vec<Document>, LibraryError> {
        let view = self.view(scope);
        browse::recent(&view, limit).into_iter().map(|(part, entry)| document(part, entry)).collect()
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
        let view = self.view(scope);
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

    /// The writer of a collection: one at a time.
    pub fn writer(&self, collection: &CollectionName) -> Result<Writer, LibraryError> {
        let shelf = self.shelves.iter().find(|shelf| shelf.name == *collection).ok_or(LibraryError::NotFound)?;
        Writer::new(Arc::clone(shelf), self.memory, self.threads)
    }

    /// Notes how far the reading of a collection has come, so that answers say so; none when nothing is left to read.
    pub fn set_indexing(&self, collection: &CollectionName, indexing: Option<Indexing>) {
        if let Some(shelf) = self.shelves.iter().find(|shelf| shelf.name == *collection) {
            shelf.set_indexing(indexing);
        }
    }

    fn view(&self, scope: &Scope) -> View {
        View::new(self.shelves.iter(), scope)
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
