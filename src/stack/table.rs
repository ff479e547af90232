//! The connections of a stack, found by their 4-tuple, by their handle, and by when their timers are due.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::connection::{Connection, User};
use super::packet::Tuple;

/// Names a connection of one stack. Never given out twice: one that outlives its connection finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    serial: u64,
    slot: usize,
}

#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<(u64, Box<Connection>)>>,
    free: Vec<usize>,
    serial: u64,
    by_tuple: HashMap<Tuple, ConnectionId>,
    /// The one that was found last: segments come in trains.
    last: Option<(Tuple, ConnectionId)>,
    timers: BTreeSet<(Instant, ConnectionId)>,
}

impl Table {
    /// How many connections there are, ended ones whose stream is still held among them.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many connections there are with this user.
    pub(super) fn count(&self, user: User) -> usize {
        self.slots.iter().flatten().filter(|(_, connection)| connection.user == user).count()
    }

    /// All connections.
    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        let id = |(slot, entry): (usize, &Option<(u64, _)>)| Some(ConnectionId { serial: entry.as_ref()?.0, slot });
        self.slots.iter().enumerate().filter_map(id).collect()
    }

    pub(super) fn insert(&mut self, connection: Connection) -> ConnectionId {
        self.serial += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let id = ConnectionId { serial: self.serial, slot };
        self.by_tuple.insert(connection.tuple, id);
        self.last.take_if(|(last, _)| *last == connection.tuple);
        self.slots[slot] = Some((self.serial, Box::new(connection)));
        id
    }

    pub(super) fn find(&mut self, tuple: &Tuple) -> Option<ConnectionId> {
        if let Some((_, id)) = self.last.filter(|(last, _)| last == tuple) {
            return Some(id);
        }
        let found = self.by_tuple.get(tuple).copied();
        self.last = found.map(|id| (*tuple, id));
        found
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let (serial, connection) = self.slots.get_mut(id.slot)?.as_mut()?;
        (*serial == id.serial).then_some(connection)
    }

    /// Makes its 4-tuple and its timer free; only its stream knows it from now on.
    pub(super) fn detach(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        let (tuple, armed) = (connection.tuple, connection.armed.take());
        self.last.take_if(|(_, last)| *last == id);
        if self.by_tuple.get(&tuple) == Some(&id) {
            self.by_tuple.remove(&tuple);
        }
        if let Some(armed) = armed {
            self.timers.remove(&(armed, id));
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        if self.get_mut(id).is_some() {
            self.detach(id);
            self.slots[id.slot] = None;
            self.free.push(id.slot);
        }
    }

    /// Sets a connection's timer, unless it is set for an earlier time: then it is set anew when that has come. Timers that only move
    /// away, as retransmission does with every acknowledgement, cost nothing.
    pub(super) fn arm(&mut self, id: ConnectionId, due: Instant) {
        let Some(connection) = self.get_mut(id) else { return };
        if connection.armed.is_some_and(|armed| armed <= due) {
            return;
        }
        if let Some(armed) = connection.armed.replace(due) {
            self.timers.remove(&(armed, id));
        }
        self.timers.insert((due, id));
    }

    /// When the first timer is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// A connection whose timer is due. It is unset.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ConnectionId> {
        let (_, id) = self.timers.first().copied().filter(|(due, _)| *due <= now)?;
        self.timers.pop_first();
        if let Some(connection) = self.get_mut(id) {
            connection.armed = None;
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::stack::budget::Budget;
    use crate::stack::tcp::{Memory, Seq, Settings, Tcb};

    fn connection(port: u16) -> Connection {
        let settings = Settings { segment: 1000, segment_unsaid: 536, first: Seq::new(1) };
        let reservation = Arc::new(Budget::new(1, 1 << 20)).reserve(Memory::LEAST).expect("room");
        let tuple = Tuple { local: ([10, 0, 0, 1], 80).into(), remote: ([10, 0, 0, 2], port).into() };
        Connection::new(tuple, User::Stream, Tcb::connect(Instant::now(), settings, Memory::new(reservation)))
    }

    #[test]
    fn only_connections_that_are_there_are_found() {
        let mut table = Table::default();
        let tuple = connection(1).tuple;
        assert_eq!(table.find(&tuple), None);
        let first = table.insert(connection(1));
        let other = table.insert(connection(2));
        assert_eq!(
            [table.find(&tuple), table.find(&connection(2).tuple), table.find(&tuple)],
            [first, other, first].map(Some)
        );
        table.detach(first);
        assert_eq!(table.find(&tuple), None);
        // The next with the same ends, while the first is still held by its stream.
        let second = table.insert(connection(1));
        assert_eq!(table.find(&tuple), Some(second));
        table.remove(first);
        assert_eq!(table.find(&tuple), Some(second));
        table.remove(second);
        assert_eq!(table.find(&tuple), None);
        assert_eq!(table.len(), 1);
    }
}
