//! Files that stay within their bounds, lines that say no more than they may, and what happens while nothing can be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::file::LogFiles;
use super::line::{Caller, Queries};
use super::{Audit, Change, line};
use crate::access::audit::{Note, Record, Verdict};
use crate::config::{AuditConfig, AuditFailure, AuditQueries};
use crate::limits::{AUDIT_LINE_BYTES, AUDIT_WAITING_BYTES};
use crate::peer::PeerId;

const MAX_SIZE: u64 = 1 << 20;
const DAY: Duration = Duration::from_secs(86_400);

fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        file: dir.join("audit.jsonl"),
        keep: 8 * DAY,
        max_size: MAX_SIZE,
        queries: AuditQueries::Text,
        on_error: AuditFailure::Serve,
    }
}

fn record(query: &str) -> Record {
    Record {
        at: now(),
        peer: PeerId::new(3),
        request_id: "r1".to_owned(),
        route: "/mcp",
        note: Note { tool: Some("search"), query: Some(query.to_owned()), ..Note::default() },
        bytes: 17,
        milliseconds: 2,
        status: 200,
        verdict: Verdict::Served,
    }
}

fn now() -> Timestamp {
    "2026-09-21T08:00:00Z".parse().unwrap()
}

fn gap(at: Timestamp, number: u64) -> Vec<u8> {
    line::gap(at, number)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits for the log's thread.
fn becomes(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "never came about: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn all_files_together_stay_within_their_size_and_the_newest_lines_are_kept() {
    let dir = tempdir().unwrap();
    let mut files = LogFiles::new(&config(dir.path()));
    let total = || names(dir.path()).iter().map(|name| fs::metadata(dir.path().join(name)).unwrap().len()).sum::<u64>();
    for number in 0..60 {
        let mut batch: Vec<u8> = (0..1000).flat_map(|line| gap(now(), number * 1000 + line)).collect();
        files.write(now(), &mut batch).unwrap();
        assert!(batch.is_empty());
        assert!(total() <= MAX_SIZE, "{} bytes after batch {number}", total());
    }
    assert!(total() > MAX_SIZE / 2, "{}", total());
    let mut kept = Vec::new();
    for name in names(dir.path()) {
        let numbers: Vec<u64> =
            lines(&dir.path().join(name)).iter().map(|line| line["lost"].as_u64().unwrap()).collect();
        kept.push(numbers);
    }
    // By name: the current file, then `.1` before it, and so on.
    let in_order: Vec<u64> = kept.into_iter().rev().flatten().collect();
    let first = in_order[0];
    assert!(in_order.iter().copied().eq(first..60_000), "from {first}, {} lines", in_order.len());
}

#[test]
fn old_files_go_even_where_little_is_written() {
    let dir = tempdir().unwrap();
    let mut files = LogFiles::new(&config(dir.path()));
    let wall = Timestamp::now();
    for day in 0..6 {
        let at = wall + SignedDuration::from_hours(25 * day);
        files.write(at, &mut gap(at, 1)).unwrap();
    }
    assert_eq!(names(dir.path()).len(), 6, "one a day: {:?}", names(dir.path()));
    // Files are as old as the file system says; that is now.
    files.write(wall + SignedDuration::from_hours(24 * 9), &mut Vec::new()).unwrap();
    assert!(lines(&dir.path().join("audit.jsonl")).is_empty());
    assert_eq!(names(dir.path()), ["audit.jsonl"], "nothing is left of what is older than `keep`");
}

#[test]
fn a_line_that_a_crash_has_torn_is_ended() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::write(&path, "{\"time\":\"2026-09-21T07:59:59Z\",\"ki").unwrap();
    let mut files = LogFiles::new(&config(dir.path()));
    files.write(now(), &mut gap(now(), 7)).unwrap();
    assert_eq!(lines(&path).len(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_link_is_not_followed_and_a_file_that_was_taken_away_is_made_again() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::write(dir.path().join("other"), "").unwrap();
    symlink(dir.path().join("other"), &path).unwrap();
    let mut files = LogFiles::new(&config(dir.path()));
    let mut batch = gap(now(), 1);
    files.write(now(), &mut batch).unwrap_err();
    assert_eq!(batch, gap(now(), 1), "it can be tried again");
    fs::remove_file(&path).unwrap();
    files.write(now(), &mut batch).unwrap();
    fs::rename(&path, dir.path().join("taken")).unwrap();
    files.write(now(), &mut gap(now(), 2)).unwrap();
    assert_eq!(lines(&path)[0]["lost"], 2);
    assert_eq!(fs::read(dir.path().join("other")).unwrap(), b"");
}

#[test]
fn a_hashed_query_can_be_compared_and_not_read() {
    let caller = Caller { name: "phone".to_owned(), key: "0011aabb".to_owned() };
    let hash = |key: u8, query: &str| {
        let text = line::call(&caller, &Queries::new(AuditQueries::Hash, [key; 32]), &record(query));
        assert!(!String::from_utf8_lossy(&text).contains(query));
        serde_json::from_slice::<Value>(&text).unwrap()["query_hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(hash(1, "xylophone"), hash(1, "xylophone"));
    assert_ne!(hash(1, "xylophone"), hash(1, "kettle"));
    assert_ne!(hash(1, "xylophone"), hash(2, "xylophone"));
    let text = line::call(&caller, &Queries::new(AuditQueries::Text, [1; 32]), &record("xylophone"));
    let line: Value = serde_json::from_slice(&text).unwrap();
    for (field, value) in [
        ("kind", "call"),
        ("time", "2026-09-21T08:00:00Z"),
        ("peer", "phone"),
        ("key", "0011aabb"),
        ("route", "/mcp"),
        ("tool", "search"),
        ("query", "xylophone"),
        ("verdict", "served"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
}

#[test]
fn what_a_peer_sends_makes_no_endless_line() {
    let caller = Caller { name: "phone".to_owned(), key: "0011aabb".to_owned() };
    let mut record = record(&"\u{1}".repeat(1 << 20));
    record.note.collection = Some("\u{1}".repeat(1 << 20));
    record.note.documents = vec!["\u{1}".repeat(3000); 50];
    let text = line::call(&caller, &Queries::new(AuditQueries::Text, [1; 32]), &record);
    assert!(text.len() <= AUDIT_LINE_BYTES, "{}", text.len());
    let line: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(line["documents"].as_array().unwrap().len() as u64 + line["omitted"].as_u64().unwrap(), 50);
}

#[test]
fn while_it_cannot_be_written_nothing_is_admitted_and_afterwards_everything_is_there() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::create_dir(&path).unwrap();
    let strict = AuditConfig { on_error: AuditFailure::Refuse, ..config(dir.path()) };
    let audit = Audit::start(&strict, [0; 32]);
    assert!(!audit.admits());
    assert!(audit.warning().unwrap().contains("refused"), "{:?}", audit.warning());
    audit.change(&Change::ReloadRefused);
    audit.call(&record("kettle"));
    fs::remove_dir(&path).unwrap();
    becomes("it is written again", || audit.admits());
    assert_eq!((audit.warning(), audit.lost()), (None, 0));
    audit.stop();
    let kinds: Vec<Value> = lines(&path).iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["change", "call"]);
}

#[test]
fn calls_that_were_one_too_many_are_summed() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let audit = Audit::start(&config(dir.path()), [0; 32]);
    for (peer, limit, times) in [(3, "rate", 1000), (3, "bytes_per_day", 1), (4, "rate", 2)] {
        let refused =
            Record { peer: PeerId::new(peer), status: 429, verdict: Verdict::Refused(limit), ..record("kettle") };
        (0..times).for_each(|_| audit.call(&refused));
    }
    audit.call(&Record { verdict: Verdict::Refused("range"), ..record("kettle") });
    audit.stop();
    let lines = lines(&path);
    let said = |line: &Value| [&line["kind"], &line["peer"], &line["reason"], &line["count"]].map(Value::clone);
    let refused: Vec<_> = lines.iter().filter(|line| line["kind"] == "refused").map(said).collect();
    let expected = [("#3", "bytes_per_day", 1), ("#3", "rate", 1000), ("#4", "rate", 2)];
    let expected = expected.map(|(peer, reason, count)| [json!("refused"), json!(peer), json!(reason), json!(count)]);
    assert_eq!(refused, expected);
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn losses_are_counted_and_the_log_says_how_many() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::create_dir(&path).unwrap();
    let audit = Audit::start(&config(dir.path()), [0; 32]);
    assert!(audit.admits(), "served all the same");
    let sent = AUDIT_WAITING_BYTES / 1000;
    for _ in 0..sent {
        audit.call(&record(&"k".repeat(1000)));
    }
    assert!(audit.lost() > 0);
    assert!(audit.warning().unwrap().contains("answered"), "{:?}", audit.warning());
    fs::remove_dir(&path).unwrap();
    becomes("it is written again", || audit.warning().is_none());
    audit.stop();
    let told: u64 = lines(&path).iter().filter_map(|line| line["lost"].as_u64()).sum();
    assert_eq!(told, audit.lost());
}
