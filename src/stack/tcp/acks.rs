//! When what was received is acknowledged.
//!
//! With every second full-sized segment at the latest, says RFC 9293 (§3.8.6.3), and so a stream begins. But where segments come one by one, as from
//! clients without the kernel's offloads, an acknowledgement costs more than they do: here, on the air, and at the other end. Kernels answer with one what their
//! network card has put together, up to 64 KiB. Here, once 4 MiB have come in order, each may cover one segment more than the last, within 64 KiB, a third
//! of the window, and a millisecond.
//!
//! What the other end has to act on is told at once, and undoes that. What it has pushed is told at once: it may have nothing to send until it hears of
//! us. Should it fall silent all the same while it is owed an acknowledgement, then perhaps because it waits for that one, and the next covers half.

use std::time::{Duration, Instant};

/// How long one waits for an answer to travel with (RFC 9293 §3.8.6.3 allows 500 ms).
const ANSWER_DELAY: Duration = Duration::from_millis(40);
/// How long one waits while more keeps coming.
const STREAM_DELAY: Duration = Duration::from_millis(1);
/// How long one waits for more that does not come. A stream that flows never waits so long; each time the clock is set costs more than a segment.
const SILENCE: Duration = Duration::from_millis(10);
/// Segments that one may cover at first.
const SEGMENTS_LEAST: usize = 2;
/// Bytes that one may cover at most.
const BYTES_MOST: usize = 64 << 10;

/// Bytes in order before one may cover more. On a network that loses one packet in a thousand there are seldom so many, and a window that is small
/// for its losses needs every acknowledgement.
const CALM_BYTES: usize = 4 << 20;

/// An acknowledgement that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Nothing,
    By(Instant),
    Now,
}

#[derive(Debug)]
pub(super) struct Acks {
    owed: Owed,
    /// Bytes in order that are not acknowledged, and since when there are any.
    waiting: usize,
    since: Instant,
    /// Length of the longest segment.
    segment: usize,
    /// Bytes that came in order since the last that did not.
    calm: usize,
    /// Segments that the next one may cover.
    stretch: usize,
}

impl Acks {
    pub(super) fn new(now: Instant) -> Acks {
        Acks { owed: Owed::Nothing, waiting: 0, since: now, segment: 0, calm: 0, stretch: SEGMENTS_LEAST }
    }

    /// Length of the longest segment that came, in bytes.
    pub(super) fn segment(&self) -> usize {
        self.segment
    }

    /// A segment came in order. `window` is how much more the other end may send without hearing of us, in bytes.
    pub(super) fn in_order(&mut self, now: Instant, bytes: usize, window: usize) {
        if self.waiting == 0 {
            self.since = now;
        }
        self.waiting += bytes;
        self.calm = self.calm.saturating_add(bytes);
        self.segment = self.segment.max(bytes);
        if self.owed == Owed::Now {
            return;
        }
        self.owed = if !self.is_due() {
            match self.owed {
                Owed::Nothing => Owed::By(now + ANSWER_DELAY),
                owed => owed,
            }
        } else if self.waiting >= (self.stretch * self.segment).min(window / 2) {
            if self.calm >= CALM_BYTES {
                self.stretch = (self.stretch + 1).min(BYTES_MOST / self.segment).max(SEGMENTS_LEAST);
            }
            Owed::Now
        } else if now.duration_since(self.since) >= STREAM_DELAY {
            Owed::Now
        } else {
            Owed::By(self.since + SILENCE)
        };
    }

    /// The other end has sent all it had.
    pub(super) fn pushed(&mut self) {
        if self.is_due() {
            self.owed = Owed::Now;
        }
    }

    /// Something came twice, early or late, or found no room: the other end should know at once.
    pub(super) fn disturbed(&mut self) {
        (self.calm, self.stretch) = (0, SEGMENTS_LEAST);
        self.owed = Owed::Now;
    }

    /// One is to be sent at once.
    pub(super) fn owe(&mut self) {
        self.owed = Owed::Now;
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.owed, Owed::By(at) if at <= now) {
            self.owed = Owed::Now;
            if self.is_due() {
                self.stretch = (self.waiting / self.segment / 2).max(SEGMENTS_LEAST);
            }
        }
    }

    pub(super) fn owes_now(&self, now: Instant) -> bool {
        match self.owed {
            Owed::Nothing => false,
            Owed::By(at) => at <= now,
            Owed::Now => true,
        }
    }

    /// When one is owed; `None` for none or for at once.
    pub(super) fn owes_at(&self) -> Option<Instant> {
        match self.owed {
            Owed::By(at) => Some(at),
            Owed::Nothing | Owed::Now => None,
        }
    }

    /// One has gone out.
    pub(super) fn sent(&mut self) {
        (self.owed, self.waiting) = (Owed::Nothing, 0);
    }

    /// Whether the RFC would have one sent.
    fn is_due(&self) -> bool {
        self.segment > 0 && self.waiting >= SEGMENTS_LEAST * self.segment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: usize = 1368;
    const WINDOW: usize = 2 << 20;

    /// Takes so many segments, each so long after the last; how many each acknowledgement covers.
    fn flow(acks: &mut Acks, now: &mut Instant, segments: usize, apart: Duration, window: usize) -> Vec<usize> {
        let mut covered = vec![0];
        for _ in 0..segments {
            *now += apart;
            acks.in_order(*now, SEGMENT, window);
            *covered.last_mut().unwrap() += 1;
            if acks.owes_now(*now) {
                acks.sent();
                covered.push(0);
            }
        }
        covered.pop();
        covered
    }

    /// Of a stream that has been undisturbed for long.
    fn calm(apart: Duration, window: usize) -> (Acks, Instant, usize) {
        let mut now = Instant::now();
        let mut acks = Acks::new(now);
        flow(&mut acks, &mut now, 8000, Duration::from_micros(1), WINDOW);
        let covered = flow(&mut acks, &mut now, 1000, apart, window);
        (acks, now, covered[covered.len() - 1])
    }

    #[test]
    fn a_stream_begins_with_an_acknowledgement_for_every_second_segment() {
        let mut now = Instant::now();
        let covered = flow(&mut Acks::new(now), &mut now, 1000, Duration::from_micros(10), WINDOW);
        assert_eq!(covered, [2; 500]);
    }

    #[test]
    fn one_covers_64_kib_a_third_of_the_window_or_a_millisecond_at_most() {
        let micros = Duration::from_micros;
        assert_eq!(calm(micros(1), WINDOW).2, 64 * 1024 / SEGMENT);
        // What waits is half of what is left of the window.
        assert_eq!(calm(micros(1), 12 * SEGMENT).2, 6);
        assert_eq!(calm(micros(1), SEGMENT).2, 2);
        assert_eq!(calm(micros(250), WINDOW).2, 5);
        assert_eq!(calm(micros(900), WINDOW).2, 3);
        assert_eq!(calm(micros(1500), WINDOW).2, 2);
    }

    #[test]
    fn what_is_out_of_order_is_told_at_once_and_so_is_what_follows_it() {
        let (mut acks, mut now, _) = calm(Duration::from_micros(1), WINDOW);
        acks.disturbed();
        assert!(acks.owes_now(now));
        acks.sent();
        assert_eq!(flow(&mut acks, &mut now, 1000, Duration::from_micros(1), WINDOW), [2; 500]);
    }

    #[test]
    fn what_was_pushed_is_told_at_once_but_for_a_single_segment() {
        let (mut acks, now, _) = calm(Duration::from_micros(1), WINDOW);
        acks.sent();
        for (segments, expected) in [(1, false), (2, true)] {
            acks.in_order(now, SEGMENT, WINDOW);
            acks.pushed();
            assert_eq!(acks.owes_now(now), expected, "{segments}");
        }
    }

    #[test]
    fn after_a_silence_one_covers_half_of_what_waited() {
        let (mut acks, mut now, _) = calm(Duration::from_micros(1), WINDOW);
        acks.sent();
        assert_eq!(flow(&mut acks, &mut now, 20, Duration::from_micros(1), WINDOW).len(), 0);
        let due = acks.owes_at().expect("it is owed");
        assert!(due - now <= SILENCE);
        acks.handle_timeout(due);
        assert!(acks.owes_now(due));
        acks.sent();
        now = due;
        assert_eq!(flow(&mut acks, &mut now, 33, Duration::from_micros(1), WINDOW), [10, 11, 12]);
    }

    #[test]
    fn a_single_segment_waits_for_an_answer_to_travel_with() {
        let now = Instant::now();
        let mut acks = Acks::new(now);
        acks.in_order(now, 100, WINDOW);
        assert_eq!((acks.owes_now(now), acks.owes_at()), (false, Some(now + ANSWER_DELAY)));
    }
}
