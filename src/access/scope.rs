//! What one caller may see, as a value that goes into every question put to the library.

use std::collections::BTreeSet;
use std::sync::Arc;

use blake2::digest::consts::U16;
use blake2::{Blake2s, Digest};

use super::{Action, Grant, Rule};
use crate::name::CollectionName;

/// What one caller may see and do, as of one policy. Its fields are private: only [`super::Policy::scope`] and [`Scope::owner`]
/// make one. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scope {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sight: Sight,
    actions: BTreeSet<Action>,
    key: ScopeKey,
}

#[derive(Debug)]
enum Sight {
    Everything,
    Rules(Vec<Rule>),
}

/// Names what a scope sees: equal for scopes that see the same by the same rules, now and after a restart. For caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeKey([u8; 16]);

/// How much of a collection a scope sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nothing: for this caller it does not exist.
    Nothing,
    /// Some folders: every document has to be asked for with [`Scope::admits_path`].
    Part,
    /// All of it.
    Whole,
}

impl PartialEq for Scope {
    /// Whether both see the same by the same rules, and may do the same.
    fn eq(&self, other: &Scope) -> bool {
        self.key() == other.key() && self.inner.actions == other.inner.actions
    }
}

impl Scope {
    /// The owner at the machine: everything. Made by `control` alone.
    pub fn owner() -> Scope {
        Scope::new(Sight::Everything, Action::ALL.into())
    }

    pub(super) fn of(grant: &Grant) -> Scope {
        Scope::new(Sight::Rules(grant.rules().to_vec()), grant.actions().clone())
    }

    fn new(sight: Sight, actions: BTreeSet<Action>) -> Scope {
        let key = sight.key();
        Scope { inner: Arc::new(Inner { sight, actions, key }) }
    }

    /// Whether this may be done at all.
    pub fn allows(&self, action: Action) -> bool {
        self.inner.actions.contains(&action)
    }

    /// Whether a collection is in scope, whole or in part.
    pub fn admits(&self, collection: &CollectionName) -> bool {
        self.extent(collection) != Extent::Nothing
    }

    /// How much of a collection is in scope.
    pub fn extent(&self, collection: &CollectionName) -> Extent {
        let Sight::Rules(rules) = &self.inner.sight else { return Extent::Whole };
        let concerning = || rules.iter().filter(|rule| rule.concerns(collection));
        let whole = concerning().any(|rule| rule.depth() == 0 && !rule.denies())
            && !concerning().any(|rule| rule.depth() == 0 && rule.denies());
        match (whole, concerning().any(|rule| rule.depth() > 0 && rule.denies() == whole)) {
            (true, false) => Extent::Whole,
            (false, false) => Extent::Nothing,
            (_, true) => Extent::Part,
        }
    }

    /// Whether the caller may know that a collection is there, even if it sees no document of it: because it was given all of it, or was
    /// told its name. (A rule such as `*/public` speaks of collections that have no such folder, too.)
    pub fn tells_of(&self, collection: &CollectionName) -> bool {
        let Sight::Rules(rules) = &self.inner.sight else { return true };
        rules.iter().any(|rule| rule.names(collection)) || self.admits_path(collection, "")
    }

    /// Whether a document, or what is below a folder, is in scope: of the rules that cover the path the one that reaches deepest
    /// decides, and among equals a denial.
    pub fn admits_path(&self, collection: &CollectionName, path: &str) -> bool {
        let Sight::Rules(rules) = &self.inner.sight else { return true };
        deciding(rules, collection, path).is_some_and(|rule| !rule.denies())
    }

    /// Names what this scope sees, for caches.
    pub fn key(&self) -> ScopeKey {
        self.inner.key
    }
}

/// The rule that decides over a path: of those that cover it the one that reaches deepest, and among equals a denial.
pub(super) fn deciding<'a>(rules: &'a [Rule], collection: &CollectionName, path: &str) -> Option<&'a Rule> {
    let covering = rules.iter().filter(|rule| rule.concerns(collection) && rule.covers(path));
    covering.max_by_key(|rule| (rule.depth(), rule.denies()))
}

impl Sight {
    fn key(&self) -> ScopeKey {
        let mut hash = Blake2s::<U16>::new();
        if let Sight::Rules(rules) = self {
            let texts: BTreeSet<&str> = rules.iter().map(Rule::as_str).collect();
            for text in texts {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
            hash.update(b"rules");
        }
        ScopeKey(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(rules: &[&str]) -> Scope {
        Scope::of(&Grant::new(rules, [Action::Search]).unwrap())
    }

    fn name(text: &str) -> CollectionName {
        text.parse().unwrap()
    }

    #[test]
    fn the_extent_of_a_collection() {
        for (rules, collection, extent) in [
            (&[][..], "a", Extent::Nothing),
            (&["a"], "a", Extent::Whole),
            (&["a"], "b", Extent::Nothing),
            (&["*"], "to-come", Extent::Whole),
            (&["*", "!secret"], "secret", Extent::Nothing),
            (&["!secret", "*"], "public", Extent::Whole),
            (&["a/x"], "a", Extent::Part),
            (&["a", "!a/x"], "a", Extent::Part),
            (&["a", "a/x"], "a", Extent::Whole),
            (&["!a", "!a/x"], "a", Extent::Nothing),
            (&["!a", "a/x"], "a", Extent::Part),
        ] {
            assert_eq!(scope(rules).extent(&name(collection)), extent, "{rules:?} {collection}");
        }
        assert_eq!(Scope::owner().extent(&name("any")), Extent::Whole);
    }

    #[test]
    fn a_collection_without_what_was_granted_is_not_told_of_unless_by_name() {
        for (rules, collection, told) in [
            (&["*"][..], "a", true),
            (&["*", "!a"], "a", false),
            (&["*/public"], "a", false),
            (&["a/public"], "a", true),
            (&["a/public"], "b", false),
            (&["[a]/public"], "a", false),
            (&["*", "!a", "!a/public"], "a", false),
            (&["a", "!a", "*/public"], "a", false),
            (&["a", "!a", "a/public"], "a", true),
            (&["*", "!a/public"], "a", true),
        ] {
            assert_eq!(scope(rules).tells_of(&name(collection)), told, "{rules:?} {collection}");
        }
        assert!(Scope::owner().tells_of(&name("any")));
    }

    #[test]
    fn the_deepest_rule_decides_and_among_equals_the_denial() {
        let scope = scope(&["work", "!work/private", "work/private/shared", "!work/*/drafts"]);
        for (path, admitted) in [
            ("a.md", true),
            ("private", false),
            ("private/a.md", false),
            ("private/shared/a.md", true),
            ("privateer/a.md", true),
            ("x/drafts/a.md", false),
            ("drafts/a.md", true),
        ] {
            assert_eq!(scope.admits_path(&name("work"), path), admitted, "{path}");
        }
        assert!(!scope.admits_path(&name("other"), "a.md"));
    }

    #[test]
    fn the_key_names_what_is_seen() {
        assert_eq!(scope(&["a", "b"]).key(), scope(&["b", "a"]).key());
        assert_ne!(scope(&["a"]).key(), scope(&["b"]).key());
        assert_ne!(scope(&["ab"]).key(), scope(&["a", "b"]).key());
        assert_ne!(scope(&[]).key(), Scope::owner().key());
        assert_eq!(scope(&["a", "b"]), scope(&["b", "a"]));
        assert_ne!(scope(&["a"]), scope(&["b"]));
        assert_ne!(scope(&["a"]), Scope::of(&Grant::new(["a"], [Action::Read]).unwrap()));
    }
}
