//! Keys of WireGuard peers: parsed from base64 once, zeroed when dropped, never printed when private.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blake2::{Blake2s256, Digest};
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Why a text is not a key. Says nothing of the text itself: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64, or base64 of another length than 32 bytes.
    #[error("not a WireGuard key: 44 characters of base64 (32 bytes) are expected")]
    Malformed,
    /// A public key of small order: no secret can be agreed with it (all-zero Diffie-Hellman results, RFC 7748 §6.1).
    #[error("this public key is of small order and belongs to nobody")]
    SmallOrder,
}

/// A Curve25519 private key, clamped by its use. Zeroed on drop.
#[derive(Clone)]
pub struct PrivateKey(StaticSecret);

impl PrivateKey {
    /// The key made of 32 bytes of entropy, which the caller draws.
    pub fn from_entropy(mut entropy: [u8; 32]) -> PrivateKey {
        let key = PrivateKey(StaticSecret::from(entropy));
        entropy.zeroize();
        key
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(*x25519_dalek::PublicKey::from(&self.0).as_bytes())
    }

    /// The secret as the Noise layer takes it.
    pub fn to_secret(&self) -> StaticSecret {
        self.0.clone()
    }

    /// Base64 for a file that only its owner can read.
    pub fn to_base64(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.0.to_bytes());
        Zeroizing::new(BASE64.encode(bytes.as_slice()))
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text)?;
        Ok(PrivateKey(StaticSecret::from(*bytes)))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// A Curve25519 public key: the identity of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The 32 bytes as they stand on the wire.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Eight hexadecimal digits that name the key in logs and records without giving it away.
    pub fn fingerprint(&self) -> String {
        let digest = Blake2s256::new().chain_update(b"adit key fingerprint").chain_update(self.0).finalize();
        digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        PublicKey(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = *decode(text)?;
        match is_of_small_order(&bytes) {
            true => Err(KeyError::SmallOrder),
            false => Ok(PublicKey(bytes)),
        }
    }
}

/// All points of small order on the curve and its twist, as they can be written: 0, 1, those of order 8, and p - 1, p and p + 1. In words of
/// 64 bits, the lowest first. Comparing costs nothing, where asking a Diffie-Hellman of each of ten thousand keys takes half a second.
const SMALL_ORDER: [[u64; 4]; 7] = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0xaeb8413b7c7aebe0, 0x6ac49ff1fae35616, 0xfdb1329ceb8d09da, 0xb8495f16056286],
    [0x248c50a3bc959c5f, 0x5bef839c55b1d0b1, 0x868e1c58c45c4404, 0x57119fd0dd4e22d8],
    [0xffffffffffffffec, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff],
    [0xffffffffffffffed, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff],
    [0xffffffffffffffee, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff],
];

/// Whether a Diffie-Hellman with this public key, long-lived or ephemeral, agrees on nothing.
pub(crate) fn is_of_small_order(key: &[u8; 32]) -> bool {
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| key[8 * at + byte]));
    // The highest bit counts for nothing (RFC 7748 §5).
    SMALL_ORDER.contains(&[word(0), word(1), word(2), word(3) & (u64::MAX >> 1)])
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// The symmetric key a pair of peers mixes into its handshakes (white paper §5.2). Zeroed on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PresharedKey([u8; 32]);

impl PresharedKey {
    /// The key made of 32 bytes of entropy, which the caller draws.
    pub fn from_entropy(entropy: [u8; 32]) -> PresharedKey {
        PresharedKey(entropy)
    }

    /// The 32 bytes, for the Noise layer.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Base64 for a file that only its owner can read.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.0))
    }
}

impl FromStr for PresharedKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Ok(PresharedKey(*decode(text)?))
    }
}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(…)")
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    // 44 characters decode into up to 33 bytes before the padding is known.
    let mut buffer = Zeroizing::new([0u8; 36]);
    let text = text.trim();
    if text.len() != 44 {
        return Err(KeyError::Malformed);
    }
    let length = BASE64.decode_slice(text, buffer.as_mut_slice()).map_err(|_| KeyError::Malformed)?;
    match length {
        32 => Ok(Zeroizing::new(buffer[..32].try_into().expect("the slice has 32 bytes"))),
        _ => Err(KeyError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_base64() {
        let key = PrivateKey::from_entropy([7; 32]);
        let again: PrivateKey = key.to_base64().parse().unwrap();
        assert_eq!(key.public(), again.public());
        assert_eq!(key.public(), key.public().to_string().parse().unwrap());
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in ["", "AAAA", &"A".repeat(44), &"!".repeat(44), &"A".repeat(1000)] {
            assert_eq!(text.parse::<PresharedKey>(), Err(KeyError::Malformed), "{text:?}");
        }
        let zero = BASE64.encode([0u8; 32]);
        assert_eq!(zero.parse::<PublicKey>(), Err(KeyError::SmallOrder));
    }

    #[test]
    fn keys_of_small_order_are_those_that_agree_on_nothing() {
        let agrees = |key: [u8; 32]| {
            let probe = StaticSecret::from([0x42; 32]);
            probe.diffie_hellman(&x25519_dalek::PublicKey::from(key)).was_contributory()
        };
        let written = |words: [u64; 4], high: u8| {
            let mut key: [u8; 32] = words.map(u64::to_le_bytes).concat().try_into().unwrap();
            key[31] |= high;
            key
        };
        for key in SMALL_ORDER.into_iter().flat_map(|words| [written(words, 0), written(words, 0x80)]) {
            assert!(is_of_small_order(&key) && !agrees(key), "{key:02x?}");
        }
        // Their neighbours, and what anybody might have.
        for words in SMALL_ORDER {
            let near = written([words[0].wrapping_add(2), words[1], words[2], words[3]], 0);
            assert_eq!(is_of_small_order(&near), !agrees(near), "{near:02x?}");
        }
        for seed in 0..64 {
            let key = *PrivateKey::from_entropy([seed; 32]).public().as_bytes();
            assert!(!is_of_small_order(&key) && agrees(key), "{key:02x?}");
        }
    }

    #[test]
    fn no_private_byte_is_printed() {
        let key = PrivateKey::from_entropy([7; 32]);
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
        assert_eq!(format!("{:?}", PresharedKey::from_entropy([7; 32])), "PresharedKey(…)");
    }
}
