//! A question in, the plan of what is to be looked up for it in a view out.

use std::collections::BTreeSet;

use tantivy::schema::Term;

use super::common::is_common;
use super::error::LibraryError;
use super::expand::{self, Expansion};
use super::plan::{Condition, Leaf, Mark, Pass, Plan};
use super::query::{Ask, Clause, Form, Node, Sign, Where, Word};
use super::schema::{Fields, Searched};
use super::text::{Kind, Stems, Tongue, bigrams, folded, pieces};
use super::view::View;
use crate::limits::QUERY_TONGUES;

/// Longest run of a spaceless script, in characters, that is looked for as it stands; a longer one is several words.
const RUN_AS_WORD: usize = 4;

/// A question of more words is a text that somebody pasted, in which quotes are the author's and demand nothing.
const PROSE_WORDS: usize = 24;

/// Plans a question for a view.
pub(super) fn plan(view: &View, ask: &Ask, match_all: bool, pass: Pass) -> Result<Plan, LibraryError> {
    let Some(part) = view.parts.first() else { return Ok(Plan::default()) };
    let mut planner = Planner {
        view,
        fields: &part.shelf.fields,
        tongues: tongues(view),
        match_all,
        is_prose: ask.words > PROSE_WORDS,
        pass,
        drop_common: has_uncommon(&ask.clauses),
        common: Vec::new(),
        plan: Plan { unused: ask.unused.clone(), ..Plan::default() },
    };
    planner.plan.condition = planner.group(&ask.clauses, true)?;
    let Planner { common, mut plan, .. } = planner;
    if !common.is_empty() {
        plan.unused.push(format!("{}: common words; with + or in quotes they count", common.join(", ")));
    }
    plan.unused.dedup();
    Ok(plan)
}

/// The tongues of what is in view, most frequent first.
fn tongues(view: &View) -> Vec<Tongue> {
    let mut tongues: Vec<(Tongue, u64)> = view.totals.tongues.iter().map(|(&tongue, &count)| (tongue, count)).collect();
    tongues.sort_by_key(|&(tongue, count)| (std::cmp::Reverse(count), tongue));
    tongues.into_iter().take(QUERY_TONGUES).map(|(tongue, _)| tongue).collect()
}

/// Whether anything but common words is asked for.
fn has_uncommon(clauses: &[Clause]) -> bool {
    clauses
        .iter()
        .filter(|clause| clause.sign != Sign::Not)
        .any(|clause| clause.sign == Sign::Must || uncommon(&clause.node))
}

fn uncommon(node: &Node) -> bool {
    match node {
        Node::Word(word) => word.form != Form::Plain || word.place == Where::Title || !is_common(&word.text),
        Node::Phrase { .. } => true,
        Node::Any(nodes) => nodes.iter().any(uncommon),
        Node::Group(clauses) => has_uncommon(clauses),
        Node::Filter(_) => false,
    }
}

struct Planner<'a> {
    view: &'a View,
    fields: &'a Fields,
    tongues: Vec<Tongue>,
    match_all: bool,
    is_prose: bool,
    pass: Pass,
    drop_common: bool,
    common: Vec<String>,
    plan: Plan,
}

impl Planner<'_> {
    /// All `+`, no `-`, and one at least of the rest, unless a `+` speaks of words already.
    fn group(&mut self, clauses: &[Clause], scores: bool) -> Result<Condition, LibraryError> {
        let (mut all, mut any, mut demands_words) = (Vec::new(), Vec::new(), false);
        for clause in clauses {
            if clause.sign == Sign::Not {
                // Of a group of common words alone nothing is left, and nothing excludes nothing.
                match self.node(&clause.node, false)? {
                    Condition::Always => {}
                    condition => all.push(Condition::Not(Box::new(condition))),
                }
                continue;
            }
            let demanded = clause.sign == Sign::Must || demands(&clause.node, self.is_prose) || self.match_all;
            if !demanded && self.is_dropped(&clause.node) {
                continue;
            }
            let before = self.plan.leaves.len();
            let condition = self.node(&clause.node, scores)?;
            match demanded {
                true => {
                    demands_words |= self.plan.leaves.len() > before;
                    all.push(condition);
                }
                false => any.push(condition),
            }
        }
        if !any.is_empty() && !demands_words {
            all.push(one_of(any));
        }
        Ok(all_of(all))
    }

    fn is_dropped(&mut self, node: &Node) -> bool {
        let Node::Word(Word { text, form: Form::Plain, place: Where::Anywhere }) = node else { return false };
        let dropped = self.drop_common && is_common(text);
        if dropped && !self.common.contains(text) {
            self.common.push(text.clone());
        }
        dropped
    }

    fn node(&mut self, node: &Node, scores: bool) -> Result<Condition, LibraryError> {
        match node {
            Node::Word(word) => self.word(word, scores),
            Node::Phrase { text, place } if self.is_prose && *place == Where::Anywhere => self.emphasis(text, scores),
            Node::Phrase { text, place } => Ok(self.phrase(text, *place, scores)),
            Node::Any(nodes) => {
                let nodes = nodes.iter().map(|node| self.node(node, scores)).collect::<Result<_, _>>()?;
                Ok(one_of(nodes))
            }
            Node::Group(clauses) => self.group(clauses, scores),
            Node::Filter(filter) => Ok(Condition::Filter(filter.clone())),
        }
    }

    /// A word as typed, which may fall into several: those of `3.5` or `foo_bar` belong together as they stand, those of
    /// `boundary-layer` are words of their own.
    fn word(&mut self, word: &Word, scores: bool) -> Result<Condition, LibraryError> {
        if word.form == Form::Wild {
            return self.wild(word, scores);
        }
        let parts: Vec<_> = pieces(&word.text).collect();
        let between = parts.windows(2).map(|pair| &word.text[pair[0].end..pair[1].start]);
        let apart =
            between.clone().any(|gap| gap.is_empty() || gap.contains(['-', '–', '\'', '’', '/', ',', ';', '&']));
        if parts.len() > 1 && !apart && word.form == Form::Plain {
            return Ok(self.phrase(&word.text, word.place, scores));
        }
        let mut conditions = Vec::new();
        for piece in &parts {
            let text = &word.text[piece.start..piece.end];
            match piece.kind {
                Kind::Word => conditions.push(self.plain(text, word, scores)?),
                Kind::Cjk => conditions.push(self.run(text, scores)?),
            }
        }
        Ok(if self.match_all { all_of(conditions) } else { one_of(conditions) })
    }

    fn plain(&mut self, text: &str, word: &Word, scores: bool) -> Result<Condition, LibraryError> {
        let may_be_fuzzy = word.place == Where::Anywhere && scores;
        self.plan.can_be_fuzzy |= may_be_fuzzy;
        let fuzzy = match self.pass {
            Pass::Exact => false,
            Pass::Marked => word.form == Form::Fuzzy,
            Pass::Fuzzy => true,
        };
        if fuzzy && may_be_fuzzy {
            let words = expand::similar(self.view, self.fields, &folded(text))?;
            return Ok(self.expanded(words, scores));
        }
        let stems = self.stems(text);
        let terms = |which| {
            let field = self.fields.searched(which);
            stems.iter().map(move |stem| Term::from_field_text(field, stem))
        };
        let titles: Vec<Term> = terms(Searched::Title).collect();
        let leaf = match word.place {
            Where::Title => Leaf { terms: titles, titles: Vec::new(), ..Leaf::new(Mark::Stems(stems), scores) },
            Where::Anywhere => Leaf {
                terms: terms(Searched::Word).chain(terms(Searched::Stem)).collect(),
                titles,
                names: vec![Term::from_field_text(self.fields.searched(Searched::Name), &folded(text))],
                ..Leaf::new(Mark::Stems(stems), scores)
            },
        };
        Ok(self.leaf(leaf))
    }

    fn stems(&self, text: &str) -> BTreeSet<String> {
        let stem = |&tongue: &Tongue| {
            let mut stem = String::new();
            Stems::new(tongue).stem(text, &mut stem);
            stem
        };
        self.tongues.iter().map(stem).collect()
    }

    fn wild(&mut self, word: &Word, scores: bool) -> Result<Condition, LibraryError> {
        let Expansion { words, cut } = expand::wild(self.view, self.fields, &folded(&word.text))?;
        if cut {
            self.plan.unused.push(format!("{}: more words than can be looked for; the first are", word.text));
        }
        Ok(self.expanded(words, scores))
    }

    fn expanded(&mut self, words: Vec<String>, scores: bool) -> Condition {
        let terms = |field| words.iter().map(|word| Term::from_field_text(field, word)).collect::<Vec<_>>();
        let (terms, names) = (terms(self.fields.searched(Searched::Word)), terms(self.fields.searched(Searched::Name)));
        let mark = Mark::Words(words.into_iter().collect());
        self.leaf(Leaf { terms, names, ..Leaf::new(mark, scores) })
    }

    /// Words in this order, as they stand.
    fn phrase(&mut self, text: &str, place: Where, scores: bool) -> Condition {
        let parts: Vec<_> = pieces(text).collect();
        let mut conditions = Vec::new();
        for run in parts.chunk_by(|a, b| a.kind == b.kind) {
            let words = run.iter().map(|piece| (piece.ordinal - run[0].ordinal, &text[piece.start..piece.end]));
            let words: Vec<(usize, &str)> = words.collect();
            let leaf = match (run[0].kind, place) {
                (Kind::Cjk, _) => words.iter().map(|(_, run)| self.run_leaf(run, scores)).collect(),
                (Kind::Word, Where::Anywhere) => vec![self.sequence(&words, scores)],
                (Kind::Word, Where::Title) => vec![self.title_sequence(&words, scores)],
            };
            for leaf in leaf {
                conditions.push(self.leaf(leaf));
            }
        }
        all_of(conditions)
    }

    /// What stands in quotes within a long text: words, the better if they stand together.
    fn emphasis(&mut self, text: &str, scores: bool) -> Result<Condition, LibraryError> {
        let mut conditions = vec![self.phrase(text, Where::Anywhere, scores)];
        let words = text.split_whitespace().filter(|word| !is_common(word) && pieces(word).next().is_some());
        for word in words.collect::<Vec<_>>() {
            let word = Word { text: word.replace('*', ""), form: Form::Plain, place: Where::Anywhere };
            conditions.push(self.word(&word, scores)?);
        }
        Ok(one_of(conditions))
    }

    fn sequence(&self, words: &[(usize, &str)], scores: bool) -> Leaf {
        let plain: Vec<String> = words.iter().map(|(_, word)| folded(word)).collect();
        let terms =
            |field| words.iter().zip(&plain).map(move |((at, _), word)| (*at, Term::from_field_text(field, word)));
        let (exact, name) = (self.fields.searched(Searched::Word), self.fields.searched(Searched::Name));
        let mark = Mark::Sequence(plain.clone());
        Leaf::sequence([terms(exact).collect(), terms(name).collect()], Leaf::new(mark, scores))
    }

    fn title_sequence(&self, words: &[(usize, &str)], scores: bool) -> Leaf {
        let field = self.fields.searched(Searched::Title);
        let sequences = self.tongues.iter().map(|&tongue| {
            let mut stems = Stems::new(tongue);
            let term = |(at, word): &(usize, &str)| {
                let mut stem = String::new();
                stems.stem(word, &mut stem);
                (*at, Term::from_field_text(field, &stem))
            };
            words.iter().map(term).collect::<Vec<_>>()
        });
        let mark = Mark::Sequence(words.iter().map(|(_, word)| folded(word)).collect());
        Leaf::sequence(sequences, Leaf::new(mark, scores))
    }

    /// A run of a spaceless script: as it stands where it is short, its pairs of characters where it is long.
    fn run(&mut self, run: &str, scores: bool) -> Result<Condition, LibraryError> {
        let plain = folded(run);
        let length = plain.chars().count();
        if length == 1 {
            let terms = expand::beginning(self.view, self.fields.searched(Searched::Cjk), &plain)?;
            let leaf = Leaf { terms, ..Leaf::new(Mark::Run(plain), scores) };
            return Ok(self.leaf(leaf));
        }
        if length <= RUN_AS_WORD {
            let leaf = self.run_leaf(run, scores);
            return Ok(self.leaf(leaf));
        }
        let pairs = bigrams(run).into_iter().filter(|pair| pair.chars().count() == 2);
        let conditions = pairs.map(|pair| {
            let leaf = self.run_leaf(&pair, scores);
            self.leaf(leaf)
        });
        Ok(one_of(conditions.collect()))
    }

    fn run_leaf(&self, run: &str, scores: bool) -> Leaf {
        let field = self.fields.searched(Searched::Cjk);
        let mut pairs = bigrams(run);
        if pairs.len() > 1 {
            pairs.pop();
        }
        let terms = pairs.iter().enumerate().map(|(at, pair)| (at, Term::from_field_text(field, pair))).collect();
        Leaf::sequence([terms], Leaf::new(Mark::Run(folded(run)), scores))
    }

    fn leaf(&mut self, leaf: Leaf) -> Condition {
        let same = self.plan.leaves.iter().position(|known| *known == leaf);
        let scores = leaf.scores;
        let at = same.unwrap_or_else(|| {
            self.plan.leaves.push(leaf);
            self.plan.leaves.len() - 1
        });
        if scores {
            self.plan.sequence.push(at);
        }
        Condition::Leaf(at)
    }
}

/// Whether a part is demanded without a `+`: quotes (but in a long text), fields and properties are.
fn demands(node: &Node, is_prose: bool) -> bool {
    match node {
        Node::Word(word) => word.place == Where::Title,
        Node::Phrase { place, .. } => *place == Where::Title || !is_prose,
        Node::Filter(_) => true,
        Node::Any(nodes) => nodes.iter().all(|node| matches!(node, Node::Filter(_))),
        Node::Group(_) => false,
    }
}

fn all_of(mut conditions: Vec<Condition>) -> Condition {
    conditions.retain(|condition| *condition != Condition::Always);
    match conditions.len() {
        0 => Condition::Always,
        1 => conditions.remove(0),
        _ => Condition::All(conditions),
    }
}

fn one_of(conditions: Vec<Condition>) -> Condition {
    let mut flat = Vec::new();
    for condition in conditions {
        match condition {
            Condition::Any(inner) => flat.extend(inner),
            // What asks for nothing is no alternative.
            Condition::Always => {}
            other => flat.push(other),
        }
    }
    match flat.len() {
        0 => Condition::Always,
        1 => flat.remove(0),
        _ => Condition::Any(flat),
    }
}
