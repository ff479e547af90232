//! Numbers of bytes in a stream, modulo 2³² (RFC 9293 §3.4).

use std::cmp::Ordering;
use std::ops::Add;

use smoltcp::wire::TcpSeqNumber;

/// A sequence number. Two of one connection compare by which is ahead: they are never 2³¹ apart, for no window is that large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stack) struct Seq(u32);

impl Seq {
    pub(in crate::stack) fn new(number: u32) -> Seq {
        Seq(number)
    }

    /// How far this one is ahead of another; negative where it is behind.
    pub(super) fn ahead_of(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// How many bytes lie between an earlier one and this one; 0 if it is not earlier.
    pub(super) fn since(self, earlier: Seq) -> usize {
        self.ahead_of(earlier).max(0) as usize
    }

    pub(super) fn max(self, other: Seq) -> Seq {
        if other > self { other } else { self }
    }

    pub(super) fn min(self, other: Seq) -> Seq {
        if other < self { other } else { self }
    }

    /// The one before.
    pub(super) fn previous(self) -> Seq {
        Seq(self.0.wrapping_sub(1))
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }
}

impl PartialOrd for Seq {
    fn partial_cmp(&self, other: &Seq) -> Option<Ordering> {
        Some(self.ahead_of(*other).cmp(&0))
    }
}

impl Add<usize> for Seq {
    type Output = Seq;

    fn add(self, bytes: usize) -> Seq {
        Seq(self.0.wrapping_add(bytes as u32))
    }
}

impl From<TcpSeqNumber> for Seq {
    fn from(number: TcpSeqNumber) -> Seq {
        Seq(number.0 as u32)
    }
}

impl From<Seq> for TcpSeqNumber {
    fn from(seq: Seq) -> TcpSeqNumber {
        TcpSeqNumber(seq.0 as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let (before, after) = (Seq::new(u32::MAX - 1), Seq::new(u32::MAX - 1) + 5);
        assert!(before < after);
        assert_eq!((after.since(before), before.since(after), after.ahead_of(before)), (5, 0, 5));
        assert_eq!((before.max(after), before.min(after), after.number()), (after, before, 3));
        assert_eq!(Seq::new(0).previous(), Seq::new(u32::MAX));
    }
}
