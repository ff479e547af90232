//! Chance with a seed: the same on every machine, in integers alone.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Chance(u64);

/// What happens with a probability between 0 and 1.
#[derive(Debug, Clone, Copy)]
pub struct Odds(u64);

impl Odds {
    pub fn new(probability: f64) -> Odds {
        // A product of two floating-point numbers, rounded down: the same everywhere (IEEE 754).
        Odds((probability * 4_294_967_296.0) as u64)
    }
}

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is small beside 2^32.
    pub fn below(&mut self, end: u64) -> u64 {
        ((self.number() >> 32) * end) >> 32
    }

    pub fn happens(&mut self, odds: Odds) -> bool {
        self.number() >> 32 < odds.0
    }
}
