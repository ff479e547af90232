//! Reads the segments on their way, and decides about each of them: a fault is a rule.

use std::collections::HashMap;
use std::time::Duration;

use super::Side;

const FIN: u8 = 1;
const SYN: u8 = 2;
const TCP: u8 = 6;

/// What becomes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    IsLost,
    IsLate(Duration),
    ArrivesTwice,
}

/// A segment on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub from: Side,
    pub syn: bool,
    pub fin: bool,
    /// Its first byte's place in the stream.
    pub place: u32,
    /// Payload in bytes.
    pub bytes: u32,
    /// The whole packet in bytes.
    pub packet_bytes: usize,
}

impl Segment {
    /// Whether it carries this byte of the stream.
    pub fn carries(&self, place: u32) -> bool {
        !self.syn && (self.place..self.place + self.bytes).contains(&place)
    }

    /// Whether it is an acknowledgement and nothing else.
    pub fn is_bare(&self) -> bool {
        !self.syn && !self.fin && self.bytes == 0
    }
}

type Rule = Box<dyn FnMut(&Segment) -> Fate>;

/// All that passes, and the rule in force.
pub struct Tap {
    /// Initial sequence numbers by pair, sender and ports.
    initial: HashMap<(usize, Side, [u8; 4]), u32>,
    pub rule: Rule,
}

impl Tap {
    pub fn new() -> Tap {
        Tap { initial: HashMap::new(), rule: Box::new(|_| Fate::Arrives) }
    }

    pub fn decide(&mut self, pair: usize, from: Side, packet: &[u8]) -> Fate {
        match self.parse(pair, from, packet) {
            Some(segment) => (self.rule)(&segment),
            None => Fate::Arrives,
        }
    }

    /// RFC 791 §3.1, RFC 8200 §3, RFC 9293 §3.1.
    fn parse(&mut self, pair: usize, from: Side, packet: &[u8]) -> Option<Segment> {
        let (protocol, segment) = match packet[0] >> 4 {
            4 => (packet[9], &packet[usize::from(packet[0] & 0xf) * 4..]),
            _ => (packet[6], &packet[40..]),
        };
        if protocol != TCP {
            return None;
        }
        let number = u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]]);
        let flags = segment[13];
        let ports = [segment[0], segment[1], segment[2], segment[3]];
        let key = (pair, from, ports);
        if flags & SYN != 0 {
            self.initial.insert(key, number);
        }
        let initial = self.initial.get(&key)?;
        Some(Segment {
            from,
            syn: flags & SYN != 0,
            fin: flags & FIN != 0,
            place: number.wrapping_sub(*initial).wrapping_sub(1),
            bytes: (segment.len() - usize::from(segment[12] >> 4) * 4) as u32,
            packet_bytes: packet.len(),
        })
    }
}
