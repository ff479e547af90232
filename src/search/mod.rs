//! Documents seen through a scope: an index per collection, questions in, ranked passages with their places and snippets out.
//!
//! The index is a cache: anything wrong with it is mended by building it again from the documents. What is known of each file (its
//! stamp, its outcome) is committed with its passages, in the same commit.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::documents::{Extracted, Format, OutlineEntry, Place, Stamp};
use crate::name::CollectionName;

/// All collections, to be searched by many threads at once. Every reading verb takes a [`Scope`].
#[derive(Debug)]
pub struct Library {
    _todo: (),
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

/// Why the library could not be opened, written or asked.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// An input or output error; the documents are unharmed and the last commit still answers.
    #[error("the index in {path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Anything else that the index said.
    #[error("the index: {0}")]
    Index(String),
    /// Not there, or not to be seen by this caller: the two are one.
    #[error("no such document")]
    NotFound,
    /// An argument that cannot be used: its name, what is wrong with it, and an example.
    #[error("{argument}: {problem}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// What is wrong, what the range is, and an example.
        problem: String,
    },
}

/// A question.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    /// What the person typed.
    pub query: String,
    /// Only this collection.
    pub collection: Option<String>,
    /// Only below this folder, or in this document.
    pub path: Option<String>,
    /// Only of this format.
    pub format: Option<Format>,
    /// Only modified at or after.
    pub modified_after: Option<Timestamp>,
    /// Only modified before.
    pub modified_before: Option<Timestamp>,
    /// Whether all words must occur in the document.
    pub match_all: bool,
    /// Words with a typo count too (always after exact ones).
    pub fuzzy: bool,
    /// Lines around the hit in the snippet; `None`: chosen by the answer's budget.
    pub context_lines: Option<usize>,
    /// Results wanted, 1 to 50.
    pub limit: usize,
    /// Sort key of the last result of the page before: continues after it.
    pub after: Option<SortKey>,
    /// Characters that all snippets together may take.
    pub snippet_budget: usize,
}

/// The place of a result in the fixed order (score, collection, path, passage). Opaque; sealed into cursors by `mcp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SortKey {
    /// The score's bits.
    pub score: u32,
    /// Collection, path and passage number.
    pub collection: String,
    /// See above.
    pub path: String,
    /// See above.
    pub passage: u32,
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Best passages, best first, one per document first.
    pub results: Vec<Hit>,
    /// How many documents match; exact up to 1,000, a lower bound above.
    pub total: u64,
    /// Whether `total` is exact.
    pub total_is_exact: bool,
    /// Where to go on, when there is more.
    #[serde(skip)]
    pub next: Option<SortKey>,
    /// Seconds since the oldest of the indexes in scope last agreed with its folder.
    pub index_age_seconds: u64,
    /// What to try where nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// What of the query was not used, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<String>,
}

/// A passage that answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hit {
    /// Passage id: `<document id>.<passage>`.
    pub id: String,
    /// The document's title, or its file name.
    pub title: String,
    /// Path below the collection's root.
    pub path: String,
    /// The collection.
    pub collection: CollectionName,
    /// Text around the hit; highlights are in `highlights`.
    pub snippet: String,
    /// Byte ranges in `snippet`.
    pub highlights: Vec<(usize, usize)>,
    /// Page, heading, line.
    #[serde(flatten)]
    pub place: Place,
    /// Higher is better; comparable within one answer.
    pub score: f32,
    /// When the document was modified.
    pub modified: Timestamp,
    /// Whether it was found only with a typo allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fuzzy: bool,
    /// The document's format.
    #[serde(rename = "type")]
    pub format: Format,
}

/// A part of a document to read.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// Document or passage id.
    pub id: String,
    /// Pages, as `3` or `3-5`.
    pub pages: Option<String>,
    /// Heading whose section is wanted.
    pub section: Option<String>,
    /// First byte of the (selected) text; moved back to a character's beginning.
    pub offset: usize,
    /// Bytes wanted.
    pub limit: usize,
}

/// A part of a document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// The document.
    pub document: Document,
    /// Its text, from `offset` on.
    pub text: String,
    /// Where this text begins in the whole.
    pub offset: usize,
    /// Where it goes on, when there is more.
    pub next_offset: Option<usize>,
    /// Bytes in the (selected) whole.
    pub total_bytes: usize,
}

/// What is known of a document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// Its id: opaque, the same as long as its collection and path are.
    pub id: String,
    /// Its collection.
    pub collection: CollectionName,
    /// Path below the collection's root.
    pub path: String,
    /// Its title, or its file name.
    pub title: String,
    /// Its format.
    #[serde(rename = "type")]
    pub format: Format,
    /// Bytes of the file.
    pub size: u64,
    /// When it was modified.
    pub modified: Timestamp,
    /// Author, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it was made, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Language, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Pages, where it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// Bytes of its text.
    pub text_bytes: usize,
}

/// A document with its outline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DocumentInfo {
    /// The document.
    #[serde(flatten)]
    pub document: Document,
    /// Headings or bookmarks.
    pub outline: Vec<OutlineEntry>,
}

/// Folders and documents directly below a place.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Listing {
    /// `""` for the collections, `name` or `name/folder` below.
    pub path: String,
    /// Collections or folders, with how many documents are below each.
    pub folders: Vec<Folder>,
    /// Documents.
    pub documents: Vec<Document>,
    /// Where to go on, when there is more.
    pub next_offset: Option<usize>,
}

/// A collection or folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Folder {
    /// Collection, or collection and path.
    pub path: String,
    /// Documents below, however deep.
    pub documents: u64,
}

/// A file that is not searchable, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// Its collection.
    pub collection: CollectionName,
    /// Path below the collection's root.
    pub path: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// Figures of one collection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CollectionStatus {
    /// Its name.
    pub name: CollectionName,
    /// Searchable documents.
    pub documents: u64,
    /// Searchable passages.
    pub passages: u64,
    /// Files that could not be read.
    pub failed: u64,
    /// Bytes of text.
    pub text_bytes: u64,
}

/// What the index knows of a file, for the indexer.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What it looked like.
    pub stamp: Stamp,
    /// Whether it could not be read.
    pub failed: bool,
}

#[allow(unused_variables)]
impl Library {
    /// Opens or makes the index of every collection. A damaged one, or one of another version, is moved aside and begun anew; a lock,
    /// permission or disk error is returned.
    pub fn open(config: LibraryConfig) -> Result<Library, LibraryError> {
        todo!()
    }

    /// Best passages for a question.
    pub fn search(&self, scope: &Scope, request: &SearchRequest) -> Result<Answer, LibraryError> {
        todo!()
    }

    /// Part of a document's text.
    pub fn read(&self, scope: &Scope, request: &ReadRequest) -> Result<Reading, LibraryError> {
        todo!()
    }

    /// Documents by name: part of it, a glob, or with typos.
    pub fn find_document(&self, scope: &Scope, query: &str, limit: usize) -> Result<Vec<Document>, LibraryError> {
        todo!()
    }

    /// Collections (`path` empty), or what is below a folder.
    pub fn list(&self, scope: &Scope, path: &str, offset: usize, limit: usize) -> Result<Listing, LibraryError> {
        todo!()
    }

    /// What is known of a document: by id, or by `collection/path`.
    pub fn info(&self, scope: &Scope, id_or_path: &str) -> Result<DocumentInfo, LibraryError> {
        todo!()
    }

    /// The file itself, opened beneath its root without following links (openat2, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS).
    pub fn original(&self, scope: &Scope, id: &str) -> Result<(std::fs::File, Document), LibraryError> {
        todo!()
    }

    /// The most recently modified documents in scope.
    pub fn recent(&self, scope: &Scope, limit: usize) -> Result<Vec<Document>, LibraryError> {
        todo!()
    }

    /// Figures per collection in scope.
    pub fn status(&self, scope: &Scope) -> Vec<CollectionStatus> {
        todo!()
    }

    /// Files that could not be read, in scope.
    pub fn failures(&self, scope: &Scope) -> Vec<Failure> {
        todo!()
    }

    /// The writer of a collection: one at a time.
    pub fn writer(&self, collection: &CollectionName) -> Result<Writer, LibraryError> {
        todo!()
    }
}

/// Puts documents into one collection's index. Nothing shows before `commit`.
#[derive(Debug)]
pub struct Writer {
    _todo: (),
}

#[allow(unused_variables)]
impl Writer {
    /// Every file the index knows, with what it looked like.
    pub fn known(&self) -> Vec<(String, Known)> {
        todo!()
    }

    /// Replaces a document by what came out of it now.
    pub fn put(&mut self, path: &str, format: Format, stamp: Stamp, extracted: &Extracted) -> Result<(), LibraryError> {
        todo!()
    }

    /// Notes that a file could not be read; what was indexed of it before is gone.
    pub fn put_failure(&mut self, path: &str, stamp: Stamp, reason: &str) -> Result<(), LibraryError> {
        todo!()
    }

    /// Takes a document over to a new path without extracting it again; false where the old one isn't known.
    pub fn rename(&mut self, from: &str, to: &str, stamp: Stamp) -> Result<bool, LibraryError> {
        todo!()
    }

    /// Forgets a document.
    pub fn delete(&mut self, path: &str) -> Result<(), LibraryError> {
        todo!()
    }

    /// Makes everything since the last commit searchable, at once and durably.
    pub fn commit(&mut self) -> Result<(), LibraryError> {
        todo!()
    }

    /// Notes that the folder and the index agreed at this time (for `index_age_seconds`).
    pub fn agreed(&self, at: Timestamp) {
        todo!()
    }

    /// The index's folder on disk.
    pub fn dir(&self) -> &Path {
        todo!()
    }
}
