//! WireGuard without sockets: datagrams and time go in; inner packets, answers and verdicts come out.
//!
//! ```text
//! datagram ─► Gate (shape, MAC1, load) ─► Session of the peer (decrypt, replay, inner source) ─► packet
//! packet ─► Session (pad, encrypt) ─► datagram
//! ```
//!
//! Who is behind a key or an index is the caller's table: [`Gate::admit`] says which of the two to look up.

mod gate;
mod keys;
mod noise;
mod session;

use std::net::{IpAddr, SocketAddr};

use crate::limits::DATAGRAM_BYTES;

pub use gate::{Admission, Gate, OwnKey};
pub use session::{Heard, Passed, Reception, Session, SessionConfig};

/// Whether `next` may follow `first`, which was admitted, without being looked at by the gate: both are data of one session by their shape.
pub fn is_same_session(first: &[u8], next: &[u8]) -> bool {
    let is_data = first.first() == Some(&noise::DATA);
    is_data && first.get(..8) == next.get(..8) && (noise::DATA_LEAST_BYTES..=DATAGRAM_BYTES).contains(&next.len())
}

/// An outer path: where a datagram came from and the local address it came to, so that answers leave from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// The other end.
    pub remote: SocketAddr,
    /// Our own address on that path, where the socket knows it.
    pub local: Option<IpAddr>,
}

/// The length of the longest handshake message in bytes, an initiation (white paper §5.4.2).
pub const HANDSHAKE_BYTES: usize = 148;

/// Whether a datagram has the look of a handshake message, or of a cookie for one: to serve it costs up to a hundred times what data does.
pub fn is_handshake(datagram: &[u8]) -> bool {
    let kinds = noise::INITIATION..=noise::COOKIE;
    datagram.len() <= HANDSHAKE_BYTES && datagram.first().is_some_and(|kind| kinds.contains(kind))
}

/// Why a datagram was dropped without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No WireGuard message, or one too long.
    Malformed,
    /// A handshake message of someone who does not know our public key.
    BadMac,
    /// More handshakes from one address, or for one peer, than are served.
    TooMany,
    /// Not encrypted with the keys it claims, or for no session.
    Unauthenticated,
    /// Received before, or too old.
    Replayed,
    /// Authentic, but not an IP packet.
    InnerMalformed,
    /// Authentic, but from an inner address that is not the peer's.
    SpoofedSource,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_of_the_same_session_follows_data() {
        let datagram =
            |kind: u8, index: u8, length: usize| [&[kind, 0, 0, 0, index, 2, 3, 4][..], &vec![9; length - 8]].concat();
        let first = datagram(4, 1, 64);
        for (next, follows) in [
            (datagram(4, 1, 64), true),
            (datagram(4, 1, 32), true),
            (datagram(4, 1, DATAGRAM_BYTES), true),
            (datagram(4, 1, 31), false),
            (datagram(4, 1, DATAGRAM_BYTES + 1), false),
            (datagram(4, 2, 64), false),
            (datagram(2, 1, 92), false),
            (Vec::new(), false),
        ] {
            assert_eq!(is_same_session(&first, &next), follows, "{next:?}");
        }
        // Handshake messages are each looked at, even the same one again.
        let response = datagram(2, 1, 92);
        assert!(!is_same_session(&response, &response));
    }
}
