//! Datagrams in, streams out, each with the peer it belongs to. Joins one [`tunnel`](crate::tunnel) and one
//! [`stack`](crate::stack) per live peer, without a socket, a clock or a source of chance of its own.
//!
//! A [`Node`] is shared (`&self`): every peer stands behind a lock of its own, so that two peers run on two cores. Whoever drives
//! it calls the verbs below; [`link`](crate::link) does so on a real socket, the simulation in a world of its own.
//!
//! ```text
//! handle_datagram ─► session (decrypt, inner source) ─► stack ─► stream rings ─► wakers
//! stream writes ─► peer is ready ─► poll_transmit: stack ─► session (pad, encrypt) ─► Outbox
//! ```

mod outbox;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::peer::PeerId;
pub use crate::tunnel::Path;
pub use outbox::{Outbox, Run};

/// What a node is: its key, its inner addresses, and what it serves.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Our private key.
    pub key: PrivateKey,
    /// Our inner addresses: at most one per family.
    pub addresses: Vec<IpAddr>,
    /// Inner MTU in bytes.
    pub mtu: u16,
    /// The TCP port on which streams are accepted; none at the client's end.
    pub accept_port: Option<u16>,
    /// Open connections of one peer.
    pub connections: usize,
    /// Half-open connections of one peer.
    pub half_open: usize,
    /// Open connections of all peers.
    pub connections_total: usize,
    /// Bytes of TCP buffers of all peers.
    pub buffers_total: u64,
    /// Handshakes per second above which a cookie is asked for.
    pub handshakes_per_second: u64,
}

/// A peer to be added.
#[derive(Debug, Clone)]
pub struct NodePeer {
    /// Its handle.
    pub id: PeerId,
    /// Its key.
    pub public_key: PublicKey,
    /// The key mixed into its handshakes.
    pub preshared_key: Option<PresharedKey>,
    /// Its inner addresses: what it may send from, and where we send to it.
    pub addresses: Vec<IpAddr>,
    /// Where it was last seen, or where it is to be called.
    pub endpoint: Option<SocketAddr>,
    /// Persistent keepalive, in seconds.
    pub keepalive_secs: Option<u16>,
}

/// What happened, for those who keep records.
#[derive(Debug)]
pub enum Event {
    /// A peer opened a stream to the port we accept on.
    Accepted(Stream),
    /// A session was made.
    Established(PeerId),
    /// Authenticated data came over another path than before.
    Roamed(PeerId, SocketAddr),
}

/// Why the node wants to be called at a time: for `status --wakeups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WakeReason {
    /// A WireGuard timer of a live session.
    Session,
    /// A TCP timer: retransmission, delayed acknowledgement, keep-alive, end of TIME-WAIT.
    Stream,
    /// The handshake limiter's second.
    Limiter,
}

/// Why a peer was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddPeerError {
    /// A peer with this key is there.
    #[error("a peer with this key exists")]
    KeyTaken,
    /// A peer with one of these addresses is there.
    #[error("an address of this peer belongs to another")]
    AddressTaken,
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No such peer.
    #[error("no such peer")]
    NoPeer,
    /// A limit on connections is reached.
    #[error("too many connections")]
    TooMany,
    /// We or the peer have no address of that family, or the address is not the peer's.
    #[error("no such address of that peer")]
    NoAddress,
    /// It is not known where the peer is: it has never spoken and no endpoint was given.
    #[error("the peer's endpoint is unknown")]
    NoEndpoint,
}

/// Many peers, each with its session and its stack.
#[derive(Debug)]
pub struct Node {
    _todo: (),
}

#[allow(unused_variables)]
impl Node {
    /// A node without peers. `entropy` seeds everything that must not be guessed: indices, ports, sequence numbers.
    pub fn new(now: Instant, config: NodeConfig, entropy: [u8; 32]) -> Node {
        todo!()
    }

    /// Adds a peer. It costs nothing on the wire until it speaks or is spoken to.
    pub fn add_peer(&self, now: Instant, peer: NodePeer) -> Result<(), AddPeerError> {
        todo!()
    }

    /// Removes a peer: its keys, streams (whose ends fail with `ConnectionAborted`) and timers, at once. Nothing is sent to it any more.
    pub fn remove_peer(&self, id: PeerId) -> bool {
        todo!()
    }

    /// Takes one datagram. Immediate answers (of handshakes, pings, closed ports) go straight to `outbox`, which should have room: an answer
    /// without room is dropped and counted, as a network would. What the streams want to send is fetched by `poll_transmit`.
    pub fn handle_datagram(&self, now: Instant, path: Path, datagram: &[u8], outbox: &mut Outbox) {
        todo!()
    }

    /// Wakes the streams that `handle_datagram`, `poll_transmit` and `handle_timeout` have moved since the last call: once per batch.
    pub fn flush_wakers(&self) {
        todo!()
    }

    /// Lets one ready peer put its datagrams into `outbox`; false when none is ready. Several threads may call it: each takes another peer.
    /// It fills what room there is; while it answers true, send, clear and call again.
    pub fn poll_transmit(&self, now: Instant, outbox: &mut Outbox) -> bool {
        todo!()
    }

    /// The next thing that happened.
    pub fn poll_event(&self) -> Option<Event> {
        todo!()
    }

    /// When `handle_timeout` is wanted, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, WakeReason)> {
        todo!()
    }

    /// Time passed: makes those peers ready whose time has come.
    pub fn handle_timeout(&self, now: Instant) {
        todo!()
    }

    /// Registers who is to be woken when a stream's user has given a peer something to do (a write, a read that opens the window, a close).
    pub fn set_activity_waker(&self, waker: &Waker) {
        todo!()
    }

    /// Opens a stream to a peer's inner address, starting a handshake where there is no session. `Stream::poll_write` waits until it stands.
    pub fn connect(&self, now: Instant, peer: PeerId, to: SocketAddr) -> Result<Stream, ConnectError> {
        todo!()
    }

    /// What `status` shows of a peer.
    pub fn peer_status(&self, now: Instant, peer: PeerId) -> Option<PeerStatus> {
        todo!()
    }

    /// Counters of everything dropped, by reason, and totals.
    pub fn counters(&self) -> Counters {
        todo!()
    }
}

/// What is known of a peer.
#[derive(Debug, Clone, Default)]
pub struct PeerStatus {
    /// Where it was last seen.
    pub endpoint: Option<SocketAddr>,
    /// How long ago the latest handshake was.
    pub latest_handshake: Option<std::time::Duration>,
    /// Outer bytes received.
    pub received_bytes: u64,
    /// Outer bytes sent.
    pub sent_bytes: u64,
    /// Open streams.
    pub streams: usize,
}

/// Totals since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Name (as in metrics: snake case) and value, in a fixed order.
    pub values: Vec<(&'static str, u64)>,
}

/// One end of a TCP stream of one peer: reads and writes its rings directly. Dropping it without a shutdown resets the connection.
#[derive(Debug)]
pub struct Stream {
    _todo: Arc<()>,
}

#[allow(unused_variables)]
impl Stream {
    /// The peer whose key decrypted every byte of it.
    pub fn peer(&self) -> PeerId {
        todo!()
    }

    /// Our own inner address and port on it.
    pub fn local(&self) -> SocketAddr {
        todo!()
    }

    /// The peer's inner address and port.
    pub fn remote(&self) -> SocketAddr {
        todo!()
    }

    /// Bytes received into `buffer`; `Ok(0)` at the end of the stream.
    pub fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<std::io::Result<usize>> {
        todo!()
    }

    /// Takes as many bytes as the send ring has room for.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        todo!()
    }

    /// Ends our direction once everything written has been acknowledged.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        todo!()
    }
}
