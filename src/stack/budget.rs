//! What all stacks together may hold: connections and bytes of TCP buffers. A reservation is taken when a connection is made and given
//! back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits::BUFFER_SHARES;

/// The totals, shared by all stacks of a node; each stack has a share of its own, which is a part of them.
#[derive(Debug)]
pub struct Budget {
    whole: Option<Arc<Budget>>,
    connections_limit: usize,
    bytes_limit: u64,
    connections: AtomicUsize,
    bytes: AtomicU64,
}

impl Budget {
    /// So many connections and so many bytes of buffers in all.
    pub fn new(connections_limit: usize, bytes_limit: u64) -> Budget {
        let (connections, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        Budget { whole: None, connections_limit, bytes_limit, connections, bytes }
    }

    /// A share of so many connections and a quarter of the bytes: one peer's bulk leaves enough to the others.
    pub(super) fn share(self: &Arc<Self>, connections_limit: usize) -> Arc<Budget> {
        let share = Budget::new(connections_limit, self.bytes_limit / BUFFER_SHARES);
        Arc::new(Budget { whole: Some(self.clone()), ..share })
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
    fn is_ample(&self) -> bool {
        self.bytes() < self.bytes_limit / 2 && self.whole.as_ref().is_none_or(|whole| whole.is_ample())
    }

    /// One connection with so many bytes of buffers, unless that is beyond a limit.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        if !self.take_connection() {
            return None;
        }
        let mut reservation = Reservation { budget: self.clone(), bytes: 0 };
        reservation.grow(bytes).then_some(reservation)
    }

    fn take_connection(&self) -> bool {
        let fits = self.connections.fetch_add(1, Ordering::Relaxed) < self.connections_limit;
        let taken = fits && self.whole.as_ref().is_none_or(|whole| whole.take_connection());
        if !taken {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    fn take(&self, bytes: u64) -> bool {
        let fits = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bytes_limit;
        let taken = fits && self.whole.as_ref().is_none_or(|whole| whole.take(bytes));
        if !taken {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    fn give_back(&self, connections: usize, bytes: u64) {
        self.connections.fetch_sub(connections, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.give_back(connections, bytes);
        }
    }
}

/// A connection's part of the budget; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reservation {
    /// So many bytes more, unless that is beyond a limit.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let taken = self.budget.take(bytes as u64);
        if taken {
            self.bytes += bytes as u64;
        }
        taken
    }

    /// So many bytes less.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let bytes = self.bytes.min(bytes as u64);
        self.bytes -= bytes;
        self.budget.give_back(0, bytes);
    }

    /// Whether there is enough left to be generous.
    pub(super) fn is_ample(&self) -> bool {
        self.budget.is_ample()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(1, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let budget = Arc::new(Budget::new(2, 100));
        let mut first = budget.reserve(60).expect("room");
        assert!(!budget.is_ample());
        assert!(budget.reserve(60).is_none(), "too many bytes");
        let second = budget.reserve(30).expect("room");
        assert!(budget.reserve(0).is_none(), "too many connections");
        assert!(first.grow(10) && !first.grow(1));
        assert_eq!((budget.connections(), budget.bytes()), (2, 100));
        first.shrink(30);
        drop((first, second));
        assert_eq!((budget.connections(), budget.bytes()), (0, 0));
    }

    #[test]
    fn a_share_is_a_part_of_the_whole() {
        let whole = Arc::new(Budget::new(3, 100));
        let (one, other) = (whole.share(2), whole.share(2));
        let held = [one.reserve(25), one.reserve(0)];
        assert!(held.iter().all(Option::is_some));
        assert!(one.reserve(0).is_none(), "its own connections");
        let more = other.reserve(20).expect("room");
        assert!(other.reserve(0).is_none(), "all connections");
        assert_eq!((whole.connections(), whole.bytes(), one.bytes()), (3, 45, 25));
        drop((held, more));
        assert_eq!((whole.connections(), whole.bytes(), one.connections(), other.bytes()), (0, 0, 0, 0));
    }
}
