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

/// Buffers that one system call fills, in number: as many as quinn-udp takes.
pub const RECEIVE_BUFFERS: usize = 32;

/// Each of those in bytes: the kernel may put up to 64 KiB of one sender's datagrams together (GRO), and cuts off what does not fit.
pub const RECEIVE_BUFFER_BYTES: usize = 65_536;

/// Datagrams in one system call when sending: `UDP_MAX_SEGMENTS` of Linux before 6.9.
pub const OFFLOAD_SEGMENTS: usize = 64;

/// Asked of the kernel for each direction of the UDP socket, in bytes: 30 ms at 1 Gbit/s. It grants what its administrator allows.
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Tasks that encrypt and send, in number at most: a household's peers do not keep more cores busy than this.
pub const SENDERS: usize = 4;

/// Events between the node and whoever accepts streams, in number; the node keeps the rest.
pub const EVENTS: usize = 256;

/// Errors on receiving, one after the other, after which each is followed by a pause: ICMP's answers come in twos and threes.
pub const RECEIVE_ERRORS_IN_A_ROW: u32 = 16;

/// That pause, in milliseconds: a broken socket costs ten calls a second, and a mended one is back at once for a person.
pub const RECEIVE_PAUSE_MILLIS: u64 = 100;

/// What the last datagrams of a stopping link may take, in milliseconds: they are a courtesy to the peers.
pub const PARTING_MILLIS: u64 = 200;
/// Length of a passage in bytes: long enough to hold an answer, short enough to be its own snippet and to be ranked by what it says.
pub const PASSAGE_BYTES: usize = 3000;
/// Sections of one document that are passages of their own: beyond, the shortest join the one before.
pub const PASSAGES: usize = 50_000;
/// Headings or bookmarks kept of one document.
pub const OUTLINE_ENTRIES: usize = 10_000;
/// Bookmarks, one in another: deeper than anyone can read.
pub const OUTLINE_DEPTH: u8 = 16;
/// Length of a title, author or heading in characters: two lines on a wide screen.
pub const TITLE_CHARS: usize = 300;
/// What one part of a packed document may unpack to, in bytes: five times `extract.max_text`, since markup is most of it.
pub const UNPACKED_BYTES: u64 = 96 << 20;
/// Paragraph styles of a document that are looked at.
pub const STYLES: usize = 10_000;

/// Open descriptors of a worker: its three, and a few that the runtime opens for a moment.
pub const WORKER_DESCRIPTORS: u64 = 16;
/// Stack of the thread that parses, in bytes: deep nesting is a document's right up to here; only what is touched is used.
pub const WORKER_STACK_BYTES: usize = 64 << 20;
/// Header of a request to a worker, in bytes: a format, a few numbers and language codes.
pub const WORKER_REQUEST_BYTES: usize = 16 << 10;
/// Header of a worker's answer, in bytes: [`PASSAGES`] with their places and [`OUTLINE_ENTRIES`], all as long as they may be in practice.
pub const WORKER_ANSWER_BYTES: usize = 32 << 20;
/// Documents that one worker reads before it is replaced: bounds what a leak can gather.
pub const WORKER_DOCUMENTS: u32 = 500;
