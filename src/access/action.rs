//! What a caller may be allowed to do, by the names that people write.

use std::fmt;
use std::str::FromStr;

/// Something a caller may be allowed to do. `adit.toml` and `peer add --scopes` call these scopes, by their lower-case names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Search, with snippets.
    Search,
    /// Read documents whole, as text or in their original form.
    Read,
    /// List collections and folders, and look at what documents are.
    Browse,
    /// Ask whether the appliance is well.
    Health,
    /// Read its metrics.
    Metrics,
}

/// Why a text is not an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a scope: search, read, browse, health or metrics")]
pub struct ActionError {
    text: String,
}

impl Action {
    /// All of them, in the order in which they are written.
    pub const ALL: [Action; 5] = [Action::Search, Action::Read, Action::Browse, Action::Health, Action::Metrics];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Search => "search",
            Action::Read => "read",
            Action::Browse => "browse",
            Action::Health => "health",
            Action::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Action, ActionError> {
        let known = Action::ALL.into_iter().find(|action| action.as_str() == text);
        known.ok_or_else(|| ActionError { text: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_as_it_is_written() {
        for action in Action::ALL {
            assert_eq!(action.to_string().parse(), Ok(action));
        }
        assert!("Search".parse::<Action>().is_err());
        assert!("".parse::<Action>().is_err());
    }
}
