//! `adit config`: is the configuration right, what does it say, where is it.

use clap::Subcommand;
use serde_json::{Value, json};

use super::outcome::{Error, Exit, Outcome};
use super::places;
use super::terminal::{print, print_json, say};
use super::units::count;
use crate::config::{CollectionConfig, Config, Places, REFERENCE};

/// Check, show or find the configuration
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether adit.toml is right, or everything that is wrong with it
    ///
    /// Each error is one line, FILE:LINE:COLUMN: what is wrong and what is expected. The running daemon is not touched:
    /// `adit reload` applies a changed file.
    Check {
        /// Print the verdict as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration in force, every key included
    Show {
        /// Print an adit.toml with every key, its default and its meaning, instead
        #[arg(long)]
        #[arg(conflicts_with = "json")]
        reference: bool,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print where adit.toml is
    Path,
}

pub fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Check { json } => return check(places, json),
        Command::Show { reference: true, .. } => print(REFERENCE)?,
        Command::Show { json: true, .. } => print_json(&as_json(&places::load(places)?)?)?,
        Command::Show { .. } => print(&places::load(places)?.to_toml())?,
        Command::Path => print(&format!("{}\n", places.config.display()))?,
    }
    Ok(Exit::Done)
}

fn check(places: &Places, json: bool) -> Outcome {
    let (exit, errors, warnings) = match places::load(places) {
        Ok(config) => (Exit::Done, Vec::new(), warnings(&config)),
        Err(error) if json => (error.exit, error.message.lines().map(str::to_owned).collect(), Vec::new()),
        Err(error) => return Err(error),
    };
    if json {
        let (path, valid) = (&places.config, exit == Exit::Done);
        let verdict = json!({ "path": path, "valid": valid, "errors": errors, "warnings": warnings });
        print_json(&verdict)?;
        return Ok(exit);
    }
    for warning in &warnings {
        say(format_args!("warning: {warning}"));
    }
    let with = match warnings.len() {
        0 => String::new(),
        several => format!(", with {}", count(several as u64, "warning")),
    };
    say(format_args!("{} is right{with}", places.config.display()));
    Ok(exit)
}

/// What is no error of the file, and hardly meant.
fn warnings(config: &Config) -> Vec<String> {
    let missing = config.collections.iter().filter(|collection| !collection.path.is_dir());
    let warning = |collection: &CollectionConfig| {
        let path = collection.path.display();
        format!("the folder {path} of the collection \"{}\" is not there (yet)", collection.name)
    };
    missing.map(warning).collect()
}

/// The same keys and values as the file's.
fn as_json(config: &Config) -> Result<Value, Error> {
    toml_edit::de::from_str(&config.to_toml()).map_err(Error::failed)
}
