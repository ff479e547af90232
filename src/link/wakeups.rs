//! Why the link's tasks woke: an appliance that nobody asks anything should sleep, and `status --wakeups` shows whether it does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::node::WakeReason;

/// Wake-ups since the start, by what woke.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wakeups {
    /// Batches of datagrams.
    pub datagrams: u64,
    /// Something to send: for a stream's user, or as an answer to a batch.
    pub activity: u64,
    /// WireGuard's timers.
    pub session: u64,
    /// TCP's timers.
    pub stream: u64,
}

#[derive(Debug, Default)]
pub(super) struct WakeupCounters {
    pub(super) datagrams: AtomicU64,
    pub(super) activity: AtomicU64,
    session: AtomicU64,
    stream: AtomicU64,
}

impl WakeupCounters {
    pub(super) fn count(&self, reason: WakeReason) {
        let counter = match reason {
            WakeReason::Session => &self.session,
            WakeReason::Stream => &self.stream,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Wakeups {
        let [datagrams, activity, session, stream] =
            [&self.datagrams, &self.activity, &self.session, &self.stream].map(|counter| counter.load(Relaxed));
        Wakeups { datagrams, activity, session, stream }
    }
}
