//! Time, chance and threads for the protocol layers, which have none of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::audit::Audit;
use super::indexing::Progress;
use super::turns::Turns;
use crate::access::audit::Record;
use crate::http::{Health, Metric, MetricKind, Shell};
use crate::link::Link;
use crate::peer::PeerId;

/// The daemon's clock, entropy and threads.
pub struct DaemonShell {
    /// What the indexer is doing.
    pub progress: watch::Receiver<Progress>,
    /// The tunnel at work.
    pub link: Arc<Link>,
    /// Where calls are recorded.
    pub audit: Arc<Audit>,
    turns: Arc<Turns>,
}

impl DaemonShell {
    /// A shell whose threads are those of the runtime that it is made in.
    pub fn new(progress: watch::Receiver<Progress>, link: Arc<Link>, audit: Arc<Audit>) -> DaemonShell {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let runtime = Handle::current();
        let turns = Turns::new(cores, move |work| drop(runtime.spawn_blocking(work)));
        DaemonShell { progress, link, audit, turns }
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
        let health = self.health();
        let gauge = |name, help, value: f64| Metric { name, help, kind: MetricKind::Gauge, labels: Vec::new(), value };
        let mut metrics = vec![
            gauge("adit_index_pending", "Files waiting to be indexed.", health.pending as f64),
            gauge("adit_indexer_up", "Whether the indexer is running.", f64::from(u8::from(health.indexer))),
            gauge("adit_watcher_up", "Whether folders are watched for changes.", f64::from(u8::from(health.watcher))),
        ];
        metrics.push(Metric {
            name: "adit_audit_lost_total",
            help: "Lines lost to the audit log because it could not be written.",
            kind: MetricKind::Counter,
            labels: Vec::new(),
            value: self.audit.lost() as f64,
        });
        metrics.extend(self.tunnel_metrics());
        metrics
    }

    fn admits(&self) -> bool {
        self.audit.admits()
    }

    /// Queries and document names stay out of the daemon's own log.
    fn record(&self, record: Record) {
        self.audit.call(&record);
        let Record { peer, request_id, route, status, bytes, milliseconds, verdict, note, .. } = record;
        let tool = note.tool.unwrap_or("-");
        let documents = note.documents.len();
        tracing::debug!(%peer, request_id, route, tool, status, documents, bytes, milliseconds, ?verdict, "request");
    }
}

impl DaemonShell {
    /// What the tunnel has counted, by the names of `adit status`; what there is now apart from what only grows.
    fn tunnel_metrics(&self) -> Vec<Metric> {
        let counters = self.link.node().counters().values.into_iter().chain(self.link.counters());
        let (now, total): (Vec<_>, Vec<_>) = counters.partition(|(name, _)| name.ends_with("_now"));
        let metric = |name, help, kind| {
            move |(what, value): (&'static str, u64)| {
                let labels = vec![("what", what.trim_end_matches("_now").to_owned())];
                Metric { name, help, kind, labels, value: value as f64 }
            }
        };
        let total = total.into_iter().map(metric(
            "adit_tunnel_total",
            "Datagrams, packets, sessions and streams since the start, and what was dropped, by reason.",
            MetricKind::Counter,
        ));
        let now =
            now.into_iter().map(metric("adit_tunnel_now", "Connections and buffers there are.", MetricKind::Gauge));
        total.chain(now).collect()
    }
}
