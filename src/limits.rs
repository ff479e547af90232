//! Every limit that is not a key of `adit.toml`: its unit in the name, its reason beside it.

/// Largest outer datagram adit reads or writes, in bytes: an inner MTU of 1500 with WireGuard's 32 and padding fits with room.
pub const DATAGRAM_BYTES: usize = 2048;

/// Room of one outbox, in datagrams of [`DATAGRAM_BYTES`]: two full system calls ([`RUN_BYTES`]) of segments at an MTU of 1280.
pub const OUTBOX_DATAGRAMS: usize = 98;

/// Largest run of datagrams that one system call takes, in bytes: a UDP payload over IPv6 (65,535 less 8), rounded down.
pub const RUN_BYTES: usize = 65_000;
/// Folders below a collection's root, one in another: as deep as people and backups nest them, and a bound on open descriptors.
pub const WALK_DEPTH: usize = 64;
/// Files of one collection: beyond a million, what is known of each no longer fits a small server's memory.
pub const WALK_FILES: usize = 1_000_000;
/// Things of one collection that are reported as unreadable: more would only be scrolled past.
pub const WALK_REFUSED: usize = 10_000;
/// Largest `.aditignore` in bytes: more patterns than anyone writes.
pub const IGNORE_FILE_BYTES: u64 = 256 * 1024;
