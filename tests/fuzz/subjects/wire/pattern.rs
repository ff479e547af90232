//! Streams whose every byte is known from its place: what arrives in another place, twice, or of another stream is seen.

/// The byte at this place of a stream.
fn byte(stream: u16, at: u64) -> u8 {
    let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(stream) << 32 | u64::from(stream));
    (mixed >> 56 ^ mixed >> 24) as u8
}

/// So many bytes of a stream from this place on.
pub(super) fn bytes(stream: u16, at: u64, length: usize) -> Vec<u8> {
    (at..).take(length).map(|at| byte(stream, at)).collect()
}

/// Whether these are a stream's from this place on.
pub(super) fn check(stream: u16, at: u64, bytes: &[u8]) {
    let wrong = (at..).zip(bytes).find(|(at, found)| byte(stream, *at) != **found);
    assert_eq!(wrong, None, "every byte of a stream comes once and in its place");
}
