//! Who was refused at the tunnel, for those who keep records: summed, so that a flood costs one entry.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::counters::Counter;
use crate::key::PublicKey;
use crate::limits::NODE_REFUSALS;
use crate::peer::PeerId;

/// Who was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Whoever claims this key, which is no peer's. (That it is theirs is not proven.)
    Key(PublicKey),
    /// A peer, or whoever sends in its name.
    Peer(PeerId),
    /// Nobody in particular.
    Anybody,
}

/// What was refused since the last time it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalSum {
    /// The counter's name, as in [`Counters`](super::Counters).
    pub reason: &'static str,
    /// Who.
    pub who: Refused,
    /// How often.
    pub count: u64,
    /// Where the last came from.
    pub from: SocketAddr,
}

/// The sums: as many as there is room for, then one per reason.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<(&'static str, Refused), (u64, SocketAddr)>);

impl Refusals {
    /// Counts one; whether it is the first since the sums were taken.
    pub(super) fn add(&mut self, counter: Counter, who: Refused, from: SocketAddr) -> bool {
        let is_first = self.0.is_empty();
        let mut of = (counter.name(), who);
        if self.0.len() >= NODE_REFUSALS && !self.0.contains_key(&of) {
            of.1 = Refused::Anybody;
        }
        let (count, last) = self.0.entry(of).or_insert((0, from));
        (*count, *last) = (count.saturating_add(1), from);
        is_first
    }

    /// Takes the sums, in a fixed order of reasons.
    pub(super) fn take(&mut self) -> Vec<RefusalSum> {
        let sum = |((reason, who), (count, from))| RefusalSum { reason, who, count, from };
        let mut sums: Vec<RefusalSum> = std::mem::take(&mut self.0).into_iter().map(sum).collect();
        sums.sort_by_key(|sum| (sum.reason, std::cmp::Reverse(sum.count)));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PrivateKey;

    #[test]
    fn a_flood_of_keys_stays_within_its_room() {
        let mut refusals = Refusals::default();
        let from = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let key = |n: u16| {
            let mut seed = [1; 32];
            seed[1..3].copy_from_slice(&n.to_le_bytes());
            Refused::Key(PrivateKey::from_entropy(seed).public())
        };
        assert!(refusals.add(Counter::UnknownKey, key(0), from(1)));
        for n in 0..NODE_REFUSALS as u16 + 50 {
            assert!(!refusals.add(Counter::UnknownKey, key(n), from(n)));
        }
        let sums = refusals.take();
        assert_eq!(sums.iter().map(|sum| sum.count).sum::<u64>(), NODE_REFUSALS as u64 + 51);
        assert_eq!(sums.len(), NODE_REFUSALS + 1);
        let rest = sums.iter().find(|sum| sum.who == Refused::Anybody).unwrap();
        assert_eq!((rest.reason, rest.count, rest.from), ("dropped_unknown_key", 50, from(NODE_REFUSALS as u16 + 49)));
        assert!(refusals.take().is_empty());
        assert!(refusals.add(Counter::SpoofedSource, Refused::Peer(PeerId::new(1)), from(1)), "the first again");
    }
}
