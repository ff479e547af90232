//! The second phase of ranking: a few hundred candidates, each looked at closely. The same passage gets the same score whatever
//! else is in its index, because every sum is made in the question's order.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EnableScoring, PhraseQuery, Query};
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocId, DocSet, SegmentReader, TERMINATED};

use super::candidates::Candidate;
use super::error::LibraryError;
use super::naming::Naming;
use super::plan::{Leaf, Plan};
use super::text::Tongue;
use super::view::{Part, Statistics, View};

/// What a word in title or heading adds to its weight in the whole.
pub(super) const TITLE_WEIGHT: f32 = 0.2;
/// What a word in the file's name adds.
pub(super) const NAME_WEIGHT: f32 = 0.3;
/// What the whole question adds where it is the name of the file.
const NAMED_WEIGHT: f64 = 1.5;
/// What words near each other add.
const NEAR_WEIGHT: f64 = 0.5;
/// How far apart neighbours of the question may stand, in words.
const NEAR_WORDS: u32 = 8;
/// How soon repetition of a word stops to count.
const K1: f64 = 1.5;
/// How much a passage's length counts.
const B: f64 = 0.7;
/// Positions of a word in a passage that are looked at.
const POSITIONS: usize = 256;

/// What a candidate has of one leaf.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    /// How often it stands there, and the score for that; the same of the others.
    text: (f64, f64),
    title: (f64, f64),
    name: (f64, f64),
    phrase: (f64, f64),
}

/// Where a leaf stands in a candidate: the first few places, in order.
#[derive(Debug, Clone, Default)]
struct Places {
    positions: Vec<u32>,
    /// How many more there would be if every term counted, where several stand at one place.
    repeated: usize,
}

/// Gives the candidates their final scores, rounded to four digits behind the point so that equal ones are equal, and brings them
/// into their final order.
pub(super) fn rescore(
    view: &View,
    plan: &Plan,
    statistics: &Statistics,
    candidates: &mut [Candidate],
) -> Result<(), LibraryError> {
    candidates.sort_unstable_by_key(|candidate| (candidate.part, candidate.segment, candidate.doc));
    for group in candidates.chunk_by_mut(|a, b| (a.part, a.segment) == (b.part, b.segment)) {
        let part = &view.parts[group[0].part as usize];
        let segment = part.snapshot.searcher.segment_reader(group[0].segment);
        rescore_segment(part, segment, plan, statistics, group).map_err(|error| part.error(error))?;
    }
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    Ok(())
}

fn rescore_segment(
    part: &Part,
    segment: &SegmentReader,
    plan: &Plan,
    statistics: &Statistics,
    group: &mut [Candidate],
) -> tantivy::Result<()> {
    let docs: Vec<DocId> = group.iter().map(|candidate| candidate.doc).collect();
    let slots: Vec<u32> = group.iter().map(|candidate| candidate.slot).collect();
    let mut scores = vec![0.0; docs.len()];
    each_share(part, segment, plan, statistics, &docs, &slots, |at, share| scores[at] += share.weight)?;
    for (candidate, score) in group.iter_mut().zip(scores) {
        candidate.score = ((score * 10_000.0).round() / 10_000.0) as f32;
    }
    Ok(())
}

/// A part of a score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) of: Of,
    pub(super) weight: f64,
    /// How often it is there; of neighbours, how often and how near.
    pub(super) times: f64,
    pub(super) rarity: f64,
}

/// What a part of a score is for: leaves of the plan, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Text(usize),
    Title(usize),
    Name(usize),
    Phrase(usize),
    Near(usize, usize),
    Named,
}

/// Calls back with everything that scores in passages (of these files) of one segment, in the question's order for each.
pub(super) fn each_share(
    part: &Part,
    segment: &SegmentReader,
    plan: &Plan,
    statistics: &Statistics,
    docs: &[DocId],
    slots: &[u32],
    mut share: impl FnMut(usize, Share),
) -> tantivy::Result<()> {
    let mut all = Vec::with_capacity(plan.leaves.len());
    for (number, leaf) in plan.leaves.iter().enumerate() {
        let found = if leaf.scores { gather(part, segment, leaf, statistics, docs)? } else { Vec::new() };
        let asked = plan.times(number) as f64;
        let [of_text, of_title, of_name] = [&leaf.terms, &leaf.titles, &leaf.names].map(|terms| idf(terms, statistics));
        for (at, found) in found.iter().enumerate() {
            for (of, factor, (times, score), rarity) in [
                (Of::Text(number), 1.0, found.text, of_text),
                (Of::Title(number), TITLE_WEIGHT, found.title, of_title),
                (Of::Name(number), NAME_WEIGHT, found.name, of_name),
                (Of::Phrase(number), 1.0, found.phrase, of_text),
            ] {
                if score > 0.0 {
                    share(at, Share { of, weight: asked * f64::from(factor) * score, times, rarity });
                }
            }
        }
        all.push(found);
    }
    for (first, second) in plan.neighbours() {
        let of = |at: usize| idf(&plan.leaves[at].terms, statistics);
        let rarity = of(first).min(of(second));
        let has = |leaf: usize, at: usize| all[leaf][at].text.0 > 0.0;
        let both: Vec<usize> = (0..docs.len()).filter(|&at| has(first, at) && has(second, at)).collect();
        let both_docs: Vec<DocId> = both.iter().map(|&at| docs[at]).collect();
        let [left, right] = [first, second].map(|leaf| places(segment, &plan.leaves[leaf].terms, &both_docs));
        for (at, (left, right)) in both.into_iter().zip(left?.into_iter().zip(right?)) {
            let near = nearness(&left.positions, &right.positions);
            if near > 0.0 {
                let weight = NEAR_WEIGHT * rarity * near / (near + 1.0);
                share(at, Share { of: Of::Near(first, second), weight, times: near, rarity });
            }
        }
    }
    let rarity = |(number, leaf): (usize, &Leaf)| match leaf.terms.is_empty() {
        true => 0.0,
        false => plan.times(number) as f64 * idf(&leaf.terms, statistics),
    };
    let rarities: Vec<f64> = plan.leaves.iter().enumerate().map(rarity).collect();
    let naming = Naming::new(plan, &rarities);
    let whole = plan.leaves.iter().zip(&rarities).filter(|(leaf, _)| leaf.scores).map(|(_, rarity)| rarity).sum();
    for (at, slot) in slots.iter().enumerate() {
        let Some(entry) = part.snapshot.catalogue.slot(*slot) else { continue };
        let tongue = Tongue::from_number(entry.tongue).unwrap_or(Tongue::ENGLISH);
        let same = naming.sameness(entry.file_name(), tongue);
        if same > 0.0 {
            share(at, Share { of: Of::Named, weight: NAMED_WEIGHT * whole * same, times: same, rarity: whole });
        }
    }
    Ok(())
}

/// What the candidates of one segment have of one leaf.
fn gather(
    part: &Part,
    segment: &SegmentReader,
    leaf: &Leaf,
    statistics: &Statistics,
    docs: &[DocId],
) -> tantivy::Result<Vec<Evidence>> {
    let mut evidence = vec![Evidence::default(); docs.len()];
    let mut counts = vec![0.0; docs.len()];
    count(segment, &leaf.terms, IndexRecordOption::WithFreqs, docs, |at, postings| {
        counts[at] += f64::from(postings.term_freq());
    })?;
    if leaf.mark.may_repeat() {
        for (count, places) in counts.iter_mut().zip(places(segment, &leaf.terms, docs)?) {
            *count -= places.repeated as f64;
        }
    }
    weigh(segment, &leaf.terms, statistics, docs, &counts, |at, score| evidence[at].text = (counts[at], score))?;
    for (terms, title) in [(&leaf.titles, true), (&leaf.names, false)] {
        counts.fill(0.0);
        let with_frequencies = IndexRecordOption::WithFreqs;
        count(segment, terms, with_frequencies, docs, |at, postings| counts[at] += f64::from(postings.term_freq()))?;
        let place = |found: &mut Evidence, score| if title { found.title = score } else { found.name = score };
        weigh(segment, terms, statistics, docs, &counts, |at, score| place(&mut evidence[at], (counts[at], score)))?;
    }
    for phrase in &leaf.phrases {
        score_phrase(part, segment, phrase, statistics, docs, |at, score| {
            let (times, sum) = evidence[at].phrase;
            evidence[at].phrase = (times + 1.0, sum + score);
        })?;
    }
    Ok(evidence)
}

/// Calls back for every candidate in which a term stands, in the order of the candidates.
fn count(
    segment: &SegmentReader,
    terms: &[Term],
    what: IndexRecordOption,
    docs: &[DocId],
    mut found: impl FnMut(usize, &mut SegmentPostings),
) -> tantivy::Result<()> {
    if docs.is_empty() {
        return Ok(());
    }
    for term in terms {
        let index = segment.inverted_index(term.field())?;
        let Some(mut postings) = index.read_postings(term, what)? else { continue };
        for (at, &doc) in docs.iter().enumerate() {
            if postings.doc() < doc {
                postings.seek(doc);
            }
            if postings.doc() == doc {
                found(at, &mut postings);
            }
        }
    }
    Ok(())
}

/// Where any of these terms stands in these passages.
fn places(segment: &SegmentReader, terms: &[Term], docs: &[DocId]) -> tantivy::Result<Vec<Places>> {
    let mut places = vec![Places::default(); docs.len()];
    let mut positions = Vec::new();
    count(segment, terms, IndexRecordOption::WithFreqsAndPositions, docs, |at, postings| {
        let room = POSITIONS.saturating_sub(places[at].positions.len());
        if room > 0 {
            postings.positions(&mut positions);
            places[at].positions.extend(positions.iter().take(room));
        }
    })?;
    for places in &mut places {
        let with_repeated = places.positions.len();
        places.positions.sort_unstable();
        places.positions.dedup();
        places.repeated = with_repeated - places.positions.len();
    }
    Ok(places)
}

/// BM25 over a group of terms taken as one word.
fn weigh(
    segment: &SegmentReader,
    terms: &[Term],
    statistics: &Statistics,
    docs: &[DocId],
    counts: &[f64],
    mut scored: impl FnMut(usize, f64),
) -> tantivy::Result<()> {
    let Some(field) = terms.first().map(Term::field) else { return Ok(()) };
    let lengths: FieldNormReader = segment.get_fieldnorms_reader(field)?;
    let (idf, mean) = (idf(terms, statistics), statistics.mean_length(field).max(1e-9));
    for (at, (&doc, &count)) in docs.iter().zip(counts).enumerate().filter(|(_, (_, count))| **count > 0.0) {
        let length = f64::from(lengths.fieldnorm(doc)) / mean;
        scored(at, idf * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length)));
    }
    Ok(())
}

/// How rare a word is that stands for any of these terms.
fn idf(terms: &[Term], statistics: &Statistics) -> f64 {
    let all = statistics.passages() as f64;
    // Of terms that stand by chance together or alone; counting the passages would cost more than it tells.
    let without: f64 = terms.iter().map(|term| 1.0 - statistics.frequency(term) as f64 / all.max(1.0)).product();
    let with = all * (1.0 - without);
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

fn score_phrase(
    part: &Part,
    segment: &SegmentReader,
    phrase: &[(usize, Term)],
    statistics: &Statistics,
    docs: &[DocId],
    mut scored: impl FnMut(usize, f64),
) -> tantivy::Result<()> {
    let query = PhraseQuery::new_with_offset(phrase.to_vec());
    let scoring = EnableScoring::enabled_from_statistics_provider(statistics, &part.snapshot.searcher);
    let mut scorer = query.weight(scoring)?.scorer(segment, 1.0)?;
    for (at, &doc) in docs.iter().enumerate() {
        if scorer.doc() < doc {
            scorer.seek(doc);
        }
        match scorer.doc() {
            TERMINATED => break,
            found if found == doc => scored(at, f64::from(scorer.score())),
            _ => {}
        }
    }
    Ok(())
}

/// How often, and how near, two words stand by each other.
fn nearness(first: &[u32], second: &[u32]) -> f64 {
    let mut sum = 0.0;
    for &position in first {
        let after = second.partition_point(|&other| other <= position);
        let following = second.get(after).map(|&other| other - position);
        let leading = after.checked_sub(1).map(|before| position.abs_diff(second[before]) + 1);
        let gap = following.into_iter().chain(leading).filter(|&gap| gap > 0 && gap <= NEAR_WORDS).min();
        sum += gap.map_or(0.0, |gap| 1.0 / f64::from(gap));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_near() {
        assert_eq!(nearness(&[1], &[2]), 1.0);
        assert_eq!(nearness(&[5], &[4]), 0.5);
        assert_eq!(nearness(&[1, 10], &[2, 12]), 1.5);
        assert_eq!(nearness(&[1], &[100]), 0.0);
        assert_eq!(nearness(&[], &[1]), 0.0);
    }
}
