//! Questions and answers, as the protocols speak them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::documents::{Format, OutlineEntry, Place, Stamp};
use crate::name::CollectionName;

/// A question.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    /// The wall clock, for [`Answer::index_age_seconds`].
    pub now: Timestamp,
    /// What the person typed.
    pub query: String,
    /// Only this collection.
    pub collection: Option<String>,
    /// Only below this folder, or in this document.
    pub path: Option<String>,
    /// Only of this format.
    pub format: Option<Format>,
    /// Only of this date or later.
    pub modified_after: Option<Timestamp>,
    /// Only of an earlier date.
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
    /// Whether each hit is to say what its score is made of.
    pub explain: bool,
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
    /// Which few hundred documents, by their plain score, it was ranked among.
    #[serde(default)]
    pub tier: u32,
    /// Whether it was found with a typo.
    #[serde(default)]
    pub fuzzy: bool,
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
    /// Seconds since the oldest of the indexes in scope last agreed with its folder; none where one never did.
    #[serde(default)]
    pub index_age_seconds: Option<u64>,
    /// How far reading has come, where a collection in scope is still being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexing: Option<Indexing>,
    /// What to try where nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// What of the query was not used, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<String>,
}

/// How far the reading of folders has come whose index is not complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexing {
    /// Files read.
    pub read: u64,
    /// Files that are known of so far; 0 where folders are still looked through, or the number is not the caller's to know.
    pub files: u64,
}

impl fmt::Display for Indexing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files {
            0 => f.write_str("still indexing; the answer may be incomplete"),
            1 => write!(f, "still indexing: {} of 1 file read; the answer may be incomplete", self.read),
            files => write!(f, "still indexing: {} of {files} files read; the answer may be incomplete", self.read),
        }
    }
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
    /// The document's date: the one it bears (a mail's), or when its file was modified.
    pub date: Timestamp,
    /// When its file was modified.
    pub modified: Timestamp,
    /// Whether it was found only with a typo allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fuzzy: bool,
    /// The document's format.
    #[serde(rename = "type")]
    pub format: Format,
    /// Other documents in scope with the same text, as `collection/path`: ten at most. They are no hits of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// How many there are besides those.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_copies: u64,
    /// What the score is made of, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

/// What a score is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    /// The score of the first phase, which chooses what is looked at closely: plain BM25 over all words.
    pub first_score: f32,
    /// Which few hundred documents, by that score, it was ranked among; counted from 0.
    pub tier: u32,
    /// What adds up to the score, the most first.
    pub parts: Vec<Contribution>,
}

/// What one word adds to a score in one place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Contribution {
    /// Where: `text`, `title` (or heading), `name` (of the file, with its folders), `phrase`, `near` (two words by each other), or `named`
    /// (the question is the file's name).
    pub field: String,
    /// The word, or the words; of `named` none: it is the whole question.
    pub words: String,
    /// What it adds.
    pub weight: f32,
    /// How often it stands in the passage; of `near`, how often and how near, 1 for each time side by side;
    /// of `named`, how far question and name are the same, 0 to 1.
    pub times: f32,
    /// How rare the word is in what is in scope: the logarithm that its weight has as a factor. Of `near`, that of the more frequent word.
    pub rarity: f32,
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
    /// Where the selection (a passage, pages, a section; otherwise the whole) begins in the document's text.
    pub start: usize,
    /// Where this text begins in the selection.
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
    /// Its date: the one it bears (a mail's), or when its file was modified.
    pub date: Timestamp,
    /// When its file was modified.
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
    /// Pages without any text: scans.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub empty_pages: u32,
    /// Which those are: the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub which_empty: Vec<u32>,
    /// Bytes of its text.
    pub text_bytes: usize,
    /// Whether its text was longer than what is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
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

/// A file that is not searchable, or not all of it, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// Its collection.
    pub collection: CollectionName,
    /// Path below the collection's root.
    pub path: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether its beginning is searchable: there was more text than is kept.
    #[serde(default)]
    pub truncated: bool,
}

/// Documents, counted, and the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Documents {
    /// How many.
    pub documents: u64,
    /// The first of them, as `collection/path`, in this order.
    pub paths: Vec<String>,
}

/// What one scope sees and another does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What only the later one sees.
    pub gained: Documents,
    /// What only the earlier one saw.
    pub lost: Documents,
}

/// What the index knows of one file, for whoever looks after it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRecord {
    /// What the file looked like.
    pub stamp: Stamp,
    /// Why it is not searchable, in a sentence.
    pub failure: Option<String>,
    /// What it was read as; none where it could not be read.
    pub format: Option<Format>,
    /// Its passages.
    pub passages: u64,
    /// Whether only its beginning is searchable.
    pub truncated: bool,
    /// Its pages, where it has them.
    pub pages: Option<u32>,
    /// Pages without any text: scans.
    pub empty_pages: u32,
    /// When it was read, or given up.
    pub read: Option<Timestamp>,
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
    /// Documents of whose text only the beginning is searchable.
    #[serde(default)]
    pub truncated: u64,
    /// Bytes of text.
    pub text_bytes: u64,
    /// When the index last agreed with its folder.
    pub agreed: Option<Timestamp>,
}
