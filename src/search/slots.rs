//! Sets of files, as bits.

/// A set of slots of one catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlotSet {
    bits: Vec<u64>,
}

impl SlotSet {
    /// The empty set of `slots` slots.
    pub(super) fn none(slots: u32) -> SlotSet {
        SlotSet { bits: vec![0; slots.div_ceil(64) as usize] }
    }

    /// Adds a slot; whether it is new.
    pub(super) fn insert(&mut self, slot: u32) -> bool {
        let Some(word) = self.bits.get_mut(slot as usize / 64) else { return false };
        let bit = 1 << (slot % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether a slot is in it.
    pub(super) fn contains(&self, slot: u32) -> bool {
        self.bits.get(slot as usize / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    /// Keeps what is in the other, too.
    pub(super) fn intersect(&mut self, other: &SlotSet) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            *word &= other;
        }
    }

    /// Adds what is in the other.
    pub(super) fn unite(&mut self, other: &SlotSet) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            *word |= other;
        }
    }

    /// Takes out what is in the other.
    pub(super) fn subtract(&mut self, other: &SlotSet) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            *word &= !other;
        }
    }

    /// How many slots are in it.
    pub(super) fn len(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_slots() {
        let set = |slots: &[u32]| {
            let mut set = SlotSet::none(130);
            for &slot in slots {
                set.insert(slot);
            }
            set
        };
        let mut a = set(&[0, 64, 129]);
        assert!(!a.insert(64) && a.insert(1) && !a.insert(1000));
        assert_eq!(a.len(), 4);
        a.intersect(&set(&[1, 64, 2]));
        assert_eq!(a, set(&[1, 64]));
        a.unite(&set(&[2]));
        a.subtract(&set(&[1]));
        assert_eq!(a, set(&[2, 64]));
        assert!(a.contains(2) && !a.contains(1) && !a.contains(5000));
    }
}
