//! Time, chance and threads for the protocol layers, which have none of their own.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::indexing::Progress;
use crate::access::audit::Record;
use crate::http::{Health, Metric, MetricKind, Shell};

/// The daemon's clock, entropy and threads.
pub struct DaemonShell {
    /// What the indexer is doing.
    pub progress: watch::Receiver<Progress>,
}

impl Shell for DaemonShell {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel has entropy once it has booted");
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
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
        vec![
            gauge("adit_index_pending", "Files waiting to be indexed.", health.pending as f64),
            gauge("adit_indexer_up", "Whether the indexer is running.", f64::from(u8::from(health.indexer))),
            gauge("adit_watcher_up", "Whether folders are watched for changes.", f64::from(u8::from(health.watcher))),
        ]
    }

    /// Queries and document names stay out of the log.
    fn record(&self, record: Record) {
        let Record { peer, request_id, route, status, bytes, milliseconds, verdict, note, .. } = record;
        let tool = note.tool.unwrap_or("-");
        let documents = note.documents.len();
        tracing::debug!(%peer, request_id, route, tool, status, documents, bytes, milliseconds, ?verdict, "request");
    }
}
