//! What was sent and not acknowledged: one entry per segment, in the order of the stream, each with when it was sent last and what is
//! known of it (RFC 6675 §3 calls it the scoreboard).

use std::collections::VecDeque;
use std::time::Instant;

use super::seq::Seq;

/// What is known of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// On its way, for all we know.
    Flying,
    /// The other end has it, ahead of its time (RFC 2018).
    Arrived,
    /// It did not arrive, and is to be sent again.
    Lost,
}

/// A segment that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) start: Seq,
    /// Sequence numbers it takes: bytes, and one for a FIN.
    pub(super) length: usize,
    /// When it was sent last.
    pub(super) at: Instant,
    /// Whether it was sent more than once.
    pub(super) again: bool,
    fate: Fate,
}

impl Sent {
    pub(super) fn end(&self) -> Seq {
        self.start + self.length
    }

    /// Whether it was sent after another (RFC 8985 §6.2, `RACK_sent_after`).
    pub(super) fn is_after(&self, (at, end): (Instant, Seq)) -> bool {
        self.at > at || (self.at == at && self.end() > end)
    }
}

/// The segments between the first unacknowledged byte and the next new one.
#[derive(Debug, Default)]
pub(super) struct Flight {
    segments: VecDeque<Sent>,
    flying_bytes: usize,
    arrived: usize,
    lost: usize,
    /// Before this one, none is lost.
    lost_from: usize,
    /// How many of those that may be on their way were sent again.
    again: usize,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Bytes on their way (RFC 6675 calls it the pipe).
    pub(super) fn flying_bytes(&self) -> usize {
        self.flying_bytes
    }

    /// How many segments arrived ahead of their time.
    pub(super) fn arrived(&self) -> usize {
        self.arrived
    }

    /// Whether segments may be overtaken: some arrived ahead of others, or were sent again.
    pub(super) fn is_disordered(&self) -> bool {
        self.arrived > 0 || self.again > 0
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// A new segment leaves.
    pub(super) fn sent(&mut self, now: Instant, start: Seq, length: usize) {
        self.flying_bytes += length;
        self.segments.push_back(Sent { start, length, at: now, again: false, fate: Fate::Flying });
    }

    /// The other end has everything before `una`: tells of every segment that it was not known to have.
    pub(super) fn acknowledge(&mut self, una: Seq, mut delivered: impl FnMut(&Sent)) {
        while let Some(first) = self.segments.front_mut() {
            if first.end() > una {
                // A part of it, perhaps: the other end may keep what fits its buffer.
                let part = una.since(first.start);
                first.start = first.start + part;
                first.length -= part;
                if first.fate == Fate::Flying {
                    self.flying_bytes -= part;
                }
                return;
            }
            let first = *first;
            self.segments.pop_front();
            self.lost_from = self.lost_from.saturating_sub(1);
            match first.fate {
                Fate::Flying => self.land(&first),
                Fate::Arrived => self.arrived -= 1,
                Fate::Lost => self.lost -= 1,
            }
            if first.fate != Fate::Arrived {
                delivered(&first);
            }
        }
    }

    /// The other end has everything from `left` to `right` (RFC 2018): tells of every segment that it was not known to have.
    pub(super) fn arrive(&mut self, left: Seq, right: Seq, mut delivered: impl FnMut(&Sent)) {
        let from = self.segments.partition_point(|sent| sent.start < left);
        for index in from..self.segments.len() {
            let sent = self.segments[index];
            if sent.end() > right {
                return;
            }
            match sent.fate {
                Fate::Arrived => continue,
                Fate::Flying => self.land(&sent),
                Fate::Lost => self.lost -= 1,
            }
            self.segments[index].fate = Fate::Arrived;
            self.arrived += 1;
            delivered(&sent);
        }
    }

    /// Takes those for lost of which `is_lost` says so, among those on their way; whether there were any.
    pub(super) fn lose(&mut self, mut is_lost: impl FnMut(&Sent) -> bool) -> bool {
        let before = self.lost;
        for index in 0..self.segments.len() {
            let sent = self.segments[index];
            if sent.fate == Fate::Flying && is_lost(&sent) {
                self.land(&sent);
                self.segments[index].fate = Fate::Lost;
                self.lost += 1;
                self.lost_from = self.lost_from.min(index);
            }
        }
        self.lost > before
    }

    /// The first lost segment.
    pub(super) fn first_lost(&mut self) -> Option<(Seq, usize)> {
        if self.lost == 0 {
            return None;
        }
        let behind = self.segments.range(self.lost_from.min(self.segments.len())..);
        self.lost_from += behind.take_while(|sent| sent.fate != Fate::Lost).count();
        self.segments.get(self.lost_from).map(|sent| (sent.start, sent.length))
    }

    /// The first segment.
    pub(super) fn first(&self) -> Option<&Sent> {
        self.segments.front()
    }

    /// The last segment.
    pub(super) fn last(&self) -> Option<&Sent> {
        self.segments.back()
    }

    /// The segment that starts here is sent again.
    pub(super) fn resent(&mut self, now: Instant, start: Seq) {
        let index = self.segments.partition_point(|sent| sent.start < start);
        let Some(sent) = self.segments.get_mut(index).filter(|sent| sent.start == start) else { return };
        match sent.fate {
            Fate::Arrived => return,
            Fate::Flying => self.again -= usize::from(sent.again),
            Fate::Lost => {
                self.lost -= 1;
                self.flying_bytes += sent.length;
            }
        }
        (sent.at, sent.again, sent.fate) = (now, true, Fate::Flying);
        self.again += 1;
        if self.lost == 0 {
            self.lost_from = usize::MAX;
        }
    }

    /// Gives its memory back when there is nothing in it.
    pub(super) fn rest(&mut self) {
        if self.segments.is_empty() {
            *self = Flight::default();
            self.lost_from = usize::MAX;
        }
    }

    /// A segment is on its way no longer.
    fn land(&mut self, sent: &Sent) {
        self.flying_bytes -= sent.length;
        self.again -= usize::from(sent.again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u32 = u32::MAX - 150;

    fn seq(offset: usize) -> Seq {
        Seq::new(START) + offset
    }

    /// Ten segments of 100 bytes.
    fn flight(now: Instant) -> Flight {
        let mut flight = Flight::default();
        (0..10).for_each(|number| flight.sent(now, seq(number * 100), 100));
        flight
    }

    #[test]
    fn every_segment_is_delivered_once_however_it_is_told() {
        let now = Instant::now();
        let mut flight = flight(now);
        let mut delivered = Vec::new();
        flight.arrive(seq(250), seq(550), |sent| delivered.push(sent.start.since(seq(0))));
        flight.arrive(seq(300), seq(600), |sent| delivered.push(sent.start.since(seq(0))));
        assert_eq!((delivered.as_slice(), flight.arrived(), flight.flying_bytes()), (&[300, 400, 500][..], 3, 700));
        flight.acknowledge(seq(450), |sent| delivered.push(sent.start.since(seq(0))));
        assert_eq!(delivered, [300, 400, 500, 0, 100, 200]);
        assert_eq!((flight.arrived(), flight.flying_bytes(), flight.len()), (2, 400, 6));
        flight.acknowledge(seq(1000), |sent| delivered.push(sent.start.since(seq(0))));
        assert_eq!((delivered.len(), flight.is_empty(), flight.flying_bytes()), (10, true, 0));
    }

    #[test]
    fn what_is_lost_is_sent_again_in_order() {
        let now = Instant::now();
        let mut flight = flight(now);
        assert!(flight.lose(|sent| [200, 500].contains(&sent.start.since(seq(0)))));
        assert!(!flight.lose(|_| false) && flight.has_lost());
        assert_eq!(flight.flying_bytes(), 800);
        assert_eq!(flight.first_lost(), Some((seq(200), 100)));
        flight.resent(now, seq(200));
        assert_eq!(flight.first_lost(), Some((seq(500), 100)));
        flight.arrive(seq(500), seq(600), |sent| assert!(!sent.again));
        assert_eq!((flight.first_lost(), flight.is_disordered()), (None, true));
        // Sent again, and lost again.
        assert!(flight.lose(|sent| sent.again));
        assert_eq!(flight.first_lost(), Some((seq(200), 100)));
        flight.acknowledge(seq(300), |_| {});
        assert!(!flight.has_lost());
        assert_eq!(flight.flying_bytes(), 600);
    }
}
