//! Every limit that is not a key of `adit.toml`: its unit in the name, its reason beside it.

/// Largest outer datagram adit reads or writes, in bytes: an inner MTU of 1500 with WireGuard's 32 and padding fits with room.
pub const DATAGRAM_BYTES: usize = 2048;
