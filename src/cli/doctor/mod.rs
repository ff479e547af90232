//! `adit doctor`: what could keep an appliance, or a device of one, from working, or from being safe: looked at one by one, each finding
//! with its remedy.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::outcome::{Exit, Outcome};
use super::style::Style;
use super::terminal::{print, print_json};
use super::units::harmless;

mod device;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "server")]
pub use server::examine;

/// Look for what could keep this library from working, and say what to do about it
///
/// Looks at the configuration, the server's key, the state folder and its disk, the folders of documents, the clock, the UDP port, the
/// endpoint, the tunnel's networks and MTU, asks the running daemon what is enforced and what troubles it, and searches through the tunnel
/// as a device that exists for that moment. Changes nothing.
///
/// With FILE.conf, on a device: looks at that file, dials the server and asks it what this device may do.
///
/// Exits with 0 where nothing failed, with 1 otherwise.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A device's configuration, as `adit peer add` made it: look at the way from here
    #[arg(value_name = "FILE.conf", required = cfg!(not(feature = "server")))]
    pub file: Option<PathBuf>,
    /// Take every warning for a failure: is it fit to be relied on?
    #[arg(long)]
    pub production: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// How something was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Well,
    /// It works, and could be better.
    Warning,
    /// It does not work, or is not safe.
    Failed,
}

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    check: &'static str,
    verdict: Verdict,
    /// How it is.
    said: String,
    /// What to do about it; empty where nothing is to be done.
    remedy: String,
}

impl Finding {
    fn well(check: &'static str, said: impl ToString) -> Finding {
        Finding { check, verdict: Verdict::Well, said: said.to_string(), remedy: String::new() }
    }

    fn warning(check: &'static str, said: impl ToString, remedy: impl ToString) -> Finding {
        Finding { check, verdict: Verdict::Warning, said: said.to_string(), remedy: remedy.to_string() }
    }

    fn failed(check: &'static str, said: impl ToString, remedy: impl ToString) -> Finding {
        Finding { check, verdict: Verdict::Failed, said: said.to_string(), remedy: remedy.to_string() }
    }
}

/// Looks at the device's file that is named, or at the server, which `server` knows how to find.
pub fn run(arguments: Arguments, server: impl FnOnce() -> Vec<Finding>) -> Outcome {
    let findings = arguments.file.as_deref().map_or_else(server, device::examine);
    let bad = if arguments.production { Verdict::Warning } else { Verdict::Failed };
    let healthy = findings.iter().all(|finding| (finding.verdict as u8) < bad as u8);
    match arguments.json {
        true => print_json(&serde_json::json!({ "healthy": healthy, "findings": findings }))?,
        false => print(&page(&findings, Style::of_stdout()))?,
    }
    Ok(if healthy { Exit::Done } else { Exit::Failed })
}

fn page(findings: &[Finding], style: Style) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Well => "   ok".to_owned(),
            Verdict::Warning => style.warning(" warn"),
            Verdict::Failed => style.found(" FAIL"),
        };
        text.push_str(&format!("{mark}  {}: {}\n", style.strong(finding.check), harmless(&finding.said)));
        if !finding.remedy.is_empty() {
            text.push_str(&format!("       → {}\n", harmless(&finding.remedy)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_marks_what_is_wrong_and_says_what_helps() {
        let findings = [Finding::well("clock", "right"), Finding::failed("port", "taken", "choose another")];
        assert_eq!(page(&findings, Style::Plain), "   ok  clock: right\n FAIL  port: taken\n       → choose another\n");
    }
}
