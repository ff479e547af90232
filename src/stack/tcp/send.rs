//! The sending half of a connection: bytes and acknowledgements (`ack`) go in, what is to be sent next comes out.
//!
//! Losses are found by time ([`Rack`]), a lost tail by a probe (TLP, RFC 8985 §7), and only what neither finds by the retransmission
//! timeout (RFC 6298). How much may be under way is [`Congestion`]'s to say, and the other end's window.

mod ack;

use std::time::{Duration, Instant};

use super::congestion::Congestion;
use super::flight::Flight;
use super::memory::Memory;
use super::pace::Pace;
use super::rack::Rack;
use super::recovery::{Kind, Recovery};
use super::ring::Ring;
use super::rtt::Rtt;
use super::seq::Seq;
use crate::limits::{FLIGHT_SEGMENTS, SEND_RING_BYTES, SEND_RING_MOST_BYTES};

/// How long the other end may hold an acknowledgement back (RFC 8985 §7.2, `TLP.max_ack_delay`).
const ACK_DELAY: Duration = Duration::from_millis(200);
/// Least wait for a probe of the tail: below, a busy client's scheduling looks like a loss.
const PROBE_MIN: Duration = Duration::from_millis(10);
/// Before anything was measured (RFC 8985 §7.2).
const PROBE_INITIAL: Duration = Duration::from_secs(1);

/// What is to be sent: bytes of the stream, and perhaps its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: Seq,
    /// Bytes, the FIN not counted.
    pub(super) length: usize,
    pub(super) fin: bool,
    /// Nothing is left behind it for now.
    pub(super) push: bool,
}

/// What an acceptable segment says of what we have sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ack {
    /// The segment's own number.
    pub(super) seq: Seq,
    pub(super) ack: Seq,
    /// Scaled, in bytes.
    pub(super) window: usize,
    pub(super) sack: [Option<(u32, u32)>; 3],
}

/// The probe of a tail that is under way.
#[derive(Debug, Clone, Copy)]
struct Tail {
    end: Seq,
    /// Whether it repeated something.
    again: bool,
}

#[derive(Debug)]
pub(super) struct Sender {
    /// From the first unacknowledged byte on.
    ring: Ring,
    una: Seq,
    next: Seq,
    /// A FIN follows what is in the ring.
    closing: bool,
    fin_sent: bool,
    segment: usize,
    flight: Flight,
    rtt: Rtt,
    rack: Rack,
    congestion: Congestion,
    pace: Pace,
    recovery: Option<Recovery>,
    /// Bytes sent again since the last loss that the other end may yet tell it had already.
    doubtful: Option<usize>,
    window_end: Seq,
    window_most: usize,
    /// The segment that the window was taken from (RFC 9293's WL1 and WL2).
    window_from: (Seq, Seq),
    tail: Option<Tail>,
    /// A probe of the tail is to be sent, whatever the congestion window says.
    probe: bool,
    /// A probe of a closed window is to be sent.
    window_probe: bool,
    last_sent: Instant,
    timeout_at: Option<Instant>,
    probe_at: Option<Instant>,
    reordering_at: Option<Instant>,
    window_probe_at: Option<Instant>,
    paced_at: Option<Instant>,
    window_probes: u32,
}

impl Sender {
    /// Nothing sent yet; `first` is the number of the first byte, `segment` the largest number of bytes in a segment.
    pub(super) fn new(now: Instant, first: Seq, segment: usize) -> Sender {
        Sender {
            ring: Ring::default(),
            una: first,
            next: first,
            closing: false,
            fin_sent: false,
            segment,
            flight: Flight::default(),
            rtt: Rtt::new(),
            rack: Rack::new(),
            congestion: Congestion::new(segment),
            pace: Pace::new(now),
            recovery: None,
            doubtful: None,
            window_end: first,
            window_most: 0,
            window_from: (Seq::new(0), first),
            tail: None,
            probe: false,
            window_probe: false,
            last_sent: now,
            timeout_at: None,
            probe_at: None,
            reordering_at: None,
            window_probe_at: None,
            paced_at: None,
            window_probes: 0,
        }
    }

    /// The handshake is done: what its last segment said of the window, the segment size agreed on, and the round trip it measured.
    pub(super) fn open(&mut self, now: Instant, seq: Seq, window: usize, segment: usize, rtt: Option<Duration>) {
        self.segment = segment;
        self.congestion = Congestion::new(segment);
        (self.window_end, self.window_most, self.window_from) = (self.una + window, window, (seq, self.una));
        if let Some(rtt) = rtt {
            self.rtt.measured(now, rtt);
        }
    }

    /// The first number that is not acknowledged.
    pub(super) fn una(&self) -> Seq {
        self.una
    }

    /// The next number to be sent.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// Bytes that wait to be sent or acknowledged.
    pub(super) fn queued(&self) -> usize {
        self.ring.len()
    }

    /// How long a round trip takes.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// Whether our end of the stream was acknowledged, hence everything before it.
    pub(super) fn is_finished(&self) -> bool {
        self.fin_sent && self.una == self.next
    }

    /// Bytes that wait to be sent for the first time.
    fn unsent(&self) -> usize {
        (self.una + self.ring.len()).since(self.next)
    }

    /// Bytes that may be written: twice what may be under way, so that the next are there when the first are acknowledged.
    fn room(&self) -> usize {
        let most = SEND_RING_MOST_BYTES.min(FLIGHT_SEGMENTS * self.segment);
        let most = (2 * self.congestion.window()).clamp(SEND_RING_BYTES, most);
        if self.closing { 0 } else { most.saturating_sub(self.ring.len()) }
    }

    /// Whether a writer that found no room should try again: not for every few bytes.
    pub(super) fn has_ample_room(&self) -> bool {
        self.room() >= SEND_RING_BYTES / 4
    }

    /// Takes as many bytes as there is room and memory for.
    pub(super) fn write(&mut self, bytes: &[u8], memory: &mut Memory) -> usize {
        let fitting = bytes.len().min(self.room());
        let wanted = self.ring.len() + fitting;
        memory.grow(&mut self.ring, wanted, SEND_RING_MOST_BYTES);
        self.ring.append(&bytes[..fitting])
    }

    /// The stream ends with what was written.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Gives memory back that nothing is in.
    pub(super) fn rest(&mut self, memory: &mut Memory) {
        self.flight.rest();
        if self.ring.is_empty() {
            memory.release(&mut self.ring);
        }
    }

    /// Copies bytes of the stream that are not acknowledged yet.
    pub(super) fn copy(&self, start: Seq, out: &mut [u8]) {
        self.ring.copy(start.since(self.una), out);
    }

    /// What is to be sent now, in at most `room` bytes. It is taken for sent.
    pub(super) fn poll(&mut self, now: Instant, room: usize) -> Option<Piece> {
        let piece = self.poll_lost(now).or_else(|| self.poll_new(now, room)).or_else(|| self.poll_tail(now))?;
        self.last_sent = now;
        let bytes = piece.length + usize::from(piece.fin);
        self.pace.leave(bytes);
        if let Some(Recovery { kind: Kind::Losses(proportion), .. }) = &mut self.recovery {
            proportion.sent(bytes);
        }
        self.timeout_at.get_or_insert(now + self.rtt.rto());
        Some(piece)
    }

    /// Whether `poll` or a probe of the window may have something.
    pub(super) fn has_work(&self) -> bool {
        let has_new = self.unsent() > 0 || (self.closing && !self.fin_sent);
        has_new || self.flight.has_lost() || self.probe || self.window_probe
    }

    /// Whether the other end is to be asked for its window: by a segment that it must answer. Asked once.
    pub(super) fn take_window_probe(&mut self) -> bool {
        std::mem::take(&mut self.window_probe)
    }

    fn poll_lost(&mut self, now: Instant) -> Option<Piece> {
        let (start, length) = self.flight.first_lost()?;
        let flying = self.flight.flying_bytes();
        if flying > 0 && (flying + length > self.congestion.window() || self.is_held(now)) {
            return None;
        }
        self.flight.resent(now, start);
        if let Some(doubtful) = &mut self.doubtful {
            *doubtful += length;
        }
        Some(self.piece(start, length))
    }

    fn poll_new(&mut self, now: Instant, room: usize) -> Option<Piece> {
        if self.flight.has_lost() {
            return None;
        }
        let unsent = self.unsent();
        let ends = self.closing && !self.fin_sent;
        if unsent == 0 && !ends {
            return None;
        }
        let allowed = self.window_end.since(self.next);
        let wanted = unsent.min(room.min(self.segment));
        // Small pieces of a small window are waited with (RFC 9293 §3.8.6.2.1).
        let length = match allowed {
            _ if allowed >= wanted.max(1) => wanted,
            1.. if 2 * allowed >= self.window_most => allowed,
            _ => {
                if self.flight.is_empty() {
                    self.window_probe_at.get_or_insert(now + self.rtt.rto());
                }
                return None;
            }
        };
        if self.flight.is_empty() && now.duration_since(self.last_sent) > self.rtt.rto() {
            self.congestion.rested();
        }
        let flying = self.flight.flying_bytes();
        let fin = ends && length == unsent && allowed > length;
        if length == 0 && !fin {
            return None;
        }
        if flying > 0 && !self.probe && (flying + length > self.congestion.window() || self.is_held(now)) {
            return None;
        }
        let start = self.next;
        let numbers = length + usize::from(fin);
        self.flight.sent(now, start, numbers);
        self.next = start + numbers;
        self.fin_sent |= fin;
        self.window_probe_at = None;
        if std::mem::take(&mut self.probe) {
            self.tail = Some(Tail { end: self.next, again: false });
        }
        self.schedule_probe(now);
        Some(Piece { start, length, fin, push: length == unsent })
    }

    /// Whether the next segment has to wait for its time.
    fn is_held(&mut self, now: Instant) -> bool {
        let Some(round_trip) = self.rtt.smoothed() else { return false };
        self.paced_at = self.pace.held_until(now, self.congestion.rate(round_trip), self.segment);
        self.paced_at.is_some()
    }

    /// The tail again, where there is nothing new to probe with.
    fn poll_tail(&mut self, now: Instant) -> Option<Piece> {
        if !std::mem::take(&mut self.probe) {
            return None;
        }
        let (start, length) = self.flight.last().map(|sent| (sent.start, sent.length))?;
        self.flight.resent(now, start);
        self.tail = Some(Tail { end: self.next, again: true });
        Some(self.piece(start, length))
    }

    fn piece(&self, start: Seq, length: usize) -> Piece {
        let fin = self.fin_sent && start + length == self.next;
        let length = length - usize::from(fin);
        Piece { start, length, fin, push: start + length == self.una + self.ring.len() }
    }

    /// A tail that is lost tells of itself by no later arrival: it is asked for before the timeout (RFC 8985 §7.2).
    fn schedule_probe(&mut self, now: Instant) {
        if self.recovery.is_some() || self.tail.is_some() {
            return;
        }
        let wait = match self.rtt.smoothed() {
            None => PROBE_INITIAL,
            Some(rtt) if self.flight.len() == 1 => 2 * rtt + ACK_DELAY,
            Some(rtt) => (2 * rtt).max(PROBE_MIN),
        };
        let at = now + wait;
        self.probe_at = Some(at).filter(|at| self.timeout_at.is_none_or(|timeout| *at < timeout));
    }

    /// When `handle_timeout` is wanted.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let timers = [self.timeout_at, self.probe_at, self.reordering_at, self.window_probe_at, self.paced_at];
        timers.into_iter().flatten().min()
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let due = |at: &mut Instant| *at <= now;
        self.paced_at.take_if(due);
        if self.reordering_at.take_if(due).is_some() {
            let flying = self.flight.flying_bytes();
            self.detect_losses(now, flying);
            self.adjust_window(now, 0, None, flying);
        }
        if self.probe_at.take_if(due).is_some() && !self.flight.is_empty() {
            self.probe = true;
            self.timeout_at = Some(now + self.rtt.rto());
        }
        if self.timeout_at.take_if(due).is_some() {
            // It is the first segment that is waited for, since it was sent last.
            self.timeout_at = self.flight.first().map(|first| first.at + self.rtt.rto());
            if self.timeout_at.take_if(due).is_some() {
                self.time_out(now);
            }
        }
        if self.window_probe_at.take_if(due).is_some() {
            self.window_probe = true;
            self.window_probes += 1;
            let wait = self.rtt.rto().saturating_mul(1 << self.window_probes.min(8)).min(WINDOW_PROBE_MAX);
            self.window_probe_at = Some(now + wait);
        }
    }

    /// The other end can be reached again: whatever was given up as lost is sent again now, not when the wait is over.
    pub(super) fn nudge(&mut self, now: Instant) {
        if self.rtt.is_backed_off() && !self.flight.is_empty() {
            self.rtt.answered();
            self.flight.lose(|_| true);
            self.timeout_at = Some(now + self.rtt.rto());
        }
        if self.window_probes > 0 {
            self.window_probes = 0;
            self.window_probe = true;
        }
    }

    fn time_out(&mut self, now: Instant) {
        self.congestion.timed_out(self.recovery.is_none());
        self.doubtful = self.recovery.is_none().then_some(0);
        self.recovery = Some(Recovery { until: self.next, kind: Kind::Timeout });
        self.flight.lose(|_| true);
        self.rtt.back_off();
        (self.probe_at, self.reordering_at, self.tail, self.probe) = (None, None, None, false);
        self.timeout_at = Some(now + self.rtt.rto());
    }
}

/// Most time between two questions for a closed window.
const WINDOW_PROBE_MAX: Duration = Duration::from_secs(60);
