//! What a segment does to a connection (RFC 9293 §3.10.7).

use std::time::{Duration, Instant};

use smoltcp::wire::{TcpControl, TcpRepr};

use super::receive::Receiver;
use super::send::Ack;
use super::{Ending, Phase, SCALE, Seq, Tcb, Verdict};
use crate::limits::{CHALLENGE_MILLIS, SEGMENT_LEAST_BYTES, TIME_WAIT_SECS};

impl Tcb {
    /// Takes a segment (RFC 9293 §3.10.7).
    pub(in crate::stack) fn handle(&mut self, now: Instant, segment: &TcpRepr<'_>) -> Verdict {
        match self.phase {
            Phase::SynSent => self.handle_in_syn_sent(now, segment),
            Phase::SynReceived | Phase::Open | Phase::TimeWait { .. } => self.handle_synchronized(now, segment),
            Phase::Aborting(_) | Phase::Closed(_) => Verdict::Taken,
        }
    }

    fn handle_in_syn_sent(&mut self, now: Instant, segment: &TcpRepr<'_>) -> Verdict {
        let acknowledges = segment.ack_number.map(Seq::from);
        match (segment.control, acknowledges) {
            (TcpControl::Rst, Some(ack)) if ack == self.send.una() => self.phase = Phase::Closed(Ending::Reset),
            (TcpControl::Rst, _) => {}
            (_, Some(ack)) if ack != self.send.una() => return Verdict::Stray,
            (TcpControl::Syn, Some(_)) => {
                self.learn(segment);
                self.heard = now;
                self.open(now, segment);
                self.receive.acks_mut().owe();
            }
            _ => {}
        }
        Verdict::Taken
    }

    /// The other end has our SYN.
    fn open(&mut self, now: Instant, segment: &TcpRepr<'_>) {
        self.phase = Phase::Open;
        (self.active, self.asked) = (now, now);
        let rtt = self.syn.sent_at.filter(|_| self.syn.times == 1).map(|sent| now.duration_since(sent));
        // The window of a SYN is not scaled (RFC 7323 §2.2).
        let is_syn = segment.control == TcpControl::Syn;
        let window = usize::from(segment.window_len) << if is_syn { 0 } else { self.their_scale };
        self.send.open(now, segment.seq_number.into(), window, self.settings.segment, rtt);
    }

    fn handle_synchronized(&mut self, now: Instant, segment: &TcpRepr<'_>) -> Verdict {
        let seq = Seq::from(segment.seq_number);
        if segment.control == TcpControl::Syn {
            // Its SYN again: our answer was lost. Anything else is a host that has forgotten us, or a guess (RFC 5961 §4).
            if self.phase == Phase::SynReceived && seq == self.their_first {
                self.syn.due = now;
            } else {
                self.challenge(now);
            }
            return Verdict::Taken;
        }
        if !self.is_acceptable(seq, segment) {
            if segment.control != TcpControl::Rst {
                if segment.segment_len() > 0 {
                    self.receive.repeated(seq, segment.payload.len());
                } else {
                    self.challenge(now);
                }
                self.heard = now;
                self.wait_longer(now);
            }
            return Verdict::Taken;
        }
        if segment.control == TcpControl::Rst {
            // Exactly the next number, or it is a guess (RFC 5961 §3).
            if seq == self.receive.next() {
                self.phase = Phase::Closed(Ending::Reset);
            } else {
                self.challenge(now);
            }
            return Verdict::Taken;
        }
        let Some(ack) = segment.ack_number.map(Seq::from) else { return Verdict::Taken };
        if self.phase == Phase::SynReceived {
            if ack != self.send.una() {
                return Verdict::Stray;
            }
            self.open(now, segment);
        }
        self.heard = now;
        if ack > self.send.next() {
            self.challenge(now);
            return Verdict::Taken;
        }
        let window = usize::from(segment.window_len) << self.their_scale;
        let sack = if self.selective { segment.sack_ranges } else { [None; 3] };
        self.send.acknowledged(now, Ack { seq, ack, window, sack });
        self.take_bytes(now, seq, segment);
        self.conclude(now);
        self.active = now;
        self.arm_rest(now);
        Verdict::Taken
    }

    /// Tells the other end where we are, but not on everything it sends.
    fn challenge(&mut self, now: Instant) {
        let pause = Duration::from_millis(CHALLENGE_MILLIS);
        if self.challenged.is_none_or(|at| now.duration_since(at) >= pause) {
            self.challenged = Some(now);
            self.receive.acks_mut().owe();
        }
    }

    /// RFC 9293 §3.10.7.4, first step: whether any of it is new, or it is at the edge.
    fn is_acceptable(&self, seq: Seq, segment: &TcpRepr<'_>) -> bool {
        let (next, end) = (self.receive.next(), self.receive.end());
        let length = segment.segment_len();
        match length {
            0 => seq >= next && (seq < end || seq == next),
            _ => seq < end && seq + length > next,
        }
    }

    fn take_bytes(&mut self, now: Instant, seq: Seq, segment: &TcpRepr<'_>) {
        if !segment.payload.is_empty() || segment.control == TcpControl::Fin {
            let rtt = self.send.round_trip();
            self.receive.take(now, seq, segment.payload, segment.control, rtt, &mut self.memory);
        }
    }

    /// Looks whether both streams have ended.
    fn conclude(&mut self, now: Instant) {
        if self.phase != Phase::Open || !self.send.is_finished() || !self.receive.is_finished() {
            return;
        }
        self.phase = match self.ended_first {
            true => Phase::TimeWait { until: now + Duration::from_secs(TIME_WAIT_SECS) },
            false => Phase::Closed(Ending::Finished),
        };
        self.send.rest(&mut self.memory);
        self.receive.rest(&mut self.memory);
    }

    /// A FIN that comes again in TIME-WAIT: its acknowledgement was lost (RFC 9293 §3.10.7.4, eighth step).
    fn wait_longer(&mut self, now: Instant) {
        if let Phase::TimeWait { until } = &mut self.phase {
            *until = now + Duration::from_secs(TIME_WAIT_SECS);
        }
    }

    /// What the other end's SYN says of itself.
    pub(super) fn learn(&mut self, syn: &TcpRepr<'_>) {
        self.their_first = syn.seq_number.into();
        self.scales = syn.window_scale.is_some();
        self.their_scale = syn.window_scale.unwrap_or(0);
        self.selective = syn.sack_permitted;
        let theirs = syn.max_seg_size.map_or(self.settings.segment_unsaid, usize::from);
        self.settings.segment = theirs.clamp(SEGMENT_LEAST_BYTES, self.settings.segment);
        let scale = if self.scales { SCALE } else { 0 };
        self.receive = Receiver::new(self.began, self.their_first + 1, scale, &self.memory);
    }
}
