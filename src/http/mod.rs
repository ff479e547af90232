//! Bytes of a stream in, requests with their caller out: the guard (`Host`, `Origin`, limits), the routes, the page. Bound to nothing: it
//! serves the streams it is handed.
//!
//! ```text
//! stream ─► connection (hyper, timers) ─► answer (limits, guard, grant, route) ─► mcp · api · original · page · health · metrics
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::access::Policy;
use crate::access::audit::Record;
use crate::config::Config;
use crate::peer::PeerId;
use crate::search::Library;

mod answer;
mod api;
mod body;
mod bounded;
mod connection;
mod cors;
mod file;
mod guard;
mod health;
mod line;
mod metrics;
mod original;
mod page;
mod range;
mod refusal;
mod reply;
mod route;
mod tools;

pub use metrics::{Metric, MetricKind, text as metrics};
pub use route::ROUTES;

/// What the shell provides: time, chance, and threads for work that blocks. (The protocol layers have none of their own.)
pub trait Shell: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Fills with bytes that nobody can guess.
    fn fill_random(&self, bytes: &mut [u8]);
    /// Runs a peer's work that blocks on another thread, in its turn: the others' must not wait for it. A panic there must cost no more than
    /// this piece of work.
    fn blocking(&self, peer: PeerId, work: Box<dyn FnOnce() + Send>);
    /// Resolves after this time.
    fn sleep(&self, duration: std::time::Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// Whether the indexer lives and what it has still to do; for `/_health`.
    fn health(&self) -> Health;
    /// Figures of everything below HTTP (tunnel, streams, index), for `/metrics`.
    fn metrics(&self) -> Vec<Metric>;
    /// Whether calls may be answered as far as their record goes: not while they could not be recorded, if the owner wants no other ones.
    fn admits(&self) -> bool;
    /// Takes note of a call that is over. Called once per call, from the connection's task: must not block.
    fn record(&self, record: Record);
}

/// What `/_health` reports besides what the library knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// Whether the indexer is running.
    pub indexer: bool,
    /// Whether folders are being watched for changes (otherwise only rescans find them).
    pub watcher: bool,
    /// Files waiting to be indexed.
    pub pending: u64,
}

/// Everything a request may reach.
pub struct Appliance {
    /// The documents.
    pub library: Arc<Library>,
    /// Who may do what, as of now.
    pub policy: ArcSwap<Policy>,
    /// The configuration in force.
    pub config: ArcSwap<Config>,
    /// The key that seals cursors: survives restarts.
    pub cursor_key: [u8; 32],
    /// Time, chance and threads.
    pub shell: Arc<dyn Shell>,
    /// What requests have used up, and figures of them.
    pub traffic: Traffic,
}

/// What all requests since the start have used up, figures of them, and what the latest of them found out.
#[derive(Debug, Default)]
pub struct Traffic {
    limiter: Arc<crate::access::limits::Limiter>,
    counters: metrics::Counters,
    probes: health::Probes,
    dates: reply::Dates,
}

impl Traffic {
    /// Bytes of answers that peers have had on the day of `now`.
    pub fn used(&self, now: Timestamp) -> Vec<(PeerId, u64)> {
        self.limiter.used(now)
    }

    /// Counts bytes that a peer had at a time before the start.
    pub fn restore_used(&self, at: Timestamp, peer: PeerId, bytes: u64) {
        self.limiter.restore(at, peer, bytes);
    }
}

/// Serves one connection of one peer until either side ends it, or `stop` resolves (then: the answer under way is finished first).
pub async fn serve<S, F>(stream: S, peer: PeerId, appliance: Arc<Appliance>, stop: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = ()> + Send,
{
    connection::serve(stream, peer, appliance, stop).await;
}
