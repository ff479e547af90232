//! The receiving half of a connection: segments go in, bytes in order come out, and what is to be acknowledged.

use std::time::{Duration, Instant};

use smoltcp::wire::TcpControl;

use super::acks::Acks;
use super::memory::Memory;
use super::ring::Ring;
use super::seq::Seq;
use crate::limits::{EARLY_RANGES, RECEIVE_WINDOW_BYTES, RECEIVE_WINDOW_MOST_BYTES, RING_LEAST_BYTES};

#[derive(Debug)]
pub(super) struct Receiver {
    /// What is in order and not read; behind it, what came early.
    ring: Ring,
    next: Seq,
    /// What came early, in order.
    early: Vec<(Seq, Seq)>,
    /// Something within each of those that grew last, the latest first: as the other end wants to hear of them (RFC 2018 §4).
    latest: [Seq; 3],
    /// What came twice, to be told once (RFC 2883).
    duplicate: Option<(Seq, Seq)>,
    fin: Option<Seq>,
    finished: bool,
    /// Up to where the other end may send. Never taken back.
    end: Seq,
    /// Bytes that may wait to be read.
    limit: usize,
    scale: u8,
    acks: Acks,
    /// From where, and since when, it is measured how fast bytes come.
    mark: (Seq, Instant),
}

impl Receiver {
    /// Nothing received yet; `next` is the number of the first byte.
    pub(super) fn new(now: Instant, next: Seq, scale: u8, memory: &Memory) -> Receiver {
        let limit = if memory.is_ample() { RECEIVE_WINDOW_BYTES } else { RING_LEAST_BYTES };
        Receiver {
            ring: Ring::default(),
            next,
            early: Vec::new(),
            latest: [next; 3],
            duplicate: None,
            fin: None,
            finished: false,
            end: next + limit,
            limit,
            scale,
            acks: Acks::new(now),
            mark: (next, now),
        }
    }

    /// The next number that is expected.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// Up to where the other end may send.
    pub(super) fn end(&self) -> Seq {
        self.end
    }

    /// Bytes that can be read.
    pub(super) fn readable(&self) -> usize {
        self.ring.len()
    }

    /// Whether the other end's stream has come to its end; what can be read is all there will be.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// A segment came of which nothing is new, or nothing is wanted: the other end should know what we have.
    pub(super) fn repeated(&mut self, start: Seq, bytes: usize) {
        self.acks.disturbed();
        let end = start + bytes;
        if bytes > 0 && end <= self.next {
            self.note_duplicate(start, end);
        }
    }

    /// Takes a segment's bytes, and what its flags say. `rtt` is how long a round trip takes, if that is known.
    pub(super) fn take(
        &mut self,
        now: Instant,
        start: Seq,
        bytes: &[u8],
        control: TcpControl,
        rtt: Option<Duration>,
        memory: &mut Memory,
    ) {
        let (end, fin) = (start + bytes.len(), control == TcpControl::Fin);
        if start < self.next && !bytes.is_empty() {
            self.note_duplicate(start, end.min(self.next));
            self.acks.disturbed();
        }
        if fin && end <= self.end && end >= self.next && !self.finished {
            self.fin.get_or_insert(end);
        }
        let (from, until) = (start.max(self.next), end.min(self.end).min(self.fin.unwrap_or(end)));
        if from < until && !self.finished {
            self.store(now, from, &bytes[from.since(start)..until.since(start)], memory);
            self.tune(now, rtt, memory);
            if control == TcpControl::Psh {
                self.acks.pushed();
            }
        }
        if self.fin == Some(self.next) && !self.finished {
            self.finished = true;
            self.next = self.next + 1;
            self.acks.owe();
        }
        if fin && start <= self.next {
            self.acks.owe();
        }
    }

    fn store(&mut self, now: Instant, from: Seq, bytes: &[u8], memory: &mut Memory) {
        let offset = self.ring.len() + from.since(self.next);
        memory.grow(&mut self.ring, offset + bytes.len(), self.limit);
        let fitting = bytes.len().min(self.ring.capacity().saturating_sub(offset));
        let (bytes, until) = (&bytes[..fitting], from + fitting);
        if from > self.next {
            // It is out of order, or the memory is at its end: either way the other end should know what we have.
            self.acks.disturbed();
            if self.note_early(from, until) {
                self.ring.put(offset, bytes);
            }
            return;
        }
        self.ring.put(offset, bytes);
        self.proceed(until);
        let filled_a_gap = !self.early.is_empty();
        self.take_in_early();
        self.acks.in_order(now, bytes.len(), self.end.since(self.next));
        if filled_a_gap || fitting == 0 {
            self.acks.disturbed();
        }
    }

    fn proceed(&mut self, until: Seq) {
        self.ring.advance(until.since(self.next));
        self.next = until;
    }

    /// Remembers that these have come; false where they are nothing new, or the holes are too many.
    fn note_early(&mut self, from: Seq, until: Seq) -> bool {
        if from >= until {
            return false;
        }
        // Those that touch: from the first that ends no earlier than we begin, to the last that begins no later than we end.
        let first = self.early.partition_point(|(_, right)| *right < from);
        let last = self.early.partition_point(|(left, _)| *left <= until);
        if first == last && self.early.len() >= EARLY_RANGES {
            return false;
        }
        self.latest = match self.latest {
            [one, two, _] if !self.is_together(one, from) => [from, one, two],
            [_, two, three] => [from, two, three],
        };
        let (mut left, mut right) = (from, until);
        if let [(start, end), ..] = self.early[first..last] {
            if start <= from && until <= end {
                self.note_duplicate(from, until);
                return false;
            }
            (left, right) = (left.min(start), right.max(self.early[last - 1].1));
        }
        self.early.splice(first..last, [(left, right)]);
        true
    }

    /// What came early together with this one.
    fn range_of(&self, seq: Seq) -> Option<(Seq, Seq)> {
        let index = self.early.partition_point(|(_, right)| *right <= seq);
        self.early.get(index).copied().filter(|(left, _)| *left <= seq)
    }

    fn is_together(&self, one: Seq, other: Seq) -> bool {
        self.range_of(one).is_some_and(|(left, right)| left <= other && other <= right)
    }

    /// Remembers that these have come twice, together with their neighbours that did since the last acknowledgement.
    fn note_duplicate(&mut self, left: Seq, right: Seq) {
        self.duplicate = Some(match self.duplicate {
            Some((from, until)) if from <= right && left <= until => (from.min(left), until.max(right)),
            _ => (left, right),
        });
    }

    /// What came early and is in order now.
    fn take_in_early(&mut self) {
        let count = self.early.partition_point(|(left, _)| *left <= self.next);
        let until = self.early.drain(..count).next_back().map(|(_, right)| right);
        if let Some(until) = until.filter(|until| *until > self.next) {
            self.proceed(until);
            // It may have reached the next.
            self.take_in_early();
        }
    }

    /// Lets the window grow where it, and not the other end, is what holds the stream back: half of it came within a round trip or two.
    fn tune(&mut self, now: Instant, rtt: Option<Duration>, memory: &Memory) {
        let (from, since) = self.mark;
        if self.next.since(from) < self.limit / 2 {
            return;
        }
        self.mark = (self.next, now);
        let is_fast = rtt.is_some_and(|rtt| now.duration_since(since) <= 2 * rtt);
        let is_read = self.ring.len() < self.limit / 2;
        if is_fast && is_read && memory.is_ample() {
            let most = RECEIVE_WINDOW_MOST_BYTES.min(65_535 << self.scale);
            // Never less: what was offered holds.
            self.limit = self.limit.max((2 * self.limit).min(most));
        }
    }

    /// Hands over up to `room` bytes; how many that are.
    pub(super) fn read(&mut self, room: usize, take: impl FnMut(&[u8])) -> usize {
        let read = self.ring.read(room, take);
        self.offer(read);
        read
    }

    /// Drops what can be read; how many bytes.
    pub(super) fn discard(&mut self) -> usize {
        let length = self.ring.len();
        self.ring.drop_front(length);
        self.offer(length);
        length
    }

    /// So many bytes have been read: tells the other end when it can send twice as much as it believes (RFC 9293 §3.8.6.2.2).
    fn offer(&mut self, read: usize) {
        let (offered, possible) = (self.end.since(self.next), self.limit - self.ring.len().min(self.limit));
        if read > 0 && !self.finished && possible >= 2 * offered && possible - offered >= self.step() {
            self.acks.owe();
        }
    }

    /// The window in the units of its field, as it is told from now on; that of a SYN is not scaled.
    pub(super) fn advertise(&mut self, scaled: bool) -> u16 {
        let possible = self.next + (self.limit - self.ring.len().min(self.limit));
        if possible.since(self.end) >= self.step() {
            self.end = possible;
        }
        let scale = if scaled { self.scale } else { 0 };
        (self.end.since(self.next) >> scale).min(usize::from(u16::MAX)) as u16
    }

    /// What came twice or early, for the acknowledgement that goes out now.
    pub(super) fn blocks(&self) -> [Option<(u32, u32)>; 3] {
        let mut blocks = [None; 3];
        if self.early.is_empty() && self.duplicate.is_none() {
            return blocks;
        }
        let early = self.latest.iter().filter_map(|seq| self.range_of(*seq));
        let mut count = 0;
        for (left, right) in self.duplicate.into_iter().chain(early) {
            let block = Some((left.number(), right.number()));
            if count < blocks.len() && !blocks.contains(&block) {
                blocks[count] = block;
                count += 1;
            }
        }
        blocks
    }

    /// What is owed to the other end.
    pub(super) fn acks(&self) -> &Acks {
        &self.acks
    }

    /// The same, to be changed.
    pub(super) fn acks_mut(&mut self) -> &mut Acks {
        &mut self.acks
    }

    /// An acknowledgement has gone out.
    pub(super) fn acknowledged(&mut self) {
        self.acks.sent();
        self.duplicate = None;
    }

    /// Gives memory back that nothing is in.
    pub(super) fn rest(&mut self, memory: &mut Memory) {
        if self.ring.is_empty() && self.early.is_empty() {
            self.early = Vec::new();
            memory.release(&mut self.ring);
        }
    }

    /// The least by which a window is worth growing (RFC 9293 §3.8.6.2.2).
    fn step(&self) -> usize {
        (self.limit / 2).min(self.acks.segment().max(536))
    }
}
