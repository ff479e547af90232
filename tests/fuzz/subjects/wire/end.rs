//! The other end of a connection: what it has sent and heard, and what a segment of ours may say after that.

use adit::stack::ConnectionId;
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

use super::pattern;

/// Smallest size of segments that is honoured, in bytes.
const LEAST: usize = adit::limits::SEGMENT_LEAST_BYTES;

/// The other end of a connection, and what its user here has done.
pub(super) struct End {
    /// The device's port, and ours.
    pub(super) port: u16,
    pub(super) our_port: u16,
    pub(super) is_v6: bool,
    /// The first sequence number of the device's.
    pub(super) first: u32,
    /// What the device has sent, as places in its stream, in order and joined; and where it said that it ends.
    pub(super) sent: Vec<(u64, u64)>,
    pub(super) fins: Vec<u64>,
    /// What its SYN offers, and what that means.
    pub(super) offered: Option<u8>,
    pub(super) scale: Option<u8>,
    pub(super) segment: usize,
    /// Up to where we may send.
    pub(super) edge: u64,
    /// Our first sequence number.
    pub(super) ours: Option<u32>,
    /// What the device has of our stream without a gap.
    pub(super) heard: u64,
    /// What we said we have; up to where we said that the device may send.
    pub(super) acknowledged: u64,
    pub(super) promised: u64,
    /// Whether it was a connection once: then it has its numbers.
    pub(super) was_open: bool,
    pub(super) id: Option<ConnectionId>,
    pub(super) written: u64,
    pub(super) read: u64,
    pub(super) is_shut: bool,
}

impl End {
    pub(super) fn new(port: u16, our_port: u16, is_v6: bool) -> End {
        End {
            port,
            our_port,
            is_v6,
            // Some streams pass the end of the numbers.
            first: u32::from(port).wrapping_mul(0x9e37_79b9) | if port.is_multiple_of(2) { 0xffff_f000 } else { 0 },
            sent: Vec::new(),
            fins: Vec::new(),
            offered: None,
            scale: None,
            // What is taken for granted (RFC 9293 §3.7.1).
            segment: if is_v6 { 1220 } else { 536 },
            edge: 0,
            ours: None,
            heard: 0,
            acknowledged: 0,
            promised: 0,
            was_open: false,
            id: None,
            written: 0,
            read: 0,
            is_shut: false,
        }
    }

    /// How far the device has sent without a gap.
    pub(super) fn whole(&self) -> u64 {
        self.sent.first().filter(|range| range.0 == 0).map_or(0, |range| range.1)
    }

    pub(super) fn sent_to(&self) -> u64 {
        self.sent.last().map_or(0, |range| range.1)
    }

    pub(super) fn note_sent(&mut self, from: u64, to: u64) {
        if from < to {
            self.sent.push((from, to));
            self.sent.sort_unstable();
            let ranges = std::mem::take(&mut self.sent);
            for (from, to) in ranges {
                match self.sent.last_mut() {
                    Some(last) if from <= last.1 => last.1 = last.1.max(to),
                    _ => self.sent.push((from, to)),
                }
            }
        }
    }

    pub(super) fn streams(&self) -> (u16, u16) {
        (self.port, !self.port)
    }

    /// The sequence number of a place in the device's stream; and of one in ours.
    pub(super) fn number(&self, place: u64) -> TcpSeqNumber {
        TcpSeqNumber(self.first.wrapping_add(1).wrapping_add(place as u32) as i32)
    }

    pub(super) fn our_number(&self, place: u64) -> TcpSeqNumber {
        TcpSeqNumber(self.ours.unwrap_or(0).wrapping_add(1).wrapping_add(place as u32) as i32)
    }

    /// A segment that is in order.
    pub(super) fn segment(&self, control: TcpControl, place: u64, ack: u64, window: u16) -> TcpRepr<'static> {
        TcpRepr {
            src_port: self.port,
            dst_port: self.our_port,
            control,
            seq_number: self.number(place),
            ack_number: self.ours.is_some().then(|| self.our_number(ack)),
            window_len: window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        }
    }

    /// Looks at a segment of ours.
    pub(super) fn hear(&mut self, segment: &TcpRepr<'_>) {
        if let Some(ack) = segment.ack_number.filter(|_| segment.control != TcpControl::Rst) {
            let ack = ack.0.wrapping_sub(self.number(0).0) as u32;
            let ends = u64::from(self.fins.contains(&self.whole()));
            assert!(u64::from(ack) <= self.whole() + ends, "nothing is acknowledged that was not sent");
            assert!(u64::from(ack) >= self.acknowledged, "what was acknowledged stays so");
            self.acknowledged = ack.into();
            if segment.control != TcpControl::Syn {
                let scale = if self.scale.is_some() { 7 } else { 0 };
                let promised = u64::from(ack) + (u64::from(segment.window_len) << scale);
                assert!(promised + 127 >= self.promised, "a window is not taken back");
                self.promised = self.promised.max(promised);
            }
        }
        match segment.control {
            TcpControl::Rst => return,
            TcpControl::Syn => {
                let number = segment.seq_number.0 as u32;
                if self.ours != Some(number) {
                    assert!(!self.was_open || self.ours.is_none(), "a connection has one first number");
                    (self.ours, self.acknowledged, self.promised) = (Some(number), 0, 0);
                }
                return;
            }
            _ => {}
        }
        let place = segment.seq_number.0.wrapping_sub(self.our_number(0).0);
        let length = segment.payload.len();
        assert!(place >= 0 || (place == -1 && length == 0), "nothing is sent from before the stream");
        let place = place.max(0) as u64;
        let end = place + length as u64;
        if length > 0 {
            pattern::check(self.streams().1, place, segment.payload);
            assert!(end <= self.written, "nothing is sent that was not written");
            assert!(end <= self.edge, "nothing is sent beyond the window");
            assert!(length <= self.segment.max(LEAST), "segments are as small as the other end wants them");
        }
        if segment.control == TcpControl::Fin {
            assert!(self.is_shut && end == self.written, "a stream ends after what was written");
        }
        if place <= self.heard {
            self.heard = self.heard.max(end);
        }
    }

    /// What a SYN offers: a size of segments, a scale, selective acknowledgements.
    pub(super) fn offer(&mut self, syn: &mut TcpRepr<'_>, how: u8) {
        let how = *self.offered.get_or_insert(how);
        if how & 1 != 0 {
            let scale = how >> 3;
            (syn.window_scale, self.scale) = (Some(scale), Some(scale.min(14)));
        }
        syn.sack_permitted = how & 2 != 0;
        if how & 4 != 0 {
            syn.max_seg_size = Some(u16::from(how) * 40);
            self.segment = usize::from(how) * 40;
        }
    }
}
