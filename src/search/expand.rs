//! Words that another stands for: those that begin like it, or differ by a typo. Only words that stand in a live passage in scope
//! are seen here, before any limit counts them.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder};
use tantivy::schema::{Field, Term};
use tantivy_fst::Automaton;

use super::error::LibraryError;
use super::schema::{Fields, Searched};
use super::text::pieces;
use super::view::{Part, View};
use crate::limits::QUERY_EXPANSIONS;

/// Words that one stands for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expansion {
    pub(super) words: Vec<String>,
    /// Whether there are more.
    pub(super) cut: bool,
}

/// Words that fit a pattern with `*`, shortest first.
pub(super) fn wild(view: &View, fields: &Fields, pattern: &str) -> Result<Expansion, LibraryError> {
    let parts: Vec<&str> = pattern.split('*').collect();
    let mut found = BTreeSet::new();
    for field in [fields.searched(Searched::Word), fields.searched(Searched::Name)] {
        each_word(view, field, parts[0], |word| {
            if fits(word, &parts) {
                found.insert((word.chars().count(), word.to_owned()));
            }
        })?;
    }
    let mut expansion = Expansion::default();
    for (_, word) in found {
        if !is_live(view, fields, &word)? {
            continue;
        }
        if expansion.words.len() == QUERY_EXPANSIONS {
            expansion.cut = true;
            break;
        }
        expansion.words.push(word);
    }
    Ok(expansion)
}

/// Terms of a field that begin like this, in their order.
pub(super) fn beginning(view: &View, field: Field, prefix: &str) -> Result<Vec<Term>, LibraryError> {
    let mut found = BTreeSet::new();
    each_word(view, field, prefix, |word| {
        found.insert(word.to_owned());
    })?;
    let mut terms = Vec::new();
    for word in found {
        let term = Term::from_field_text(field, &word);
        if terms.len() < QUERY_EXPANSIONS && is_live_term(view, &term)? {
            terms.push(term);
        }
    }
    Ok(terms)
}

/// Words that differ from this one by a typo or two, nearest first; the word itself is one of them where it stands anywhere.
pub(super) fn similar(view: &View, fields: &Fields, word: &str) -> Result<Vec<String>, LibraryError> {
    let Some(most) = typos(word) else { return Ok(Vec::new()) };
    let near = Near { dfa: automaton(most).build_dfa(word), most };
    let mut found = BTreeSet::new();
    for field in [fields.searched(Searched::Word), fields.searched(Searched::Name)] {
        for part in &view.parts {
            each_near(part, field, &near, |distance, word| {
                found.insert((distance, word.to_owned()));
            })
            .map_err(|error| part.error(error))?;
        }
    }
    let mut words = Vec::new();
    for (_, word) in found {
        if words.len() < QUERY_EXPANSIONS && is_live(view, fields, &word)? {
            words.push(word);
        }
    }
    Ok(words)
}

/// The word that was most likely meant: the nearest, and of the nearest the most frequent.
pub(super) fn meant(view: &View, fields: &Fields, word: &str) -> Result<Option<String>, LibraryError> {
    let mut best: Option<(usize, std::cmp::Reverse<u64>, String)> = None;
    for candidate in similar(view, fields, word)? {
        let frequency = view.frequency(&Term::from_field_text(fields.searched(Searched::Word), &candidate))?;
        let distance = distance(word, &candidate);
        let candidate = (distance, std::cmp::Reverse(frequency), candidate);
        if best.as_ref().is_none_or(|best| candidate < *best) {
            best = Some(candidate);
        }
    }
    Ok(best.map(|(_, _, word)| word))
}

fn distance(a: &str, b: &str) -> usize {
    let to = |most: u8| match automaton(most).build_dfa(a).eval(b) {
        Distance::Exact(distance) => usize::from(distance),
        Distance::AtLeast(distance) => usize::from(distance),
    };
    to(2)
}

fn is_live(view: &View, fields: &Fields, word: &str) -> Result<bool, LibraryError> {
    Ok(is_live_term(view, &Term::from_field_text(fields.searched(Searched::Word), word))?
        || is_live_term(view, &Term::from_field_text(fields.searched(Searched::Name), word))?)
}

fn is_live_term(view: &View, term: &Term) -> Result<bool, LibraryError> {
    for part in &view.parts {
        if part.has(term).map_err(|error| part.error(error))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a word that begins like the first part holds the others in their order, and ends with the last.
fn fits(word: &str, parts: &[&str]) -> bool {
    let Some(mut rest) = word.strip_prefix(parts[0]) else { return false };
    let Some((last, middle)) = parts[1..].split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn each_word(view: &View, field: Field, prefix: &str, mut take: impl FnMut(&str)) -> Result<(), LibraryError> {
    for part in &view.parts {
        each_word_of(part, field, prefix, &mut take).map_err(|error| part.error(error))?;
    }
    Ok(())
}

fn each_word_of(part: &Part, field: Field, prefix: &str, take: &mut impl FnMut(&str)) -> tantivy::Result<()> {
    for (_, segment, _) in part.snapshot.segments() {
        let index = segment.inverted_index(field)?;
        let mut stream = index.terms().range().ge(prefix).into_stream()?;
        while stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
            if let Ok(word) = std::str::from_utf8(stream.key()) {
                take(word);
            }
        }
    }
    Ok(())
}

fn each_near(part: &Part, field: Field, near: &Near, mut take: impl FnMut(u8, &str)) -> tantivy::Result<()> {
    for (_, segment, _) in part.snapshot.segments() {
        let index = segment.inverted_index(field)?;
        let mut stream = index.terms().search(near).into_stream()?;
        while stream.advance() {
            if let (Ok(word), Distance::Exact(distance)) =
                (std::str::from_utf8(stream.key()), near.dfa.eval(stream.key()))
            {
                take(distance, word);
            }
        }
    }
    Ok(())
}

/// Accepts words within a distance; a transposition counts once.
struct Near {
    dfa: DFA,
    most: u8,
}

impl Automaton for &Near {
    type State = u32;

    fn start(&self) -> u32 {
        self.dfa.initial_state()
    }

    fn is_match(&self, state: &u32) -> bool {
        matches!(self.dfa.distance(*state), Distance::Exact(distance) if distance <= self.most)
    }

    fn can_match(&self, state: &u32) -> bool {
        *state != levenshtein_automata::SINK_STATE
    }

    fn accept(&self, state: &u32, byte: u8) -> u32 {
        self.dfa.transition(*state, byte)
    }
}

/// Tells how far the words of a text are from one word.
pub(super) struct Nearness {
    near: Near,
}

impl Nearness {
    /// Of this folded word; short ones allow no typo.
    pub(super) fn of(word: &str) -> Nearness {
        let most = typos(word).unwrap_or(0);
        Nearness { near: Near { dfa: automaton(most).build_dfa(word), most } }
    }

    /// The typos between the word and the nearest word of a folded text; none if there are too many.
    pub(super) fn nearest(&self, text: &str) -> Option<u32> {
        let words = pieces(text).map(|piece| self.near.dfa.eval(&text[piece.start..piece.end]));
        let near = words.filter_map(|distance| match distance {
            Distance::Exact(distance) if distance <= self.near.most => Some(u32::from(distance)),
            _ => None,
        });
        near.min()
    }
}

/// How many typos a word of this length may have; none: it is too short for any.
fn typos(word: &str) -> Option<u8> {
    match word.chars().count() {
        ..=3 => None,
        4..=7 => Some(1),
        _ => Some(2),
    }
}

/// The builder for a distance: costly to make, so made once.
fn automaton(most: u8) -> &'static LevenshteinAutomatonBuilder {
    static ONE: OnceLock<LevenshteinAutomatonBuilder> = OnceLock::new();
    static TWO: OnceLock<LevenshteinAutomatonBuilder> = OnceLock::new();
    match most {
        ..=1 => ONE.get_or_init(|| LevenshteinAutomatonBuilder::new(1, true)),
        _ => TWO.get_or_init(|| LevenshteinAutomatonBuilder::new(2, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_words() {
        for (pattern, word, expected) in [
            ("inv*", "invoice", true),
            ("inv*", "inv", true),
            ("inv*ce", "invoice", true),
            ("inv*ces", "invoice", false),
            ("i*v*e", "invoice", true),
            ("i*v*e", "invoices", false),
            ("a*b*b", "ab", false),
        ] {
            let parts: Vec<&str> = pattern.split('*').collect();
            assert_eq!(fits(word, &parts), expected, "{pattern} {word}");
        }
    }

    #[test]
    fn typos_are_counted() {
        for (a, b, expected) in
            [("invoice", "invoice", 0), ("invoice", "invocie", 1), ("invoice", "invice", 1), ("café", "cafe", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
