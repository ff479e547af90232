//! What all stacks together may hold: connections and bytes of TCP buffers. A reservation is taken when a connection is made and given
//! back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The totals, shared by all stacks of a node.
#[derive(Debug)]
pub struct Budget {
    connections_limit: usize,
    bytes_limit: u64,
    connections: AtomicUsize,
    bytes: AtomicU64,
}

impl Budget {
    /// So many connections and so many bytes of buffers in all.
    pub fn new(connections_limit: usize, bytes_limit: u64) -> Budget {
        Budget { connections_limit, bytes_limit, connections: AtomicUsize::new(0), bytes: AtomicU64::new(0) }
    }

    /// Connections that exist.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Bytes of buffers that are reserved.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether less than half of the bytes are reserved: enough to be generous.
    pub(super) fn is_ample(&self) -> bool {
        self.bytes() < self.bytes_limit / 2
    }

    /// One connection with so many bytes of buffers, unless that is beyond a limit.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let bytes = bytes as u64;
        if self.connections.fetch_add(1, Ordering::Relaxed) >= self.connections_limit {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bytes_limit {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        Some(Reservation { budget: self.clone(), bytes })
    }
}

/// A share of the budget; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.connections.fetch_sub(1, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let budget = Arc::new(Budget::new(2, 100));
        let first = budget.reserve(60).expect("room");
        assert!(!budget.is_ample());
        assert!(budget.reserve(60).is_none(), "too many bytes");
        let second = budget.reserve(40).expect("room");
        assert!(budget.reserve(0).is_none(), "too many connections");
        assert_eq!((budget.connections(), budget.bytes()), (2, 100));
        drop((first, second));
        assert_eq!((budget.connections(), budget.bytes()), (0, 0));
    }
}
