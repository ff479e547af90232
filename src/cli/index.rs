//! `adit index`: what is searchable, what is not and why, and beginning anew.

use clap::Subcommand;

use super::outcome::{Exit, Outcome};
use super::places;
use super::status::{index_line, versioned};
use super::terminal::{print, print_json, say};
use super::units::{bytes, count, grouped, harmless, table};
use crate::config::Places;
use crate::control::{IndexReport, Request, Response};
use crate::name::CollectionName;
use crate::search::{CollectionStatus, Failure};

/// Look after the index
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is searchable, per collection
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the files that could not be read, each with its reason
    Failures {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Build the index again from the documents
    ///
    /// The index is a cache: nothing is lost by it, and the present index answers until the new one does.
    Rebuild {
        /// This collection alone
        #[arg(value_name = "NAME")]
        collection: Option<CollectionName>,
    },
}

pub fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Status { json } => match places::ask_or_offline(places, &Request::IndexStatus)? {
            Response::Index(report) if json => print_json(&versioned(&report)?)?,
            Response::Index(report) => print(&overview(&report))?,
            other => return Err(places::unexpected(&other)),
        },
        Command::Failures { json } => match places::ask_or_offline(places, &Request::IndexFailures)? {
            Response::Failures { failures } if json => {
                print_json(&versioned(&serde_json::json!({ "failures": failures }))?)?
            }
            Response::Failures { failures } => {
                let line = |failure: &Failure| {
                    let Failure { collection, path, reason } = failure;
                    format!("{collection}/{}: {}\n", one_line(path), one_line(reason))
                };
                print(&failures.iter().map(line).collect::<String>())?;
                say(format_args!("{} could not be read", count(failures.len() as u64, "file")));
            }
            other => return Err(places::unexpected(&other)),
        },
        Command::Rebuild { collection } => match places::ask(places, &Request::IndexRebuild { collection })? {
            Response::Done => say("building the index again; `adit index status` shows how far it is"),
            other => return Err(places::unexpected(&other)),
        },
    }
    Ok(Exit::Done)
}

fn one_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

fn overview(report: &IndexReport) -> String {
    let heading = ["COLLECTION", "DOCUMENTS", "PASSAGES", "TEXT", "UNREADABLE"].map(str::to_owned).to_vec();
    let row = |collection: &CollectionStatus| {
        vec![
            collection.name.to_string(),
            grouped(collection.documents),
            grouped(collection.passages),
            bytes(collection.text_bytes),
            grouped(collection.failed),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(report.collections.iter().map(row)).collect();
    let mut text = table(&rows);
    text.push_str(&format!("{}\n", index_line(report)));
    if report.round > report.done {
        text.push_str(&format!("{} of {} in this round\n", grouped(report.done), count(report.round, "file")));
    }
    text
}
