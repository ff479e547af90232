//! The text of `adit.toml` in, a checked [`Config`] or everything wrong with it out. One function per section, each key
//! with its default and its range.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml_edit::{Document, Value};

use super::checks::{choice, flag, list, number, parsed, size, text, text_that, time};
use super::errors::position;
use super::languages::iso_639_3;
use super::reader::{Checked, Reader, Section, expected};
use super::*;
use crate::name::NameError;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// MCP revisions that adit speaks, oldest first.
pub const REVISIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// What a grant may allow, by name; all but the last are given by default.
pub const SCOPES: [&str; 5] = ["search", "read", "browse", "health", "metrics"];

/// The only version of the file there has been.
const FILE_VERSION: i64 = 1;

/// Largest file in bytes: thousands of collections fit.
const FILE_BYTES: u64 = 1 << 20;

const NAME_FORM: &str = "a name of up to 48 letters, digits, '-', '_' and '.', beginning with a letter or digit";

/// The index writer needs this much memory for each of its threads (tantivy refuses less).
const MEMORY_PER_THREAD: u64 = 15 * MIB;

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        let unreadable = |source| ConfigErrors::Unreadable { path: path.to_owned(), source };
        let places = Places::at(path).map_err(unreadable)?;
        let text = read_limited(&places.config).map_err(unreadable)?;
        Config::parse(&text, &places).map_err(|errors| ConfigErrors::Invalid { path: path.to_owned(), errors })
    }

    /// Checks a configuration's text. Relative paths are relative to the folder of `places.config`.
    pub fn parse(text: &str, places: &Places) -> Result<Config, Vec<ConfigError>> {
        let document = Document::parse(text).map_err(|error| {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            // The parser's message may take several lines; ours is one.
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            vec![ConfigError { line, column, message }]
        })?;
        let reader = Reader::new(text);
        let config = read_file(&reader.root(document.as_table()), places);
        let errors = reader.finish();
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(errors),
        }
    }
}

/// The file as text; one that goes on for ever is none.
fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    match length as u64 > FILE_BYTES {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "this is no configuration: it is larger than 1 MiB")),
        false => Ok(text),
    }
}

fn read_file(root: &Section, places: &Places) -> Option<Config> {
    root.read("version", (), version);
    let server = read_server(&root.section("server"), places);
    let collections = read_collections(root, places, server.as_ref());
    let index = read_index(&root.section("index"));
    let extract = read_extract(&root.section("extract"));
    let limits_section = root.section("limits");
    let limits = read_limits(&limits_section);
    let total = read_total(&limits_section.section("total"));
    let grant = read_grant(&root.section("grant"));
    let mcp = read_mcp(&root.section("mcp"));
    let log = read_log(&root.section("log"));
    let page = PageConfig { enabled: root.section("page").read("enabled", true, flag) };
    let state_dir = server.as_ref().map_or(&places.state_dir, |server| &server.state_dir);
    let audit = read_audit(&root.section("audit"), state_dir);
    Some(Config { server: server?, collections, index, extract, limits, total, grant, mcp, audit, log, page })
}

fn read_server(server: &Section, places: &Places) -> Option<ServerConfig> {
    let listen = "[::]:51820".parse().expect("a literal socket address");
    let listen = server.read("listen", listen, socket_address);
    let endpoint = text_that("HOST:PORT, such as \"home.example.org:51820\" or \"[2001:db8::1]:51820\"", is_endpoint);
    let endpoint = server.require("endpoint", "what devices dial, such as \"home.example.org:51820\"", endpoint);
    let networks = list("networks", 1..=2, parsed::<TunnelNetwork>(|error| error.to_string()));
    let advice = "the server's own addresses in the tunnel, such as [\"10.94.7.1/24\"]";
    let tunnel = server.require("tunnel", advice, networks);
    if let Some([first, second]) = tunnel.as_deref()
        && first.address.is_ipv4() == second.address.is_ipv4()
    {
        server.error("tunnel", "expected at most one IPv4 and one IPv6 network, found two of one family");
    }
    let host_name = text_that("a host name without port, such as \"library.home\"", is_dns_name);
    Some(ServerConfig {
        listen,
        mtu: server.read("mtu", 1280, number(1280..=1500)),
        names: server.read("names", Vec::new(), list("host names", 0..=64, host_name)),
        key_file: server.read("key_file", places.key_file.clone(), path_from(places.dir())),
        state_dir: server.read("state_dir", places.state_dir.clone(), path_from(places.dir())),
        dial: server.read("dial", Vec::new(), list("peers", 0..=64, parsed::<Dial>(|error| error.to_string()))),
        endpoint: endpoint?,
        tunnel: tunnel?,
    })
}

fn read_collections(root: &Section, places: &Places, server: Option<&ServerConfig>) -> Vec<CollectionConfig> {
    let mut collections: Vec<CollectionConfig> = Vec::new();
    for section in root.sections("collection") {
        let name = section.require(
            "name",
            "what to call it, such as \"documents\"",
            parsed(|_: NameError| NAME_FORM.to_owned()),
        );
        let path = section.require("path", "its folder, such as \"/srv/documents\"", path_from(places.dir()));
        let exclude = list("patterns", 0..=1000, text("a pattern in gitignore syntax"));
        let exclude = section.read("exclude", Vec::new(), exclude);
        let hidden = section.read("hidden", false, flag);
        let max_file = section.read("max_file", 100 * MIB, size(KIB..=64 * GIB));
        let (Some(name), Some(path)) = (name, path) else { continue };
        let collection = CollectionConfig { name, path, exclude, hidden, max_file };
        check_against_others(&section, &collection, &collections);
        if let Some(server) = server {
            check_for_secrets(&section, &collection, server);
        }
        collections.push(collection);
    }
    collections
}

fn check_against_others(section: &Section, collection: &CollectionConfig, others: &[CollectionConfig]) {
    for other in others {
        if other.name == collection.name {
            section.error("name", format_args!("another collection is called \"{}\"", other.name));
        }
        if other.path == collection.path {
            section.error("path", format_args!("this is the folder of the collection \"{}\"", other.name));
        } else if collection.path.starts_with(&other.path) {
            section.error("path", format_args!("this folder lies within that of the collection \"{}\"", other.name));
        } else if other.path.starts_with(&collection.path) {
            section.error("path", format_args!("the folder of the collection \"{}\" lies within this one", other.name));
        }
    }
}

/// What adit keeps to itself must not be among what it makes searchable.
fn check_for_secrets(section: &Section, collection: &CollectionConfig, server: &ServerConfig) {
    let secrets = [("the server's private key", &server.key_file), ("adit's own state", &server.state_dir)];
    for (what, path) in secrets {
        let Ok(below) = path.strip_prefix(&collection.path) else { continue };
        let is_dotfile = below.components().any(|component| component.as_os_str().as_encoded_bytes().starts_with(b"."));
        if collection.hidden || !is_dotfile {
            let path = path.display();
            section.error("path", format_args!("{what} ({path}) lies in this folder and would become searchable"));
        }
    }
    if collection.path.starts_with(&server.state_dir) {
        section.error("path", "this folder lies in adit's own state");
    }
}

fn read_index(index: &Section) -> IndexConfig {
    let config = IndexConfig {
        memory: index.read("memory", 100 * MIB, size(MEMORY_PER_THREAD..=16 * GIB)),
        threads: index.read("threads", 2, number(1..=8)),
        rescan: index.read("rescan", Duration::from_secs(10 * MINUTE), time(10..=30 * DAY)),
        languages: index.read("language", Vec::new(), languages),
    };
    if config.memory < MEMORY_PER_THREAD * config.threads as u64 {
        let needed = format_size(MEMORY_PER_THREAD * config.threads as u64);
        index.error("memory", format_args!("expected at least {needed} for {} threads", config.threads));
    }
    config
}

fn read_extract(extract: &Section) -> ExtractConfig {
    ExtractConfig {
        workers: extract.read("workers", 2, number(1..=64)),
        memory: extract.read("memory", 512 * MIB, size(64 * MIB..=64 * GIB)),
        timeout: extract.read("timeout", Duration::from_secs(30), time(1..=HOUR)),
        max_text: extract.read("max_text", 20 * MIB, size(KIB..=GIB)),
    }
}

fn read_limits(limits: &Section) -> LimitsConfig {
    LimitsConfig {
        requests_per_second: limits.read("requests_per_second", 20, number(1..=100_000)),
        requests_burst: limits.read("requests_burst", 40, number(1..=100_000)),
        requests_at_once: limits.read("requests_at_once", 8, number(1..=1_000)),
        connections: limits.read("connections", 64, number(1..=10_000)),
        half_open: limits.read("half_open", 16, number(1..=1_000)),
        bytes_per_day: limits.read("bytes_per_day", 0, size(0..=1 << 50)),
        header: limits.read("header", 16 << 10, size(4 * KIB..=MIB)),
        body: limits.read("body", 1 << 20, size(KIB..=64 * MIB)),
        header_timeout: limits.read("header_timeout", Duration::from_secs(10), time(1..=10 * MINUTE)),
        idle_timeout: limits.read("idle_timeout", Duration::from_secs(5 * MINUTE), time(1..=DAY)),
        call_timeout: limits.read("call_timeout", Duration::from_secs(30), time(1..=HOUR)),
    }
}

fn read_total(total: &Section) -> TotalLimitsConfig {
    TotalLimitsConfig {
        connections: total.read("connections", 4096, number(1..=1_000_000)),
        buffers: total.read("buffers", 256 * MIB, size(MIB..=64 * GIB)),
        handshakes_per_second: total.read("handshakes_per_second", 2000, number(1..=1_000_000)),
    }
}

fn read_grant(grant: &Section) -> GrantConfig {
    let scope =
        text_that("one of \"search\", \"read\", \"browse\", \"health\", \"metrics\"", |text| SCOPES.contains(&text));
    let default = SCOPES[..4].iter().map(|scope| scope.to_string()).collect();
    GrantConfig { scopes: grant.read("scopes", default, list("scopes", 0..=SCOPES.len(), scope)) }
}

fn read_mcp(mcp: &Section) -> McpConfig {
    let known = format!("one of \"{}\"", REVISIONS.join("\", \""));
    let revision = |value: &Value| match value.as_str().filter(|text| REVISIONS.contains(text)) {
        Some(revision) => Ok(revision.to_owned()),
        None => expected(value, &known),
    };
    let default = REVISIONS.map(str::to_owned).to_vec();
    let mut revisions = mcp.read("revisions", default, list("revisions", 1..=REVISIONS.len(), revision));
    revisions.sort();
    revisions.dedup();
    let origin = text_that("an origin such as \"https://chat.example.org\" (never \"*\")", is_origin);
    McpConfig {
        revisions,
        answer_tokens: mcp.read("answer_tokens", 5000, number(500..=12_000)),
        origins: mcp.read("origins", Vec::new(), list("origins", 0..=64, origin)),
    }
}

fn read_audit(audit: &Section, state_dir: &Path) -> AuditConfig {
    AuditConfig {
        file: audit.read("file", state_dir.join("audit.jsonl"), path_from(state_dir)),
        keep: audit.read("keep", Duration::from_secs(90 * DAY), time(HOUR..=3650 * DAY)),
        max_size: audit.read("max_size", 256 * MIB, size(MIB..=1024 * GIB)),
        queries: audit.read("queries", AuditQueries::Text, choice(&AuditQueries::WORDS)),
        on_error: audit.read("on_error", AuditFailure::Serve, choice(&AuditFailure::WORDS)),
    }
}

fn read_log(log: &Section) -> LogConfig {
    LogConfig {
        level: log.read("level", tracing::Level::INFO, choice(&LogConfig::LEVELS)),
        format: log.read("format", LogFormat::Auto, choice(&LogFormat::WORDS)),
    }
}

fn version(value: &Value) -> Checked<()> {
    match value.as_integer() {
        Some(FILE_VERSION) => Ok(()),
        _ => expected(value, format_args!("{FILE_VERSION}, the only version of this file that there is")),
    }
}

fn socket_address(value: &Value) -> Checked<SocketAddr> {
    let address = value.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    match address.filter(|address| address.port() != 0) {
        Some(address) => Ok(address),
        None => expected(value, "a literal address and port, such as \"[::]:51820\" or \"192.0.2.1:51820\""),
    }
}

fn languages(value: &Value) -> Checked<Vec<String>> {
    let code = |value: &Value| match value.as_str().and_then(iso_639_3) {
        Some(code) => Ok(code.to_owned()),
        None => expected(value, "the code of a language that adit can tell, such as \"en\" or \"eng\""),
    };
    match value.as_str() {
        Some("auto") => Ok(Vec::new()),
        Some(_) => expected(value, "\"auto\" or a list of languages, such as [\"en\", \"de\"]"),
        None => list("languages (or \"auto\")", 1..=64, code)(value),
    }
}

/// A path, made absolute from this folder.
fn path_from(dir: &Path) -> impl Fn(&Value) -> Checked<PathBuf> {
    let dir = dir.to_owned();
    move |value| {
        let text = text("a path")(value)?;
        match text.starts_with('~') {
            true => expected(value, "a path without \"~\", which only shells expand: write the folder out"),
            false => Ok(tidy(&dir.join(text))),
        }
    }
}

/// The same path without `.`, `x/..` and doubled separators, so that equal folders compare equal.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            Component::ParentDir if tidy.has_root() => {}
            component => tidy.push(component),
        }
    }
    tidy
}
