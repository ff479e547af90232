//! The library as one caller sees it: the collections in scope, each as of one commit, and the statistics of what is in them.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::postings::TermInfo;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocId, DocSet, InvertedIndexReader, SegmentReader};

use super::bits::Bits;
use super::catalogue::{Entry, Totals};
use super::error::LibraryError;
use super::schema::{Fields, Searched};
use super::shelf::Shelf;
use super::sight::Sight;
use super::snapshot::{Columns, Snapshot};
use super::types::Indexing;
use crate::access::{Extent, Scope};

/// What one caller sees. Collections stand in the order of their names, so that their number in the view orders results.
pub(super) struct View {
    pub(super) parts: Vec<Part>,
    pub(super) totals: Totals,
}

/// One collection of a view.
pub(super) struct Part {
    pub(super) shelf: Arc<Shelf>,
    pub(super) snapshot: Arc<Snapshot>,
    /// What of it is in scope; none: all.
    sight: Option<Arc<Sight>>,
}

impl View {
    /// What a scope sees of these collections now.
    pub(super) fn new(shelves: impl Iterator<Item = Arc<Shelf>>, scope: &Scope) -> View {
        let mut view = View { parts: Vec::new(), totals: Totals::default() };
        for shelf in shelves {
            let extent = scope.extent(&shelf.name);
            if extent == Extent::Nothing {
                continue;
            }
            let snapshot = shelf.snapshot();
            let sight = (extent == Extent::Part).then(|| snapshot.sight(&shelf.name, scope));
            let is_empty = sight.as_ref().is_some_and(|sight| sight.slots.len() == 0);
            if is_empty && !scope.tells_of(&shelf.name) {
                continue;
            }
            let part = Part { shelf, snapshot, sight };
            view.totals.merge(part.totals());
            view.parts.push(part);
        }
        view.parts.sort_by(|a, b| a.shelf.name.cmp(&b.shelf.name));
        view
    }

    /// A collection and the path in it, of `collection/path`.
    pub(super) fn place<'b>(&self, path: &'b str) -> Option<(&Part, &'b str)> {
        let (collection, rest) = path.split_once('/').unwrap_or((path, ""));
        let part = self.parts.iter().find(|part| part.shelf.name.as_str() == collection)?;
        Some((part, rest.trim_matches('/')))
    }

    /// In how many live passages in scope a term stands.
    pub(super) fn frequency(&self, term: &Term) -> Result<u64, LibraryError> {
        let mut sum = 0;
        for part in &self.parts {
            sum += part.frequency(term).map_err(|error| part.error(error))?;
        }
        Ok(sum)
    }
}

impl Part {
    /// Whether the file in this slot is in scope.
    pub(super) fn sees(&self, slot: u32) -> bool {
        self.sight.as_ref().is_none_or(|sight| sight.slots.contains(slot))
    }

    /// How far reading has come; how many files lie outside of the scope is not told.
    pub(super) fn indexing(&self) -> Option<Indexing> {
        let indexing = self.shelf.indexing()?;
        Some(if self.sight.is_none() { indexing } else { Indexing::default() })
    }

    /// Whether a passage of a segment is there and in scope.
    pub(super) fn passages<'a>(
        &'a self,
        number: u32,
        segment: &'a SegmentReader,
        columns: &Columns,
    ) -> impl Fn(DocId) -> bool + use<'a> {
        let seen = self.sight.as_ref().map(|sight| sight.passages(number, segment, columns));
        move |doc| seen.map_or_else(|| !segment.is_deleted(doc), |seen| seen.contains(doc))
    }

    /// All files in scope, by path.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.snapshot.catalogue.iter().filter(|entry| self.sees(entry.slot))
    }

    /// Sums over what is in scope.
    pub(super) fn totals(&self) -> &Totals {
        self.sight.as_ref().map_or_else(|| self.snapshot.catalogue.totals(), |sight| &sight.totals)
    }

    /// Files in scope that can be found.
    pub(super) fn searchable(&self) -> Bits {
        let mut set = self.snapshot.properties.searchable().clone();
        if let Some(sight) = &self.sight {
            set.intersect(&sight.slots);
        }
        set
    }

    /// The error of this part's index.
    pub(super) fn error(&self, error: tantivy::TantivyError) -> LibraryError {
        LibraryError::of(&self.shelf.dir, error)
    }

    /// In how many live passages in scope a term stands. What has to be counted one by one is remembered until the next commit.
    pub(super) fn frequency(&self, term: &Term) -> tantivy::Result<u64> {
        let is_known = |segment: &SegmentReader| self.sight.is_none() && !segment.has_deletes();
        let mut sum = 0;
        let mut counted = false;
        for (_, segment, _) in self.snapshot.segments() {
            match is_known(segment) {
                true => sum += u64::from(segment.inverted_index(term.field())?.doc_freq(term)?),
                false => counted = true,
            }
        }
        if counted {
            let key = self.sight.as_ref().map(|sight| sight.key());
            sum += self.snapshot.frequency(key, term, || self.count(term, is_known))?;
        }
        Ok(sum)
    }

    /// Counts a term's live passages in scope, in the segments that do not know it.
    fn count(&self, term: &Term, is_known: impl Fn(&SegmentReader) -> bool) -> tantivy::Result<u64> {
        let mut sum = 0;
        for (number, segment, columns) in self.snapshot.segments().filter(|(_, segment, _)| !is_known(segment)) {
            let index = segment.inverted_index(term.field())?;
            let Some(found) = index.get_term_info(term)? else { continue };
            sum += match &self.sight {
                Some(sight) => {
                    let seen = sight.passages(number, segment, columns);
                    let mut sum = 0;
                    each_block(&index, &found, |docs| {
                        sum += docs.iter().filter(|&&doc| seen.contains(doc)).count();
                        true
                    })?;
                    sum as u64
                }
                None => u64::from(found.doc_freq) - deleted(segment, columns, &index, &found)?,
            };
        }
        Ok(sum)
    }

    /// Whether a term stands in any live passage in scope.
    pub(super) fn has(&self, term: &Term) -> tantivy::Result<bool> {
        for (number, segment, columns) in self.snapshot.segments() {
            let index = segment.inverted_index(term.field())?;
            let Some(found) = index.get_term_info(term)? else { continue };
            let is_there = self.passages(number, segment, columns);
            if !each_block(&index, &found, |docs| !docs.iter().any(|&doc| is_there(doc)))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Deleted passages are looked for one by one where the term has so many times more.
const SEEK_COST: u32 = 16;

/// How many of the passages in which a term stands are deleted.
fn deleted(
    segment: &SegmentReader,
    columns: &Columns,
    index: &InvertedIndexReader,
    term: &TermInfo,
) -> tantivy::Result<u64> {
    let mut sum = 0;
    if segment.num_deleted_docs() < term.doc_freq / SEEK_COST {
        let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
        for &doc in columns.deleted(segment) {
            if postings.doc() < doc {
                postings.seek(doc);
            }
            sum += u64::from(postings.doc() == doc);
        }
        return Ok(sum);
    }
    each_block(index, term, |docs| {
        sum += docs.iter().filter(|&&doc| segment.is_deleted(doc)).count() as u64;
        true
    })?;
    Ok(sum)
}

/// Calls back with the passages in which a term stands, block by block, until it says false. Whether it never did.
pub(super) fn each_block(
    index: &InvertedIndexReader,
    term: &TermInfo,
    mut go_on: impl FnMut(&[DocId]) -> bool,
) -> tantivy::Result<bool> {
    let mut blocks = index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
    while !blocks.docs().is_empty() {
        if !go_on(blocks.docs()) {
            return Ok(false);
        }
        blocks.advance();
    }
    Ok(true)
}

/// One word in so many has a stem that is another than the word. Only the choice of candidates depends on it.
const WORDS_PER_STEM: u64 = 3;

/// What scores are made of: sums over a view, and how often the terms of one question stand in it.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    passages: u64,
    words: [u64; Searched::COUNTED],
    fields: Option<Fields>,
    frequencies: HashMap<Term, u64>,
}

impl Statistics {
    /// The statistics of these terms in a view.
    pub(super) fn new<'a>(view: &View, terms: impl Iterator<Item = &'a Term>) -> Result<Statistics, LibraryError> {
        let mut statistics =
            Statistics { passages: view.totals.passages, words: view.totals.words, ..Statistics::default() };
        if let Some(part) = view.parts.first() {
            statistics.fields = Some(part.shelf.fields.clone());
        }
        for term in terms {
            if !statistics.frequencies.contains_key(term) {
                statistics.frequencies.insert(term.clone(), view.frequency(term)?);
            }
        }
        Ok(statistics)
    }

    /// Passages.
    pub(super) fn passages(&self) -> u64 {
        self.passages
    }

    /// Words of a passage in this field, in the mean.
    pub(super) fn mean_length(&self, field: Field) -> f64 {
        self.words_in(field) as f64 / self.passages.max(1) as f64
    }

    /// Words in this field, over all passages.
    fn words_in(&self, field: Field) -> u64 {
        match self.fields.as_ref().and_then(|fields| fields.which(field)) {
            Some(Searched::Stem) => self.words[Searched::Word as usize] / WORDS_PER_STEM,
            Some(which) => self.words[which as usize],
            None => 0,
        }
    }

    /// Passages with this term.
    pub(super) fn frequency(&self, term: &Term) -> u64 {
        self.frequencies.get(term).copied().unwrap_or(0).min(self.passages)
    }
}

impl Bm25StatisticsProvider for Statistics {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(self.words_in(field))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.passages)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Ok(self.frequency(term))
    }
}
