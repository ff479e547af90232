//! Every limit that is not a key of `adit.toml`: its unit in the name, its reason beside it.

/// Largest outer datagram adit reads or writes, in bytes: an inner MTU of 1500 with WireGuard's 32 and padding fits with room.
pub const DATAGRAM_BYTES: usize = 2048;

/// Bytes of a file read at a time for a download: large enough that handing a piece between threads costs little beside sending it,
/// small enough that a thousand slow downloads fit in memory.
pub const FILE_PIECE_BYTES: u64 = 256 * 1024;

/// Length up to which a file is read at once for a download, in bytes: most notes and letters.
pub const SMALL_FILE_BYTES: u64 = 64 * 1024;

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

/// Datagrams of one session that are taken under one lock, in number: what the kernel puts together (GRO). Others who want the peer's state
/// wait no longer than these take, some 60 µs.
pub const RUN_DATAGRAMS: u64 = 64;

/// How often who has received lets a peer send before it looks for what has come meanwhile, each time as much as an outbox holds: half a
/// millisecond in all. What is left then is a sender's.
pub const RECEIVER_TURNS: usize = 4;

/// Datagrams in one system call when sending: `UDP_MAX_SEGMENTS` of Linux before 6.9.
pub const OFFLOAD_SEGMENTS: usize = 64;

/// Asked of the kernel for each direction of the UDP socket, in bytes: 30 ms at 1 Gbit/s. It grants what its administrator allows.
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Tasks that encrypt and send, in number at most: a household's peers do not keep more cores busy than this.
pub const SENDERS: usize = 4;

/// Events between the node and whoever accepts streams, in number; the node keeps the rest.
pub const EVENTS: usize = 256;

/// Handshake messages that wait to be served, in number: a second of what one core can serve without cookies, and a tenth of one with. What comes
/// on top is dropped, as the kernel drops what is beyond its 4096.
pub const HANDSHAKES_WAITING: usize = 2048;

/// For how long handshakes are served at one go, in microseconds: two or so, or some ninety refusals by cookie.
pub const HANDSHAKES_TURN_MICROS: u64 = 600;

/// The pause after that under load, in milliseconds, which the runtime's clock makes two of: a flood gets a quarter of a core. Of twenty thousand
/// messages a second none had to be dropped (`benches/flood.py`).
pub const HANDSHAKES_PAUSE_MILLIS: u64 = 1;

/// Errors on receiving, one after the other, after which each is followed by a pause: ICMP's answers come in twos and threes.
pub const RECEIVE_ERRORS_IN_A_ROW: u32 = 16;

/// That pause, in milliseconds: a broken socket costs ten calls a second, and a mended one is back at once for a person.
pub const RECEIVE_PAUSE_MILLIS: u64 = 100;

/// What the last datagrams of a stopping link may take, in milliseconds: they are a courtesy to the peers.
pub const PARTING_MILLIS: u64 = 200;

/// Pause between two looks at whether the streams of a leaving bridge are gone, in milliseconds.
pub const PARTING_STEP_MILLIS: u64 = 5;
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
/// How often a cell or a row that a spreadsheet repeats is written: it can repeat one a million times with a single word.
pub const REPEATED_CELLS: usize = 32;
/// Pages without text that are known by their numbers: enough to scan them anew.
pub const EMPTY_PAGES: usize = 1_000;
/// Empty rows of a sheet that are kept between two others; where there are more, a passage begins.
pub const EMPTY_ROWS: u32 = 8;
/// Slides of one presentation that are read: more than anybody shows.
pub const SLIDES: usize = 10_000;
/// Sheets of one workbook that are read: more than anybody turns.
pub const SHEETS: usize = 10_000;
/// What is kept of one output of a notebook's cell, in bytes: longer ones are data that a program printed.
pub const OUTPUT_BYTES: usize = 16 << 10;
/// Files of one book that are known: more than any has chapters.
pub const BOOK_FILES: usize = 20_000;
/// Addresses that are kept of one line of a letter's header: a list of more is a mailing.
pub const MAIL_ADDRESSES: usize = 100;
/// Documents attached to letters attached to letters: deeper than anybody forwards.
pub const ATTACHMENT_DEPTH: usize = 16;
/// Attachments that are read of one letter or one mailbox; the others are named.
pub const ATTACHMENTS: usize = 10_000;
/// What is read of them in all, in bytes: as much as a worker can parse in its time; the others are named.
pub const ATTACHMENT_BYTES: usize = 32 << 20;
/// Groups within groups of an RTF document that are followed: deeper ones are read as their outermost.
pub const RTF_GROUPS: usize = 1_000;
/// Notes, comments, headers and footers of one paragraph of an RTF document that are read.
pub const ASIDES: usize = 100;
/// Parts that one part of a package refers to: a presentation of ten thousand slides.
pub const RELATIONS: usize = 20_000;

/// Open descriptors of a worker, in number: the pipes that it was born with.
pub const WORKER_DESCRIPTORS: u64 = 3;
/// Descriptors that a worker closes as it begins, up to this number or the limit it was born with: a few milliseconds at most.
pub const WORKER_INHERITED: u64 = 1 << 16;
/// Stack of the thread that parses, in bytes: deep nesting is a document's right up to here; only what is touched is used.
pub const WORKER_STACK_BYTES: usize = 64 << 20;
/// Header of a request to a worker, in bytes: a format, a few numbers and language codes.
pub const WORKER_REQUEST_BYTES: usize = 16 << 10;
/// Header of a worker's answer, in bytes: [`PASSAGES`] with their places and [`OUTLINE_ENTRIES`], all as long as they may be in practice.
pub const WORKER_ANSWER_BYTES: usize = 32 << 20;
/// Documents that one worker reads before it is replaced: bounds what a leak can gather.
pub const WORKER_DOCUMENTS: u32 = 500;
/// How long one worker reads, all its documents together, before it is replaced: its processor time is limited to little more.
pub const WORKER_BUSY: std::time::Duration = std::time::Duration::from_secs(600);
/// How long a worker may take to be ready: many times what it takes on a loaded machine.
pub const WORKER_START: std::time::Duration = std::time::Duration::from_secs(10);
/// What a worker says first, in bytes: how it is confined.
pub const WORKER_GREETING_BYTES: usize = 1024;

/// The bridge's longest line from its agent, in bytes: four times the body that a server takes by default.
pub const BRIDGE_LINE_BYTES: usize = 4 << 20;

/// The bridge's longest single answer from the server, in bytes: far above what tools answer, and no danger to a laptop's memory.
pub const BRIDGE_ANSWER_BYTES: usize = 16 << 20;

/// Largest device configuration the bridge reads, in bytes: a standard one has four hundred.
pub const DEVICE_FILE_BYTES: usize = 64 << 10;

/// Open streams of the bridge that owns the tunnel, in number, its own and those of the attached ones together.
pub const BRIDGE_CONNECTIONS_TOTAL: usize = 256;

/// Connections that the bridge opens at once, in number: half of what a server lets a peer have half-open by default.
pub const BRIDGE_OPENING: usize = 8;

/// TCP buffers of the bridge that owns the tunnel, in bytes: all its streams at their usual size.
pub const BRIDGE_BUFFER_BYTES: u64 = 64 << 20;

/// Handshakes per second that a bridge answers without a cookie: its one peer seldom begins one.
pub const BRIDGE_HANDSHAKES_PER_SECOND: u64 = 20;

/// Addresses of an endpoint's name that are tried, in number: two families, two each.
pub const BRIDGE_ENDPOINTS: usize = 4;

/// What one attempt at a handshake and a connection may take, in milliseconds: two round trips to the other side of the world, with
/// a lost segment. The next begins a handshake at once, where WireGuard would repeat a lost one after 5 s (white paper §6.1).
pub const BRIDGE_DIAL_MILLIS: u64 = 2_500;

/// What opening a stream to the server may take, in milliseconds, for whoever asks the owner of the tunnel for one.
pub const BRIDGE_OPEN_MILLIS: u64 = 8_000;

/// How long after the last sign of life a call tries to reach the server, in milliseconds: the agent has its answer within 10 s.
pub const BRIDGE_REACH_MILLIS: u64 = 9_000;

/// Silence after which the server of a call is looked for, in milliseconds. With the time to look it is within the same 10 s.
pub const BRIDGE_SILENCE_MILLIS: u64 = 4_000;

/// What looking for the server of a silent call may take, in milliseconds: two attempts.
pub const BRIDGE_PROBE_MILLIS: u64 = 5_000;

/// Pause before a bridge looks again for the owner of the tunnel or for its free lock, in milliseconds.
pub const BRIDGE_TAKEOVER_MILLIS: u64 = 20;

/// Connections of other bridges that the owner of the tunnel carries, in number: a server takes 64 of a peer by default.
pub const BRIDGE_ATTACHED: usize = 64;

/// The owner's first line to an attached bridge, in bytes: a reason, at most.
pub const BRIDGE_GREETING_BYTES: usize = 1024;

/// Connections of one bridge to its server, in number: half of the calls that a server takes of a peer at once by default.
pub const BRIDGE_CONNECTIONS: usize = 4;

/// Attempts at one call, in number: a kept connection that the server had closed, one that broke with the owner of the tunnel, and some to a
/// socket of an owner that is being killed, which takes connections until the system is done with it.
pub const BRIDGE_ATTEMPTS: u32 = 6;

/// How long a call waits for a server that says it is busy, in seconds.
pub const BRIDGE_BUSY_SECS: u64 = 30;

/// Messages of one agent under way, in number; reading goes on when one is answered.
pub const BRIDGE_MESSAGES: usize = 256;

/// Lines waiting for the agent to read them, in number: its pipe holds more.
pub const BRIDGE_OUT_LINES: usize = 16;

/// What is under way when the agent's input ends has this many seconds to be answered: a call's time on the server by default.
pub const BRIDGE_DRAIN_SECS: u64 = 30;

/// Clients of the bridge's own port at once, in number.
pub const BRIDGE_LISTEN_CLIENTS: usize = 32;

/// The head of a request to the bridge's own port, in bytes, and the seconds it may take: as for the server's.
pub const BRIDGE_LISTEN_HEAD_BYTES: usize = 16 << 10;
/// See [`BRIDGE_LISTEN_HEAD_BYTES`].
pub const BRIDGE_LISTEN_HEAD_SECS: u64 = 10;

/// Threads of a bridge, in number: one encrypts while another speaks HTTP, and five of them on a laptop stay small.
pub const BRIDGE_THREADS: usize = 2;

/// How long a server may take for all of a trial's answers: more than a bridge takes to say that it is not to be reached, in seconds.
pub const TRIAL_SECS: u64 = 20;
/// Handshake messages per second served of one source address while more than `handshakes_per_second` arrive (the kernel's figure).
pub const SOURCE_HANDSHAKES_PER_SECOND: u32 = 20;

/// Of those, how many may come at once (the kernel's figure).
pub const SOURCE_HANDSHAKES_BURST: u32 = 5;

/// Source addresses remembered under load: further ones wait until a share is free again. 40 bytes each.
pub const SOURCES_UNDER_LOAD: usize = 4096;

/// Least time between two handshakes served of one peer, in milliseconds (the kernel's figure).
pub const INITIATION_INTERVAL_MILLIS: u64 = 20;

/// What each of a connection's two rings may take without asking, in bytes: a request, or a small answer.
pub const RING_LEAST_BYTES: usize = 4 << 10;

/// What may always be written ahead of the acknowledgements, in bytes: the pieces in which answers are made.
pub const SEND_RING_BYTES: usize = 64 << 10;

/// What a fast and distant client may make of that, in bytes: 100 Mbit/s at a round trip of 150 ms, twice.
pub const SEND_RING_MOST_BYTES: usize = 4 << 20;

/// The same in segments: a client that asks for tiny ones would have each acknowledgement looked up among many.
pub const FLIGHT_SEGMENTS: usize = 4096;

/// What a client may send ahead of our reading, in bytes, and what a fast one may make of that.
pub const RECEIVE_WINDOW_BYTES: usize = 64 << 10;
/// See [`RECEIVE_WINDOW_BYTES`].
pub const RECEIVE_WINDOW_MOST_BYTES: usize = 2 << 20;

/// Ranges that came ahead of their time, per connection, in number: every second segment of a large window, when a queue overflows.
pub const EARLY_RANGES: usize = 1024;

/// How long after the last segment an idle connection gives its rings back, in seconds: longer than between the questions of a busy client.
pub const RING_REST_SECS: u64 = 2;

/// A quarter of all buffers is the most that one peer may have.
pub const BUFFER_SHARES: u64 = 4;

/// Least time between two acknowledgements of segments that bring nothing, in milliseconds: two ends that misunderstand each other must
/// not keep each other busy (RFC 5961 §7).
pub const CHALLENGE_MILLIS: u64 = 100;

/// Smallest size of segments that is honoured, in bytes: smaller ones are wanted by nobody but to cause work.
pub const SEGMENT_LEAST_BYTES: usize = 216;

/// How long a 4-tuple is not used again after its connection, in seconds: nothing lives that long in a tunnel.
pub const TIME_WAIT_SECS: u64 = 10;

/// How long a handshake of TCP may take, in seconds.
pub const HALF_OPEN_SECS: u64 = 10;

/// Silence after which a TCP keep-alive is sent, in seconds: rare enough for a phone's battery.
pub const KEEP_ALIVE_SECS: u64 = 60;

/// Silence of the other end after which a connection is dead, in seconds: three keep-alives.
pub const CONNECTION_TIMEOUT_SECS: u64 = 185;

/// How long a connection lives on after its user has let go of it in good order, in seconds: to get rid of what is in its ring.
pub const ORPHAN_SECS: u64 = 120;

/// What such a connection still takes from the other end before it is reset, in bytes: a request whose answer came early may go on.
pub const ORPHAN_DISCARD_BYTES: usize = 1 << 20;

/// Connections of a peer in TIME-WAIT with nobody using them: the oldest gives way.
pub const TIME_WAIT_CONNECTIONS: usize = 8;

/// Segments that one connection may send before the next one of the same peer gets its turn.
pub const TURN_SEGMENTS: usize = 16;

/// Smallest inner MTU, in bytes: what IPv6 asks of every link (RFC 8200 §5).
pub const MIN_MTU_BYTES: u16 = 1280;

/// Largest inner MTU, in bytes: what fits [`DATAGRAM_BYTES`] padded and encrypted.
pub const MAX_MTU_BYTES: u16 = 2000;

/// Events of a node that wait to be recorded; further ones are counted as lost. Streams are bounded by the limits on connections.
pub const NODE_EVENTS: usize = 4096;

/// Senders whose refusals a node sums apart until they are recorded; those of further ones are summed together.
pub const NODE_REFUSALS: usize = 256;
/// What is read of a file at once on its way to a worker, in bytes: a few system calls for most documents.
pub const WORKER_CHUNK_BYTES: usize = 256 << 10;
/// How long a worker whose pipes broke may take to be gone.
pub const WORKER_EXIT: std::time::Duration = std::time::Duration::from_secs(2);

/// How long a changed file must be left alone before it is read: programs write in several steps.
pub const WATCH_QUIET: std::time::Duration = std::time::Duration::from_millis(300);
/// How long a file that never comes to rest is waited for.
pub const WATCH_LATEST: std::time::Duration = std::time::Duration::from_secs(2);
/// Changed paths that are remembered one by one; beyond, walking the collection is cheaper.
pub const WATCH_PATHS: usize = 10_000;

/// Commands that wait for the indexer: each asks for a walk, and one walk answers many.
pub const INDEXER_COMMANDS: usize = 16;
/// Least time between two commits of a collection: a busy folder costs a few hundredths of a core.
pub const COMMIT_SPACING: std::time::Duration = std::time::Duration::from_millis(800);
/// Time between two commits while a collection is read for the first time.
pub const COMMIT_BULK: std::time::Duration = std::time::Duration::from_secs(5);
/// Time until the first commit of a collection: whoever set it up a moment ago searches now.
pub const COMMIT_FIRST: std::time::Duration = std::time::Duration::from_secs(1);
/// Files from this size on, in bytes, are read when the smaller ones have been, and what is ready is shown before the text of one is
/// indexed: either takes seconds.
pub const LARGE_FILE: u64 = 4 << 20;
/// Text that one commit shows, in bytes: what a crash costs at most.
pub const COMMIT_BYTES: usize = 64 << 20;
/// Changes that one commit shows.
pub const COMMIT_DOCUMENTS: usize = 5_000;
/// How long the lock of the state folder is waited for: a command without a daemon holds it for some milliseconds.
pub const STATE_LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(2);
/// How often it is tried.
pub const STATE_LOCK_STEP: std::time::Duration = std::time::Duration::from_millis(20);
/// How long an index writer is kept for the next change: it holds threads and memory.
pub const WRITER_REST: std::time::Duration = std::time::Duration::from_secs(10);
/// Files of one collection whose strikes are remembered: a folder of a thousand hostile documents has been noticed.
pub const STRUCK_FILES: usize = 1_000;
/// Folders that `adit doctor` counts: more than any kernel watches by default, in a few seconds.
pub const DOCTOR_FOLDERS: u64 = 2_000_000;
/// Files remembered to be no documents: a walk opens the others again.
pub const NO_DOCUMENTS: usize = 200_000;
/// A file that took longer to read than this rests afterwards.
pub const READ_SHORT: std::time::Duration = std::time::Duration::from_millis(200);
/// It rests so many times as long as it took to read: a log of many megabytes that never rests costs a twentieth of a core.
pub const READ_SHARE: u32 = 20;

/// Longest word that is indexed, in bytes: longer ones are data, not words.
pub const WORD_BYTES: usize = 96;

/// Words whose stems are remembered while texts are indexed, for each field and thread: a megabyte and a half; twice as many find few more.
pub const KNOWN_STEMS: usize = 1 << 14;

/// Longest title that is kept, in bytes: two lines of a result.
pub const TITLE_BYTES: usize = 300;

/// Longest reason that is kept for a file that could not be read, in bytes: a sentence or three.
pub const REASON_BYTES: usize = 500;

/// Stored texts that are compressed together, in bytes: a few passages. To unpack ten blocks for a page of results was two fifths of a
/// question's time with four times as many, which would save a thirtieth of the text's size.
pub const STORE_BLOCK_BYTES: usize = 16 << 10;

/// How hard zstd tries: at twice this level it takes three times as long to save a sixtieth of the text's size.
pub const STORE_LEVEL: i32 = 3;

/// Decompressed blocks of [`STORE_BLOCK_BYTES`] that an index keeps of its stored texts, per segment: what a page of results touches.
pub const STORE_CACHE_BLOCKS: usize = 8;

/// Bytes of text on their way to the index writer's threads: enough to keep them busy, little beside the writer's own memory.
pub const QUEUE_BYTES: usize = 8 << 20;

/// How long the way to the index writer's threads may stand still before writing is given up.
pub const QUEUE_WAIT: std::time::Duration = std::time::Duration::from_secs(120);

/// Passages given to the index writer in one piece, so that one huge document cannot outgrow its memory.
pub const PUT_PASSAGES: usize = 128;

/// Memory of one thread of an index writer, in bytes, at least: what tantivy asks for.
pub const WRITER_BYTES_PER_THREAD: usize = 15_000_000;

/// Part of an index segment that may be deleted documents; with more it is written anew without them, so that deleted text goes.
pub const DELETED_BEFORE_MERGE: f32 = 0.2;

/// Bytes of a question that are read: a page, since agents paste whole abstracts.
pub const QUERY_BYTES: usize = 8000;

/// Words of a question that are read.
pub const QUERY_WORDS: usize = 1000;

/// Different words of a question that count for the score: the rarest, which bounds the work of a pasted page.
pub const QUERY_LEAVES: usize = 64;

/// Brackets within brackets that are followed.
pub const QUERY_NESTING: usize = 8;

/// Words that one `word*` or `word~` stands for at most.
pub const QUERY_EXPANSIONS: usize = 50;

/// Languages by whose rules a question's words are stemmed: the most frequent ones of what is in scope.
pub const QUERY_TONGUES: usize = 6;

/// Bytes of a document's text in one answer, at most: what fits an agent's window beside other things.
pub const READ_BYTES: usize = 200_000;

/// Results of one answer.
pub const RESULTS: usize = 50;

/// Bytes of one snippet: more is for reading the document.
pub const SNIPPET_BYTES: usize = 4000;

/// Documents that match are counted up to here.
pub const TOTAL_EXACT: u64 = 1000;

/// Documents that are looked at closely together: their order is by the full score.
pub const TIER_DOCUMENTS: usize = 200;

/// Documents that are looked at closely for their names alone: a question that is a name has few that it could be.
pub const NAMED_CANDIDATES: usize = 30;

/// Tiers that can be paged through: nobody reads further than five thousand results.
pub const TIERS: u32 = 25;

/// Texts of fewer bytes may be equal by chance: no copies of each other.
pub const COPY_BYTES: usize = 100;

/// Copies of a document that a hit names; of more it tells the number.
pub const COPIES_NAMED: usize = 10;

/// Words with typos are looked for where fewer documents than these hold the exact ones.
pub const FUZZY_BELOW: u64 = 10;

/// How far ahead of the clock the date that a document bears may be, in seconds: a time zone that was taken for another.
pub const DATE_AHEAD: i64 = 24 * 60 * 60;

/// Parts of a question of which it is said that they were not used.
pub const QUERY_UNUSED: usize = 10;

/// Scopes whose sight of a collection is kept between commits: as many peers as ask at the same time.
pub const SIGHTS: usize = 16;

/// Words whose frequency in a sight is kept between commits: a few hundred kilobytes.
pub const FREQUENCIES: usize = 10_000;

/// Lines of the audit log that wait to be written, in bytes: ten thousand usual ones, while a disk is full or slow.
pub const AUDIT_WAITING_BYTES: usize = 4 << 20;

/// Longest line of the audit log, in bytes: texts and names at their limits, all of it escaped; below a share of the smallest log.
pub const AUDIT_LINE_BYTES: usize = 128 << 10;

/// What a line of the audit log keeps of a query, in bytes: a paragraph.
pub const AUDIT_TEXT_BYTES: usize = 2000;

/// Names of documents in a line of the audit log, in bytes: those of a full page of results, long ones among them.
pub const AUDIT_DOCUMENTS_BYTES: usize = 16_000;

/// Parts of the audit log's size, and of its age, that one file makes up: what goes at once when room is needed.
pub const AUDIT_SHARES: u32 = 8;

/// Files of the audit log, in number: it needs twice [`AUDIT_SHARES`], and some for what a changed configuration leaves.
pub const AUDIT_FILES: u32 = 64;

/// Pause before an audit log that could not be written is tried again.
pub const AUDIT_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// How often an idle audit log is looked through for what is too old.
pub const AUDIT_TIDY: std::time::Duration = std::time::Duration::from_secs(3600);

/// How long an audit line waits for others to be written with, so that a busy device costs a write for many calls.
pub const AUDIT_GATHER: std::time::Duration = std::time::Duration::from_millis(20);

/// Devices that are gone whose names the audit log remembers, in number: the last calls of one that was revoked end within seconds.
pub const AUDIT_GONE: usize = 256;

/// How long refusals of one kind are summed before the audit log has a line of them.
pub const AUDIT_SUM: std::time::Duration = std::time::Duration::from_secs(60);

/// Documents that the rehearsal of a grant names of each side, in number: more than a person reads, and both fit a line of the control socket.
pub const REHEARSAL_DOCUMENTS: usize = 1000;

/// How long bytes that devices have used wait before they are written down: what a power cut gives back to them.
pub const USAGE_SAVE: std::time::Duration = std::time::Duration::from_secs(30);

/// How long `/_health` goes by the last question it asked the index: whoever looks every second still sees every change.
pub const HEALTH_PROBE: std::time::Duration = std::time::Duration::from_secs(1);

/// Answers to such questions that are kept, one for each set of documents that callers see: monitors are few.
pub const HEALTH_PROBES: usize = 16;
