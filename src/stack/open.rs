//! How connections come to be: by a SYN from the peer, or because we dial. All limits are asked here.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use smoltcp::socket::tcp::State;

use super::connection::{Connection, Rings, User};
use super::packet::{Parsed, Tuple, parse};
use super::{ConnectionId, OpenError, PacketRefusal, Stack};
use crate::limits::{BULK_CONNECTIONS, BULK_RING_BYTES, RECEIVE_RING_BYTES, SEND_RING_BYTES};

impl Stack {
    /// Opens a connection to `to`, from a port chosen by chance.
    pub fn connect(&mut self, now: Instant, to: SocketAddr) -> Result<(ConnectionId, SocketAddr), OpenError> {
        self.observe(now);
        let same_family = |address: &&IpAddr| address.is_ipv4() == to.is_ipv4();
        let from = *self.config.addresses.iter().find(same_family).ok_or(OpenError::NoAddress)?;
        let tuple = self.free_tuple(from, to).ok_or(OpenError::Full)?;
        let bulk = Rings { receive: BULK_RING_BYTES, send: SEND_RING_BYTES };
        let plain = Rings { receive: SEND_RING_BYTES, send: RECEIVE_RING_BYTES };
        let mut connection = self.make(tuple, User::Stream, bulk, plain).ok_or(OpenError::Full)?;
        let socket = connection.socket();
        socket.connect(self.interface.context(), tuple.remote, tuple.local).map_err(|_| OpenError::NoAddress)?;
        let id = self.table.insert(connection);
        self.queue(id);
        Ok((id, tuple.local))
    }

    /// The connection that a packet is for, made if it opens one.
    pub(super) fn route(&mut self, packet: &[u8]) -> Result<Option<ConnectionId>, PacketRefusal> {
        let parsed = parse(packet)?;
        if !self.config.addresses.contains(&parsed.destination()) {
            return Err(PacketRefusal::Elsewhere);
        }
        let Parsed::Segment { tuple, opens } = parsed else { return Ok(None) };
        if let Some(id) = self.table.find(&tuple) {
            if !(opens && self.is_time_wait(id)) {
                return Ok(Some(id));
            }
            // RFC 9293 §3.6.1: a new SYN may end TIME-WAIT.
            self.table.remove(id);
        }
        match opens && self.config.accept_port == Some(tuple.local.port()) {
            true => self.accept(tuple).map(Some),
            false => Ok(None),
        }
    }

    pub(super) fn is_time_wait(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.table.get_mut(id) else { return false };
        connection.state() == State::TimeWait && connection.user != User::Stream
    }

    fn accept(&mut self, tuple: Tuple) -> Result<ConnectionId, PacketRefusal> {
        if self.table.count(User::Awaited) >= self.config.half_open {
            return Err(PacketRefusal::HalfOpenFull);
        }
        let bulk = Rings { receive: RECEIVE_RING_BYTES, send: BULK_RING_BYTES };
        let plain = Rings { receive: RECEIVE_RING_BYTES, send: SEND_RING_BYTES };
        let mut connection = self.make(tuple, User::Awaited, bulk, plain).ok_or(PacketRefusal::Full)?;
        connection.socket().listen(tuple.local).map_err(|_| PacketRefusal::Malformed)?;
        Ok(self.table.insert(connection))
    }

    /// A connection within all limits, with generous rings while there are few.
    fn make(&self, tuple: Tuple, user: User, bulk: Rings, plain: Rings) -> Option<Connection> {
        if self.table.len() >= self.config.connections {
            return None;
        }
        let generous = self.table.len() < BULK_CONNECTIONS && self.config.budget.is_ample();
        let rings = if generous { bulk } else { plain };
        let reservation = self.config.budget.reserve(rings.bytes())?;
        Some(Connection::new(tuple, user, rings, reservation))
    }

    /// A 4-tuple with a port of ours that is not in use (RFC 6056 §3.3.1: chance, and a bounded search).
    fn free_tuple(&mut self, from: IpAddr, to: SocketAddr) -> Option<Tuple> {
        const FIRST: u16 = 32_768;
        const COUNT: u64 = 28_000;
        (0..16).find_map(|_| {
            // The multiplier and increment of PCG's generator; its upper half is the good one.
            self.ports = self.ports.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let port = FIRST + ((self.ports >> 33) % COUNT) as u16;
            let tuple = Tuple { local: SocketAddr::new(from, port), remote: to };
            self.table.find(&tuple).is_none().then_some(tuple)
        })
    }
}
