//! `adit why`: why a document is or is not found.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::outcome::{Error, Exit, Outcome, io_failed};
use super::places;
use super::style::Style;
use super::terminal::{print, print_json};
use super::units::{count, harmless};
use crate::config::Places;
use crate::control::{Request, Response, WhyReport, WhyState};
use crate::name::CollectionName;

/// Say why a document is or is not found
///
/// Which collection a file belongs to, or which rule keeps it out; when it was read, or why it could not be; and what to do about it. Answers
/// with and without a daemon.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file or folder, or COLLECTION/PATH as `adit search` prints it
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(places: &Places, arguments: Arguments) -> Outcome {
    let typed = arguments.path.to_string_lossy().into_owned();
    let paths = meant(&arguments.path).map_err(io_failed("the working directory"))?;
    let (found, collections) = match places::ask_or_offline(places, &Request::Why { typed, paths })? {
        Response::Why { places, collections } => (places, collections),
        other => return Err(places::unexpected(&other)),
    };
    match arguments.json {
        true => print_json(&json!({ "results": found }))?,
        false => print(&found.iter().map(|report| shown(report, Style::of_stdout())).collect::<Vec<_>>().join("\n"))?,
    }
    if found.is_empty() {
        return Err(in_no_collection(&arguments.path, &collections));
    }
    let is_missing = found.iter().all(|report| report.state == WhyState::Missing);
    Ok(if is_missing { Exit::NotFound } else { Exit::Done })
}

/// A path outside of everything that is searched.
pub fn in_no_collection(path: &Path, collections: &[(CollectionName, PathBuf)]) -> Error {
    let folders: Vec<_> = collections.iter().map(|(name, path)| format!("{name} ({})", path.display())).collect();
    let message = format!("{} is in no collection; there are: {}", path.display(), folders.join(", "));
    let advice = "To have it searched, make its folder a collection in adit.toml and start the daemon again.";
    Error::new(Exit::NotFound, harmless(&message)).advise(advice)
}

/// The absolute paths that a path may mean: as it is written, and with the links on the way to it resolved (never its last component:
/// of a link, the link is meant).
pub fn meant(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let written = plain(&std::path::absolute(path)?);
    let resolved = written.parent().and_then(|parent| parent.canonicalize().ok()).zip(written.file_name());
    let resolved = resolved.map(|(parent, name)| parent.join(name)).filter(|resolved| *resolved != written);
    Ok(std::iter::once(written).chain(resolved).collect())
}

/// An absolute path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

fn shown(report: &WhyReport, style: Style) -> String {
    let one_line = |text: &str| harmless(text).replace('\n', " ");
    let path = format!("{}/{}", report.collection, report.path);
    let mut text = format!("{}: {}\n", style.file(&one_line(path.trim_end_matches('/'))), words(report.state));
    let mut field = |name: &str, value: String| text.push_str(&format!("  {name}: {value}\n"));
    if let Some(format) = report.format {
        field("read as", format!("{}, {}", format.as_str(), count(report.passages, "passage")));
    }
    if let Some(read) = report.read {
        field(if report.state == WhyState::Unreadable { "given up" } else { "read" }, format!("{read:.0}"));
    }
    if !report.reason.is_empty() {
        let is_fine = matches!(report.state, WhyState::Searchable | WhyState::Folder);
        field(if is_fine { "note" } else { "why" }, one_line(&report.reason));
    }
    if !report.advice.is_empty() {
        field("to do", one_line(&report.advice));
    }
    text
}

/// A state in a few words.
pub fn words(state: WhyState) -> &'static str {
    match state {
        WhyState::Searchable => "searchable",
        WhyState::Waiting => "waits to be read",
        WhyState::Unreadable => "cannot be read",
        WhyState::Hidden => "hidden from the collection",
        WhyState::NoDocument => "is no document",
        WhyState::Folder => "a folder of the collection",
        WhyState::Missing => "is not there",
        WhyState::Unknown => "cannot be looked at",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_written_and_with_its_links_resolved() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        let check = |path: &str, expected: &[&str]| {
            let expected: Vec<PathBuf> = expected.iter().map(|path| root.join(path)).collect();
            assert_eq!(meant(&root.join(path)).unwrap(), expected, "{path}");
        };
        check("real/a.txt", &["real/a.txt"]);
        check("link/a.txt", &["link/a.txt", "real/a.txt"]);
        check("link", &["link"]);
        check("x/../real/./a.txt", &["real/a.txt"]);
    }

    #[test]
    fn an_answer_names_reason_and_remedy_and_steers_no_terminal() {
        let report = WhyReport {
            collection: "papers".parse().unwrap(),
            path: "bad\x1b.pdf".to_owned(),
            state: WhyState::Unreadable,
            reason: "damaged: no\nheader".to_owned(),
            advice: "mend it".to_owned(),
            format: None,
            read: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
            passages: 0,
        };
        let expected = "papers/bad\u{fffd}.pdf: cannot be read\n  given up: 2026-01-02T03:04:05Z\n  why: damaged: no header\n  to do: mend it\n";
        assert_eq!(shown(&report, Style::Plain), expected);
    }
}
