//! What an acknowledgement tells: what has arrived, what is lost, how much may follow.

use std::time::{Duration, Instant};

use super::{Ack, Sender};
use crate::stack::tcp::congestion::Acked;
use crate::stack::tcp::flight::Sent;
use crate::stack::tcp::recovery::{Kind, Proportion, Recovery};
use crate::stack::tcp::seq::Seq;

impl Sender {
    /// Takes what an acceptable segment says, also one that was overtaken; it acknowledges nothing that was not sent.
    pub(in crate::stack::tcp) fn acknowledged(&mut self, now: Instant, mut ack: Ack) {
        self.take_window(&ack);
        let flying_before = self.flight.flying_bytes();
        let (mut bytes, mut measured) = (0, None::<Duration>);
        let duplicate = self.duplicate(&ack);
        let repeats = ack.ack == self.una && ack.sack[0].is_none();
        ack.ack = ack.ack.max(self.una);
        {
            let Sender { flight, rack, rtt, .. } = self;
            let mut delivered = |sent: &Sent| {
                bytes += sent.length;
                if let Some(took) = rack.arrived(now, sent, rtt) {
                    measured = Some(measured.map_or(took, |other| other.min(took)));
                }
            };
            flight.acknowledge(ack.ack, &mut delivered);
            for (left, right) in ack.sack.into_iter().flatten().map(|(left, right)| (Seq::new(left), Seq::new(right))) {
                if left >= ack.ack && left < right && right <= self.next {
                    flight.arrive(left, right, &mut delivered);
                }
            }
        }
        if let Some(rtt) = measured {
            self.rtt.measured(now, rtt);
        }
        if duplicate.is_some() {
            self.rack.duplicate(ack.ack, self.next);
        }
        self.doubt(duplicate.unwrap_or(0));
        let advances = ack.ack > self.una;
        let answers_tail = repeats && bytes == 0;
        if advances {
            self.ring.drop_front(ack.ack.since(self.una).min(self.ring.len()));
            self.una = ack.ack;
            self.rtt.answered();
        }
        self.settle_tail(ack.ack, duplicate.is_some(), answers_tail);
        self.end_recovery();
        self.detect_losses(now, flying_before);
        self.adjust_window(now, bytes, measured, flying_before);
        if self.flight.is_empty() {
            (self.timeout_at, self.probe_at, self.reordering_at) = (None, None, None);
        } else if advances {
            self.timeout_at = Some(now + self.rtt.rto());
            self.schedule_probe(now);
        }
    }

    /// RFC 9293 §3.10.7.4: the newest segment says how far the window goes.
    fn take_window(&mut self, ack: &Ack) {
        let (seq, from) = self.window_from;
        if ack.seq > seq || (ack.seq == seq && ack.ack >= from) {
            self.window_from = (ack.seq, ack.ack);
            self.window_end = ack.ack + ack.window;
            self.window_most = self.window_most.max(ack.window);
            if self.window_end > self.next {
                (self.window_probe_at, self.window_probes) = (None, 0);
            }
        }
    }

    /// How many bytes came twice, if the first block tells of such (RFC 2883).
    fn duplicate(&self, ack: &Ack) -> Option<usize> {
        let block = |(left, right): (u32, u32)| (Seq::new(left), Seq::new(right));
        let (left, right) = ack.sack[0].map(block)?;
        let within = |(outer_left, outer_right): (Seq, Seq)| outer_left <= left && right <= outer_right;
        let tells = left < right && (right <= ack.ack || ack.sack[1].map(block).is_some_and(within));
        tells.then(|| right.since(left))
    }

    /// Where all that was sent again had arrived already, nothing was lost, only late: the window is as it was (RFC 3708; Linux does the
    /// same).
    fn doubt(&mut self, duplicate_bytes: usize) {
        let Some(doubtful) = &mut self.doubtful else { return };
        *doubtful = doubtful.saturating_sub(duplicate_bytes);
        if *doubtful == 0 && !self.flight.has_lost() {
            self.doubtful = None;
            self.recovery = None;
            self.congestion.undo();
        }
    }

    /// What the answer to a probe of the tail means (RFC 8985 §7.4).
    fn settle_tail(&mut self, ack: Seq, duplicate: bool, answers_probe: bool) {
        let Some(tail) = self.tail.filter(|tail| ack >= tail.end) else { return };
        if tail.again && !duplicate && !answers_probe {
            if ack == tail.end {
                // Of the first or of the second sending? The next answer tells.
                return;
            }
            // The probe made a loss good that nobody else has noticed.
            self.congestion.lost();
            self.congestion.recovered();
        }
        self.tail = None;
    }

    fn end_recovery(&mut self) {
        let Some(recovery) = self.recovery.take_if(|recovery| self.una >= recovery.until) else { return };
        self.rack.recovered();
        if let Kind::Losses(_) = recovery.kind {
            self.congestion.recovered();
        }
    }

    pub(super) fn detect_losses(&mut self, now: Instant, flying_before: usize) {
        let recovers = self.recovery.is_some();
        let (lost, look_again) = self.rack.detect(now, &mut self.flight, &self.rtt, recovers);
        self.reordering_at = look_again;
        if lost && !recovers {
            self.congestion.lost();
            let kind = Kind::Losses(Proportion::new(flying_before));
            self.recovery = Some(Recovery { until: self.next, kind });
            self.doubtful = Some(0);
            (self.probe_at, self.probe) = (None, false);
        }
    }

    pub(super) fn adjust_window(&mut self, now: Instant, bytes: usize, rtt: Option<Duration>, flying_before: usize) {
        match &mut self.recovery {
            Some(Recovery { kind: Kind::Losses(proportion), .. }) => {
                let threshold = self.congestion.threshold();
                let window = proportion.delivered(bytes, self.flight.flying_bytes(), threshold, self.segment);
                self.congestion.set_window(window);
            }
            _ if bytes > 0 => {
                let window = self.congestion.window();
                // Also where more waits for its time to leave.
                let waits = self.congestion.is_slow_start() || self.unsent() > 0;
                let is_limited = flying_before + self.segment > window || (waits && 2 * flying_before > window);
                let smoothed = self.rtt.smoothed().unwrap_or_default();
                let (una, next) = (self.una, self.next);
                self.congestion.acknowledged(now, Acked { bytes, una, next, rtt, smoothed, is_limited });
            }
            _ => {}
        }
    }
}
