//! Texts back out of the index: the passages of a file, in order, with their places.

use tantivy::schema::document::{TantivyDocument, Value};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocId, DocSet, TERMINATED};

use super::catalogue::Entry;
use super::passages::Detail;
use super::schema::RECORD;
use super::shelf::Shelf;
use super::snapshot::Snapshot;
use crate::documents::{Extracted, Passage, Place};

/// Where a passage, or a record, lies in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) segment: u32,
    pub(super) doc: DocId,
    /// Its number in the file, or [`RECORD`].
    pub(super) passage: u32,
    /// First byte in the file's text.
    pub(super) start: usize,
    /// Its page; 0: none.
    pub(super) page: u32,
}

/// All passages of a file, in order.
pub(super) fn passages(shelf: &Shelf, snapshot: &Snapshot, slot: u32) -> tantivy::Result<Vec<Location>> {
    let mut found = locations(shelf, snapshot, slot)?;
    found.retain(|location| u64::from(location.passage) != RECORD);
    found.sort_unstable_by_key(|location| location.passage);
    Ok(found)
}

/// What is known of a file beyond its catalogue entry.
pub(super) fn detail(shelf: &Shelf, snapshot: &Snapshot, slot: u32) -> tantivy::Result<Detail> {
    let found = locations(shelf, snapshot, slot)?;
    let Some(record) = found.iter().find(|location| u64::from(location.passage) == RECORD) else {
        return Ok(Detail::default());
    };
    let document = snapshot.stored(record.segment, record.doc)?;
    Ok(serde_json::from_slice(bytes(&document, shelf.fields.detail)).unwrap_or_default())
}

/// The text and the place of a passage.
pub(super) fn passage(shelf: &Shelf, snapshot: &Snapshot, at: Location) -> tantivy::Result<(String, Place)> {
    let document = snapshot.stored(at.segment, at.doc)?;
    let text = document.get_first(shelf.fields.body).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Ok((text, serde_json::from_slice(bytes(&document, shelf.fields.detail)).unwrap_or_default()))
}

/// A file as it came out of extraction.
pub(super) fn extracted(shelf: &Shelf, snapshot: &Snapshot, entry: &Entry) -> tantivy::Result<Extracted> {
    let detail = detail(shelf, snapshot, entry.slot)?;
    let mut extracted = Extracted {
        title: entry.title.as_deref().map(str::to_owned),
        author: detail.author,
        created: detail.created,
        language: detail.language,
        pages: detail.pages,
        empty_pages: detail.empty_pages,
        which_empty: detail.which_empty,
        truncated: detail.truncated,
        outline: detail.outline,
        ..Extracted::default()
    };
    for location in passages(shelf, snapshot, entry.slot)? {
        let (text, place) = passage(shelf, snapshot, location)?;
        let start = extracted.text.len();
        extracted.text.push_str(&text);
        extracted.passages.push(Passage { start, end: extracted.text.len(), place });
    }
    Ok(extracted)
}

fn locations(shelf: &Shelf, snapshot: &Snapshot, slot: u32) -> tantivy::Result<Vec<Location>> {
    let term = Term::from_field_u64(shelf.fields.slot, u64::from(slot));
    let mut found = Vec::new();
    for (number, segment, columns) in snapshot.segments() {
        let index = segment.inverted_index(shelf.fields.slot)?;
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { continue };
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if !segment.is_deleted(doc) {
                found.push(Location {
                    segment: number,
                    doc,
                    passage: columns.passage(doc),
                    start: columns.start.get_val(doc) as usize,
                    page: columns.page.get_val(doc) as u32,
                });
            }
            doc = postings.advance();
        }
    }
    Ok(found)
}

fn bytes(document: &TantivyDocument, field: Field) -> &[u8] {
    document.get_first(field).and_then(|value| value.as_bytes()).unwrap_or_default()
}
