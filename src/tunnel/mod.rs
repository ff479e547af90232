//! WireGuard without sockets: datagrams and time go in; inner packets, answers and verdicts come out.
//!
//! ```text
//! datagram ─► gate (shape, MAC1, load) ─► session of the peer (decrypt, replay, inner source) ─► packet
//! packet ─► session (pad, encrypt) ─► datagram
//! ```

use std::net::{IpAddr, SocketAddr};

/// An outer path: where a datagram came from and the local address it came to, so that answers leave from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// The other end.
    pub remote: SocketAddr,
    /// Our own address on that path, where the socket knows it.
    pub local: Option<IpAddr>,
}
