//! What a connection's rings may take: a little for each without asking, more from the node's budget while it has it.

use super::ring::Ring;
use crate::limits::RING_LEAST_BYTES;
use crate::stack::budget::Reservation;

/// A connection's share of the budget.
#[derive(Debug)]
pub(in crate::stack) struct Memory(Reservation);

impl Memory {
    /// The reservation holds [`Memory::LEAST`] bytes.
    pub(in crate::stack) fn new(reservation: Reservation) -> Memory {
        Memory(reservation)
    }

    /// What every connection has: both rings at their smallest.
    pub(in crate::stack) const LEAST: usize = 2 * RING_LEAST_BYTES;

    /// Whether there is enough to be generous.
    pub(super) fn is_ample(&self) -> bool {
        self.0.is_ample()
    }

    /// Makes a ring hold `bytes`, or as many as the budget allows.
    pub(super) fn grow(&mut self, ring: &mut Ring, bytes: usize, most: usize) {
        if bytes <= ring.capacity() {
            return;
        }
        let wanted = bytes.next_power_of_two().clamp(RING_LEAST_BYTES, most.max(RING_LEAST_BYTES));
        if self.0.grow(charged(wanted).saturating_sub(charged(ring.capacity()))) {
            ring.grow(wanted);
        } else if ring.capacity() == 0 {
            ring.grow(RING_LEAST_BYTES);
        }
    }

    /// Takes a ring's memory back.
    pub(super) fn release(&mut self, ring: &mut Ring) {
        self.0.shrink(charged(ring.capacity()));
        ring.release();
    }
}

/// What of a ring's capacity is beyond what it has without asking.
fn charged(capacity: usize) -> usize {
    capacity.saturating_sub(RING_LEAST_BYTES)
}
