//! What a device would gain and lose by another grant.

use super::super::outcome::{Exit, Outcome};
use super::super::places::{ask_or_offline, unexpected};
use super::super::style::Style;
use super::super::terminal::{print, print_json};
use super::super::units::{count, harmless};
use crate::config::Places;
use crate::control::{Rehearsal, Request, Response, Standing, Terms};
use crate::name::PeerName;
use crate::search::Documents;

/// Documents that are named on each side, for a person.
const NAMED: usize = 20;

pub(super) fn show(places: &Places, name: PeerName, change: Terms, json: bool) -> Outcome {
    let report = match ask_or_offline(places, &Request::PeerRehearse { name, change })? {
        Response::Rehearsed(report) => *report,
        other => return Err(unexpected(&other)),
    };
    match json {
        true => print_json(&report)?,
        false => print(&told(&report, Style::of_stdout()))?,
    }
    Ok(Exit::Done)
}

fn told(report: &Rehearsal, style: Style) -> String {
    let Rehearsal { peer, gains, loses, .. } = report;
    let documents = |of: &Documents| match of.documents {
        0 => "no document".to_owned(),
        documents => count(documents, "document"),
    };
    let mut text = format!("{peer} would gain {} and lose {}\n", documents(gains), documents(loses));
    for (sign, of) in [('+', gains), ('-', loses)] {
        for path in of.paths.iter().take(NAMED) {
            text.push_str(&format!("{sign} {}\n", style.file(&harmless(path))));
        }
        let more = of.documents.saturating_sub(of.paths.len().min(NAMED) as u64);
        if more > 0 {
            text.push_str(&format!("{sign} and {} (--json names more)\n", count(more, "other")));
        }
    }
    if report.scopes != report.scopes_now {
        let list = |scopes: &[String]| if scopes.is_empty() { "nothing".to_owned() } else { scopes.join(", ") };
        text.push_str(&format!("It might {} (now: {})\n", list(&report.scopes), list(&report.scopes_now)));
    }
    let why_not = match report.standing {
        Standing::Served => None,
        Standing::Disabled => Some("it is switched off"),
        Standing::LockedOut => Some("it is locked out"),
        Standing::NotYet => Some("its time has not come"),
        Standing::Expired => Some("its time is over"),
    };
    if let Some(why_not) = why_not {
        text.push_str(&format!("That is by its grant: it is not served, because {why_not}\n"));
    }
    text.push_str("Nothing has changed: say it without --dry-run\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_is_told_and_not_all_of_it_named() {
        let some =
            |documents: u64| Documents { documents, paths: (0..documents).map(|n| format!("a/{n}.md")).collect() };
        let mut report = Rehearsal {
            peer: "phone".parse().unwrap(),
            gains: some(25),
            loses: some(0),
            collections: vec!["a".to_owned()],
            scopes: vec!["search".to_owned()],
            scopes_now: vec!["search".to_owned()],
            standing: Standing::Served,
        };
        let text = told(&report, Style::Plain);
        assert!(text.starts_with("phone would gain 25 documents and lose no document\n+ a/0.md\n"), "{text}");
        assert!(text.contains("+ a/19.md\n+ and 5 others (") && !text.contains("a/20.md"), "{text}");
        assert!(!text.contains("might") && !text.contains("not served"), "{text}");
        report.standing = Standing::Disabled;
        (report.gains, report.loses, report.scopes) = (some(0), some(1), Vec::new());
        let text = told(&report, Style::Plain);
        assert!(text.contains("lose 1 document\n- a/0.md\nIt might nothing (now: search)\nThat is by its grant: it is not served, because it is switched off\n"), "{text}");
    }
}
