//! How connections come to be: by a SYN from the peer, or because we dial. All limits are asked here.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use smoltcp::wire::{TcpControl, TcpRepr};

use super::connection::{Connection, User};
use super::packet::{Tuple, segment_bytes};
use super::tcp::{Memory, Seq, Settings, Tcb};
use super::{ConnectionId, OpenError, PacketRefusal, Stack};

/// What the other end takes in a segment unless it says otherwise (RFC 9293 §3.7.1).
const SEGMENT_UNSAID_V4: usize = 536;
const SEGMENT_UNSAID_V6: usize = 1220;

impl Stack {
    /// Opens a connection to `to`, from a port chosen by chance.
    pub fn connect(&mut self, now: Instant, to: SocketAddr) -> Result<(ConnectionId, SocketAddr), OpenError> {
        self.now = now;
        let same_family = |address: &&IpAddr| address.is_ipv4() == to.is_ipv4();
        let from = *self.config.addresses.iter().find(same_family).ok_or(OpenError::NoAddress)?;
        if to.ip().is_unspecified() || to.ip().is_multicast() || to.port() == 0 {
            return Err(OpenError::NoAddress);
        }
        let tuple = self.free_tuple(from, to).ok_or(OpenError::Full)?;
        let memory = self.reserve().ok_or(OpenError::Full)?;
        let tcb = Tcb::connect(now, self.settings(&tuple), memory);
        let id = self.table.insert(Connection::new(tuple, User::Stream, tcb));
        self.queue(id);
        Ok((id, tuple.local))
    }

    /// The connection that a segment is for, made if it opens one.
    pub(super) fn route(&mut self, tuple: Tuple, segment: &TcpRepr<'_>) -> Result<Option<ConnectionId>, PacketRefusal> {
        let opens = segment.control == TcpControl::Syn && segment.ack_number.is_none();
        if let Some(id) = self.table.find(&tuple) {
            if !(opens && self.is_time_wait(id)) {
                return Ok(Some(id));
            }
            // RFC 9293 §3.6.1: a new SYN may end TIME-WAIT.
            self.table.remove(id);
        }
        match opens && self.config.accept_port == Some(tuple.local.port()) {
            true => self.accept(tuple, segment).map(Some),
            false => Ok(None),
        }
    }

    pub(super) fn is_time_wait(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.table.get_mut(id) else { return false };
        connection.tcb.is_time_wait() && connection.user != User::Stream
    }

    fn accept(&mut self, tuple: Tuple, syn: &TcpRepr<'_>) -> Result<ConnectionId, PacketRefusal> {
        if self.table.count(User::Awaited) >= self.config.half_open {
            return Err(PacketRefusal::HalfOpenFull);
        }
        let memory = self.reserve().ok_or(PacketRefusal::Full)?;
        let tcb = Tcb::accept(self.now, self.settings(&tuple), syn, memory);
        Ok(self.table.insert(Connection::new(tuple, User::Awaited, tcb)))
    }

    /// What every connection needs, within all limits.
    fn reserve(&self) -> Option<Memory> {
        if self.table.len() >= self.config.connections {
            return None;
        }
        self.budget.reserve(Memory::LEAST).map(Memory::new)
    }

    fn settings(&mut self, tuple: &Tuple) -> Settings {
        let segment_unsaid = if tuple.remote.is_ipv4() { SEGMENT_UNSAID_V4 } else { SEGMENT_UNSAID_V6 };
        Settings { segment: segment_bytes(tuple, self.config.mtu), segment_unsaid, first: Seq::new(self.draw()) }
    }

    /// A 4-tuple with a port of ours that is not in use (RFC 6056 §3.3.1: chance, and a bounded search).
    fn free_tuple(&mut self, from: IpAddr, to: SocketAddr) -> Option<Tuple> {
        const FIRST: u16 = 32_768;
        const COUNT: u32 = 28_000;
        (0..16).find_map(|_| {
            let port = FIRST + (self.draw() % COUNT) as u16;
            let tuple = Tuple { local: SocketAddr::new(from, port), remote: to };
            self.table.find(&tuple).is_none().then_some(tuple)
        })
    }
}
