//! The audit log: who searched and read what, and who changed what, a line of JSON each. Records come in from connections' tasks, which never
//! wait; a thread of its own writes them.
//!
//! While the log cannot be written, lines wait, up to a limit, and the thread tries again every second. Beyond the limit they are lost, counted,
//! and the log says how many are missing where. If the owner wants it so, nothing is answered meanwhile.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::unistd::{Gid, Uid, chown, geteuid};
use parking_lot::{Condvar, Mutex, RwLock};

use super::peers::{Peer, words};
use super::privileges::Identity;
use crate::access::audit::Record;
use crate::config::{AuditConfig, AuditFailure};
use crate::control::{Failed, OwnerSearch, Response};
use crate::limits::{AUDIT_GATHER, AUDIT_GONE, AUDIT_RETRY, AUDIT_SUM, AUDIT_TIDY, AUDIT_WAITING_BYTES};
use crate::peer::PeerId;

mod file;
mod line;
mod read;
#[cfg(test)]
mod tests;

use file::LogFiles;
use line::{Caller, Queries};
pub use line::{Change, Device, Notice, OWNER, Whom};
pub use read::Records;

/// The folder of the log.
pub(super) fn folder(config: &AuditConfig) -> &Path {
    config.file.parent().unwrap_or(Path::new("/"))
}

/// Makes that folder where it is missing, and only then gives it to whom the daemon becomes: an existing one is somebody's.
pub(super) fn make_folder(config: &AuditConfig, identity: &Identity) -> io::Result<()> {
    let folder = folder(config);
    if folder.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (user, group) = identity.ids();
    Ok(if geteuid().is_root() { chown(folder, Some(user), Some(group)) } else { Ok(()) }?)
}

/// The log, for those who have something to record.
#[derive(Debug)]
pub struct Audit {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queries: Queries,
    /// Whether nothing may go unrecorded.
    strict: bool,
    /// Every device, and the last that were: a revoked one's last calls end after it.
    callers: RwLock<HashMap<PeerId, Caller>>,
    waiting: Mutex<Waiting>,
    /// There is something to write, or it is time to stop.
    wake: Condvar,
    /// Lines that found no room, since the start.
    lost: AtomicU64,
    /// Whether the last attempt to write failed.
    failing: AtomicBool,
    /// Why it did.
    trouble: Mutex<String>,
}

/// Lines on their way to the disk.
#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Calls that were one too many, by whose they were and which limit they hit: a line each, when it is time.
    sums: HashMap<(PeerId, &'static str), u64>,
    sums_due: Option<Instant>,
    stopping: bool,
}

impl Audit {
    /// Opens the log and starts its thread. A log that cannot be opened is one that cannot be written: see [`Audit::warning`]. `key` is what
    /// queries are hashed with.
    pub fn start(config: &AuditConfig, key: [u8; 32]) -> Audit {
        let shared = Arc::new(Shared {
            queries: Queries::new(config.queries, key),
            strict: config.on_error == AuditFailure::Refuse,
            callers: RwLock::default(),
            waiting: Mutex::default(),
            wake: Condvar::new(),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            trouble: Mutex::default(),
        });
        let mut writer = Writer { shared: shared.clone(), files: LogFiles::new(config), told: 0 };
        writer.write();
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run());
        let thread = thread.inspect_err(|error| shared.failed(&error.to_string())).ok();
        Audit { shared, thread: Mutex::new(thread) }
    }

    /// Makes a device known by name; before its first call.
    pub fn know(&self, peer: &Peer) {
        let caller = Caller { name: peer.name.to_string(), key: peer.public_key.fingerprint() };
        self.shared.callers.write().insert(peer.id, caller);
    }

    /// Makes all devices known, and forgets those that have been gone for longest.
    pub fn know_all<'a>(&self, peers: impl IntoIterator<Item = &'a Peer>) {
        let known: HashSet<PeerId> = peers.into_iter().inspect(|peer| self.know(peer)).map(|peer| peer.id).collect();
        let mut callers = self.shared.callers.write();
        while callers.len() > known.len() + AUDIT_GONE {
            // No handle is used twice, and they rise.
            let Some(oldest) = callers.keys().copied().filter(|id| !known.contains(id)).min() else { break };
            callers.remove(&oldest);
        }
    }

    /// Records a device's call. Those that were one too many are summed.
    pub fn call(&self, record: &Record) {
        if let Some(limit) = record.exceeded() {
            return self.shared.sum(record.peer, limit);
        }
        let line = line::call(&self.shared.caller(record.peer), &self.shared.queries, record);
        self.shared.push(&line);
    }

    /// Records a search of the owner's own, over the control socket.
    pub fn owner_search(&self, at: Timestamp, took: Duration, search: &OwnerSearch, answer: &Result<Response, Failed>) {
        self.shared.push(&line::owner_search(at, took, &self.shared.queries, search, answer));
    }

    /// Records that a device has appeared from a new address.
    pub fn endpoint(&self, peer: PeerId, endpoint: SocketAddr) {
        if let Some(caller) = self.shared.callers.read().get(&peer) {
            self.shared.push(&line::endpoint(Timestamp::now(), caller, endpoint));
        }
    }

    /// Records what was refused at the tunnel.
    pub fn notice(&self, notice: &Notice) {
        self.shared.push(&line::refused(Timestamp::now(), notice));
    }

    /// Records a change.
    pub fn change(&self, change: &Change) {
        self.shared.push(&line::change(Timestamp::now(), change));
    }

    /// Whether calls may be answered: not while they cannot be recorded, if the owner wants it so. Half of the room is left to those
    /// under way.
    pub fn admits(&self) -> bool {
        let shared = &self.shared;
        !shared.strict
            || !(shared.failing.load(Ordering::Relaxed) || shared.waiting.lock().lines.len() > AUDIT_WAITING_BYTES / 2)
    }

    /// Lines lost since the start.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// What the owner should know: that the log cannot be written, and why.
    pub fn warning(&self) -> Option<String> {
        let failing = self.shared.failing.load(Ordering::Relaxed);
        failing.then(|| {
            let meanwhile = match self.shared.strict {
                true => "calls are refused meanwhile",
                false => "calls are answered meanwhile",
            };
            let trouble = self.shared.trouble.lock();
            format!("the audit log cannot be written: {trouble}; {meanwhile}, {} lines are lost so far", self.lost())
        })
    }

    /// Writes what waits, and ends the thread.
    pub fn stop(&self) {
        self.shared.waiting.lock().stopping = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the audit log's thread panicked");
        }
    }
}

impl Shared {
    fn caller(&self, peer: PeerId) -> Caller {
        let unknown = || Caller { name: peer.to_string(), key: String::new() };
        self.callers.read().get(&peer).cloned().unwrap_or_else(unknown)
    }

    fn sum(&self, peer: PeerId, limit: &'static str) {
        let mut waiting = self.waiting.lock();
        *waiting.sums.entry((peer, limit)).or_default() += 1;
        if waiting.sums_due.is_none() {
            waiting.sums_due = Some(Instant::now() + AUDIT_SUM);
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// Makes lines of the sums, if it is time.
    fn write_sums(&self, now: Timestamp) {
        let mut waiting = self.waiting.lock();
        if !waiting.stopping && waiting.sums_due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        waiting.sums_due = None;
        let mut sums: Vec<_> = mem::take(&mut waiting.sums).into_iter().collect();
        drop(waiting);
        sums.sort_unstable();
        for ((peer, limit), count) in sums {
            let Caller { name, key } = self.caller(peer);
            let whom = Whom { peer: Some(name), key: Some(key) };
            self.push(&line::refused(now, &Notice { reason: limit.to_owned(), whom, count, from: None }));
        }
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting.lock();
        if waiting.lines.len() + line.len() > AUDIT_WAITING_BYTES {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        // For the others the thread is awake already.
        if first {
            self.wake.notify_one();
        }
    }

    fn failed(&self, why: &str) {
        *self.trouble.lock() = why.to_owned();
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(error = why, "the audit log cannot be written");
        }
    }
}

/// The thread's own.
struct Writer {
    shared: Arc<Shared>,
    files: LogFiles,
    /// Losses that the log tells of.
    told: u64,
}

impl Writer {
    fn run(mut self) {
        while !self.wait() {
            self.write();
        }
        self.write();
        let left = mem::take(&mut self.shared.waiting.lock().lines);
        if !left.is_empty() {
            tracing::error!(lines = left.iter().filter(|byte| **byte == b'\n').count(), "lost to the audit log");
        }
    }

    /// Waits until there is something to do, and a little longer for what comes with it; while the log fails, until it may be tried
    /// again. Says whether it is time to stop.
    fn wait(&self) -> bool {
        let failing = self.shared.failing.load(Ordering::Relaxed);
        let patience = if failing { AUDIT_RETRY } else { AUDIT_TIDY.min(self.files.span()) };
        let mut waiting = self.shared.waiting.lock();
        let due = waiting.sums_due;
        let patience = due.map_or(patience, |due| patience.min(due.saturating_duration_since(Instant::now())));
        let idle = |waiting: &mut Waiting| {
            !waiting.stopping && (failing || waiting.lines.is_empty()) && waiting.sums_due == due
        };
        self.shared.wake.wait_while_for(&mut waiting, idle, patience);
        if !waiting.stopping && !waiting.lines.is_empty() {
            self.shared.wake.wait_while_for(&mut waiting, |waiting| !waiting.stopping, AUDIT_GATHER);
        }
        waiting.stopping
    }

    /// Writes what waits. What could not be written waits again, before what has come since.
    fn write(&mut self) {
        let now = Timestamp::now();
        self.shared.write_sums(now);
        let mut lines = mem::take(&mut self.shared.waiting.lock().lines);
        let lost = self.shared.lost.load(Ordering::Relaxed);
        if lost > self.told {
            lines.extend(line::gap(now, lost - self.told));
            self.told = lost;
        }
        match self.files.write(now, &mut lines) {
            Ok(()) => {
                if self.shared.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the audit log is written again");
                }
            }
            Err(error) => {
                self.shared.failed(&error.to_string());
                let mut waiting = self.shared.waiting.lock();
                lines.append(&mut waiting.lines);
                waiting.lines = lines;
            }
        }
    }
}

/// Records a change that was made without a daemon, whose lock the caller holds. A new file is given to the folder's owner.
pub(super) fn record_offline(config: &AuditConfig, now: Timestamp, change: &Change) -> io::Result<()> {
    let is_new = !config.file.exists();
    LogFiles::new(config).write(now, &mut line::change(now, change))?;
    if is_new && geteuid().is_root() {
        let owner = fs::metadata(folder(config))?;
        chown(&config.file, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())))?;
    }
    Ok(())
}

impl From<&Peer> for Device {
    fn from(peer: &Peer) -> Device {
        let (collections, scopes) = words(&peer.grant);
        Device {
            peer: peer.name.to_string(),
            key: peer.public_key.fingerprint(),
            collections,
            scopes,
            not_before: peer.window.not_before,
            expires: peer.window.expires,
            from: peer.from.iter().map(ToString::to_string).collect(),
        }
    }
}
