//! What one line of the log says: a call, a change, or a gap. JSON, without secrets: keys are named by their fingerprints.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use blake2::Blake2sMac256;
use blake2::digest::{FixedOutput, KeyInit, Update};
use jiff::Timestamp;
use serde::Serialize;

use crate::access::audit::{Note, Record, Verdict};
use crate::config::AuditQueries;
use crate::control::{Failed, OwnerSearch, Response};
use crate::limits::{AUDIT_DOCUMENTS_BYTES, AUDIT_TEXT_BYTES};

/// Who whoever is at the machine is called.
pub const OWNER: &str = "owner";

/// What is kept of queries.
#[derive(Debug)]
pub(super) enum Queries {
    /// Their text.
    Text,
    /// Their hash under this key: equal queries can be told, and nobody without the key can try words.
    Hash([u8; 32]),
}

impl Queries {
    pub(super) fn new(choice: AuditQueries, key: [u8; 32]) -> Queries {
        match choice {
            AuditQueries::Text => Queries::Text,
            AuditQueries::Hash => Queries::Hash(key),
        }
    }

    /// The text, or else its hash.
    fn of(&self, query: Option<&str>) -> (Option<String>, Option<String>) {
        match (self, query) {
            (_, None) => (None, None),
            (Queries::Text, Some(text)) => (Some(clip(text).to_owned()), None),
            (Queries::Hash(key), Some(text)) => (None, Some(hash(key, text))),
        }
    }
}

/// Keyed BLAKE2s (RFC 7693 §2.5) of a query, in hexadecimal digits.
fn hash(key: &[u8; 32], query: &str) -> String {
    let digest = Blake2sMac256::new(key.into()).chain(query.as_bytes()).finalize_fixed();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The device's name.
    pub(super) name: String,
    /// Its key's fingerprint.
    pub(super) key: String,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Call {
        time: Timestamp,
        peer: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
        /// The path, or `control` for the control socket.
        route: &'a str,
        #[serde(flatten)]
        subject: &'a Subject<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        milliseconds: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        verdict: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    Change {
        time: Timestamp,
        by: &'static str,
        #[serde(flatten)]
        change: &'a Change,
    },
    /// A device has appeared from a new address.
    Endpoint { time: Timestamp, peer: &'a str, key: &'a str, endpoint: SocketAddr },
    Refused {
        time: Timestamp,
        #[serde(flatten)]
        notice: &'a Notice,
    },
    Gap {
        time: Timestamp,
        /// Lines that are missing before this one.
        lost: u64,
    },
}

/// What was refused within a minute: at the tunnel, before there was a call, or because a limit was hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Why: a counter's name, why a known device is not served, or a limit's code.
    pub reason: String,
    /// Whom.
    #[serde(flatten)]
    pub whom: Whom,
    /// How often.
    pub count: u64,
    /// Where the last came from, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SocketAddr>,
}

/// A device that is not let in, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Whom {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Its key's fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a call was about.
#[derive(Serialize)]
struct Subject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_hash: Option<String>,
    documents: &'a [String],
    /// Documents for which the line had no room.
    #[serde(skip_serializing_if = "is_zero")]
    omitted: usize,
}

impl<'a> Subject<'a> {
    fn new(note: &'a Note, queries: &Queries) -> Subject<'a> {
        let (query, query_hash) = queries.of(note.query.as_deref());
        let documents = fitting(&note.documents);
        let omitted = note.documents.len() - documents.len();
        let collection = note.collection.as_deref().map(clip);
        Subject { tool: note.tool, collection, query, query_hash, documents, omitted }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What the owner changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The daemon began to serve.
    Started {
        /// Its version.
        program: &'static str,
    },
    /// The daemon was told to stop.
    Stopped,
    /// A device is new.
    PeerAdded(Device),
    /// A device's grant is another.
    PeerSet(Device),
    /// A device is gone for ever.
    PeerRevoked(Device),
    /// A device has another name.
    PeerRenamed {
        /// The one it had.
        was: String,
        /// What it is now.
        #[serde(flatten)]
        device: Device,
    },
    /// A device was switched off.
    PeerDisabled(Device),
    /// A device was switched on again.
    PeerEnabled(Device),
    /// A device has new keys; the old one is dead.
    PeerRotated {
        /// The fingerprint of the old key.
        old_key: String,
        /// What it is now.
        #[serde(flatten)]
        device: Device,
    },
    /// All devices are locked out.
    Lockdown {
        /// But these.
        except: Vec<String>,
    },
    /// They are admitted again.
    Unlocked,
    /// The server's former key is answered no longer.
    FormerServerKeyEnded,
    /// The configuration was read again.
    Reloaded {
        /// What became of it, a sentence each.
        notes: Vec<String>,
    },
    /// The configuration was read again and refused.
    ReloadRefused,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Started { program } => write!(f, "adit {program} serves"),
            Change::Stopped => f.write_str("told to stop"),
            Change::PeerAdded(device) => write!(f, "{device} added"),
            Change::PeerSet(device) => write!(f, "{device} has another grant"),
            Change::PeerRevoked(device) => write!(f, "{device} revoked"),
            Change::PeerRenamed { was, device } => write!(f, "{device} was {was}"),
            Change::PeerDisabled(device) => write!(f, "{device} disabled"),
            Change::PeerEnabled(device) => write!(f, "{device} enabled"),
            Change::PeerRotated { old_key, device } => write!(f, "{device} rotated; its key was {old_key}"),
            Change::Lockdown { except } if except.is_empty() => f.write_str("all peers locked out"),
            Change::Lockdown { except } => write!(f, "all peers locked out but {}", except.join(", ")),
            Change::Unlocked => f.write_str("peers admitted again"),
            Change::FormerServerKeyEnded => f.write_str("the server's former key is answered no longer"),
            Change::Reloaded { notes } => write!(f, "configuration read again: {}", notes.join("; ")),
            Change::ReloadRefused => f.write_str("configuration refused"),
        }
    }
}

/// A device, with what it may see and do since the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name.
    pub peer: String,
    /// Its key's fingerprint.
    pub key: String,
    /// Its collections.
    pub collections: Vec<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// When that begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When that ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The outer networks that it may come from; none: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {} ({})", self.peer, self.key)
    }
}

/// The line of a device's call.
pub(super) fn call(caller: &Caller, queries: &Queries, record: &Record) -> Vec<u8> {
    let (verdict, reason) = match record.verdict {
        Verdict::Served => ("served", None),
        Verdict::Refused(code) => ("refused", Some(code)),
        Verdict::Failed => ("failed", None),
        Verdict::Abandoned => ("abandoned", None),
    };
    line(&Line::Call {
        time: record.at,
        peer: &caller.name,
        key: Some(&caller.key),
        request_id: Some(&record.request_id),
        route: record.route,
        subject: &Subject::new(&record.note, queries),
        bytes: Some(record.bytes),
        milliseconds: record.milliseconds,
        status: Some(record.status),
        verdict,
        reason,
    })
}

/// The line of a search by the owner, over the control socket.
pub(super) fn owner_search(
    at: Timestamp,
    took: Duration,
    queries: &Queries,
    search: &OwnerSearch,
    answer: &Result<Response, Failed>,
) -> Vec<u8> {
    let hits = match answer {
        Ok(Response::Found(answer)) => answer.results.as_slice(),
        _ => &[],
    };
    let mut documents: Vec<String> = hits.iter().map(|hit| format!("{}/{}", hit.collection, hit.path)).collect();
    documents.dedup();
    let note = Note {
        tool: Some("search"),
        collection: search.collection.as_ref().map(ToString::to_string),
        query: Some(search.query.clone()),
        documents,
        refused: None,
    };
    line(&Line::Call {
        time: at,
        peer: OWNER,
        key: None,
        request_id: None,
        route: "control",
        subject: &Subject::new(&note, queries),
        bytes: None,
        milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        status: None,
        verdict: if answer.is_ok() { "served" } else { "failed" },
        reason: None,
    })
}

/// The line of a change.
pub(super) fn change(time: Timestamp, change: &Change) -> Vec<u8> {
    line(&Line::Change { time, by: OWNER, change })
}

/// The line of a device that has appeared from a new address.
pub(super) fn endpoint(time: Timestamp, caller: &Caller, endpoint: SocketAddr) -> Vec<u8> {
    line(&Line::Endpoint { time, peer: &caller.name, key: &caller.key, endpoint })
}

/// The line of what was refused.
pub(super) fn refused(time: Timestamp, notice: &Notice) -> Vec<u8> {
    line(&Line::Refused { time, notice })
}

/// The line that stands for those that are missing.
pub(super) fn gap(time: Timestamp, lost: u64) -> Vec<u8> {
    line(&Line::Gap { time, lost })
}

fn line(line: &Line<'_>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("plain fields become JSON");
    bytes.push(b'\n');
    bytes
}

/// What a line keeps of a text that a peer has sent.
fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(AUDIT_TEXT_BYTES)]
}

/// As many documents as a line has room for.
fn fitting(documents: &[String]) -> &[String] {
    let mut used = 0;
    let fit = documents.iter().take_while(|document| {
        used += document.len();
        used <= AUDIT_DOCUMENTS_BYTES
    });
    &documents[..fit.count()]
}
