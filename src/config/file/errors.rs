//! Everything wrong with an `adit.toml`, each with its place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigErrors {
    /// The file could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says something wrong: everything that is, in the file's order.
    Invalid {
        /// The file.
        path: PathBuf,
        /// At least one.
        errors: Vec<ConfigError>,
    },
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, counted from 1.
    pub line: usize,
    /// Character in the line, counted from 1.
    pub column: usize,
    /// What is wrong and what is expected.
    pub message: String,
}

impl ConfigErrors {
    /// The file they are about.
    pub fn path(&self) -> &Path {
        match self {
            ConfigErrors::Unreadable { path, .. } | ConfigErrors::Invalid { path, .. } => path,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigErrors::Unreadable { path, source } => write!(f, "{}: {source}", path.display()),
            ConfigErrors::Invalid { path, errors } => {
                for (index, ConfigError { line, column, message }) in errors.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}:{line}:{column}: {message}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigErrors::Unreadable { source, .. } => Some(source),
            ConfigErrors::Invalid { .. } => None,
        }
    }
}

/// Line and column, each counted from 1, of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
