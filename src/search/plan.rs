//! What is to be looked up for a question: leaves that are scored, and a condition that documents meet.

use std::collections::BTreeSet;

use tantivy::schema::Term;

use super::query::Filter;

/// What is to be looked up.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) leaves: Vec<Leaf>,
    pub(super) condition: Condition,
    /// Leaves that score, in the question's order; one that is repeated stands in it as often.
    pub(super) sequence: Vec<usize>,
    pub(super) unused: Vec<String>,
    /// Whether a second pass with typos could find more.
    pub(super) can_be_fuzzy: bool,
}

/// Something that stands in passages: any of its terms, or any of its phrases.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Forms of the word; the length of the first one's field counts.
    pub(super) terms: Vec<Term>,
    /// The same in titles and headings; for the score.
    pub(super) titles: Vec<Term>,
    /// The same in names of files.
    pub(super) names: Vec<Term>,
    /// Sequences: of terms with their distance from the first.
    pub(super) phrases: Vec<Vec<(usize, Term)>>,
    /// Whether it counts for the score; what is excluded does not.
    pub(super) scores: bool,
    /// How the leaf is recognised in a text, for highlights.
    pub(super) mark: Mark,
}

/// How a leaf is recognised in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// Words whose stem is one of these.
    Stems(BTreeSet<String>),
    /// Words that are one of these when folded.
    Words(BTreeSet<String>),
    /// Words in this sequence, folded.
    Sequence(Vec<String>),
    /// A run of characters of a spaceless script, folded.
    Run(String),
}

impl Mark {
    /// Whether several terms may stand for one word of a text: itself, its stem, its stem by another language's rules. (By the rules of
    /// one language, what is its own stem is indexed once.)
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self, Mark::Stems(stems) if stems.len() > 1)
    }

    /// Words, folded, one of which begins every text that is recognised; but for runs, which are looked for within others.
    pub(super) fn begins(&self) -> impl Iterator<Item = &str> {
        let (words, first) = match self {
            Mark::Stems(words) | Mark::Words(words) => (Some(words), None),
            Mark::Sequence(words) => (None, words.first()),
            Mark::Run(_) => (None, None),
        };
        words.into_iter().flatten().chain(first).map(String::as_str)
    }
}

/// What a document has to meet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// The leaf stands in one of its passages.
    Leaf(usize),
    /// A property.
    Filter(Filter),
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

/// How words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As they are.
    Exact,
    /// Those that are marked, with typos.
    Marked,
    /// All of them with typos.
    Fuzzy,
}

impl Plan {
    /// How often the question says what this leaf stands for.
    pub(super) fn times(&self, leaf: usize) -> usize {
        self.sequence.iter().filter(|&&at| at == leaf).count()
    }

    /// Neighbours in the question, each pair once.
    pub(super) fn neighbours(&self) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for pair in self.sequence.windows(2).map(|pair| (pair[0], pair[1])) {
            if pair.0 != pair.1 && !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        pairs
    }

    /// Of a long question only the rarest words score; the others would cost the most and tell the least.
    pub(super) fn keep_rarest(&mut self, most: usize, frequency: impl Fn(&Leaf) -> u64) {
        let mut scoring: Vec<usize> = (0..self.leaves.len()).filter(|&at| self.leaves[at].scores).collect();
        if scoring.len() <= most {
            return;
        }
        scoring.sort_by_key(|&at| (frequency(&self.leaves[at]), at));
        for &at in &scoring[most..] {
            self.leaves[at].scores = false;
        }
        self.sequence.retain(|&at| self.leaves[at].scores);
        self.unused.push(format!("the most frequent words: of a long question the {most} rarest count"));
    }
}

impl Leaf {
    pub(super) fn new(mark: Mark, scores: bool) -> Leaf {
        Leaf { terms: Vec::new(), titles: Vec::new(), names: Vec::new(), phrases: Vec::new(), scores, mark }
    }

    /// A leaf of sequences; one of a single term is that term.
    pub(super) fn sequence(sequences: impl IntoIterator<Item = Vec<(usize, Term)>>, mut leaf: Leaf) -> Leaf {
        for mut sequence in sequences {
            match sequence.len() {
                0 => {}
                1 => {
                    let (_, term) = sequence.remove(0);
                    let same_field = leaf.terms.first().is_none_or(|first| first.field() == term.field());
                    if same_field { leaf.terms.push(term) } else { leaf.names.push(term) }
                }
                _ => leaf.phrases.push(sequence),
            }
        }
        leaf
    }

    /// All terms whose frequency matters.
    pub(super) fn all_terms(&self) -> impl Iterator<Item = &Term> {
        let words = self.terms.iter().chain(&self.titles).chain(&self.names);
        words.chain(self.phrases.iter().flatten().map(|(_, term)| term))
    }
}
