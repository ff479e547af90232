//! What a person probably did not mean: names of fields that almost are ones, types that no document has, words that stand nowhere. A
//! question and what may be seen in, sentences and another question out; nothing is changed for them.

use std::collections::BTreeSet;

use super::error::LibraryError;
use super::expand;
use super::plan::{Mark, Pass};
use super::planner::plan;
use super::query::{Ask, Clause, Filter, Node};
use super::text::folded;
use super::view::{Part, View};

/// Types that are named where one is asked for that there is none of.
const TYPES_NAMED: usize = 12;

/// Which of these a person may have meant: one letter too many, too few, another or in the wrong place.
pub(super) fn meant<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |known: &&str| known.len() > 2 && strsim::damerau_levenshtein(typed, known) == 1;
    known.into_iter().find(near)
}

/// What is to be said of the types that are asked for and that no document in scope has.
pub(super) fn types(view: &View, chosen: &[bool], asked: &Ask) -> Vec<String> {
    let mut wanted = Vec::new();
    extensions(&asked.clauses, &mut wanted);
    if wanted.is_empty() {
        return Vec::new();
    }
    let parts = view.parts.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(part, _)| part);
    let entries = || parts.clone().flat_map(Part::entries).filter(|entry| entry.is_searchable());
    wanted.retain(|wanted| !entries().any(|entry| entry.has_extension(wanted)));
    if wanted.is_empty() {
        return Vec::new();
    }
    let there: BTreeSet<&str> = entries().filter_map(|entry| entry.format).map(|format| format.as_str()).collect();
    wanted.into_iter().map(|wanted| sentence(wanted, &there)).collect()
}

fn sentence(wanted: &str, there: &BTreeSet<&str>) -> String {
    let said = format!("type:{wanted}: no document has this type");
    if let Some(meant) = meant(wanted, there.iter().copied()) {
        return format!("{said}; did you mean type:{meant}?");
    }
    let named: Vec<&str> = there.iter().copied().take(TYPES_NAMED).collect();
    match named.is_empty() {
        true => said,
        false => {
            format!("{said}; there are: {}{}", named.join(", "), if there.len() > TYPES_NAMED { ", …" } else { "" })
        }
    }
}

fn extensions<'a>(clauses: &'a [Clause], found: &mut Vec<&'a str>) {
    fn node<'a>(one: &'a Node, found: &mut Vec<&'a str>) {
        match one {
            Node::Filter(Filter::Extension(extension)) => found.push(extension),
            Node::Any(nodes) => nodes.iter().for_each(|one| node(one, found)),
            Node::Group(clauses) => extensions(clauses, found),
            Node::Word(_) | Node::Phrase { .. } | Node::Filter(_) => {}
        }
    }
    clauses.iter().for_each(|clause| node(&clause.node, found));
}

/// The question with its unknown words replaced by what was most likely meant; none where there is nothing better.
pub(super) fn suggestion(view: &View, asked: &Ask) -> Result<Option<String>, LibraryError> {
    let Some(part) = view.parts.first() else { return Ok(None) };
    let fields = &part.shelf.fields;
    let (mut words, mut changed) = (Vec::new(), false);
    let plan = plan(view, asked, false, Pass::Exact)?;
    for leaf in plan.leaves.iter().filter(|leaf| leaf.scores) {
        let (Mark::Stems(_), Some(name)) = (&leaf.mark, leaf.names.first()) else { continue };
        let Some(word) = name.value().as_str().map(folded) else { continue };
        let mut frequency = 0;
        for term in leaf.terms.iter().chain(&leaf.names) {
            frequency += view.frequency(term)?;
        }
        match frequency {
            0 => {
                if let Some(meant) = expand::meant(view, fields, &word)? {
                    changed |= meant != word;
                    words.push(meant);
                }
            }
            _ => words.push(word),
        }
    }
    Ok(changed.then(|| words.join(" ")))
}
