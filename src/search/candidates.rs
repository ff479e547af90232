//! The first phase of ranking: the best documents by a score that can be pruned (plain BM25 over words), found without looking at
//! most of the others.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use tantivy::query::{BooleanQuery, BoostQuery, EnableScoring, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocId, Score};

use super::bits::Bits;
use super::copies::Shown;
use super::error::LibraryError;
use super::plan::Plan;
use super::score::{NAME_WEIGHT, TITLE_WEIGHT};
use super::view::{Statistics, View};
use crate::limits::NAMED_CANDIDATES;

/// A passage that may be a result. Ordered so that the better one is greater: by score, then collection, path and passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) score: Score,
    /// The score by which it became a candidate.
    pub(super) first: Score,
    pub(super) part: u32,
    pub(super) rank: u32,
    pub(super) passage: u32,
    pub(super) slot: u32,
    pub(super) shown: Shown,
    pub(super) segment: u32,
    pub(super) doc: DocId,
}

impl Candidate {
    /// Whether of two passages that one hit stands for, both of one text, this is the one to show. What differs by the arithmetic alone
    /// (tantivy adds in the order that suits each index) is equal, and the place decides.
    fn is_shown_before(&self, other: &Candidate) -> bool {
        match (self.score - other.score).abs() <= self.score.abs() * 1e-5 {
            true => self.place() < other.place(),
            false => self.score > other.score,
        }
    }

    fn place(&self) -> (u32, u32, u32) {
        (self.part, self.rank, self.passage)
    }
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.place().cmp(&self.place()))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best `wanted` documents, best first, each by its best passage; of copies the best one. `admitted` holds, per part of the view,
/// what may be found in it; a part without any is not looked into.
pub(super) fn best(
    view: &View,
    plan: &Plan,
    statistics: &Statistics,
    admitted: &[Option<Bits>],
    wanted: usize,
) -> Result<Vec<Candidate>, LibraryError> {
    best_of(view, &query(plan), statistics, admitted, wanted)
}

/// The documents whose names, with their folders, have the most of the words: few, whatever is in their texts.
pub(super) fn best_named(
    view: &View,
    plan: &Plan,
    statistics: &Statistics,
    admitted: &[Option<Bits>],
) -> Result<Vec<Candidate>, LibraryError> {
    let leaves = plan.leaves.iter().filter(|leaf| leaf.scores);
    let term = |term: &Term| Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)) as Box<dyn Query>;
    let parts: Vec<_> = leaves.flat_map(|leaf| &leaf.names).map(|name| (Occur::Should, term(name))).collect();
    best_of(view, &BooleanQuery::new(parts), statistics, admitted, NAMED_CANDIDATES)
}

fn best_of(
    view: &View,
    query: &BooleanQuery,
    statistics: &Statistics,
    admitted: &[Option<Bits>],
    wanted: usize,
) -> Result<Vec<Candidate>, LibraryError> {
    let mut best = Best::new(wanted);
    for (number, (part, admitted)) in view.parts.iter().zip(admitted).enumerate() {
        let Some(admitted) = admitted else { continue };
        let (searcher, properties) = (&part.snapshot.searcher, &part.snapshot.properties);
        let scoring = EnableScoring::enabled_from_statistics_provider(statistics, searcher);
        let weight = query.weight(scoring).map_err(|error| part.error(error))?;
        for (segment, reader, columns) in part.snapshot.segments() {
            let begin = best.threshold();
            let mut take = |doc: DocId, score: Score| {
                let slot = columns.slot(doc);
                if admitted.contains(slot) && !reader.is_deleted(doc) {
                    let (rank, passage) = (properties.rank(slot), columns.passage(doc));
                    let (first, part_number) = (score, number as u32);
                    let shown = Shown::of(part_number, slot, properties.text(slot));
                    best.offer(Candidate { score, first, part: part_number, rank, passage, slot, shown, segment, doc });
                }
                best.threshold()
            };
            weight.for_each_pruning(begin, reader, &mut take).map_err(|error| part.error(error))?;
        }
    }
    Ok(best.finish())
}

/// Everything that scores, side by side: tantivy prunes a flat union of terms by their blocks' best scores.
fn query(plan: &Plan) -> BooleanQuery {
    let mut parts: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    let term = |term: &Term| Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs));
    for (at, leaf) in plan.leaves.iter().enumerate().filter(|(_, leaf)| leaf.scores) {
        let times = plan.times(at) as f32;
        for (terms, weight) in [(&leaf.terms, 1.0), (&leaf.titles, TITLE_WEIGHT), (&leaf.names, NAME_WEIGHT)] {
            let boosted = |word| Box::new(BoostQuery::new(term(word), times * weight)) as Box<dyn Query>;
            parts.extend(terms.iter().map(|word| (Occur::Should, boosted(word))));
        }
        let phrase = |phrase: &Vec<(usize, Term)>| Box::new(PhraseQuery::new_with_offset(phrase.clone()));
        parts.extend(leaf.phrases.iter().map(|words| (Occur::Should, phrase(words) as Box<dyn Query>)));
    }
    BooleanQuery::new(parts)
}

/// The best documents so far.
struct Best {
    wanted: usize,
    by_document: HashMap<Shown, Candidate>,
    /// May hold entries that a better passage of the same document has replaced.
    worst_first: BinaryHeap<Reverse<Candidate>>,
}

impl Best {
    fn new(wanted: usize) -> Best {
        Best { wanted, by_document: HashMap::new(), worst_first: BinaryHeap::new() }
    }

    fn offer(&mut self, candidate: Candidate) {
        let document = candidate.shown;
        let known = self.by_document.get(&document).copied();
        let is_full = self.by_document.len() >= self.wanted;
        let is_worse = match known {
            Some(known) => !candidate.is_shown_before(&known),
            None if is_full => self.worst().is_some_and(|worst| worst >= candidate),
            None => false,
        };
        if is_worse {
            return;
        }
        self.by_document.insert(document, candidate);
        self.worst_first.push(Reverse(candidate));
        if self.by_document.len() > self.wanted
            && let Some(worst) = self.worst()
        {
            self.by_document.remove(&worst.shown);
        }
    }

    /// The worst of the documents, with what was replaced taken off the heap.
    fn worst(&mut self) -> Option<Candidate> {
        while let Some(Reverse(worst)) = self.worst_first.peek() {
            if self.by_document.get(&worst.shown) == Some(worst) {
                return Some(*worst);
            }
            self.worst_first.pop();
        }
        None
    }

    /// The score above which a passage is worth offering: just below the worst, so that the order of places decides among equals.
    fn threshold(&mut self) -> Score {
        match self.by_document.len() < self.wanted {
            true => Score::MIN,
            false => self.worst().map_or(Score::MIN, |worst| worst.score.next_down()),
        }
    }

    fn finish(self) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = self.by_document.into_values().collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }
}
