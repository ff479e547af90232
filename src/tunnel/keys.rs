//! How long keys serve (white paper §6.1): an index or a message and the time come in; whether its keys are still good goes out.
//!
//! boringtun drops keys when it is told the time, which is once a second while there is traffic and rarely otherwise, and takes any
//! counter. This is exact, and asked before boringtun is.

use std::time::{Duration, Instant};

/// Keys are used no longer.
pub(super) const REJECT_AFTER: Duration = Duration::from_secs(180);
/// Nor for more messages than this: no counter is as large.
const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);
/// Sessions of one peer that boringtun keeps; it gives their places out in turn.
const PLACES: usize = 8;

/// The sessions of one peer: their indices, and since when each has its keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    made: [Option<(u32, Instant)>; PLACES],
}

impl Keys {
    /// Notes a new session, which takes the place of an older one.
    pub(super) fn make(&mut self, now: Instant, index: u32) {
        self.made[place_of(index)] = Some((index, now));
    }

    /// Whether the session with this index may be used.
    pub(super) fn are_good(&self, now: Instant, index: u32) -> bool {
        self.made[place_of(index)]
            .is_some_and(|(made, since)| made == index && now.saturating_duration_since(since) < REJECT_AFTER)
    }

    /// Whether this transport message may be decrypted.
    pub(super) fn admit(&self, now: Instant, message: &[u8]) -> bool {
        let counter = message.get(8..).and_then(|rest| rest.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes));
        counter.is_some_and(|counter| counter < REJECT_AFTER_MESSAGES)
            && index_in(&message[4..]).is_some_and(|index| self.are_good(now, index))
    }
}

/// The little-endian index that `bytes` begin with.
pub(super) fn index_in(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.first_chunk()?))
}

fn place_of(index: u32) -> usize {
    index as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(index: u32, counter: u64) -> Vec<u8> {
        [&4u32.to_le_bytes()[..], &index.to_le_bytes(), &counter.to_le_bytes(), &[0; 16]].concat()
    }

    #[test]
    fn keys_serve_for_their_time_and_their_messages() {
        let start = Instant::now();
        let mut keys = Keys::default();
        assert!(!keys.admit(start, &message(0x107, 0)), "no session yet");
        keys.make(start, 0x107);
        let last = start + REJECT_AFTER - Duration::from_millis(1);
        for (now, index, counter, good) in [
            (start, 0x107, 0, true),
            (last, 0x107, REJECT_AFTER_MESSAGES - 1, true),
            (start + REJECT_AFTER, 0x107, 0, false),
            (start, 0x107, REJECT_AFTER_MESSAGES, false),
            (start, 0x107, u64::MAX, false),
            // Another session in the same place, and one in another.
            (start, 0x10f, 0, false),
            (start, 0x106, 0, false),
        ] {
            assert_eq!(keys.admit(now, &message(index, counter)), good, "{index:#x} {counter} {:?}", now - start);
        }
        for length in 0..16 {
            assert!(!keys.admit(start, &message(0x107, 0)[..length]));
        }
    }

    #[test]
    fn a_place_is_given_out_again() {
        let start = Instant::now();
        let mut keys = Keys::default();
        keys.make(start, 0x100);
        keys.make(start, 0x108);
        assert!(!keys.are_good(start, 0x100) && keys.are_good(start, 0x108));
    }
}
