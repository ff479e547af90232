//! A [`Config`] in, the text of an `adit.toml` that says the same out: every key, every path absolute.

use std::fmt::Display;
use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::*;

impl Config {
    /// The configuration as TOML; [`Config::parse`] reads the same from it.
    pub fn to_toml(&self) -> String {
        let mut document = DocumentMut::new();
        document["version"] = value(1);
        document["server"] = server(&self.server);
        let collections = self.collections.iter().map(collection).collect();
        if !self.collections.is_empty() {
            document["collection"] = Item::ArrayOfTables(collections);
        }
        document["index"] = table([
            ("memory", size(self.index.memory)),
            ("threads", number(self.index.threads as u64)),
            ("rescan", time(self.index.rescan)),
            ("language", if self.index.languages.is_empty() { "auto".into() } else { list(&self.index.languages) }),
        ]);
        document["extract"] = table([
            ("workers", number(self.extract.workers as u64)),
            ("memory", size(self.extract.memory)),
            ("timeout", time(self.extract.timeout)),
            ("max_text", size(self.extract.max_text)),
        ]);
        document["limits"] = limits(&self.limits);
        document["limits"]["total"] = table([
            ("connections", number(self.total.connections as u64)),
            ("buffers", size(self.total.buffers)),
            ("handshakes_per_second", number(self.total.handshakes_per_second)),
        ]);
        document["grant"] = table([("scopes", list(&self.grant.scopes))]);
        document["mcp"] = table([
            ("revisions", list(&self.mcp.revisions)),
            ("answer_tokens", number(self.mcp.answer_tokens as u64)),
            ("origins", list(&self.mcp.origins)),
        ]);
        document["audit"] = table([
            ("file", path(&self.audit.file)),
            ("keep", time(self.audit.keep)),
            ("max_size", size(self.audit.max_size)),
            ("queries", word(&AuditQueries::WORDS, &self.audit.queries)),
            ("on_error", word(&AuditFailure::WORDS, &self.audit.on_error)),
        ]);
        document["log"] = table([
            ("level", word(&LogConfig::LEVELS, &self.log.level)),
            ("format", word(&LogFormat::WORDS, &self.log.format)),
        ]);
        document["page"] = table([("enabled", self.page.enabled.into())]);
        document.to_string()
    }
}

fn server(server: &ServerConfig) -> Item {
    table([
        ("listen", server.listen.to_string().into()),
        ("endpoint", server.endpoint.as_str().into()),
        ("tunnel", list(&server.tunnel)),
        ("mtu", number(server.mtu.into())),
        ("names", list(&server.names)),
        ("key_file", path(&server.key_file)),
        ("state_dir", path(&server.state_dir)),
        ("dial", list(&server.dial)),
    ])
}

fn collection(collection: &CollectionConfig) -> Table {
    table_of([
        ("name", collection.name.as_str().into()),
        ("path", path(&collection.path)),
        ("exclude", list(&collection.exclude)),
        ("hidden", collection.hidden.into()),
        ("max_file", size(collection.max_file)),
    ])
}

fn limits(limits: &LimitsConfig) -> Item {
    table([
        ("requests_per_second", number(limits.requests_per_second.into())),
        ("requests_burst", number(limits.requests_burst.into())),
        ("requests_at_once", number(limits.requests_at_once.into())),
        ("connections", number(limits.connections as u64)),
        ("half_open", number(limits.half_open as u64)),
        ("bytes_per_day", size(limits.bytes_per_day)),
        ("header", size(limits.header as u64)),
        ("body", size(limits.body as u64)),
        ("header_timeout", time(limits.header_timeout)),
        ("idle_timeout", time(limits.idle_timeout)),
        ("call_timeout", time(limits.call_timeout)),
    ])
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Item {
    Item::Table(table_of(entries))
}

fn table_of<const N: usize>(entries: [(&str, Value); N]) -> Table {
    InlineTable::from_iter(entries).into_table()
}

fn list<T: Display>(elements: &[T]) -> Value {
    elements.iter().map(T::to_string).collect::<Array>().into()
}

/// Paths come from a TOML text, so they are text.
fn path(path: &Path) -> Value {
    path.to_string_lossy().into_owned().into()
}

fn size(bytes: u64) -> Value {
    match bytes {
        0 => 0.into(),
        bytes => format_size(bytes).into(),
    }
}

fn time(time: std::time::Duration) -> Value {
    format_time(time).into()
}

/// Every number of the configuration has passed through TOML's signed integers or a range below them.
fn number(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: &T) -> Value {
    let word = words.iter().find(|(_, known)| known == meaning).expect("every meaning has its word");
    word.0.into()
}
