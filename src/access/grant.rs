//! What one peer may do, as the owner wrote it and checked once.

use std::collections::BTreeSet;

use super::{Action, Rule, RuleError, scope};
use crate::name::CollectionName;

/// Most rules of one grant: more than a person writes, few enough to be tried on every path.
pub const GRANT_RULES: usize = 256;

/// What one peer may do. The empty grant allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    rules: Vec<Rule>,
    actions: BTreeSet<Action>,
}

/// Why a grant cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// One of its collections is not written as one.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// There are too many.
    #[error("{0} collections and folders in one grant; at most {GRANT_RULES} fit: write a glob")]
    TooMany(usize),
}

impl Grant {
    /// The grant of these actions on these collections and folders, each written as [`Rule`] says. Repetitions are dropped.
    pub fn new<S: AsRef<str>>(
        collections: impl IntoIterator<Item = S>,
        actions: impl IntoIterator<Item = Action>,
    ) -> Result<Grant, GrantError> {
        let mut rules: Vec<Rule> = Vec::new();
        for text in collections {
            let rule = text.as_ref().trim().parse()?;
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        match rules.len() {
            ..=GRANT_RULES => Ok(Grant { rules, actions: actions.into_iter().collect() }),
            many => Err(GrantError::TooMany(many)),
        }
    }

    /// Its rules, in the order in which they were written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Its collections and folders, as they were written.
    pub fn collections(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(Rule::as_str)
    }

    /// The rule that decides over a path; none: it is not covered.
    pub fn deciding(&self, collection: &CollectionName, path: &str) -> Option<&Rule> {
        scope::deciding(&self.rules, collection, path)
    }

    /// Its actions, in their fixed order.
    pub fn actions(&self) -> &BTreeSet<Action> {
        &self.actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_says_what_is_wrong_with_it() {
        let error = Grant::new(["ok", "a[b"], [Action::Search]).unwrap_err().to_string();
        assert!(error.contains("a[b") && error.contains("work-*"), "{error}");
        let many: Vec<String> = (0..=GRANT_RULES).map(|n| format!("c{n}")).collect();
        assert_eq!(Grant::new(&many, []), Err(GrantError::TooMany(GRANT_RULES + 1)));
    }

    #[test]
    fn repetitions_are_dropped() {
        let grant = Grant::new(["a", " a ", "b"], [Action::Read, Action::Search, Action::Read]).unwrap();
        assert_eq!(grant.collections().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(grant.actions().iter().copied().collect::<Vec<_>>(), [Action::Search, Action::Read]);
    }
}
