//! TCP/IP for one peer, without a device: inner packets and time go in; packets and the bytes of streams come out.
//!
//! Every connection is a state machine of its own (`tcp`), made when its SYN comes and found by its 4-tuple: there is no listening pool
//! and no backlog to exhaust, and an idle connection costs a busy one nothing. Packets are read and written with smoltcp; its interface
//! answers whatever is not TCP.

mod budget;
mod connection;
mod device;
mod open;
mod packet;
mod table;
mod tcp;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::{HardwareAddress, IpCidr};

pub use budget::Budget;
pub use table::ConnectionId;

use crate::limits::{ORPHAN_SECS, TIME_WAIT_CONNECTIONS, TURN_SEGMENTS};
use connection::{Fate, User};
use device::Device;
use packet::{Parsed, parse, write_reset, write_segment};
use table::Table;
use tcp::Verdict;

/// What a stack is and what it may hold.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Our addresses: at most one per family.
    pub addresses: Vec<IpAddr>,
    /// Bytes of an IP packet.
    pub mtu: usize,
    /// The TCP port on which connections are accepted.
    pub accept_port: Option<u16>,
    /// Connections of this stack.
    pub connections: usize,
    /// Of those, how many may be in their handshake.
    pub half_open: usize,
    /// What all stacks together may hold.
    pub budget: Arc<Budget>,
    /// Chance, for sequence numbers and ports.
    pub seed: u64,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketRefusal {
    /// Not a packet, or cut short.
    Malformed,
    /// A fragment.
    Fragment,
    /// For an address that is not ours.
    Elsewhere,
    /// A SYN beyond the half-open connections allowed. It is not answered: the other end tries again.
    HalfOpenFull,
    /// A SYN beyond the connections or buffers allowed. It is answered with a reset.
    Full,
}

/// Why no connection can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// A limit on connections, buffers or ports is reached.
    Full,
    /// We have no address of that family, or the address is nobody's.
    NoAddress,
}

/// The TCP/IP stack that one peer talks to.
pub struct Stack {
    config: StackConfig,
    /// Its share of what all stacks together may hold.
    budget: Arc<Budget>,
    interface: Interface,
    /// smoltcp counts time from here.
    epoch: Instant,
    /// The time it was last told.
    now: Instant,
    table: Table,
    /// Whose turn it is to send.
    ready: VecDeque<ConnectionId>,
    /// Opened by the other end, and not taken yet.
    opened: VecDeque<ConnectionId>,
    time_wait: VecDeque<ConnectionId>,
    chance: u64,
}

/// What a packet led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    /// Length of the answer to be sent; 0 for none.
    pub reply: usize,
    /// Why the packet was not wanted.
    pub refusal: Option<PacketRefusal>,
}

impl Stack {
    /// A stack without connections.
    pub fn new(now: Instant, config: StackConfig) -> Stack {
        let mut settings = Config::new(HardwareAddress::Ip);
        settings.random_seed = config.seed;
        let mut device = Device::without_packet(config.mtu, &mut []);
        let mut interface = Interface::new(settings, &mut device, smoltcp::time::Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            for &address in &config.addresses {
                let prefix_bits = if address.is_ipv4() { 32 } else { 128 };
                // Two fit: one per family.
                let _ = addresses.push(IpCidr::new(address.into(), prefix_bits));
            }
        });
        Stack {
            chance: config.seed,
            budget: config.budget.share(config.connections),
            config,
            interface,
            epoch: now,
            now,
            table: Table::default(),
            ready: VecDeque::new(),
            opened: VecDeque::new(),
            time_wait: VecDeque::new(),
        }
    }

    /// Takes a packet. An immediate answer (of a ping, of a closed port) is written into `reply`, which holds the MTU; streams that it
    /// moved are to be woken.
    pub fn handle_packet(&mut self, now: Instant, packet: &[u8], reply: &mut [u8], wakers: &mut Vec<Waker>) -> Handled {
        self.now = now;
        let parsed = match parse(packet) {
            Ok(parsed) => parsed,
            Err(refusal) => return Handled { reply: 0, refusal: Some(refusal) },
        };
        if !self.config.addresses.contains(&parsed.destination()) {
            return Handled { reply: 0, refusal: Some(PacketRefusal::Elsewhere) };
        }
        let Parsed::Segment { tuple, segment } = parsed else {
            return Handled { reply: self.handle_other(packet, reply), refusal: None };
        };
        let (id, refusal) = match self.route(tuple, &segment) {
            Ok(id) => (id, None),
            Err(PacketRefusal::Full) => (None, Some(PacketRefusal::Full)),
            Err(refusal) => return Handled { reply: 0, refusal: Some(refusal) },
        };
        let verdict = match id.and_then(|id| self.table.get_mut(id)) {
            Some(connection) => connection.tcb.handle(now, &segment),
            None => Verdict::Stray,
        };
        if let Some(id) = id {
            self.settle(id, wakers);
            self.schedule(id);
        }
        let reply = if verdict == Verdict::Stray { write_reset(tuple, &segment, reply) } else { 0 };
        Handled { reply, refusal }
    }

    /// What is not TCP is smoltcp's to answer: pings, and datagrams to closed ports.
    fn handle_other(&mut self, packet: &[u8], reply: &mut [u8]) -> usize {
        let micros = self.now.saturating_duration_since(self.epoch).as_micros();
        let now = smoltcp::time::Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
        let mut device = Device::with_packet(self.config.mtu, packet, reply);
        self.interface.poll_ingress_single(now, &mut device, &mut SocketSet::new(Vec::new()));
        device.written()
    }

    /// Writes the next packet that a connection has to send into `out`, which holds the MTU, and says how long it is. Connections take turns.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8], wakers: &mut Vec<Waker>) -> Option<usize> {
        self.now = now;
        while let Some(&id) = self.ready.front() {
            let Some(connection) = self.table.get_mut(id).filter(|connection| !connection.ended) else {
                self.ready.pop_front();
                continue;
            };
            if connection.user == (User::Gone { until: None }) {
                connection.user = User::Gone { until: Some(now + Duration::from_secs(ORPHAN_SECS)) };
            }
            let outgoing = connection.tcb.poll(now);
            let written = outgoing.as_ref().map(|outgoing| {
                let fill = |bytes: &mut [u8]| connection.tcb.fill(outgoing, bytes);
                write_segment(connection.tuple, &outgoing.header, outgoing.length, fill, out)
            });
            connection.turn += 1;
            if written.is_none() || connection.turn >= TURN_SEGMENTS {
                self.ready.pop_front();
                connection.queued = false;
            }
            self.settle(id, wakers);
            match written {
                Some(_) => self.schedule(id),
                None => self.rest(id),
            }
            if written.is_some() {
                return written;
            }
        }
        None
    }

    /// A connection that the other end has opened.
    pub fn poll_accept(&mut self) -> Option<(ConnectionId, SocketAddr, SocketAddr)> {
        let id = self.opened.pop_front()?;
        let tuple = self.table.get_mut(id)?.tuple;
        Some((id, tuple.local, tuple.remote))
    }

    /// Whether a connection has something to send, or may have.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When `handle_timeout` is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.next_due()
    }

    /// Makes those connections ready whose time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some(id) = self.table.take_due(now) {
            let Some(connection) = self.table.get_mut(id) else { continue };
            connection.tcb.handle_timeout(now);
            if matches!(connection.user, User::Gone { until: Some(until) } if until <= now) {
                connection.tcb.abort();
            }
            // Its end, if this is one, is settled with its turn to send.
            self.queue(id);
        }
    }

    /// The peer can be reached again, or elsewhere: whatever waits longer and longer for an answer asks for it now.
    pub fn nudge(&mut self, now: Instant) {
        self.now = now;
        for id in self.table.ids() {
            let Some(connection) = self.table.get_mut(id) else { continue };
            connection.tcb.nudge(now);
            self.schedule(id);
        }
    }

    /// Streams that are open.
    pub fn streams(&self) -> usize {
        self.table.count(User::Stream)
    }

    /// Bytes received on a connection, into `buffer`; fails once it is gone.
    pub fn poll_read(
        &mut self,
        id: ConnectionId,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut rest = &mut *buffer;
        self.poll_read_with(id, context, rest.len(), |bytes| {
            let (here, behind) = std::mem::take(&mut rest).split_at_mut(bytes.len());
            here.copy_from_slice(bytes);
            rest = behind;
        })
    }

    /// The same, handed over in one piece or two of `room` bytes at most, for buffers that are not initialised.
    pub fn poll_read_with(
        &mut self,
        id: ConnectionId,
        context: &mut Context<'_>,
        room: usize,
        take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        let Some(connection) = self.table.get_mut(id) else { return Poll::Ready(Err(gone())) };
        let read = connection.poll_read(context, room, take);
        if matches!(read, Poll::Ready(Ok(1..))) {
            // The window may have opened enough to say so.
            self.schedule(id);
        }
        read
    }

    /// Takes bytes to be sent on a connection.
    pub fn poll_write(&mut self, id: ConnectionId, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(connection) = self.table.get_mut(id) else { return Poll::Ready(Err(gone())) };
        let written = connection.poll_write(context, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.schedule(id);
        }
        written
    }

    /// Ends our direction of a connection, after what has been written.
    pub fn shutdown(&mut self, id: ConnectionId) -> io::Result<()> {
        let connection = self.table.get_mut(id).ok_or_else(gone)?;
        connection.shutdown()?;
        self.queue(id);
        Ok(())
    }

    /// The stream of a connection is gone. What it has shut down is brought to its end in good order; anything else is reset.
    pub fn release(&mut self, id: ConnectionId) {
        let Some(connection) = self.table.get_mut(id) else { return };
        if connection.ended {
            self.table.remove(id);
            return;
        }
        connection.user = User::Gone { until: None };
        if !connection.is_shut_down() {
            connection.tcb.abort();
        }
        self.queue(id);
    }

    /// Ends all connections, whose streams fail with `failure`. Nothing more is sent for them.
    pub fn abort_all(&mut self, failure: ErrorKind, wakers: &mut Vec<Waker>) {
        for id in self.table.ids() {
            self.table.detach(id);
            let Some(connection) = self.table.get_mut(id) else { continue };
            connection.ended = true;
            connection.fail(failure, wakers);
            if connection.user != User::Stream {
                self.table.remove(id);
            }
        }
        self.ready.clear();
        self.opened.clear();
        self.time_wait.clear();
    }

    /// Resets all connections, whose streams fail: of what was written and has not left, nothing leaves any more.
    pub fn reset_all(&mut self, wakers: &mut Vec<Waker>) {
        for id in self.table.ids() {
            let Some(connection) = self.table.get_mut(id) else { continue };
            connection.tcb.abort();
            connection.fail(ErrorKind::ConnectionAborted, wakers);
            // The reset itself is sent with its turn.
            self.queue(id);
        }
    }

    /// Draws the conclusions after a connection's state machine has moved.
    fn settle(&mut self, id: ConnectionId, wakers: &mut Vec<Waker>) {
        let Some(connection) = self.table.get_mut(id) else { return };
        match connection.settle(wakers) {
            Fate::Opened if connection.user == User::Awaited => {
                connection.user = User::Stream;
                self.opened.push_back(id);
            }
            Fate::Ended if connection.user == User::Stream => self.table.detach(id),
            Fate::Ended => self.table.remove(id),
            Fate::Lives | Fate::Opened => {}
        }
        if self.is_time_wait(id) && !self.time_wait.contains(&id) {
            self.time_wait.push_back(id);
            if self.time_wait.len() > TIME_WAIT_CONNECTIONS {
                self.time_wait.pop_front().into_iter().for_each(|oldest| self.table.remove(oldest));
            }
        }
    }

    /// Makes a connection ready if it has something to send, else sets its timer.
    fn schedule(&mut self, id: ConnectionId) {
        let now = self.now;
        match self.table.get_mut(id) {
            Some(connection) if connection.tcb.has_work(now) => self.queue(id),
            Some(_) => self.rest(id),
            None => {}
        }
    }

    /// Sets the timer of a connection that has nothing to send for now.
    fn rest(&mut self, id: ConnectionId) {
        let Some(connection) = self.table.get_mut(id).filter(|connection| !connection.ended) else { return };
        let until = match connection.user {
            User::Gone { until } => until,
            User::Awaited | User::Stream => None,
        };
        if let Some(due) = [until, connection.tcb.poll_timeout()].into_iter().flatten().min() {
            self.table.arm(id, due);
        }
    }

    fn queue(&mut self, id: ConnectionId) {
        let Some(connection) = self.table.get_mut(id) else { return };
        if !connection.queued && !connection.ended {
            connection.queued = true;
            connection.turn = 0;
            self.ready.push_back(id);
        }
    }

    /// The next number of a sequence that starts with the seed: the multiplier and increment of PCG's generator, whose upper half is the
    /// good one.
    fn draw(&mut self) -> u32 {
        self.chance = self.chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.chance >> 32) as u32
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("connections", &self.table.len()).finish_non_exhaustive()
    }
}

fn gone() -> io::Error {
    ErrorKind::NotConnected.into()
}

#[cfg(test)]
mod tests;
