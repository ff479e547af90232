//! Sets of small numbers, as bits: of files by their slots, of passages by their place in a segment.

/// A set of numbers below a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits {
    bits: Vec<u64>,
}

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(super) fn none(bound: u32) -> Bits {
        Bits { bits: vec![0; bound.div_ceil(64) as usize] }
    }

    /// The places in a column whose values are so.
    pub(super) fn of<T: Copy>(column: &[T], has: impl Fn(T) -> bool) -> Bits {
        let word =
            |values: &[T]| values.iter().enumerate().fold(0, |word, (bit, &value)| word | u64::from(has(value)) << bit);
        Bits { bits: column.chunks(64).map(word).collect() }
    }

    /// The same set, with another bound.
    pub(super) fn resized(&self, bound: u32) -> Bits {
        let mut set = self.clone();
        set.bits.resize(bound.div_ceil(64) as usize, 0);
        set
    }

    /// Adds a number; whether it is new.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        let Some(word) = self.bits.get_mut(number as usize / 64) else { return false };
        let bit = 1 << (number % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Takes a number out; whether it was there.
    pub(super) fn remove(&mut self, number: u32) -> bool {
        let was = self.contains(number);
        if was {
            self.bits[number as usize / 64] &= !(1 << (number % 64));
        }
        was
    }

    /// Whether a number is in it.
    pub(super) fn contains(&self, number: u32) -> bool {
        self.bits.get(number as usize / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Keeps what is in the other, too.
    pub(super) fn intersect(&mut self, other: &Bits) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            *word &= other;
        }
    }

    /// Adds what is in the other.
    pub(super) fn unite(&mut self, other: &Bits) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            *word |= other;
        }
    }

    /// Takes out what is in the other.
    pub(super) fn subtract(&mut self, other: &Bits) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            *word &= !other;
        }
    }

    /// All that are in it, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let words = self.bits.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(at, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as u32 * 64 + bit)
        })
    }

    /// How many are in it.
    pub(super) fn len(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_numbers() {
        let set = |slots: &[u32]| {
            let mut set = Bits::none(130);
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
        assert_eq!(set(&[0, 64, 129]).iter().collect::<Vec<_>>(), [0, 64, 129]);
        assert!(a.remove(64) && !a.remove(64) && !a.remove(5000));
        assert_eq!(a.resized(200).len(), 1);
        let column: Vec<u32> = (0..130).collect();
        assert_eq!(Bits::of(&column, |value| value % 65 == 64), set(&[64, 129]));
    }
}
