//! One question answered: pass by pass (exact words, then typos), tier by tier (the best few hundred, then the next).

use std::collections::HashSet;

use jiff::Timestamp;

use super::bits::Bits;
use super::candidates::{Candidate, best, best_named};
use super::catalogue::Entry;
use super::condition::{beyond_candidates, each_passage, meeting};
use super::copies::{Shown, copies};
use super::error::LibraryError;
use super::explain::explain;
use super::library::date_and_modified;
use super::mistyped;
use super::plan::{Pass, Plan};
use super::planner::plan;
use super::query::{Ask, Clause, Filter, Form, Node, Sign, parse};
use super::score::rescore;
use super::snapshot::Snapshot;
use super::snippet::{Room, snippet};
use super::stored::{self, Location};
use super::text::Tongue;
use super::types::{Answer, Explanation, Hit, Indexing, SearchRequest, SortKey};
use super::view::{Part, Statistics, View};
use crate::limits::{
    FUZZY_BELOW, QUERY_LEAVES, QUERY_UNUSED, RESULTS, SNIPPET_BYTES, TIER_DOCUMENTS, TIERS, TOTAL_EXACT,
};

/// The smallest room of a snippet, in bytes: fewer would not show what was hit.
const SNIPPET_LEAST: usize = 160;

/// Answers a question.
pub(super) fn ask(view: &View, request: &SearchRequest) -> Result<Answer, LibraryError> {
    let mut asked = parse(&request.query);
    let chosen = restrict(view, request, &mut asked)?;
    let unknown = mistyped::types(view, &chosen, &asked);
    asked.unused.extend(unknown);
    asked.unused.truncate(QUERY_UNUSED);
    let limit = request.limit.clamp(1, RESULTS);
    let after = request.after.as_ref();
    let exact = Search::new(view, &asked, request, &chosen, Pass::Exact, None)?;
    let mut hits = match after {
        Some(key) if key.fuzzy => Vec::new(),
        _ => exact.page(after, limit + 1)?,
    };
    let (mut total, total_is_exact) = (exact.total, exact.total_is_exact);
    let fuzzy = match fuzzy_pass(&exact, &asked, request) {
        Some(pass) if total_is_exact && total < FUZZY_BELOW => {
            Some(Search::new(view, &asked, request, &chosen, pass, Some(&exact))?)
        }
        _ => None,
    };
    if let Some(fuzzy) = &fuzzy {
        total += fuzzy.total;
        if hits.len() <= limit {
            hits.extend(fuzzy.page(after.filter(|key| key.fuzzy), limit + 1 - hits.len())?);
        }
    }
    let more = hits.len() > limit;
    hits.truncate(limit);
    let room = room(request, hits.len());
    let show = |found: &Found| {
        let mut hit = found.search.hit(&found.candidate, room)?;
        if request.explain {
            hit.explanation = Some(found.search.explain(found)?);
        }
        Ok(hit)
    };
    let suggestion = if total == 0 { mistyped::suggestion(view, &asked)? } else { None };
    Ok(Answer {
        next: if more { hits.last().map(|found| found.search.key(found)) } else { None },
        results: hits.iter().map(show).collect::<Result<_, _>>()?,
        total,
        total_is_exact,
        index_age_seconds: age(view, request.now),
        indexing: indexing(view, &chosen),
        suggestion,
        unused: exact.plan.unused.clone(),
    })
}

/// Which pass with typos may follow.
fn fuzzy_pass(exact: &Search, asked: &Ask, request: &SearchRequest) -> Option<Pass> {
    match exact.plan.can_be_fuzzy {
        true if request.fuzzy => Some(Pass::Fuzzy),
        true if has_marked(&asked.clauses) => Some(Pass::Marked),
        _ => None,
    }
}

fn has_marked(clauses: &[Clause]) -> bool {
    fn marked(node: &Node) -> bool {
        match node {
            Node::Word(word) => word.form == Form::Fuzzy,
            Node::Any(nodes) => nodes.iter().any(marked),
            Node::Group(clauses) => has_marked(clauses),
            Node::Phrase { .. } | Node::Filter(_) => false,
        }
    }
    clauses.iter().any(|clause| marked(&clause.node))
}

/// Adds the request's filters to the question; says which parts of the view are to be looked into.
fn restrict(view: &View, request: &SearchRequest, asked: &mut Ask) -> Result<Vec<bool>, LibraryError> {
    let mut filter = |filter| asked.clauses.push(Clause { sign: Sign::Must, node: Node::Filter(filter) });
    if let Some(format) = request.format {
        filter(Filter::Format(vec![format]));
    }
    if let Some(moment) = request.modified_after {
        filter(Filter::After(moment.as_nanosecond()));
    }
    if let Some(moment) = request.modified_before {
        filter(Filter::Before(moment.as_nanosecond()));
    }
    let mut chosen = vec![true; view.parts.len()];
    if let Some(collection) = &request.collection {
        let named = |part: &Part| part.shelf.name.as_str() == collection;
        if !view.parts.iter().any(named) {
            let names: Vec<&str> = view.parts.iter().map(|part| part.shelf.name.as_str()).collect();
            let problem = format!("there is no collection {collection:?}; there are: {}", names.join(", "));
            return Err(LibraryError::Argument { argument: "collection", problem });
        }
        chosen = view.parts.iter().map(named).collect();
    }
    if let Some(path) = request.path.as_deref().map(|path| path.trim_matches('/')).filter(|path| !path.is_empty()) {
        // `collection/folder` is understood as well as `folder`.
        let within = match (request.collection.as_deref(), view.place(path)) {
            (None, Some((part, rest))) => {
                chosen = view.parts.iter().map(|other| std::ptr::eq(other, part)).collect();
                rest
            }
            (Some(collection), Some((part, rest))) if part.shelf.name.as_str() == collection => rest,
            _ => path,
        };
        filter(Filter::Below(within.to_owned()));
    }
    Ok(chosen)
}

/// One pass over the library.
struct Search<'a> {
    view: &'a View,
    plan: Plan,
    statistics: Statistics,
    /// Per part of the view what may be found in it; none: nothing.
    admitted: Vec<Option<Bits>>,
    total: u64,
    total_is_exact: bool,
    /// Whether only those are found, of what is admitted, in which a leaf stands.
    covered: bool,
    fuzzy: bool,
}

/// A result, by the pass that found it.
struct Found<'a> {
    search: &'a Search<'a>,
    candidate: Candidate,
    tier: u32,
}

impl<'a> Search<'a> {
    /// Plans a pass, and counts what it finds; what an earlier pass found is left out.
    fn new(
        view: &'a View,
        asked: &Ask,
        request: &SearchRequest,
        chosen: &[bool],
        pass: Pass,
        before: Option<&Search>,
    ) -> Result<Search<'a>, LibraryError> {
        let mut plan = plan(view, asked, request.match_all, pass)?;
        let statistics = Statistics::new(view, plan.leaves.iter().flat_map(|leaf| leaf.all_terms()))?;
        plan.keep_rarest(QUERY_LEAVES, |leaf| leaf.terms.iter().map(|term| statistics.frequency(term)).sum());
        let (condition, covered) = beyond_candidates(&plan);
        let mut search = Search {
            view,
            plan,
            statistics,
            admitted: Vec::new(),
            total: 0,
            total_is_exact: true,
            covered,
            fuzzy: pass != Pass::Exact,
        };
        let is_empty = asked.clauses.is_empty();
        for (number, part) in view.parts.iter().enumerate() {
            let admitted = match chosen[number] && !is_empty {
                true => Some(meeting(part, &search.plan, &condition)?),
                false => None,
            };
            search.admitted.push(admitted);
        }
        if let Some(before) = before {
            search.leave_out(before)?;
        }
        search.count()?;
        Ok(search)
    }

    fn scores(&self) -> bool {
        self.plan.leaves.iter().any(|leaf| leaf.scores)
    }

    fn leave_out(&mut self, before: &Search) -> Result<(), LibraryError> {
        for (number, part) in self.view.parts.iter().enumerate() {
            let (Some(admitted), Some(known)) = (&mut self.admitted[number], &before.admitted[number]) else {
                continue;
            };
            let found = if before.covered { before.standing(part, known, u64::MAX)? } else { known.clone() };
            admitted.subtract(&found);
        }
        Ok(())
    }

    /// Counts the documents that are found: all that are admitted, unless it takes a leaf in addition; those are counted one by one, up
    /// to a limit.
    fn count(&mut self) -> Result<(), LibraryError> {
        for (part, admitted) in self.view.parts.iter().zip(&self.admitted) {
            let Some(admitted) = admitted else { continue };
            self.total += match self.covered {
                true => self.standing(part, admitted, TOTAL_EXACT.saturating_sub(self.total))?.len(),
                false => admitted.len(),
            };
        }
        self.total_is_exact = self.total <= TOTAL_EXACT;
        self.total = self.total.min(TOTAL_EXACT);
        Ok(())
    }

    /// Admitted files in which a leaf that scores stands; not many more than `most`.
    fn standing(&self, part: &Part, admitted: &Bits, most: u64) -> Result<Bits, LibraryError> {
        let mut set = Bits::none(part.snapshot.catalogue.slots());
        let mut count = 0;
        // When all that are admitted have been found, there is nothing left to look for.
        let Some(last) = admitted.len().checked_sub(1) else { return Ok(set) };
        let most = most.min(last);
        for leaf in self.plan.leaves.iter().filter(|leaf| leaf.scores) {
            let mut take = |slot| {
                count += u64::from(admitted.contains(slot) && set.insert(slot));
                count <= most
            };
            if !each_passage(part, leaf, &mut take).map_err(|error| part.error(error))? {
                break;
            }
        }
        Ok(set)
    }

    /// The results behind a place, best first.
    fn page(&'a self, after: Option<&SortKey>, wanted: usize) -> Result<Vec<Found<'a>>, LibraryError> {
        let mut page = Vec::new();
        if self.total == 0 {
            return Ok(page);
        }
        for tier in after.map_or(0, |key| key.tier)..TIERS {
            let (candidates, is_last) = self.tier(tier)?;
            let behind =
                |candidate: &Candidate| after.is_none_or(|key| key.tier != tier || self.is_behind(candidate, key));
            let room = wanted - page.len();
            let found = candidates.into_iter().filter(behind).take(room);
            page.extend(found.map(|candidate| Found { search: self, candidate, tier }));
            if page.len() == wanted || is_last {
                break;
            }
        }
        Ok(page)
    }

    /// The documents of a tier in their final order; and whether it is the last.
    fn tier(&self, tier: u32) -> Result<(Vec<Candidate>, bool), LibraryError> {
        let before = tier as usize * TIER_DOCUMENTS;
        let wanted = before + TIER_DOCUMENTS;
        let mut candidates = match self.scores() {
            true => best(self.view, &self.plan, &self.statistics, &self.admitted, wanted)?,
            false => Vec::new(),
        };
        let scored = candidates.len();
        if scored < wanted && !(self.scores() && self.covered) {
            let others = self.by_path(&candidates, wanted - scored);
            candidates.extend(others);
        }
        let is_last = candidates.len() < wanted;
        let mut candidates = candidates.split_off(before.min(candidates.len()));
        if self.scores() {
            let others = candidates.split_off(scored.saturating_sub(before));
            self.add_named(tier, &mut candidates)?;
            rescore(self.view, &self.plan, &self.statistics, &mut candidates)?;
            candidates.extend(others);
        }
        Ok((candidates, is_last))
    }

    /// Documents that may be called by the question's words belong to the first tier, wherever their texts would put them.
    fn add_named(&self, tier: u32, candidates: &mut Vec<Candidate>) -> Result<(), LibraryError> {
        let named = best_named(self.view, &self.plan, &self.statistics, &self.admitted)?;
        let is_there = |candidate: &Candidate| candidates.iter().any(|there| there.shown == candidate.shown);
        match tier {
            0 => {
                let missing: Vec<Candidate> = named.into_iter().filter(|candidate| !is_there(candidate)).collect();
                candidates.extend(missing);
            }
            _ => candidates.retain(|candidate| named.iter().all(|named| named.shown != candidate.shown)),
        }
        Ok(())
    }

    /// What meets the condition and does not score (by its properties, or by what is not in it): the first documents by collection and
    /// path, without those that do score.
    fn by_path(&self, scored: &[Candidate], wanted: usize) -> Vec<Candidate> {
        let parts = self.view.parts.iter().zip(&self.admitted).enumerate();
        let files = parts.filter_map(|(number, (part, admitted))| Some((number, part, admitted.as_ref()?)));
        let files = files.flat_map(|(number, part, admitted)| {
            let Snapshot { catalogue, properties, .. } = &*part.snapshot;
            let slots = catalogue.slots_below("").filter(|&slot| admitted.contains(slot));
            slots.map(move |slot| Candidate {
                score: 0.0,
                first: 0.0,
                part: number as u32,
                rank: properties.rank(slot),
                passage: 0,
                slot,
                shown: Shown::of(number as u32, slot, properties.text(slot)),
                segment: u32::MAX,
                doc: 0,
            })
        });
        let mut shown: HashSet<Shown> = scored.iter().map(|candidate| candidate.shown).collect();
        files.filter(|file| shown.insert(file.shown)).take(wanted).collect()
    }

    fn is_behind(&self, candidate: &Candidate, key: &SortKey) -> bool {
        let score = f32::from_bits(key.score);
        let place = |found: &Candidate| {
            let part = &self.view.parts[found.part as usize];
            let path = part.snapshot.catalogue.slot(found.slot).map_or("", |entry| &entry.path);
            (part.shelf.name.as_str(), path, found.passage).cmp(&(&key.collection, &key.path, key.passage))
        };
        candidate.score.total_cmp(&score).reverse().then_with(|| place(candidate)).is_gt()
    }

    fn entry(&self, candidate: &Candidate) -> Result<(&Part, &Entry), LibraryError> {
        let part = &self.view.parts[candidate.part as usize];
        let entry = part.snapshot.catalogue.slot(candidate.slot).ok_or(LibraryError::NotFound)?;
        Ok((part, entry))
    }

    fn key(&self, found: &Found) -> SortKey {
        let part = &self.view.parts[found.candidate.part as usize];
        SortKey {
            score: found.candidate.score.to_bits(),
            collection: part.shelf.name.to_string(),
            path: part
                .snapshot
                .catalogue
                .slot(found.candidate.slot)
                .map_or(String::new(), |entry| entry.path.to_string()),
            passage: found.candidate.passage,
            tier: found.tier,
            fuzzy: self.fuzzy,
        }
    }

    fn hit(&self, candidate: &Candidate, room: Room) -> Result<Hit, LibraryError> {
        let (part, entry) = self.entry(candidate)?;
        let (text, mut place) = self.passage(part, entry, candidate).map_err(|error| part.error(error))?;
        let tongue = Tongue::from_number(entry.tongue).unwrap_or(Tongue::ENGLISH);
        let snippet = snippet(&text, tongue, &self.plan.leaves, room);
        // The name of a sheet stands before its first line.
        place.line = place.line.map(|line| line.saturating_add(snippet.lines_before).max(1));
        let (date, modified) = date_and_modified(entry);
        let (copies, more_copies) = copies(self.view, part, entry);
        Ok(Hit {
            id: entry.id.passage(candidate.passage),
            title: entry.shown_title().to_owned(),
            path: entry.path.to_string(),
            collection: part.shelf.name.clone(),
            snippet: snippet.text,
            highlights: snippet.highlights,
            place,
            score: candidate.score,
            date,
            modified,
            fuzzy: self.fuzzy,
            copies,
            more_copies,
            explanation: None,
            format: entry.format.unwrap_or(crate::documents::Format::Text),
        })
    }

    fn explain(&self, found: &Found) -> Result<Explanation, LibraryError> {
        let parts = match found.candidate.segment {
            u32::MAX => Vec::new(),
            _ => explain(self.view, &self.plan, &self.statistics, &found.candidate)?,
        };
        Ok(Explanation { first_score: found.candidate.first, tier: found.tier, parts })
    }

    fn passage(
        &self,
        part: &Part,
        entry: &Entry,
        candidate: &Candidate,
    ) -> tantivy::Result<(String, crate::documents::Place)> {
        let at = match candidate.segment {
            u32::MAX => stored::passages(&part.shelf, &part.snapshot, entry.slot)?.first().copied(),
            segment => Some(Location { segment, doc: candidate.doc, passage: candidate.passage, start: 0, page: 0 }),
        };
        at.map_or(Ok(Default::default()), |at| stored::passage(&part.shelf, &part.snapshot, at))
    }
}

fn room(request: &SearchRequest, results: usize) -> Room {
    let each = request.snippet_budget / results.max(1);
    Room { bytes: each.clamp(SNIPPET_LEAST, SNIPPET_BYTES), lines: request.context_lines }
}

/// How far reading has come, of the collections that were searched.
fn indexing(view: &View, chosen: &[bool]) -> Option<Indexing> {
    let parts = view.parts.iter().zip(chosen).filter(|(_, chosen)| **chosen);
    let each = parts.filter_map(|(part, _)| part.indexing());
    each.reduce(|a, b| Indexing { read: a.read + b.read, files: a.files + b.files })
}

/// Seconds since the oldest index in view agreed with its folder.
fn age(view: &View, now: Timestamp) -> Option<u64> {
    let oldest = view.parts.iter().map(|part| part.shelf.agreed()).min().flatten()?;
    Some(now.duration_since(oldest).as_secs().max(0) as u64)
}
