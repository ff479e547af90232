//! Time, chance and threads for the protocol layers, which have none of their own.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::audit::Audit;
use super::indexing::Progress;
use super::metrics;
use super::running::Running;
use super::turns::Turns;
use crate::access::audit::Record;
use crate::http::{Health, Metric, Shell};
use crate::peer::PeerId;

/// The daemon's clock, entropy and threads.
pub struct DaemonShell {
    /// What the indexer is doing.
    pub progress: watch::Receiver<Progress>,
    /// Where calls are recorded.
    pub audit: Arc<Audit>,
    turns: Arc<Turns>,
    /// How often each peer met a limit of its own. No more entries than there were ever peers.
    limited: Mutex<HashMap<PeerId, u64>>,
    /// Everything else, once it serves.
    running: OnceLock<Weak<Running>>,
}

impl DaemonShell {
    /// A shell whose threads are those of the runtime that it is made in.
    pub fn new(progress: watch::Receiver<Progress>, audit: Arc<Audit>) -> DaemonShell {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let runtime = Handle::current();
        let turns = Turns::new(cores, move |work| drop(runtime.spawn_blocking(work)));
        DaemonShell { progress, audit, turns, limited: Mutex::default(), running: OnceLock::new() }
    }

    /// Learns what it belongs to, for its figures.
    pub fn know(&self, running: &Arc<Running>) {
        // Told once, by whoever made both.
        let _ = self.running.set(Arc::downgrade(running));
    }
}

impl Shell for DaemonShell {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel has entropy once it has booted");
    }

    fn blocking(&self, peer: PeerId, work: Box<dyn FnOnce() + Send>) {
        self.turns.take(peer, work);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn health(&self) -> Health {
        let progress = self.progress.borrow();
        // The indexer holds the sending end for as long as it lives.
        Health { indexer: self.progress.has_changed().is_ok(), watcher: progress.watching, pending: progress.pending() }
    }

    fn metrics(&self) -> Vec<Metric> {
        let Some(running) = self.running.get().and_then(Weak::upgrade) else { return Vec::new() };
        metrics::figures(&running, &self.limited.lock())
    }

    fn admits(&self) -> bool {
        self.audit.admits()
    }

    /// Queries and document names stay out of the daemon's own log.
    fn record(&self, record: Record) {
        self.audit.call(&record);
        if record.exceeded().is_some() {
            *self.limited.lock().entry(record.peer).or_default() += 1;
        }
        if let Some(running) = self.running.get().and_then(Weak::upgrade) {
            running.usage.sent.notify_one();
        }
        let Record { peer, request_id, route, status, bytes, milliseconds, verdict, note, .. } = record;
        let tool = note.tool.unwrap_or("-");
        let documents = note.documents.len();
        tracing::debug!(%peer, request_id, route, tool, status, documents, bytes, milliseconds, ?verdict, "request");
    }
}
