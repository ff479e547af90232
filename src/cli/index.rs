//! `adit index`: what is searchable, what is not and why, and beginning anew.

use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::Timestamp;

use super::outcome::{Error, Exit, Outcome};
use super::status::index_line;
use super::terminal::{print, print_json, say};
use super::units::{bytes, count, grouped, harmless, table};
use super::{places, progress};
use crate::config::Places;
use crate::control::{Client, IndexReport, PassedOverReport, Request, Response};
use crate::documents::PassedOver;
use crate::name::CollectionName;
use crate::search::{CollectionStatus, Failure};

/// How long an indexer may do nothing about a folder that it was told to read again: it is away, or cannot be read.
const IDLE_PATIENCE: Duration = Duration::from_secs(10);

/// Look after the index
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is searchable, per collection
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the files that could not be read, or in part only, each with its reason
    Failures {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Build the index again from the documents
    ///
    /// The index is a cache: nothing is lost by it, and search goes on with what is there. Returns when every document has been read again.
    Rebuild {
        /// This collection alone
        #[arg(value_name = "NAME")]
        collection: Option<CollectionName>,
    },
}

pub fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Status { json } => match places::ask_or_offline(places, &Request::IndexStatus)? {
            Response::Index(report) if json => print_json(&report)?,
            Response::Index(report) => print(&overview(&report))?,
            other => return Err(places::unexpected(&other)),
        },
        Command::Failures { json } => match places::ask_or_offline(places, &Request::IndexFailures)? {
            Response::Failures { failures } if json => print_json(&serde_json::json!({ "failures": failures }))?,
            Response::Failures { failures } => {
                let line = |failure: &Failure| {
                    let Failure { collection, path, reason, .. } = failure;
                    format!("{collection}/{}: {}\n", one_line(path), one_line(reason))
                };
                print(&failures.iter().map(line).collect::<String>())?;
                let truncated = failures.iter().filter(|failure| failure.truncated).count() as u64;
                say(format_args!("{} could not be read", count(failures.len() as u64 - truncated, "file")));
                if truncated > 0 {
                    say(format_args!("{} could be read in part only", count(truncated, "file")));
                }
            }
            other => return Err(places::unexpected(&other)),
        },
        Command::Rebuild { collection } => return rebuild(places, collection),
    }
    Ok(Exit::Done)
}

/// Begins to build the index again, and waits until it agrees with the folders.
fn rebuild(places: &Places, collection: Option<CollectionName>) -> Outcome {
    let begun = next_second();
    match places::ask(places, &Request::IndexRebuild { collection: collection.clone() })? {
        Response::Done => say("building the index again; Ctrl-C leaves the daemon to it"),
        other => return Err(places::unexpected(&other)),
    }
    let is_meant = |status: &&CollectionStatus| collection.as_ref().is_none_or(|name| status.name == *name);
    let is_new = |status: &CollectionStatus| status.agreed.is_some_and(|at| at.as_second() >= begun.as_second());
    let bar = progress::bar();
    let mut idle_since = None;
    let mut watch = Client::connect(&places::control_socket(places)?)?;
    let mut answer = Some(watch.ask(&Request::Watch)?);
    while let Some(Response::Status(report)) = answer {
        let index = report.index;
        progress::show(&bar, index.done, index.round, &index.activity);
        let is_idle = index.pending == 0 && index.activity.is_empty();
        if is_idle && index.collections.iter().filter(is_meant).all(is_new) {
            bar.finish_and_clear();
            say(index_line(&index));
            return Ok(Exit::Done);
        }
        idle_since = idle_since.filter(|_| is_idle).or_else(|| is_idle.then(Instant::now));
        if idle_since.is_some_and(|since| since.elapsed() > IDLE_PATIENCE) {
            bar.finish_and_clear();
            say("not every folder could be looked through; `adit status` says why");
            return Ok(Exit::Partly);
        }
        answer = watch.receive()?;
    }
    bar.finish_and_clear();
    Err(Error::failed("the daemon has ended before the index was whole; it goes on when it is started again"))
}

/// Waits for the next second to begin: agreement is kept to the second, and what agreed before must not be taken for what will.
fn next_second() -> Timestamp {
    let into_second = Duration::from_nanos(Timestamp::now().subsec_nanosecond().unsigned_abs().into());
    std::thread::sleep(Duration::from_secs(1).saturating_sub(into_second));
    Timestamp::now()
}

fn one_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

fn overview(report: &IndexReport) -> String {
    let heading = ["COLLECTION", "DOCUMENTS", "PASSAGES", "TEXT", "CUT", "UNREADABLE"].map(str::to_owned).to_vec();
    let row = |collection: &CollectionStatus| {
        vec![
            collection.name.to_string(),
            grouped(collection.documents),
            grouped(collection.passages),
            bytes(collection.text_bytes),
            grouped(collection.truncated),
            grouped(collection.failed),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(report.collections.iter().map(row)).collect();
    let mut text = table(&rows);
    text.push_str(&format!("{}\n", index_line(report)));
    if report.round > report.done {
        text.push_str(&format!("{} of {} in this round\n", grouped(report.done), count(report.round, "file")));
    }
    report.passed_over.iter().for_each(|passed| text.push_str(&passed_over(passed)));
    text
}

/// What is passed over in a collection, in a line; nothing where nothing is.
fn passed_over(report: &PassedOverReport) -> String {
    let PassedOver { hidden, excluded, too_large, links, special, unreadable, no_documents } = report.counts;
    let parts = [
        (hidden, "hidden or temporary"),
        (excluded, "excluded"),
        (too_large, "too large"),
        (no_documents, "without text"),
        (links, if links == 1 { "link" } else { "links" }),
        (special, "neither file nor folder"),
        (unreadable, "not to be looked at"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("passed over in {}: {} (`adit why FILE` tells which)\n", report.collection, parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_over_is_said_by_reason() {
        let line = |counts| passed_over(&PassedOverReport { collection: "papers".parse().unwrap(), counts });
        assert_eq!(line(PassedOver::default()), "");
        assert_eq!(
            line(PassedOver { hidden: 1200, no_documents: 2, links: 1, ..PassedOver::default() }),
            "passed over in papers: 1,200 hidden or temporary, 2 without text, 1 link (`adit why FILE` tells which)\n"
        );
    }
}
