//! `adit audit`: who searched and read what, and who changed what. Reads the log's files, with and without a daemon.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::outcome::{Error, Exit, Outcome, io_failed};
use super::places::{self, ask_or_offline};
use super::terminal::{print, print_json, say};
use super::units::{count, grouped, harmless};
use super::when;
use super::why::meant;
use crate::config::{Config, Places};
use crate::control::{Request, Response};
use crate::daemon::audit::Records;
use crate::name::PeerName;

/// Documents named in a line; the others are counted.
const DOCUMENTS: usize = 3;

/// Show who searched and read what, and who changed what
///
/// Reads the audit log, oldest first. Searches by the owner stand under the name "owner".
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this device; "owner" is whoever is at the machine
    #[arg(long, value_name = "NAME")]
    pub peer: Option<PeerName>,
    /// Only since then: 2h, 7d, 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = when::since)]
    pub since: Option<Timestamp>,
    /// Only calls that returned or read this document, or one below this folder
    #[arg(long, value_name = "PATH")]
    pub document: Option<PathBuf>,
    /// Show the newest N records; 0: all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub last: usize,
    /// Print them as JSON, with every field
    #[arg(long)]
    pub json: bool,
}

pub fn run(places: &Places, arguments: Arguments) -> Outcome {
    let config = places::load(places)?;
    let wanted = Wanted::new(places, &config, &arguments)?;
    let log = config.audit.file.display().to_string();
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::PermissionDenied => Error::new(Exit::NotAllowed, format_args!("cannot read {log}: {error}"))
            .advise("Only root and the user that adit runs as may read it."),
        _ => io_failed(format_args!("cannot read {log}"))(error),
    };
    let mut records = match Records::open(&config.audit) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        opened => Some(opened.map_err(failed)?),
    };
    let (mut shown, mut earlier) = (VecDeque::new(), 0_u64);
    for record in records.iter_mut().flatten() {
        let record = record.map_err(failed)?;
        if wanted.admits(&record) {
            shown.push_back(record);
            if arguments.last > 0 && shown.len() > arguments.last {
                shown.pop_front();
                earlier += 1;
            }
        }
    }
    if arguments.json {
        print_json(&json!({ "records": shown, "earlier": earlier }))?;
    } else {
        print(&shown.iter().map(line).collect::<String>())?;
        if shown.is_empty() {
            say("nothing is recorded that fits");
        }
        if earlier > 0 {
            say(format_args!("{} before these: -n 0 shows all", count(earlier, "record")));
        }
    }
    match records.map_or(0, |records| records.damaged) {
        0 => {}
        damaged => say(format_args!("warning: {} in {log} cannot be read", count(damaged, "line"))),
    }
    Ok(Exit::Done)
}

/// Which records are asked for.
struct Wanted {
    peer: Option<String>,
    /// The fingerprint of that device's key: under an earlier name it is the same device.
    key: Option<String>,
    since: Option<Timestamp>,
    document: Option<String>,
}

impl Wanted {
    fn new(places: &Places, config: &Config, arguments: &Arguments) -> Result<Wanted, Error> {
        let key = match &arguments.peer {
            // A device that is gone still has its records.
            Some(name) => match ask_or_offline(places, &Request::PeerShow { name: name.clone() }) {
                Ok(Response::Peer(peer)) => Some(peer.fingerprint),
                _ => None,
            },
            None => None,
        };
        let document = arguments.document.as_deref().map(|path| recorded_as(config, path)).transpose()?;
        let peer = arguments.peer.as_ref().map(PeerName::to_string);
        Ok(Wanted { peer, key, since: arguments.since, document })
    }

    fn admits(&self, record: &Value) -> bool {
        let is = |field: &str, wanted: &Option<String>| wanted.is_some() && record[field].as_str() == wanted.as_deref();
        let by_peer = self.peer.is_none()
            || is("peer", &self.peer)
            || is("was", &self.peer)
            || is("by", &self.peer)
            || is("key", &self.key);
        let recent = self.since.is_none_or(|since| time(record).is_some_and(|time| time >= since));
        let below = |document: &str, wanted: &str| {
            document.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let of_document = self.document.as_deref().is_none_or(|wanted| documents(record).any(|it| below(it, wanted)));
        by_peer && recent && of_document
    }
}

/// A path as the log names it: `collection/path`.
fn recorded_as(config: &Config, path: &Path) -> Result<String, Error> {
    for meant in meant(path).map_err(io_failed("the working directory"))? {
        for collection in &config.collections {
            if let Ok(below) = meant.strip_prefix(&collection.path) {
                let below = below.to_string_lossy();
                return Ok(format!("{}/{below}", collection.name).trim_end_matches('/').to_owned());
            }
        }
    }
    Ok(path.to_string_lossy().trim_end_matches('/').to_owned())
}

fn time(record: &Value) -> Option<Timestamp> {
    record["time"].as_str()?.parse().ok()
}

fn documents(record: &Value) -> impl Iterator<Item = &str> {
    record["documents"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A record in a line.
fn line(record: &Value) -> String {
    let local = |time: Timestamp| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let text = |field: &str| record[field].as_str();
    let what = match text("kind") {
        Some("call") => call(record),
        Some("change") => change(record),
        Some("endpoint") => format!("appeared from {}", text("endpoint").unwrap_or("-")),
        Some("refused") => refused(record),
        Some("gap") => format!("{} missing here", count(record["lost"].as_u64().unwrap_or(0), "record")),
        _ => record.to_string(),
    };
    let who = if text("kind") == Some("change") { text("by") } else { text("peer") };
    let (time, who) = (time(record).map(local).unwrap_or_default(), who.unwrap_or("-"));
    format!("{time}  {}\n", harmless(&format!("{who:12}  {what}")).replace('\n', " "))
}

fn call(record: &Value) -> String {
    let text = |field: &str| record[field].as_str();
    let mut line = text("tool").or(text("route")).unwrap_or("-").to_owned();
    if let Some(query) = text("query") {
        line.push_str(&format!(" \"{query}\""));
    }
    if let Some(hash) = text("query_hash") {
        line.push_str(&format!(" #{}", hash.get(..12).unwrap_or(hash)));
    }
    if let Some(collection) = text("collection") {
        line.push_str(&format!(" in {collection}"));
    }
    let named: Vec<_> = documents(record).take(DOCUMENTS).collect();
    if !named.is_empty() {
        line.push_str(&format!(": {}", named.join(", ")));
    }
    let others = documents(record).count() - named.len() + record["omitted"].as_u64().unwrap_or(0) as usize;
    if others > 0 {
        line.push_str(&format!(" and {others} more"));
    }
    match (text("verdict"), text("reason")) {
        (Some("served") | None, _) => {}
        (Some(verdict), Some(reason)) => line.push_str(&format!(" [{verdict}: {reason}]")),
        (Some(verdict), None) => line.push_str(&format!(" [{verdict}]")),
    }
    line
}

/// What was refused, over a minute: at the tunnel, or because a limit was hit.
fn refused(record: &Value) -> String {
    let text = |field: &str| record[field].as_str().unwrap_or("-");
    let times = match record["count"].as_u64() {
        Some(1) | None => String::new(),
        Some(count) => format!(" {} times", grouped(count)),
    };
    let key = record["key"].as_str().map(|key| format!(" (key {key})")).unwrap_or_default();
    let reason = match text("reason") {
        "rate" => "too many requests per second".to_owned(),
        "at_once" => "too many requests at once".to_owned(),
        "bytes_per_day" => "the bytes of the day are used up".to_owned(),
        reason => reason.replace('_', " "),
    };
    let from = record["from"].as_str().map(|from| format!(", from {from}")).unwrap_or_default();
    format!("refused{times}: {reason}{key}{from}")
}

/// A change: its name and every field that it has.
fn change(record: &Value) -> String {
    let mut line = record["change"].as_str().unwrap_or("changed something").replace('_', " ");
    let fields = record.as_object().into_iter().flatten();
    for (name, value) in fields.filter(|(name, _)| !["kind", "time", "by", "change"].contains(&name.as_str())) {
        let words = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        line.push_str(&format!("; {}: {words}", name.replace('_', " ")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Value {
        json!({
            "kind": "call", "time": "2026-11-22T10:00:00Z", "peer": "phone", "key": "0011", "route": "/mcp", "tool": "search", "query": "heat\u{1b}[2J pump",
            "documents": ["papers/a.md", "papers/b/c.md", "papers/d.md", "papers/e.md"], "omitted": 2, "verdict": "served",
        })
    }

    #[test]
    fn a_record_is_a_line_that_does_no_harm() {
        let text = line(&record());
        assert!(text.ends_with("papers/a.md, papers/b/c.md, papers/d.md and 3 more\n"), "{text}");
        assert!(!text.contains('\u{1b}') && text.matches('\n').count() == 1, "{text:?}");
        let refused =
            json!({"kind": "call", "peer": "phone", "route": "/mcp", "verdict": "refused", "reason": "range"});
        assert!(line(&refused).ends_with("/mcp [refused: range]\n"));
        let changed =
            json!({"kind": "change", "by": "owner", "change": "peer_set", "peer": "phone", "collections": ["a", "b"]});
        assert!(line(&changed).ends_with("peer set; peer: phone; collections: a, b\n"));
        let knock = json!({"kind": "refused", "peer": "old", "key": "0011", "reason": "revoked_key", "count": 1200, "from": "192.0.2.1:9"});
        assert!(
            line(&knock).ends_with("old           refused 1,200 times: revoked key (key 0011), from 192.0.2.1:9\n")
        );
        let limit = json!({"kind": "refused", "peer": "phone", "key": "0011", "reason": "rate", "count": 1});
        assert!(line(&limit).ends_with("phone         refused: too many requests per second (key 0011)\n"));
        assert!(line(&json!({"kind": "gap", "lost": 1})).ends_with("1 record missing here\n"));
    }

    #[test]
    fn records_are_chosen_by_device_time_and_document() {
        let wanted = || Wanted { peer: None, key: None, since: None, document: None };
        let some = |text: &str| Some(text.to_owned());
        for (wanted, admitted) in [
            (wanted(), true),
            (Wanted { peer: some("phone"), ..wanted() }, true),
            (Wanted { peer: some("tablet"), ..wanted() }, false),
            (Wanted { peer: some("tablet"), key: some("0011"), ..wanted() }, true),
            (Wanted { since: "2026-11-22T10:00:00Z".parse().ok(), ..wanted() }, true),
            (Wanted { since: "2026-11-22T10:00:01Z".parse().ok(), ..wanted() }, false),
            (Wanted { document: some("papers/b"), ..wanted() }, true),
            (Wanted { document: some("papers/b/c.md"), ..wanted() }, true),
            (Wanted { document: some("papers/b/c"), ..wanted() }, false),
            (Wanted { document: some("paper"), ..wanted() }, false),
        ] {
            assert_eq!(wanted.admits(&record()), admitted);
        }
    }
}
