//! An index as of one commit: its segments, and the catalogue that belongs to them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tantivy::columnar::{BytesColumn, ColumnValues};
use tantivy::schema::Term;
use tantivy::schema::document::TantivyDocument;
use tantivy::{DocId, Searcher, SegmentReader, TantivyError};

use super::catalogue::{Catalogue, Entry};
use super::properties::Properties;
use super::schema::column;
use super::sight::Sight;
use crate::access::{Scope, ScopeKey};
use crate::limits::{FREQUENCIES, SIGHTS};
use crate::name::CollectionName;

/// An index as of one commit. Never changes.
pub(super) struct Snapshot {
    pub(super) searcher: Searcher,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) properties: Properties,
    columns: Vec<Columns>,
    sights: Mutex<Vec<Arc<Sight>>>,
    frequencies: Mutex<HashMap<(Option<ScopeKey>, Term), u64>>,
}

/// The numbers of a segment's passages.
pub(super) struct Columns {
    pub(super) slot: Arc<dyn ColumnValues<u64>>,
    pub(super) passage: Arc<dyn ColumnValues<u64>>,
    pub(super) start: Arc<dyn ColumnValues<u64>>,
    pub(super) page: Arc<dyn ColumnValues<u64>>,
    /// Deleted ones, from the first question about them on.
    deleted: OnceLock<Vec<DocId>>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("documents", &self.catalogue.totals().documents).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Of a searcher and the catalogue that belongs to it.
    fn new(searcher: Searcher, catalogue: Arc<Catalogue>, properties: Properties) -> tantivy::Result<Snapshot> {
        let columns = searcher.segment_readers().iter().map(Columns::open).collect::<tantivy::Result<_>>()?;
        let (sights, frequencies) = Default::default();
        Ok(Snapshot { searcher, catalogue, properties, columns, sights, frequencies })
    }

    /// The snapshot that comes after this one. What is known of the files is taken over but for those that changed.
    pub(super) fn next(
        &self,
        name: &CollectionName,
        searcher: Searcher,
        catalogue: Arc<Catalogue>,
    ) -> tantivy::Result<Snapshot> {
        let changed = catalogue.changed_since(&self.catalogue);
        let properties = Properties::new(&catalogue, &self.properties, &changed);
        let sights = self.sights.lock().clone();
        let segments = searcher.segment_readers().len();
        let after = |sight: Arc<Sight>| Arc::new(sight.after(&self.catalogue, name, &catalogue, &changed, segments));
        let sights = sights.into_iter().map(after).collect();
        Ok(Snapshot { sights: Mutex::new(sights), ..Snapshot::new(searcher, catalogue, properties)? })
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
        let all: Vec<u32> = (0..catalogue.slots()).collect();
        let properties = Properties::new(&catalogue, &Properties::default(), &all);
        Snapshot::new(searcher, Arc::new(catalogue), properties)
    }

    /// The segments, each with its columns and number.
    pub(super) fn segments(&self) -> impl Iterator<Item = (u32, &SegmentReader, &Columns)> {
        let readers = self.searcher.segment_readers().iter().zip(&self.columns).enumerate();
        readers.map(|(number, (reader, columns))| (number as u32, reader, columns))
    }

    /// What a scope sees of this collection.
    pub(super) fn sight(&self, name: &CollectionName, scope: &Scope) -> Arc<Sight> {
        let mut sights = self.sights.lock();
        let sight = match sights.iter().position(|sight| sight.key() == scope.key()) {
            Some(at) => sights.remove(at),
            None => Arc::new(Sight::new(scope, name, &self.catalogue, self.columns.len())),
        };
        if sights.len() == SIGHTS {
            sights.remove(0);
        }
        // Who asked last stands last, and is forgotten last.
        sights.push(Arc::clone(&sight));
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
            deleted: OnceLock::new(),
        })
    }

    /// The deleted passages of their segment, in order.
    pub(super) fn deleted(&self, segment: &SegmentReader) -> &[DocId] {
        self.deleted.get_or_init(|| (0..segment.max_doc()).filter(|&doc| segment.is_deleted(doc)).collect())
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
