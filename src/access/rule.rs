//! One line of a grant: `NAME`, `NAME/FOLDER`, with globs, `!` in front of what is denied.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

use crate::name::CollectionName;

/// Longest rule in bytes: a path of the system's own limit and a name before it.
pub const RULE_BYTES: usize = 4096 + 64;

/// Why a text is not a rule of a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no collection: {problem}; write a name, a glob such as \"work-*\", or \"name/folder\"")]
pub struct RuleError {
    text: String,
    problem: String,
}

/// Allows or denies the collections that match a glob, or a folder in them. A glob covers collections to come, too.
#[derive(Debug, Clone)]
pub struct Rule {
    text: String,
    denies: bool,
    name: Part,
    folder: Vec<Part>,
}

/// What a collection's name, or one part of a path, is compared with.
#[derive(Debug, Clone)]
enum Part {
    /// Itself: ten thousand devices with a collection each would otherwise keep ten thousand automata.
    Literal(Box<str>),
    Glob(GlobMatcher),
}

impl Part {
    fn new(text: &str) -> Result<Part, globset::Error> {
        if !text.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            return Ok(Part::Literal(text.into()));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build()?;
        Ok(Part::Glob(glob.compile_matcher()))
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Part::Literal(literal) => **literal == *text,
            Part::Glob(glob) => glob.is_match(text),
        }
    }
}

impl Rule {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it takes away.
    pub fn denies(&self) -> bool {
        self.denies
    }

    /// Whether it speaks of this collection, or of a folder in it.
    pub fn concerns(&self, collection: &CollectionName) -> bool {
        self.name.is_match(collection.as_str())
    }

    /// Whether it allows a folder of this collection, which it calls by its name rather than by a glob.
    pub(super) fn names(&self, collection: &CollectionName) -> bool {
        !self.denies && self.depth() > 0 && self.text.split('/').next() == Some(collection.as_str())
    }

    /// How many folders deep it reaches; 0: the whole collection.
    pub(super) fn depth(&self) -> usize {
        self.folder.len()
    }

    /// Whether the folder, or document, at this path is the rule's or below it.
    pub(super) fn covers(&self, path: &str) -> bool {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        self.folder.iter().all(|glob| parts.next().is_some_and(|part| glob.is_match(part)))
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.text == other.text
    }
}

impl Eq for Rule {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Rule, RuleError> {
        let error = |problem: &str| RuleError {
            text: text.chars().take(100).collect(),
            problem: problem.lines().next().unwrap_or_default().to_owned(),
        };
        if text.len() > RULE_BYTES {
            return Err(error("it is too long"));
        }
        let (denies, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut parts = pattern.strip_suffix('/').unwrap_or(pattern).split('/');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return Err(error("the name is missing"));
        }
        let folder: Vec<&str> = parts.collect();
        if folder.iter().any(|part| matches!(*part, "" | "." | ".." | "**")) {
            return Err(error("a folder is written by its parts, without \"..\", \"**\" or doubled slashes"));
        }
        let part = |part: &str| Part::new(part).map_err(|source| error(&source.to_string()));
        Ok(Rule {
            text: text.to_owned(),
            denies,
            name: part(name)?,
            folder: folder.into_iter().map(part).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_they_are_written() {
        for good in ["*", "notes", "work-*", "!secret", "work/projects", "!work/*/drafts", "a[bc]", "work/"] {
            assert_eq!(good.parse::<Rule>().unwrap().to_string(), good);
        }
        for bad in ["", "!", "/etc", "work//x", "work/../x", "work/**", "a[", "!/x", &"x".repeat(RULE_BYTES + 1)] {
            assert!(bad.parse::<Rule>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_itself_unless_it_is_a_glob() {
        for (rule, name, covered) in [
            ("notes", "notes", true),
            ("notes", "note", false),
            ("notes/", "notes", true),
            ("note?", "notes", true),
            ("{a,b}", "b", true),
            ("a,b", "a", false),
            ("n[o-p]tes", "notes", true),
            ("*", "notes", true),
        ] {
            let rule: Rule = rule.parse().unwrap();
            assert_eq!(rule.concerns(&name.parse().unwrap()), covered, "{rule} {name}");
        }
        let escaped: Rule = r"work/\*".parse().unwrap();
        assert!(escaped.covers("*/x") && !escaped.covers("a/x"));
    }

    #[test]
    fn a_folder_covers_what_is_below_it() {
        let rule: Rule = "work/projects/*-old".parse().unwrap();
        for (path, covered) in [
            ("projects/a-old", true),
            ("projects/a-old/x.md", true),
            ("projects/a-older", false),
            ("projects", false),
            ("x/projects/a-old", false),
        ] {
            assert_eq!(rule.covers(path), covered, "{path}");
        }
    }
}
