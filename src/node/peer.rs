//! One peer of a node: its session and its stack, behind one lock, and how they work together.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::task::Waker;
use std::time::Instant;

use ipnet::IpNet;
use parking_lot::Mutex;

use super::counters::{Counter, Counts};
use super::outbox::{Outbox, Tally};
use super::{PeerStatus, WakeReason};
use crate::peer::PeerId;
use crate::stack::{ConnectionId, Stack, StackConfig};
use crate::tunnel::{Gate, Heard, OwnKey, Passed, Path, Refusal, Session};

/// A peer, from the moment it is added.
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// The outer networks that it may come from; none: any.
    from: Vec<IpNet>,
    /// Whether it stands in the queue of those that are ready.
    pub(super) queued: AtomicBool,
    /// `None` once it is removed: whoever still holds it finds nothing.
    pub(super) state: Mutex<Option<Box<State>>>,
}

/// What a peer consists of.
pub(super) struct State {
    pub(super) session: Session,
    /// Made with the first packet or stream.
    stack: Option<Stack>,
    stack_config: StackConfig,
    /// When its timer is set for.
    pub(super) armed: Option<Instant>,
    /// Whose streams have moved.
    pub(super) wakers: Vec<Waker>,
    received_bytes: u64,
    sent_bytes: u64,
    spoofed_packets: u64,
}

/// What a datagram led to besides answers.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) established: bool,
    pub(super) roamed: Option<SocketAddr>,
    /// Refused in a way that belongs in the records.
    pub(super) refused: Option<Refusal>,
}

impl Peer {
    pub(super) fn new(id: PeerId, from: Vec<IpNet>, state: State) -> Peer {
        Peer { id, from, queued: AtomicBool::new(false), state: Mutex::new(Some(Box::new(state))) }
    }

    /// Whether it may come from this outer address.
    pub(super) fn comes_from(&self, address: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|network| network.contains(&address))
    }
}

impl State {
    pub(super) fn new(session: Session, stack_config: StackConfig) -> State {
        State {
            session,
            stack: None,
            stack_config,
            armed: None,
            wakers: Vec::new(),
            received_bytes: 0,
            sent_bytes: 0,
            spoofed_packets: 0,
        }
    }

    /// The stack, made if there is none yet.
    pub(super) fn stack(&mut self, now: Instant) -> &mut Stack {
        self.stack.get_or_insert_with(|| Stack::new(now, self.stack_config.clone()))
    }

    /// Resets what streams there are.
    pub(super) fn reset_streams(&mut self) {
        if let Some(stack) = self.stack.as_mut() {
            stack.reset_all(&mut self.wakers);
        }
    }

    /// The stack, if there is one.
    pub(super) fn existing_stack(&mut self) -> Option<&mut Stack> {
        self.stack.as_mut()
    }

    /// Takes a datagram that the gate has admitted to this peer, which is counted in exactly one outcome. What it leads to is not: see
    /// [`State::count_sent`].
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        gate: &Gate,
        path: Path,
        datagram: &[u8],
        outbox: &mut Outbox,
        counts: &Counts,
    ) -> Outcome {
        self.received_bytes += datagram.len() as u64;
        if self.session.is_stale(now) {
            self.tick(now, outbox, counts);
        }
        let Some(place) = outbox.place() else {
            counts.add(Counter::NoRoom, 1);
            return Outcome::default();
        };
        let mut refused = None;
        let reception = self.session.handle(now, gate, path, datagram, place.received, place.datagram);
        match reception.heard {
            Err(refusal) => {
                self.spoofed_packets += u64::from(Counter::from(refusal) == Counter::SpoofedSource);
                counts.add(refusal, 1);
                // Networks repeat datagrams, and cut them short: that is nobody's doing.
                let notable = matches!(refusal, Refusal::SpoofedSource | Refusal::TooMany | Refusal::Unauthenticated);
                refused = Some(refusal).filter(|_| notable);
            }
            Ok(Heard::Nothing) => counts.add(Counter::Keepalives, 1),
            Ok(Heard::Answer(length)) => {
                counts.add(Counter::Handshakes, 1);
                outbox.commit(path, length);
            }
            Ok(Heard::Packet(length)) => {
                counts.add(Counter::Packets, 1);
                self.handle_packet(now, length, outbox, counts);
            }
        }
        if self.session.wants_tick(now) {
            self.tick(now, outbox, counts);
        }
        if let Some(stack) = self.stack.as_mut().filter(|_| reception.established || reception.roamed) {
            stack.nudge(now);
        }
        Outcome { established: reception.established, roamed: reception.roamed.then_some(path.remote), refused }
    }

    /// Counts what has been put into an outbox since it held this much.
    pub(super) fn count_sent(&mut self, before: Tally, outbox: &Outbox, counts: &Counts) {
        let sent = outbox.tally() - before;
        if sent.datagrams > 0 {
            self.sent_bytes += sent.bytes;
            counts.add(Counter::DatagramsSent, sent.datagrams);
            counts.add(Counter::BytesSent, sent.bytes);
        }
    }

    /// Does what is due, then lets the streams send as much as there is room for, uncounted.
    pub(super) fn transmit(&mut self, now: Instant, gate: &Gate, outbox: &mut Outbox, counts: &Counts) {
        if !self.handle_timeout(now, gate, outbox, counts) {
            return;
        }
        if self.session.wants_tick(now) {
            self.tick(now, outbox, counts);
        }
        let Some(stack) = self.stack.as_mut() else { return };
        stack.handle_timeout(now);
        if !self.session.is_live(now) {
            if stack.is_ready() {
                self.begin(now, gate, outbox);
            }
            return;
        }
        while let (Some(path), Some(place)) = (self.session.path(), outbox.place()) {
            let Some(stack) = self.stack.as_mut() else { return };
            let Some(length) = stack.poll_transmit(now, place.packet, &mut self.wakers) else { return };
            let mtu = self.stack_config.mtu;
            let Some(length) = self.session.encrypt(now, place.packet, length, mtu, place.datagram) else { return };
            outbox.commit(path, length);
        }
    }

    /// Whether it has something to send that can be sent, or a handshake to begin for it.
    pub(super) fn is_ready(&self) -> bool {
        self.session.can_progress() && self.stack.as_ref().is_some_and(Stack::is_ready)
    }

    /// When `transmit` is wanted, and why.
    pub(super) fn poll_timeout(&self) -> Option<(Instant, WakeReason)> {
        let session = self.session.poll_timeout().map(|due| (due, WakeReason::Session));
        // While a handshake is under way the streams wait for it.
        let stack = self.stack.as_ref().filter(|_| self.session.can_progress()).and_then(Stack::poll_timeout);
        let stack = stack.map(|due| (due, WakeReason::Stream));
        [session, stack].into_iter().flatten().min_by_key(|(due, _)| *due)
    }

    /// A stream that the peer has opened: its handle, its local and its remote end.
    pub(super) fn poll_accept(&mut self) -> Option<(ConnectionId, SocketAddr, SocketAddr)> {
        self.stack.as_mut()?.poll_accept()
    }

    pub(super) fn status(&self, now: Instant) -> PeerStatus {
        PeerStatus {
            endpoint: self.session.path().map(|path| path.remote),
            latest_handshake: self.session.handshake_at().map(|at| now.saturating_duration_since(at)),
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
            streams: self.stack.as_ref().map_or(0, Stack::streams),
            spoofed_packets: self.spoofed_packets,
            uses_former_key: self.session.own_key() == OwnKey::Former,
        }
    }

    /// Gives the packet in `outbox.received` to the stack, and sends its answer at once.
    fn handle_packet(&mut self, now: Instant, length: usize, outbox: &mut Outbox, counts: &Counts) {
        let Some(place) = outbox.place() else { return };
        let stack = self.stack.get_or_insert_with(|| Stack::new(now, self.stack_config.clone()));
        let handled = stack.handle_packet(now, &place.received[..length], place.packet, &mut self.wakers);
        if let Some(refusal) = handled.refusal {
            counts.add(refusal, 1);
        }
        if handled.reply == 0 {
            return;
        }
        let mtu = self.stack_config.mtu;
        let sent = self.session.encrypt(now, place.packet, handled.reply, mtu, place.datagram);
        match (self.session.path(), sent) {
            (Some(path), Some(length)) => outbox.commit(path, length),
            _ => counts.add(Counter::RepliesLost, 1),
        }
    }

    /// Does what the session has due; false when there was no room for all of it.
    fn handle_timeout(&mut self, now: Instant, gate: &Gate, outbox: &mut Outbox, counts: &Counts) -> bool {
        while self.session.poll_timeout().is_some_and(|due| due <= now) {
            let Some(place) = outbox.place() else { return false };
            match self.session.handle_timeout(now, gate, place.datagram) {
                Passed::Nothing => {}
                Passed::Send(length) => self.send(length, outbox),
                Passed::GaveUp => self.give_up(counts),
            }
        }
        true
    }

    fn begin(&mut self, now: Instant, gate: &Gate, outbox: &mut Outbox) {
        let Some(place) = outbox.place() else { return };
        if let Some(length) = self.session.begin(now, gate, place.datagram) {
            self.send(length, outbox);
        }
    }

    fn tick(&mut self, now: Instant, outbox: &mut Outbox, counts: &Counts) {
        // Without room now, the next datagram or turn brings another chance.
        let Some(place) = outbox.place() else { return };
        match self.session.tick(now, place.datagram) {
            Passed::Nothing => {}
            Passed::Send(length) => self.send(length, outbox),
            Passed::GaveUp => self.give_up(counts),
        }
    }

    /// The peer does not answer: what waits for it fails.
    fn give_up(&mut self, counts: &Counts) {
        counts.add(Counter::HandshakesGivenUp, 1);
        if let Some(stack) = self.stack.as_mut() {
            stack.abort_all(std::io::ErrorKind::TimedOut, &mut self.wakers);
        }
    }

    fn send(&mut self, length: usize, outbox: &mut Outbox) {
        if let Some(path) = self.session.path() {
            outbox.commit(path, length);
        }
    }
}
