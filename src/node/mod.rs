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

mod chance;
mod counters;
mod directory;
mod outbox;
mod peer;
mod refusals;
mod shared;
mod stream;

use std::fmt;
use std::iter::{self, Peekable};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use counters::Counter;
use ipnet::IpNet;
use outbox::{Held, Tally};
use peer::{Outcome, Peer, State};
use shared::Shared;

use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::limits::{DATAGRAM_BYTES, MAX_MTU_BYTES, MIN_MTU_BYTES, RUN_DATAGRAMS};
use crate::peer::PeerId;
use crate::stack::OpenError;
use crate::tunnel::{Admission, Refusal, Session, SessionConfig, is_same_session};
pub use crate::tunnel::{HANDSHAKE_BYTES, Path, is_handshake};
pub use counters::Counters;
pub use outbox::{Outbox, Run};
pub use refusals::{RefusalSum, Refused};
pub use stream::Stream;

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
    /// The outer networks that it may come from; none: from anywhere. From elsewhere it meets silence, even with its key.
    pub from: Vec<IpNet>,
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
    /// Somebody was refused, and nobody has been since [`Node::take_refusals`] was last called.
    Refused,
}

/// Why the node wants to be called at a time: for `status --wakeups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WakeReason {
    /// A WireGuard timer: a keepalive, a handshake to be repeated, keys to be dropped.
    Session,
    /// A TCP timer: retransmission, delayed acknowledgement, keep-alive, end of TIME-WAIT.
    Stream,
}

/// Why a peer was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddPeerError {
    /// A peer with this handle is there.
    #[error("a peer with this handle exists")]
    IdTaken,
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

/// What is known of a peer.
#[derive(Debug, Clone, Default)]
pub struct PeerStatus {
    /// Where it was last seen.
    pub endpoint: Option<SocketAddr>,
    /// How long ago the latest handshake was.
    pub latest_handshake: Option<Duration>,
    /// Outer bytes received.
    pub received_bytes: u64,
    /// Outer bytes sent.
    pub sent_bytes: u64,
    /// Open streams.
    pub streams: usize,
    /// Authentic packets from an inner address that is not the peer's.
    pub spoofed_packets: u64,
    /// Whether it spoke to the key that we had before when it last began a session.
    pub uses_former_key: bool,
}

/// Many peers, each with its session and its stack.
pub struct Node {
    shared: Arc<Shared>,
}

impl Node {
    /// A node without peers. `entropy` seeds everything that must not be guessed: indices, ports, sequence numbers. An MTU that no network
    /// has is taken for the nearest that works.
    pub fn new(now: Instant, mut config: NodeConfig, entropy: [u8; 32]) -> Node {
        config.mtu = config.mtu.clamp(MIN_MTU_BYTES, MAX_MTU_BYTES);
        Node { shared: Arc::new(Shared::new(now, config, entropy)) }
    }

    /// Adds a peer. It costs nothing on the wire until it speaks or is spoken to (or has a keepalive to send).
    pub fn add_peer(&self, now: Instant, peer: NodePeer) -> Result<(), AddPeerError> {
        let shared = &*self.shared;
        let mut directory = shared.directory.write();
        directory.admits(peer.id, &peer.public_key, &peer.addresses)?;
        let (index, seed) = shared.draw(&directory);
        let session = SessionConfig {
            public_key: peer.public_key,
            preshared_key: peer.preshared_key,
            addresses: peer.addresses.clone(),
            path: peer.endpoint.map(|remote| Path { remote, local: None }),
            keepalive: peer.keepalive_secs.filter(|secs| *secs > 0).map(|secs| Duration::from_secs(secs.into())),
            index,
        };
        let state = State::new(Session::new(now, session), shared.stack_config(seed));
        let entry = Arc::new(Peer::new(peer.id, peer.from, state));
        directory.insert(entry.clone(), peer.public_key, index, peer.addresses);
        drop(directory);
        if let Some(((), true)) = shared.with_state(&entry, |_| ()) {
            shared.wake_driver();
        }
        Ok(())
    }

    /// Removes a peer: its keys, streams (whose ends fail with `ConnectionAborted`) and timers, at once. Nothing is sent to it any more.
    pub fn remove_peer(&self, id: PeerId) -> bool {
        // In a statement of its own: the lock must be free when streams wake.
        let removed = self.shared.directory.write().remove(id);
        let Some(peer) = removed else { return false };
        self.shared.forget(&peer);
        self.flush_wakers();
        true
    }

    /// Resets all streams of a peer, whose session stays: what was under way ends, and whoever comes back begins anew. Whether it is there.
    pub fn reset_streams(&self, id: PeerId) -> bool {
        let Some(peer) = self.shared.directory.read().by_id(id) else { return false };
        let Some(((), news)) = self.shared.with_state(&peer, State::reset_streams) else { return false };
        if news {
            self.shared.wake_driver();
        }
        self.flush_wakers();
        true
    }

    /// Answers under the key that we had before as well.
    pub fn answer_under(&self, now: Instant, former: &PrivateKey) {
        self.shared.gate.set_former(now, Some(former));
    }

    /// Answers no longer under the key that we had before: sessions made with it and their streams end at once.
    pub fn forget_former_key(&self, now: Instant) {
        self.shared.gate.set_former(now, None);
        let ids = self.shared.directory.read().ids();
        let peers = ids.into_iter().filter_map(|id| self.shared.directory.read().by_id(id));
        peers.for_each(|peer| {
            self.shared.with_state(&peer, |state| {
                if state.session.forget_former(now) {
                    state.reset_streams();
                }
            });
        });
        self.flush_wakers();
    }

    /// Takes one datagram. Immediate answers (of handshakes, pings, closed ports) go straight to `outbox`, which should have room: without
    /// room the datagram is dropped and counted, as a network would. What the streams want to send is fetched by `poll_transmit`.
    pub fn handle_datagram(&self, now: Instant, path: Path, datagram: &[u8], outbox: &mut Outbox) {
        let mut datagrams = iter::once((path, datagram)).peekable();
        self.handle_datagrams(now, &mut datagrams, outbox);
        if let Some((_, lost)) = datagrams.next() {
            self.count_received(Tally::of(lost));
            self.shared.counts.add(Counter::NoRoom, 1);
        }
    }

    /// The same for many, in their order, until none is left or `outbox` has no room for another answer: then send, clear, and call again.
    /// Datagrams of one session that follow each other, as the kernel hands them over, cost one look-up and one lock.
    pub fn handle_datagrams<'a>(
        &self,
        now: Instant,
        datagrams: &mut Peekable<impl Iterator<Item = (Path, &'a [u8])>>,
        outbox: &mut Outbox,
    ) {
        while outbox.room() > 0
            && let Some((path, datagram)) = datagrams.next()
        {
            let taken = match self.admit(now, path, datagram, outbox) {
                Some(peer) => self.deliver(now, &peer, (path, datagram), datagrams, outbox),
                None => Tally::of(datagram),
            };
            self.count_received(taken);
        }
    }

    /// Wakes the streams that `handle_datagram`, `poll_transmit` and `handle_timeout` have moved since the last call: once per batch.
    pub fn flush_wakers(&self) {
        // In a statement of its own: a waker may run whatever it wakes.
        let wakers = std::mem::take(&mut *self.shared.wakers.lock());
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Lets one ready peer put its datagrams into `outbox`; false when none is ready. Several threads may call it, each with an outbox of its
    /// own: each takes another peer. It fills what room there is; while it answers true, send, clear and call again. Until that next
    /// call no other outbox gets datagrams of the same peer, so that they leave in their order.
    pub fn poll_transmit(&self, now: Instant, outbox: &mut Outbox) -> bool {
        let shared = &self.shared;
        drop(outbox.holds.take());
        if outbox.room() == 0 {
            return !shared.ready.lock().is_empty();
        }
        let Some(peer) = shared.ready.lock().pop_front() else { return false };
        let before = outbox.tally();
        shared.with_state(&peer, |state| {
            state.transmit(now, &shared.gate, outbox, &shared.counts);
            state.count_sent(before, outbox, &shared.counts);
        });
        outbox.holds = Some(Held { shared: shared.clone(), peer });
        true
    }

    /// Whether more handshakes come than are served without a cookie.
    pub fn is_loaded(&self, now: Instant) -> bool {
        self.shared.gate.is_loaded(now)
    }

    /// Whether a peer waits for its turn in `poll_transmit`: then another of those who call it has something to do.
    pub fn is_ready(&self) -> bool {
        !self.shared.ready.lock().is_empty()
    }

    /// The next thing that happened.
    pub fn poll_event(&self) -> Option<Event> {
        self.shared.events.lock().pop_front()
    }

    /// Who was refused since the last call, for the records: strangers with a key of no peer's, peers from foreign networks, with foreign inner
    /// addresses or a wrong preshared key, and what was too much.
    pub fn take_refusals(&self) -> Vec<RefusalSum> {
        self.shared.refusals.lock().take()
    }

    /// When `handle_timeout` is wanted, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, WakeReason)> {
        let timers = self.shared.timers.lock();
        timers.first_key_value().map(|(&(due, _), &(_, reason))| (due, reason))
    }

    /// Time passed: makes those peers ready whose time has come.
    pub fn handle_timeout(&self, now: Instant) {
        while let Some((due, peer)) = self.shared.take_due(now) {
            let mut guard = peer.state.lock();
            let Some(state) = guard.as_mut() else { continue };
            if state.armed == Some(due) {
                state.armed = None;
            }
            self.shared.enqueue(&peer);
        }
    }

    /// Registers who is to be woken when a stream's user has given a peer something to do (a write, a read that opens the window, a close),
    /// or a peer was added. One waker: the last.
    pub fn set_activity_waker(&self, waker: &Waker) {
        let mut driver = self.shared.driver.lock();
        match &mut *driver {
            Some(known) => known.clone_from(waker),
            None => *driver = Some(waker.clone()),
        }
    }

    /// Opens a stream to a peer's inner address, starting a handshake where there is no session. `Stream::poll_write` waits until it stands.
    pub fn connect(&self, now: Instant, peer: PeerId, to: SocketAddr) -> Result<Stream, ConnectError> {
        let shared = &self.shared;
        let peer = shared.directory.read().by_id(peer).ok_or(ConnectError::NoPeer)?;
        let open = |state: &mut State| {
            if !state.session.addresses().contains(&to.ip()) {
                return Err(ConnectError::NoAddress);
            }
            state.session.path().ok_or(ConnectError::NoEndpoint)?;
            state.stack(now).connect(now, to).map_err(|error| match error {
                OpenError::Full => ConnectError::TooMany,
                OpenError::NoAddress => ConnectError::NoAddress,
            })
        };
        let (opened, _) = shared.with_state(&peer, open).ok_or(ConnectError::NoPeer)?;
        let (id, local) = opened?;
        shared.counts.add(Counter::StreamsConnected, 1);
        shared.wake_driver();
        Ok(Stream::new(shared.clone(), peer, (id, local, to)))
    }

    /// What `status` shows of a peer.
    pub fn peer_status(&self, now: Instant, peer: PeerId) -> Option<PeerStatus> {
        let peer = self.shared.directory.read().by_id(peer)?;
        let guard = peer.state.lock();
        Some(guard.as_ref()?.status(now))
    }

    /// Counters of everything dropped, by reason, and totals; then what there is now.
    pub fn counters(&self) -> Counters {
        let mut counters = self.shared.counts.read();
        counters.values.push(("connections_now", self.shared.budget.connections() as u64));
        counters.values.push(("buffer_bytes_now", self.shared.budget.bytes()));
        counters
    }

    /// Whose a datagram is, if it is to be delivered; otherwise it is counted, and answered where it asks for a cookie.
    fn admit(&self, now: Instant, path: Path, datagram: &[u8], outbox: &mut Outbox) -> Option<Arc<Peer>> {
        let shared = &*self.shared;
        let place = outbox.place()?;
        let known = match shared.gate.admit(now, path.remote.ip(), datagram, place.datagram) {
            Admission::Refused(refusal) => {
                shared.counts.add(refusal, 1);
                if refusal == Refusal::TooMany {
                    shared.refuse(refusal, Refused::Anybody, path.remote);
                }
                return None;
            }
            Admission::Cookie(length) => {
                shared.counts.add(Counter::CookiesSent, 1);
                shared.counts.add(Counter::DatagramsSent, 1);
                shared.counts.add(Counter::BytesSent, length as u64);
                outbox.commit(path, length);
                return None;
            }
            Admission::Handshake(key) => {
                let known = shared.directory.read().by_key(&key);
                known.ok_or_else(|| {
                    shared.refuse(Counter::UnknownKey, Refused::Key(key), path.remote);
                    Counter::UnknownKey
                })
            }
            Admission::Index(index) => shared.directory.read().by_index(index).ok_or(Counter::UnknownIndex),
        };
        let known = known.and_then(|peer| match peer.comes_from(path.remote.ip()) {
            true => Ok(peer),
            false => {
                shared.refuse(Counter::ForeignNetwork, Refused::Peer(peer.id), path.remote);
                Err(Counter::ForeignNetwork)
            }
        });
        known.map_err(|unwanted| shared.counts.add(unwanted, 1)).ok()
    }

    /// Gives a peer a datagram that was admitted to it, and those of the same session that follow; how many that were.
    fn deliver<'a>(
        &self,
        now: Instant,
        peer: &Arc<Peer>,
        (path, first): (Path, &'a [u8]),
        datagrams: &mut Peekable<impl Iterator<Item = (Path, &'a [u8])>>,
        outbox: &mut Outbox,
    ) -> Tally {
        let shared = &self.shared;
        let mut taken = Tally::of(first);
        let delivered = shared.with_state(peer, |state| {
            let (mut datagram, before) = (first, outbox.tally());
            loop {
                let outcome = state.handle_datagram(now, &shared.gate, path, datagram, outbox, &shared.counts);
                self.record(peer.id, path, outcome);
                if taken.datagrams >= RUN_DATAGRAMS || outbox.room() == 0 {
                    break;
                }
                let follows = |(from, next): &(Path, &[u8])| *from == path && is_same_session(first, next);
                let Some((_, next)) = datagrams.next_if(follows) else { break };
                taken += Tally::of(next);
                datagram = next;
            }
            state.count_sent(before, outbox, &shared.counts);
            while let Some(accepted) = state.poll_accept() {
                let stream = Stream::new(shared.clone(), peer.clone(), accepted);
                shared.counts.add(Counter::StreamsAccepted, 1);
                shared.events.lock().push_back(Event::Accepted(stream));
            }
        });
        if delivered.is_none() {
            // It was removed between the look into the directory and now.
            shared.counts.add(Counter::UnknownIndex, 1);
        }
        taken
    }

    fn count_received(&self, received: Tally) {
        self.shared.counts.add(Counter::DatagramsReceived, received.datagrams);
        self.shared.counts.add(Counter::BytesReceived, received.bytes);
    }

    fn record(&self, peer: PeerId, path: Path, outcome: Outcome) {
        if outcome.established {
            self.shared.record(Counter::SessionsEstablished, Event::Established(peer));
        }
        if let Some(refusal) = outcome.refused {
            self.shared.refuse(refusal, Refused::Peer(peer), path.remote);
        }
        if let Some(endpoint) = outcome.roamed {
            self.shared.record(Counter::Roamed, Event::Roamed(peer, endpoint));
        }
    }
}

impl Drop for Node {
    /// Streams that outlive their node are inert.
    fn drop(&mut self) {
        let shared = &*self.shared;
        let ids = shared.directory.read().ids();
        ids.into_iter().for_each(|id| {
            self.remove_peer(id);
        });
        shared.ready.lock().clear();
        // Streams among the events hold on to us: in statements of their own, for they take locks when they go.
        let events = std::mem::take(&mut *shared.events.lock());
        drop(events);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("addresses", &self.shared.config.addresses).finish_non_exhaustive()
    }
}

/// Every packet, padded and encrypted, has its place in an outbox.
const _: () = assert!(MAX_MTU_BYTES as usize + 16 + 32 <= DATAGRAM_BYTES);

#[cfg(test)]
mod tests;
