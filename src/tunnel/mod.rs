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

pub use gate::{Admission, Gate, OwnKey};
pub use session::{Heard, Passed, Reception, Session, SessionConfig};

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
