//! Which documents meet a condition: as sets, because a condition holds for a document whichever of its passages a word stands in.

use tantivy::query::{EnableScoring, PhraseQuery, Query};
use tantivy::{DocId, DocSet, TERMINATED};

use super::bits::Bits;
use super::error::LibraryError;
use super::plan::{Condition, Leaf, Plan};
use super::query::Filter;
use super::snapshot::Snapshot;
use super::text::folded;
use super::view::{Part, each_block};

/// The condition without that part of it which every candidate meets by being one (that some leaf stands in it); and whether
/// that part was there.
pub(super) fn beyond_candidates(plan: &Plan) -> (Condition, bool) {
    let is_any_leaf = |condition: &Condition| match condition {
        Condition::Leaf(_) => covers(plan, std::slice::from_ref(condition)),
        Condition::Any(inner) => covers(plan, inner),
        _ => false,
    };
    match &plan.condition {
        condition if is_any_leaf(condition) => (Condition::Always, true),
        Condition::All(inner) => {
            let rest: Vec<Condition> = inner.iter().filter(|part| !is_any_leaf(part)).cloned().collect();
            let found = rest.len() < inner.len();
            (Condition::All(rest), found)
        }
        condition => (condition.clone(), false),
    }
}

/// Whether these are all the leaves that score: then a passage that scores meets one of them.
fn covers(plan: &Plan, conditions: &[Condition]) -> bool {
    let scoring = (0..plan.leaves.len()).filter(|&at| plan.leaves[at].scores);
    let has = |at| conditions.contains(&Condition::Leaf(at));
    conditions.iter().all(|condition| matches!(condition, Condition::Leaf(_))) && scoring.into_iter().all(has)
}

/// The files of a part that meet a condition.
pub(super) fn meeting(part: &Part, plan: &Plan, condition: &Condition) -> Result<Bits, LibraryError> {
    match condition {
        Condition::Always => Ok(part.searchable()),
        Condition::Leaf(at) => standing_in(part, &plan.leaves[*at]),
        Condition::Filter(filter) => Ok(having(part, filter)),
        Condition::All(inner) => {
            let mut set = part.searchable();
            for condition in inner {
                set.intersect(&meeting(part, plan, condition)?);
            }
            Ok(set)
        }
        Condition::Any(inner) => {
            let mut set = Bits::none(part.snapshot.catalogue.slots());
            for condition in inner {
                set.unite(&meeting(part, plan, condition)?);
            }
            Ok(set)
        }
        Condition::Not(inner) => {
            let mut set = part.searchable();
            set.subtract(&meeting(part, plan, inner)?);
            Ok(set)
        }
    }
}

/// The files of a part that have a property.
fn having(part: &Part, filter: &Filter) -> Bits {
    let Snapshot { catalogue, properties, .. } = &*part.snapshot;
    let mut set = match filter {
        Filter::Path(pattern) => properties.with_path(catalogue, &folded(pattern).split('*').collect::<Vec<_>>()),
        Filter::Below(folder) => {
            let mut set = Bits::none(catalogue.slots());
            for slot in catalogue.slots_below(folder) {
                set.insert(slot);
            }
            set
        }
        Filter::Format(formats) => properties.of_format(formats),
        Filter::Extension(extension) => properties.with_ending(catalogue, &folded(&format!(".{extension}"))),
        Filter::After(moment) => properties.since(*moment),
        Filter::Before(moment) => properties.before(*moment),
    };
    set.intersect(&part.searchable());
    set
}

/// The files in one of whose passages a leaf stands.
fn standing_in(part: &Part, leaf: &Leaf) -> Result<Bits, LibraryError> {
    let mut set = Bits::none(part.snapshot.catalogue.slots());
    each_passage(part, leaf, |slot| {
        set.insert(slot);
        true
    })
    .map_err(|error| part.error(error))?;
    Ok(set)
}

/// Calls back with the file of every live passage in scope in which a leaf stands, until it says false. Whether it never did.
pub(super) fn each_passage(part: &Part, leaf: &Leaf, mut go_on: impl FnMut(u32) -> bool) -> tantivy::Result<bool> {
    for (number, segment, columns) in part.snapshot.segments() {
        let sees = part.passages(number, segment, columns);
        let mut take = |doc: DocId| !sees(doc) || go_on(columns.slot(doc));
        for term in leaf.terms.iter().chain(&leaf.names) {
            let index = segment.inverted_index(term.field())?;
            let Some(found) = index.get_term_info(term)? else { continue };
            if !each_block(&index, &found, |docs| docs.iter().all(|&doc| take(doc)))? {
                return Ok(false);
            }
        }
        for phrase in &leaf.phrases {
            let query = PhraseQuery::new_with_offset(phrase.clone());
            let weight = query.weight(EnableScoring::disabled_from_searcher(&part.snapshot.searcher))?;
            let mut scorer = weight.scorer(segment, 1.0)?;
            let mut doc = scorer.doc();
            while doc != TERMINATED {
                if !take(doc) {
                    return Ok(false);
                }
                doc = scorer.advance();
            }
        }
    }
    Ok(true)
}
