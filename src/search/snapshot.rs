//! An index as of one commit: its segments, and the catalogue that belongs to them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::columnar::{BytesColumn, ColumnValues};
use tantivy::schema::Term;
use tantivy::schema::document::TantivyDocument;
use tantivy::{DocId, Searcher, SegmentReader, TantivyError};

use super::catalogue::{Catalogue, Entry, Totals};
use super::schema::column;
use super::slots::SlotSet;
use crate::access::{Scope, ScopeKey};
use crate::limits::{FREQUENCIES, SIGHTS};
use crate::name::CollectionName;

/// An index as of one commit. Never changes.
pub(super) struct Snapshot {
    pub(super) searcher: Searcher,
    pub(super) catalogue: Arc<Catalogue>,
    columns: Vec<Columns>,
    ranks: Vec<u32>,
    texts: Vec<u64>,
    searchable: SlotSet,
    sights: Mutex<Vec<(ScopeKey, Arc<Sight>)>>,
    frequencies: Mutex<HashMap<(Option<ScopeKey>, Term), u64>>,
}

/// The part of an index that a scope sees, where it cuts through a collection.
pub(super) struct Sight {
    pub(super) key: ScopeKey,
    pub(super) slots: SlotSet,
    pub(super) totals: Totals,
}

/// The numbers of a segment's passages.
pub(super) struct Columns {
    pub(super) slot: Arc<dyn ColumnValues<u64>>,
    pub(super) passage: Arc<dyn ColumnValues<u64>>,
    pub(super) start: Arc<dyn ColumnValues<u64>>,
    pub(super) page: Arc<dyn ColumnValues<u64>>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("documents", &self.catalogue.totals().documents).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn new(searcher: Searcher, catalogue: Arc<Catalogue>) -> tantivy::Result<Snapshot> {
        let columns = searcher.segment_readers().iter().map(Columns::open).collect::<tantivy::Result<_>>()?;
        let ranks = catalogue.ranks();
        let mut searchable = SlotSet::none(catalogue.slots());
        let mut texts = vec![0; catalogue.slots() as usize];
        for entry in catalogue.iter().filter(|entry| entry.is_searchable()) {
            searchable.insert(entry.slot);
            texts[entry.slot as usize] = entry.text;
        }
        let (sights, frequencies) = Default::default();
        Ok(Snapshot { searcher, catalogue, columns, ranks, texts, searchable, sights, frequencies })
    }

    /// The snapshot of an index just opened, its catalogue read from the records in it.
    pub(super) fn rebuilt(name: &CollectionName, searcher: Searcher) -> tantivy::Result<Snapshot> {
        let mut entries = Vec::new();
        for segment in searcher.segment_readers() {
            if let Some(records) = segment.fast_fields().bytes(column::RECORD)? {
                read_records(segment, &records, &mut entries)?;
            }
        }
        let catalogue =
            Catalogue::rebuilt(name, entries).ok_or_else(|| damaged("its records contradict each other"))?;
        Snapshot::new(searcher, Arc::new(catalogue))
    }

    /// The segments, each with its columns and number.
    pub(super) fn segments(&self) -> impl Iterator<Item = (u32, &SegmentReader, &Columns)> {
        let readers = self.searcher.segment_readers().iter().zip(&self.columns).enumerate();
        readers.map(|(number, (reader, columns))| (number as u32, reader, columns))
    }

    /// The place of a slot in the order of paths.
    pub(super) fn rank(&self, slot: u32) -> u32 {
        self.ranks.get(slot as usize).copied().unwrap_or(u32::MAX)
    }

    /// The number of the text in a slot; 0: none.
    pub(super) fn text(&self, slot: u32) -> u64 {
        self.texts.get(slot as usize).copied().unwrap_or(0)
    }

    /// Files that can be found.
    pub(super) fn searchable(&self) -> &SlotSet {
        &self.searchable
    }

    /// What a scope sees of this collection; looked up once for every scope, as long as nothing is committed.
    pub(super) fn sight(&self, name: &CollectionName, scope: &Scope) -> Arc<Sight> {
        let mut sights = self.sights.lock();
        if let Some((_, sight)) = sights.iter().find(|(key, _)| *key == scope.key()) {
            return Arc::clone(sight);
        }
        let (slots, totals) = (SlotSet::none(self.catalogue.slots()), Totals::default());
        let mut sight = Sight { key: scope.key(), slots, totals };
        for entry in self.catalogue.iter().filter(|entry| scope.admits_path(name, &entry.path)) {
            sight.slots.insert(entry.slot);
            sight.totals.add(entry);
        }
        if sights.len() == SIGHTS {
            sights.remove(0);
        }
        let sight = Arc::new(sight);
        sights.push((scope.key(), Arc::clone(&sight)));
        sight
    }

    /// A term's frequency in what is seen, counted by `count` where it isn't known.
    pub(super) fn frequency(
        &self,
        sight: Option<ScopeKey>,
        term: &Term,
        count: impl FnOnce() -> tantivy::Result<u64>,
    ) -> tantivy::Result<u64> {
        let key = (sight, term.clone());
        if let Some(&known) = self.frequencies.lock().get(&key) {
            return Ok(known);
        }
        let counted = count()?;
        let mut frequencies = self.frequencies.lock();
        if frequencies.len() >= FREQUENCIES {
            frequencies.clear();
        }
        frequencies.insert(key, counted);
        Ok(counted)
    }

    /// The stored fields of a passage or record.
    pub(super) fn stored(&self, segment: u32, doc: DocId) -> tantivy::Result<TantivyDocument> {
        self.searcher.doc(tantivy::DocAddress::new(segment, doc))
    }
}

impl Columns {
    fn open(segment: &SegmentReader) -> tantivy::Result<Columns> {
        let column = |name| segment.fast_fields().column_first_or_default::<u64>(name);
        Ok(Columns {
            slot: column(column::SLOT)?,
            passage: column(column::PASSAGE)?,
            start: column(column::START)?,
            page: column(column::PAGE)?,
        })
    }

    pub(super) fn slot(&self, doc: DocId) -> u32 {
        self.slot.get_val(doc) as u32
    }

    pub(super) fn passage(&self, doc: DocId) -> u32 {
        self.passage.get_val(doc) as u32
    }
}

/// Reads the records of a segment's live files, in one walk over the column's dictionary.
fn read_records(segment: &SegmentReader, records: &BytesColumn, entries: &mut Vec<Entry>) -> tantivy::Result<()> {
    let mut live = vec![false; records.num_terms()];
    for doc in segment.doc_ids_alive() {
        for ord in records.term_ords(doc) {
            if let Some(mark) = live.get_mut(ord as usize) {
                *mark = true;
            }
        }
    }
    let mut stream = records.dictionary().stream()?;
    for is_live in live {
        if !stream.advance() {
            return Err(damaged("a record is missing"));
        }
        if is_live {
            entries.push(serde_json::from_slice(stream.key()).map_err(|_| damaged("a record cannot be read"))?);
        }
    }
    Ok(())
}

pub(super) fn damaged(what: &str) -> TantivyError {
    TantivyError::DataCorruption(tantivy::error::DataCorruption::comment_only(what))
}
