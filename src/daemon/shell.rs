//! Time, chance and threads for the protocol layers, which have none of their own.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::indexing::Progress;
use crate::http::{Health, Shell};

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
}
