//! `adit.toml` and the places of files.

mod atomic;
mod checks;
mod edit;
mod errors;
mod key_file;
mod languages;
mod places;
mod reader;
mod render;
mod schema;
mod types;
mod values;

pub use {atomic::*, edit::*, errors::*, key_file::*, places::*, schema::*, types::*, values::*};

/// An `adit.toml` with every key, its default and a word on it.
pub const REFERENCE: &str = include_str!("reference.toml");
