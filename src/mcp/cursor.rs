//! Opaque cursors: where a listing goes on, sealed so that only the caller they were made for, with the same rights and the same question,
//! can use them, for an hour.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use blake2::{Blake2s256, Digest};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::search::SortKey;

/// Seconds that a cursor is good for: long enough to read page after page, short enough that old ones in logs are worth nothing.
const LIFE_SECS: i64 = 3600;

/// Bytes of a cursor's text that are looked at: the longest path (4,096 bytes) twice escaped, sealed and in base64, with room.
const CURSOR_BYTES: usize = 24 * 1024;

/// Bytes of the nonce before the sealed part.
const NONCE_BYTES: usize = 24;

/// The one answer to a cursor that is not this caller's, altered, for another question, or older than an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Position {
    /// After this result.
    #[serde(rename = "a")]
    After(SortKey),
    /// At this number.
    #[serde(rename = "o")]
    Offset(usize),
}

#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(rename = "t")]
    made: i64,
    #[serde(rename = "p")]
    position: Position,
}

/// Seals and opens the cursors of one caller, as of its present rights.
pub struct Seal {
    key: [u8; 32],
    caller: [u8; 32],
    entropy: [u8; 24],
}

impl Seal {
    /// `key` is the appliance's, `peer_key` the caller's public key, `grant` its rights as text, `entropy` fresh for each call.
    pub fn new(key: [u8; 32], peer_key: &[u8; 32], grant: &str, entropy: [u8; 24]) -> Seal {
        let mut digest = Blake2s256::new();
        digest.update(b"adit cursor caller");
        digest.update(peer_key);
        digest.update(grant);
        Seal { key, caller: digest.finalize().into(), entropy }
    }

    /// The cursor for going on at `position` with the same question.
    pub(super) fn seal(&self, now: Timestamp, question: &str, position: Position) -> String {
        let content = Content { made: now.as_second(), position };
        let plain = serde_json::to_vec(&content).unwrap_or_default();
        // Derived from the content too, so that two cursors of one call never share a nonce.
        let mut digest = Blake2s256::new();
        digest.update(b"adit cursor nonce");
        digest.update(self.entropy);
        digest.update(&plain);
        let nonce = &digest.finalize()[..NONCE_BYTES];
        let binding = self.binding(question);
        let payload = Payload { msg: &plain, aad: &binding };
        let sealed = self.cipher().encrypt(XNonce::from_slice(nonce), payload).unwrap_or_default();
        BASE64.encode([nonce, &sealed].concat())
    }

    /// Where this cursor says to go on, if it is good.
    pub(super) fn open(&self, now: Timestamp, question: &str, cursor: &str) -> Result<Position, Invalid> {
        if cursor.len() > CURSOR_BYTES {
            return Err(Invalid);
        }
        let bytes = BASE64.decode(cursor).map_err(|_| Invalid)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(Invalid)?;
        let binding = self.binding(question);
        let payload = Payload { msg: sealed, aad: &binding };
        let plain = self.cipher().decrypt(XNonce::from_slice(nonce), payload).map_err(|_| Invalid)?;
        let content: Content = serde_json::from_slice(&plain).map_err(|_| Invalid)?;
        match (0..=LIFE_SECS).contains(&(now.as_second() - content.made)) {
            true => Ok(content.position),
            false => Err(Invalid),
        }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.key.into())
    }

    /// What a cursor is bound to without carrying it.
    fn binding(&self, question: &str) -> [u8; 32] {
        let mut digest = Blake2s256::new();
        digest.update(b"adit cursor binding");
        digest.update(self.caller);
        digest.update(question);
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: [u8; 32] = [1; 32];

    fn seal(key: u8, peer_key: [u8; 32], grant: &str) -> Seal {
        Seal::new([key; 32], &peer_key, grant, [9; 24])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_cursor_is_good_for_an_hour_and_after_a_restart() {
        let cursor = seal(7, PHONE, "all").seal(at(0), "rent", Position::Offset(20));
        let later = seal(7, PHONE, "all");
        for seconds in [0, 1, 3600] {
            assert_eq!(later.open(at(seconds), "rent", &cursor), Ok(Position::Offset(20)));
        }
        for seconds in [3601, -1] {
            assert_eq!(later.open(at(seconds), "rent", &cursor), Err(Invalid));
        }
    }

    #[test]
    fn a_cursor_is_worth_nothing_to_another_or_for_another_question() {
        let cursor = seal(7, PHONE, "all").seal(at(0), "rent", Position::Offset(20));
        let strangers =
            [seal(8, PHONE, "all"), seal(7, [2; 32], "all"), seal(7, PHONE, "some")].map(|seal| (seal, "rent"));
        for (seal, question) in strangers.into_iter().chain([(seal(7, PHONE, "all"), "taxes")]) {
            assert_eq!(seal.open(at(0), question, &cursor), Err(Invalid));
        }
    }

    #[test]
    fn an_altered_cursor_is_refused() {
        let seal = seal(7, PHONE, "all");
        let cursor = seal.seal(at(0), "rent", Position::Offset(20));
        for number in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[number] = if altered[number] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open(at(0), "rent", std::str::from_utf8(&altered).unwrap()), Err(Invalid), "{number}");
        }
        for text in ["", "A", "????", &cursor[..20], &"A".repeat(100_000), "é"] {
            assert_eq!(seal.open(at(0), "rent", text), Err(Invalid), "{text:.20}");
        }
    }

    #[test]
    fn two_cursors_never_share_a_nonce() {
        let seal = seal(7, PHONE, "all");
        let nonce = |offset| seal.seal(at(0), "rent", Position::Offset(offset))[..32].to_owned();
        assert_ne!(nonce(1), nonce(2));
    }
}
