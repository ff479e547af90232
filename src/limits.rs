//! Every limit that is not a key of `adit.toml`: its unit in the name, its reason beside it.

/// Largest outer datagram adit reads or writes, in bytes: an inner MTU of 1500 with WireGuard's 32 and padding fits with room.
pub const DATAGRAM_BYTES: usize = 2048;

/// Room of one outbox, in datagrams of [`DATAGRAM_BYTES`]: two full system calls ([`RUN_BYTES`]) of segments at an MTU of 1280.
pub const OUTBOX_DATAGRAMS: usize = 98;

/// Largest run of datagrams that one system call takes, in bytes: a UDP payload over IPv6 (65,535 less 8), rounded down.
pub const RUN_BYTES: usize = 65_000;
