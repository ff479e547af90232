//! Documents seen through a scope: an index per collection, questions in, ranked passages with their places and snippets out.
//!
//! The index is a cache: anything wrong with it is mended by building it again from the documents. What is known of each file (its
//! stamp, its outcome) is committed with its passages, in the same commit.
//!
//! A question walks through `query` (what was typed → a tree), `view` (which documents the caller sees, and the statistics of
//! those alone), `planner` (the tree → a `plan` of terms and a condition), `condition` (which documents meet it), `candidates` (the best few
//! hundred by a score that prunes, and those whose names have the words), `score` (those looked at closely) and `snippet`.

mod ask;
mod bits;
mod browse;
mod candidates;
mod catalogue;
mod common;
mod condition;
mod copies;
mod error;
mod expand;
mod explain;
mod files;
mod gate;
mod id;
mod library;
mod mistyped;
mod naming;
mod passages;
mod plan;
mod planner;
mod properties;
mod query;
mod read;
mod schema;
mod score;
mod shelf;
mod sight;
mod snapshot;
mod snippet;
mod stored;
mod text;
mod types;
mod view;
mod writer;

pub use error::LibraryError;
pub use files::{Files, Known};
pub use library::{Collection, Library, LibraryConfig};
pub use types::{
    Answer, CollectionStatus, Contribution, Difference, Document, DocumentInfo, Documents, Explanation, Failure,
    FileRecord, Folder, Hit, Indexing, Listing, ReadRequest, Reading, SearchRequest, SortKey,
};
pub use writer::Writer;
