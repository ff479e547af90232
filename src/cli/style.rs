//! How texts are set off from each other: colours only where a person looks at them.

use std::env;
use std::io::{self, IsTerminal};

/// How texts are set off from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As a terminal shows it.
    Colours,
    /// Letters alone.
    Plain,
}

impl Style {
    /// The style for stdout: plain unless a person looks at a terminal that can do better (<https://no-color.org>).
    pub fn of_stdout() -> Style {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        match io::stdout().is_terminal() && !refused && !dumb {
            true => Style::Colours,
            false => Style::Plain,
        }
    }

    /// A heading or name.
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Something of less weight.
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Something found.
    pub fn found(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// The name of a file.
    pub fn file(self, text: &str) -> String {
        self.wrap("35", text)
    }

    /// Something to look at.
    pub fn warning(self, text: &str) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Style::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
            Style::Plain => text.to_owned(),
        }
    }
}
