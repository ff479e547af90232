//! Numbers that nobody outside can guess, from 32 bytes of entropy that the caller drew.

use blake2::{Blake2s256, Digest};
use zeroize::Zeroizing;

/// BLAKE2s of the entropy and a counter.
pub(super) struct Chance {
    entropy: Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl Chance {
    pub(super) fn new(entropy: [u8; 32]) -> Chance {
        Chance { entropy: Zeroizing::new(entropy), drawn: 0 }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.drawn += 1;
        let digest =
            Blake2s256::new().chain_update(self.entropy.as_slice()).chain_update(self.drawn.to_le_bytes()).finalize();
        u64::from_le_bytes(*digest.first_chunk().expect("a BLAKE2s digest has 32 bytes"))
    }
}
