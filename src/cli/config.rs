//! `adit config`: is the configuration right, what does it say, where is it.

use clap::Subcommand;

use super::outcome::{Exit, Outcome};
use super::places;
use super::terminal::{print, say};
use crate::config::{Places, REFERENCE};

/// Check, show or find the configuration
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether adit.toml is right, or everything that is wrong with it
    ///
    /// Each error is one line, FILE:LINE:COLUMN: what is wrong and what is expected. The running daemon is not touched:
    /// `adit reload` applies a changed file.
    Check,
    /// Print the configuration in force, every key included
    Show {
        /// Print an adit.toml with every key, its default and its meaning, instead
        #[arg(long)]
        reference: bool,
    },
    /// Print where adit.toml is
    Path,
}

pub fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Check => {
            let config = places::load(places)?;
            let missing = config.collections.iter().filter(|collection| !collection.path.is_dir());
            for collection in missing {
                say(format_args!(
                    "note: the folder {} of the collection \"{}\" is not there (yet)",
                    collection.path.display(),
                    collection.name
                ));
            }
            say(format_args!("{} is right", places.config.display()));
        }
        Command::Show { reference: true } => print(REFERENCE)?,
        Command::Show { reference: false } => print(&places::load(places)?.to_toml())?,
        Command::Path => print(&format!("{}\n", places.config.display()))?,
    }
    Ok(Exit::Done)
}
