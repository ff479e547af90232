//! What a node wants sent: datagrams of any paths go in, runs of equal-sized ones of a path come out.

use std::fmt;
use std::ops::{AddAssign, Sub};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::peer::Peer;
use super::shared::Shared;
use crate::limits::{DATAGRAM_BYTES, OUTBOX_DATAGRAMS, RUN_BYTES};
use crate::tunnel::Path;

/// Datagrams to send, side by side in one buffer of fixed size, so that equal-sized ones of one path leave with one
/// system call. Each driver thread keeps one and reuses it: nothing is allocated per datagram.
pub struct Outbox {
    buffer: Box<[u8]>,
    entries: Vec<Entry>,
    /// Where a decrypted packet lies while a stack reads it.
    pub(super) received: Box<[u8]>,
    /// Where a stack writes a packet before it is encrypted into its place.
    pub(super) packet: Box<[u8]>,
    /// Whose datagrams were put here last. Nobody else lets that peer send before these are gone: its datagrams would overtake
    /// each other.
    pub(super) holds: Option<Held>,
}

/// A peer whose datagrams wait to be sent. Letting go of it gives it its next turn.
pub(super) struct Held {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Arc<Peer>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.peer.queued.store(false, Ordering::Release);
        self.shared.with_state(&self.peer, |_| ());
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    path: Path,
    end: usize,
}

/// Neighbouring datagrams of one path: all of `segment_bytes` but the last, which may be shorter (the shape of UDP GSO).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    /// Where they go.
    pub path: Path,
    /// Length of each but the last, in bytes.
    pub segment_bytes: usize,
    /// All of them, side by side.
    pub bytes: &'a [u8],
}

impl Run<'_> {
    /// How many datagrams it holds.
    pub fn segments(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_bytes)
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox::new()
    }
}

impl Outbox {
    /// An empty outbox, with all the memory it will ever have.
    pub fn new() -> Outbox {
        Outbox {
            buffer: vec![0; OUTBOX_DATAGRAMS * DATAGRAM_BYTES].into(),
            entries: Vec::with_capacity(OUTBOX_DATAGRAMS),
            received: vec![0; DATAGRAM_BYTES].into(),
            packet: vec![0; DATAGRAM_BYTES].into(),
            holds: None,
        }
    }

    /// How many more datagrams fit, whatever their size.
    pub fn room(&self) -> usize {
        let by_bytes = (self.buffer.len() - self.used()) / DATAGRAM_BYTES;
        by_bytes.min(OUTBOX_DATAGRAMS - self.entries.len())
    }

    /// How many datagrams are waiting.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The waiting datagrams in order, as runs of at most `max_segments` datagrams and [`RUN_BYTES`].
    pub fn runs(&self, max_segments: usize) -> impl Iterator<Item = Run<'_>> {
        Runs { outbox: self, next: 0, max_segments: max_segments.max(1) }
    }

    /// Forgets the waiting datagrams: they are sent, and whose they were may send again.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.holds = None;
    }

    /// The place for the next datagram beside the packet to be encrypted into it, and beside the packet received;
    /// `None` when there is no room for a datagram of any size.
    pub(super) fn place(&mut self) -> Option<Place<'_>> {
        if self.room() == 0 {
            return None;
        }
        let start = self.used();
        let datagram = &mut self.buffer[start..start + DATAGRAM_BYTES];
        Some(Place { datagram, packet: &mut self.packet, received: &mut self.received })
    }

    /// Takes the `length` bytes written into the last place as a datagram to `path`.
    pub(super) fn commit(&mut self, path: Path, length: usize) {
        debug_assert!(length <= DATAGRAM_BYTES);
        self.entries.push(Entry { path, end: self.used() + length });
    }

    /// How much is waiting.
    pub(super) fn tally(&self) -> Tally {
        Tally { datagrams: self.len() as u64, bytes: self.used() as u64 }
    }

    fn used(&self) -> usize {
        self.entries.last().map_or(0, |entry| entry.end)
    }

    fn start_of(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.entries[index - 1].end }
    }
}

/// Datagrams and their bytes, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn of(datagram: &[u8]) -> Tally {
        Tally { datagrams: 1, bytes: datagram.len() as u64 }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.datagrams += more.datagrams;
        self.bytes += more.bytes;
    }
}

impl Sub for Tally {
    type Output = Tally;

    fn sub(self, before: Tally) -> Tally {
        Tally { datagrams: self.datagrams - before.datagrams, bytes: self.bytes - before.bytes }
    }
}

/// Room for one datagram, and the two packets it may be made from.
pub(super) struct Place<'a> {
    pub(super) datagram: &'a mut [u8],
    pub(super) packet: &'a mut [u8],
    pub(super) received: &'a mut [u8],
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("datagrams", &self.len()).field("bytes", &self.used()).finish_non_exhaustive()
    }
}

struct Runs<'a> {
    outbox: &'a Outbox,
    next: usize,
    max_segments: usize,
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Run<'a>> {
        let first = self.outbox.entries.get(self.next)?;
        let start = self.outbox.start_of(self.next);
        let segment_bytes = first.end - start;
        let mut end = first.end;
        let limit = self.outbox.entries.len().min(self.next.saturating_add(self.max_segments));
        self.next += 1;
        while self.next < limit {
            let entry = self.outbox.entries[self.next];
            let length = entry.end - end;
            if entry.path != first.path || length > segment_bytes || entry.end - start > RUN_BYTES {
                break;
            }
            self.next += 1;
            end = entry.end;
            // A shorter datagram can only be the last of a run.
            if length < segment_bytes {
                break;
            }
        }
        Some(Run { path: first.path, segment_bytes, bytes: &self.outbox.buffer[start..end] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path { remote: ([192, 0, 2, 1], port).into(), local: None }
    }

    fn push(outbox: &mut Outbox, port: u16, length: usize) {
        outbox.place().expect("room").datagram[..length].fill(length as u8);
        outbox.commit(path(port), length);
    }

    fn check(datagrams: &[(u16, usize)], max_segments: usize, expected: &[(u16, usize, usize)]) {
        let mut outbox = Outbox::new();
        datagrams.iter().for_each(|&(port, length)| push(&mut outbox, port, length));
        let runs: Vec<_> =
            outbox.runs(max_segments).map(|run| (run.path.remote.port(), run.segment_bytes, run.segments())).collect();
        assert_eq!(runs, expected, "{datagrams:?}");
        let bytes: usize = outbox.runs(max_segments).map(|run| run.bytes.len()).sum();
        assert_eq!(bytes, datagrams.iter().map(|(_, length)| length).sum::<usize>());
    }

    #[test]
    fn equal_neighbours_of_one_path_are_a_run() {
        check(&[], 64, &[]);
        check(&[(1, 100), (1, 100), (1, 100)], 64, &[(1, 100, 3)]);
        check(&[(1, 100), (1, 100), (1, 40), (1, 100)], 64, &[(1, 100, 3), (1, 100, 1)]);
        check(&[(1, 40), (1, 100)], 64, &[(1, 40, 1), (1, 100, 1)]);
        check(&[(1, 100), (2, 100), (1, 100)], 64, &[(1, 100, 1), (2, 100, 1), (1, 100, 1)]);
        check(&[(1, 100); 5], 2, &[(1, 100, 2), (1, 100, 2), (1, 100, 1)]);
        check(&[(1, 100); 2], 0, &[(1, 100, 1), (1, 100, 1)]);
    }

    #[test]
    fn a_run_fits_a_system_call() {
        let mut outbox = Outbox::new();
        while outbox.room() > 0 {
            push(&mut outbox, 1, 1312);
        }
        assert!(outbox.place().is_none());
        assert!(outbox.runs(usize::MAX).count() > 1);
        assert!(outbox.runs(usize::MAX).all(|run| run.bytes.len() <= RUN_BYTES));
        outbox.clear();
        assert!(outbox.is_empty() && outbox.room() > 0);
    }
}
