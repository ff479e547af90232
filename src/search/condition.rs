//! Which documents meet a condition: as sets, because a condition holds for a document whichever of its passages a word stands in.

use tantivy::query::{EnableScoring, PhraseQuery, Query};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED};

use super::catalogue::Entry;
use super::error::LibraryError;
use super::plan::{Condition, Leaf, Plan};
use super::query::Filter;
use super::slots::SlotSet;
use super::text::folded;
use super::view::Part;

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
pub(super) fn meeting(part: &Part, plan: &Plan, condition: &Condition) -> Result<SlotSet, LibraryError> {
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
            let mut set = SlotSet::none(part.snapshot.catalogue.slots());
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

fn collect(part: &Part, mut keep: impl FnMut(&Entry) -> bool) -> SlotSet {
    let mut set = SlotSet::none(part.snapshot.catalogue.slots());
    for entry in part.entries().filter(|entry| entry.is_searchable() && keep(entry)) {
        set.insert(entry.slot);
    }
    set
}

fn having(part: &Part, filter: &Filter) -> SlotSet {
    match filter {
        Filter::Path(pattern) => {
            let pattern = folded(pattern);
            let parts: Vec<&str> = pattern.split('*').collect();
            collect(part, |entry| holds(&folded(&entry.path), &parts))
        }
        Filter::Below(folder) => {
            let mut set = SlotSet::none(part.snapshot.catalogue.slots());
            let below = part.snapshot.catalogue.below(folder);
            for entry in below.filter(|entry| entry.is_searchable() && part.sees(entry.slot)) {
                set.insert(entry.slot);
            }
            set
        }
        Filter::Format(formats) => collect(part, |entry| entry.format.is_some_and(|format| formats.contains(&format))),
        Filter::Extension(extension) => collect(part, |entry| entry.has_extension(extension)),
        Filter::After(moment) => collect(part, |entry| entry.date() >= *moment),
        Filter::Before(moment) => collect(part, |entry| entry.date() < *moment),
    }
}

/// Whether a text holds these parts in this order.
fn holds(text: &str, parts: &[&str]) -> bool {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The files in one of whose passages a leaf stands.
fn standing_in(part: &Part, leaf: &Leaf) -> Result<SlotSet, LibraryError> {
    let mut set = SlotSet::none(part.snapshot.catalogue.slots());
    each_passage(part, leaf, |slot| {
        set.insert(slot);
        true
    })
    .map_err(|error| part.error(error))?;
    Ok(set)
}

/// Calls back with the file of every live passage in scope in which a leaf stands, until it says false. Whether it never did.
pub(super) fn each_passage(part: &Part, leaf: &Leaf, mut go_on: impl FnMut(u32) -> bool) -> tantivy::Result<bool> {
    for (_, segment, columns) in part.snapshot.segments() {
        let mut take = |doc: DocId| {
            let slot = columns.slot(doc);
            segment.is_deleted(doc) || !part.sees(slot) || go_on(slot)
        };
        for term in leaf.terms.iter().chain(&leaf.names) {
            let index = segment.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else { continue };
            let mut doc = postings.doc();
            while doc != TERMINATED {
                if !take(doc) {
                    return Ok(false);
                }
                doc = postings.advance();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_parts_in_order() {
        for (path, pattern, expected) in [
            ("work/2024/report.md", "2024", true),
            ("work/2024/report.md", "2024*md", true),
            ("work/2024/report.md", "md*2024", false),
            ("work/2024/report.md", "", true),
        ] {
            assert_eq!(holds(path, &pattern.split('*').collect::<Vec<_>>()), expected, "{pattern}");
        }
    }
}
