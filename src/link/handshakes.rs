//! Handshake messages that wait. They are taken from the socket with everything else and served one after the other beside it, so that
//! a flood of them, or the mathematics of a few, holds up no data.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::limits::HANDSHAKES_WAITING;
use crate::node::{HANDSHAKE_BYTES, Path};

/// A queue for any number of tasks that add and one that takes.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    waiting: Mutex<VecDeque<Message>>,
    added: Notify,
    /// Those for which there was no room.
    pub(super) dropped: AtomicU64,
}

/// A message and where it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) path: Path,
    bytes: [u8; HANDSHAKE_BYTES],
    length: u8,
}

impl Message {
    /// As it came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Handshakes {
    /// Adds a message of [`HANDSHAKE_BYTES`] at most, unless too many wait. Once a batch is through: [`Handshakes::announce`].
    pub(super) fn add(&self, path: Path, datagram: &[u8]) {
        let mut message = Message { path, bytes: [0; HANDSHAKE_BYTES], length: datagram.len() as u8 };
        message.bytes[..datagram.len()].copy_from_slice(datagram);
        let mut waiting = self.waiting.lock();
        if waiting.len() == HANDSHAKES_WAITING {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        waiting.push_back(message);
    }

    /// Wakes who waits for messages, if there are any.
    pub(super) fn announce(&self) {
        if !self.waiting.lock().is_empty() {
            self.added.notify_one();
        }
    }

    /// Waits for an announcement; one that came before counts.
    pub(super) async fn announced(&self) {
        self.added.notified().await;
    }

    /// The one that has waited longest.
    pub(super) fn take(&self) -> Option<Message> {
        let mut waiting = self.waiting.lock();
        let message = waiting.pop_front();
        if waiting.is_empty() {
            // The memory of a flood goes with it.
            *waiting = VecDeque::new();
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path =
        Path { remote: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9), local: None };

    #[tokio::test]
    async fn messages_are_served_in_their_order_and_too_many_are_dropped() {
        let handshakes = Handshakes::default();
        let bytes = |number: usize| (number as u32).to_le_bytes().repeat(1 + number % (HANDSHAKE_BYTES / 4));
        for number in 0..HANDSHAKES_WAITING + 10 {
            handshakes.add(PATH, &bytes(number));
        }
        assert_eq!(handshakes.dropped.load(Relaxed), 10);
        for number in 0..HANDSHAKES_WAITING {
            assert_eq!(handshakes.take().unwrap().bytes(), bytes(number));
        }
        assert!(handshakes.take().is_none());
        assert_eq!(handshakes.waiting.lock().capacity(), 0);
        // Who waits is woken.
        tokio::join!(handshakes.announced(), async {
            handshakes.announce();
            handshakes.add(PATH, b"late");
            handshakes.announce();
        });
        assert_eq!(handshakes.take().unwrap().bytes(), b"late");
    }
}
