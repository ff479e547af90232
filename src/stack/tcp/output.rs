//! What a connection sends.

use std::time::{Duration, Instant};

use smoltcp::wire::{TcpControl, TcpRepr};

use super::send::Piece;
use super::{Phase, SCALE, Seq, Tcb};
use crate::stack::packet::header;

/// First wait for the answer to a SYN (RFC 6298 §2.1).
const SYN_WAIT: Duration = Duration::from_secs(1);

/// What is to be sent: a header without ports, and which bytes of the stream follow it.
#[derive(Debug)]
pub(in crate::stack) struct Outgoing {
    pub(in crate::stack) header: TcpRepr<'static>,
    pub(in crate::stack) length: usize,
    start: Seq,
}

impl Tcb {
    /// The next segment to be sent; `None` when there is none for now.
    pub(in crate::stack) fn poll(&mut self, now: Instant) -> Option<Outgoing> {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => self.poll_syn(now),
            Phase::Open => self.poll_open(now),
            Phase::TimeWait { .. } => self.receive.acks().owes_now(now).then(|| self.header(self.send.next())),
            Phase::Aborting(ending) => {
                self.phase = Phase::Closed(ending);
                let mut reset = self.header(self.send.next());
                reset.header.control = TcpControl::Rst;
                Some(reset)
            }
            Phase::Closed(_) => None,
        }
    }

    fn poll_syn(&mut self, now: Instant) -> Option<Outgoing> {
        if now < self.syn.due {
            return None;
        }
        self.syn.due = now + SYN_WAIT.saturating_mul(1 << self.syn.times.min(6));
        self.syn.times += 1;
        self.syn.sent_at = Some(now);
        let is_answer = self.phase == Phase::SynReceived;
        let mut outgoing = self.header(self.settings.first);
        let header = &mut outgoing.header;
        header.control = TcpControl::Syn;
        header.ack_number = header.ack_number.filter(|_| is_answer);
        header.sack_ranges = [None; 3];
        header.window_len = self.receive.advertise(false);
        header.max_seg_size = Some(self.settings.segment as u16);
        header.window_scale = Some(SCALE).filter(|_| self.scales);
        header.sack_permitted = self.selective;
        Some(outgoing)
    }

    fn poll_open(&mut self, now: Instant) -> Option<Outgoing> {
        let blocks = if self.selective { self.receive.blocks() } else { [None; 3] };
        let room = self.settings.segment - option_bytes(&blocks);
        if let Some(piece) = self.send.poll(now, room) {
            if piece.fin && !self.receive.is_finished() {
                self.ended_first = true;
            }
            self.active = now;
            self.arm_rest(now);
            return Some(self.piece(&piece, blocks, room));
        }
        let asks = std::mem::take(&mut self.asks);
        let start = match self.send.take_window_probe() || asks {
            // A number that the other end must answer (RFC 9293 §3.8.4).
            true => self.send.una().previous(),
            false if self.receive.acks().owes_now(now) => self.send.next(),
            false => return None,
        };
        let mut outgoing = self.header(start);
        outgoing.header.sack_ranges = blocks;
        Some(outgoing)
    }

    fn piece(&mut self, piece: &Piece, blocks: [Option<(u32, u32)>; 3], room: usize) -> Outgoing {
        let mut outgoing = self.header(piece.start);
        outgoing.length = piece.length;
        outgoing.header.control = match (piece.fin, piece.push) {
            (true, _) => TcpControl::Fin,
            (false, true) => TcpControl::Psh,
            (false, false) => TcpControl::None,
        };
        // A segment that is sent again may be too long for them.
        if piece.length <= room {
            outgoing.header.sack_ranges = blocks;
        }
        outgoing
    }

    /// A bare acknowledgement. With it, nothing is owed any more.
    fn header(&mut self, start: Seq) -> Outgoing {
        self.receive.acknowledged();
        let numbers = header(start.into(), Some(self.receive.next().into()));
        let header = TcpRepr { window_len: self.receive.advertise(true), ..numbers };
        Outgoing { header, length: 0, start }
    }

    /// Writes the bytes that follow a header.
    pub(in crate::stack) fn fill(&self, outgoing: &Outgoing, out: &mut [u8]) {
        if !out.is_empty() {
            self.send.copy(outgoing.start, out);
        }
    }
}

/// What selective acknowledgements take of a segment, padded (RFC 2018 §3).
fn option_bytes(blocks: &[Option<(u32, u32)>; 3]) -> usize {
    match blocks.iter().flatten().count() {
        0 => 0,
        count => (8 * count + 2).next_multiple_of(4),
    }
}
