//! What a scope sees of a collection that it cuts through: looked up once, then carried from commit to commit.

use std::sync::OnceLock;

use tantivy::SegmentReader;

use super::bits::Bits;
use super::catalogue::{Catalogue, Totals};
use super::snapshot::Columns;
use crate::access::{Scope, ScopeKey};
use crate::name::CollectionName;

/// The part of a catalogue that a scope sees, and sums over it.
#[derive(Debug)]
pub(super) struct Sight {
    scope: Scope,
    pub(super) slots: Bits,
    pub(super) totals: Totals,
    /// Of each segment the live passages that are seen, from the first question on.
    passages: Vec<OnceLock<Bits>>,
}

/// Passages whose slots are read at once.
const AT_ONCE: usize = 512;

impl Sight {
    /// What a scope sees of a catalogue, and of this many segments.
    pub(super) fn new(scope: &Scope, name: &CollectionName, catalogue: &Catalogue, segments: usize) -> Sight {
        let slots = Bits::none(catalogue.slots());
        let mut sight = Sight { scope: scope.clone(), slots, totals: Totals::default(), passages: unknown(segments) };
        for entry in catalogue.iter().filter(|entry| scope.admits_path(name, &entry.path)) {
            sight.slots.insert(entry.slot);
            sight.totals.add(entry);
        }
        sight
    }

    /// What the same scope sees of a later catalogue, which differs in these slots, and of its segments.
    pub(super) fn after(
        &self,
        before: &Catalogue,
        name: &CollectionName,
        now: &Catalogue,
        changed: &[u32],
        segments: usize,
    ) -> Sight {
        let (scope, totals) = (self.scope.clone(), self.totals.clone());
        let slots = self.slots.resized(before.slots().max(now.slots()));
        let mut sight = Sight { scope, slots, totals, passages: unknown(segments) };
        for &slot in changed {
            if let Some(gone) = before.slot(slot).filter(|_| self.slots.contains(slot)) {
                sight.slots.remove(slot);
                sight.totals.remove(gone);
            }
            if let Some(entry) = now.slot(slot).filter(|entry| self.scope.admits_path(name, &entry.path)) {
                sight.slots.insert(slot);
                sight.totals.add(entry);
            }
        }
        sight.slots = sight.slots.resized(now.slots());
        sight
    }

    /// The live passages of a segment that are seen.
    pub(super) fn passages(&self, number: u32, segment: &SegmentReader, columns: &Columns) -> &Bits {
        let find = || {
            let mut passages = Bits::none(segment.max_doc());
            let mut slots = [0; AT_ONCE];
            for begin in (0..segment.max_doc()).step_by(AT_ONCE) {
                let end = segment.max_doc().min(begin + AT_ONCE as u32);
                let slots = &mut slots[..(end - begin) as usize];
                columns.slot.get_range(begin.into(), slots);
                for (doc, slot) in (begin..end).zip(slots) {
                    if self.slots.contains(*slot as u32) && !segment.is_deleted(doc) {
                        passages.insert(doc);
                    }
                }
            }
            passages
        };
        self.passages[number as usize].get_or_init(find)
    }

    /// Names what is seen.
    pub(super) fn key(&self) -> ScopeKey {
        self.scope.key()
    }
}

fn unknown(segments: usize) -> Vec<OnceLock<Bits>> {
    std::iter::repeat_with(OnceLock::new).take(segments).collect()
}
