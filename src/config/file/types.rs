//! The contents of `adit.toml` as values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use crate::name::{CollectionName, PeerName};

/// `adit.toml`, whole: every key present, every value checked, every path absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[[collection]]`, in the file's order; names are unique, folders neither equal nor one within another.
    pub collections: Vec<CollectionConfig>,
    /// `[index]`
    pub index: IndexConfig,
    /// `[extract]`
    pub extract: ExtractConfig,
    /// `[limits]`: of one peer
    pub limits: LimitsConfig,
    /// `[limits.total]`
    pub total: TotalLimitsConfig,
    /// `[grant]`
    pub grant: GrantConfig,
    /// `[mcp]`
    pub mcp: McpConfig,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[page]`
    pub page: PageConfig,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// The one UDP socket; ignored when the service manager hands one over.
    pub listen: SocketAddr,
    /// `HOST:PORT` that devices dial, as written into their configurations.
    pub endpoint: String,
    /// The server's own address and its network, per family: at least one, at most one of each.
    pub tunnel: Vec<TunnelNetwork>,
    /// Inner MTU in bytes, 1280 to 1500.
    pub mtu: u16,
    /// Further `Host` names to accept, besides the tunnel addresses.
    pub names: Vec<String>,
    /// Absolute path of the server's private key.
    pub key_file: PathBuf,
    /// Absolute path of the folder of peers, index and audit log.
    pub state_dir: PathBuf,
    /// Peers to call ourselves: for a server that devices cannot reach first.
    pub dial: Vec<Dial>,
}

/// A peer to call ourselves, and where: `NAME=ADDRESS:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Which.
    pub peer: PeerName,
    /// Its literal address: the server looks no names up.
    pub address: SocketAddr,
}

/// An inner network and the server's address in it, as `10.94.7.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelNetwork {
    /// The server's own address.
    pub address: std::net::IpAddr,
    /// The length of the network's prefix in bits.
    pub prefix: u8,
}

/// `[[collection]]`
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionConfig {
    /// Its name: unique.
    pub name: CollectionName,
    /// The absolute path of its root folder.
    pub path: PathBuf,
    /// Further excludes, in gitignore syntax.
    pub exclude: Vec<String>,
    /// Whether dotfiles belong to it.
    pub hidden: bool,
    /// The largest file that is read, in bytes.
    pub max_file: u64,
}

/// `[index]`
#[derive(Debug, Clone, PartialEq)]
pub struct IndexConfig {
    /// Memory of the index writer in bytes.
    pub memory: u64,
    /// Threads of the index writer.
    pub threads: usize,
    /// How often all folders are walked again, watched or not.
    pub rescan: Duration,
    /// Languages to choose between when stemming; empty: all that are known.
    pub languages: Vec<String>,
}

/// `[extract]`
#[derive(Debug, Clone, PartialEq)]
pub struct ExtractConfig {
    /// Worker processes.
    pub workers: usize,
    /// Address space of a worker in bytes.
    pub memory: u64,
    /// What one document may take.
    pub timeout: Duration,
    /// Text kept of one document, in bytes.
    pub max_text: u64,
}

/// `[limits]`: what one peer may use.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitsConfig {
    /// Requests per second, sustained.
    pub requests_per_second: u32,
    /// Requests at once above that rate.
    pub requests_burst: u32,
    /// Requests being answered at the same time.
    pub requests_at_once: u32,
    /// Open TCP connections.
    pub connections: usize,
    /// TCP connections whose handshake is not finished.
    pub half_open: usize,
    /// Answer bytes per day; 0: no limit.
    pub bytes_per_day: u64,
    /// Header of a request in bytes.
    pub header: usize,
    /// Body of a request in bytes.
    pub body: usize,
    /// Time from the first byte of a connection, or from the last answer's next byte, to the end of the header.
    pub header_timeout: Duration,
    /// Time a connection may be silent.
    pub idle_timeout: Duration,
    /// Time one call may take.
    pub call_timeout: Duration,
}

/// `[limits.total]`: what all peers together may use.
#[derive(Debug, Clone, PartialEq)]
pub struct TotalLimitsConfig {
    /// Open TCP connections.
    pub connections: usize,
    /// Bytes of TCP buffers.
    pub buffers: u64,
    /// Handshakes answered without a cookie, per second.
    pub handshakes_per_second: u64,
}

/// `[grant]`: what `peer add` gives without flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantConfig {
    /// Names of what may be done: `search`, `read`, `browse`, `health`, `metrics`.
    pub scopes: Vec<String>,
}

/// `[mcp]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpConfig {
    /// Revisions accepted, oldest first.
    pub revisions: Vec<String>,
    /// Budget of a search answer, in tokens of about four characters.
    pub answer_tokens: usize,
    /// Foreign `Origin`s to admit; never `*`.
    pub origins: Vec<String>,
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq)]
pub struct AuditConfig {
    /// Absolute path of the log.
    pub file: PathBuf,
    /// How long records are kept.
    pub keep: Duration,
    /// Bytes of all log files together.
    pub max_size: u64,
    /// What is recorded of a query.
    pub queries: AuditQueries,
    /// What becomes of a call that cannot be recorded.
    pub on_error: AuditFailure,
}

/// What the audit log keeps of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditQueries {
    /// Its text.
    Text,
    /// Its hash.
    Hash,
}

impl AuditQueries {
    pub(super) const WORDS: [(&str, AuditQueries); 2] = [("text", AuditQueries::Text), ("hash", AuditQueries::Hash)];
}

/// What becomes of a call that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFailure {
    /// It is served; the loss is counted and shown.
    Serve,
    /// It is refused.
    Refuse,
}

impl AuditFailure {
    pub(super) const WORDS: [(&str, AuditFailure); 2] =
        [("serve", AuditFailure::Serve), ("refuse", AuditFailure::Refuse)];
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Level,
    /// How lines look.
    pub format: LogFormat,
}

impl LogConfig {
    pub(super) const LEVELS: [(&str, Level); 5] = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `Journald` where the service manager listens, otherwise `Text`.
    Auto,
    /// For the journal: no time of our own, priorities as prefixes.
    Journald,
    /// For a terminal.
    Text,
    /// One object per line.
    Json,
}

impl LogFormat {
    pub(super) const WORDS: [(&str, LogFormat); 4] = [
        ("auto", LogFormat::Auto),
        ("journald", LogFormat::Journald),
        ("text", LogFormat::Text),
        ("json", LogFormat::Json),
    ];
}

/// `[page]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageConfig {
    /// Whether `/` serves the search page.
    pub enabled: bool,
}
