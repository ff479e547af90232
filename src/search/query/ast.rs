//! A question as a tree.

use crate::documents::Format;

/// A question, and what of it was not used.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::search) struct Ask {
    /// Its parts, beside each other.
    pub(in crate::search) clauses: Vec<Clause>,
    /// How many words were typed.
    pub(in crate::search) words: usize,
    /// What was not used, and why; for the person.
    pub(in crate::search) unused: Vec<String>,
}

/// A part with its sign.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::search) struct Clause {
    pub(in crate::search) sign: Sign,
    pub(in crate::search) node: Node,
}

/// What a part is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) enum Sign {
    /// The more of these, the better; one of them at least.
    Should,
    /// Without it a document is not found.
    Must,
    /// With it a document is not found.
    Not,
}

/// A part of a question.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::search) enum Node {
    /// A word, as it was typed; it may fall into several.
    Word(Word),
    /// Words in this order.
    Phrase { text: String, place: Where },
    /// One of these.
    Any(Vec<Node>),
    /// All in brackets.
    Group(Vec<Clause>),
    /// A property of documents.
    Filter(Filter),
}

/// A word, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) struct Word {
    pub(in crate::search) text: String,
    pub(in crate::search) form: Form,
    pub(in crate::search) place: Where,
}

/// How a word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) enum Form {
    /// As it stands.
    Plain,
    /// With `*` in it, which stands for any letters.
    Wild,
    /// With typos.
    Fuzzy,
}

/// Where a word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) enum Where {
    /// In text, title, headings and file name.
    Anywhere,
    /// In title and headings.
    Title,
}

/// A property of documents.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::search) enum Filter {
    /// The path has this in it; `*` stands for any characters.
    Path(String),
    /// The document at this path, or all below this folder.
    Below(String),
    /// One of these forms.
    Format(Vec<Format>),
    /// Files whose name ends in this.
    Extension(String),
    /// Dated at or after these nanoseconds since 1970.
    After(i128),
    /// Dated before these nanoseconds since 1970.
    Before(i128),
}
