//! Tables of a TOML document in, checked values out; what is wrong is collected with its place and never ends the reading.

use std::cell::RefCell;
use std::ops::Range;

use toml_edit::{Item, TableLike, Value};

use super::errors::{ConfigError, position};

/// What a value's reader says of a value it does not take.
#[derive(Debug)]
pub(super) struct Problem {
    span: Option<Range<usize>>,
    message: String,
}

/// The outcome of reading one value.
pub(super) type Checked<T> = Result<T, Vec<Problem>>;

/// A value that is not what was expected.
pub(super) fn expected<T>(value: &Value, what: impl std::fmt::Display) -> Checked<T> {
    let message = format!("expected {what}, found {}", found(value));
    Err(vec![Problem { span: value.span(), message }])
}

/// Collects errors and the keys that were asked for.
pub(super) struct Reader<'t> {
    text: &'t str,
    errors: RefCell<Vec<(usize, String)>>,
    sections: RefCell<Vec<Read>>,
}

/// A section that has been read: the keys it knows, and those in the file that nobody asked for.
struct Read {
    name: String,
    known: Vec<&'static str>,
    unknown: Vec<Unknown>,
}

/// A key that nobody asked for.
struct Unknown {
    key: String,
    offset: usize,
    is_section: bool,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Reader<'t> {
        Reader { text, errors: RefCell::default(), sections: RefCell::default() }
    }

    /// The document's root as a section without a name.
    pub(super) fn root(&self, table: &'t dyn TableLike) -> Section<'_, 't> {
        Section { reader: self, name: String::new(), table: Some(table), offset: 0, asked: RefCell::default() }
    }

    /// Notes something wrong at a byte offset.
    pub(super) fn error(&self, offset: usize, message: String) {
        self.errors.borrow_mut().push((offset, message));
    }

    /// Everything wrong, in the file's order, unknown keys included.
    pub(super) fn finish(self) -> Vec<ConfigError> {
        let sections = self.sections.into_inner();
        let mut errors = self.errors.into_inner();
        for section in &sections {
            for unknown in &section.unknown {
                errors.push((unknown.offset, unknown_key(unknown, section, &sections)));
            }
        }
        errors.sort();
        errors.dedup();
        let place = |(offset, message)| {
            let (line, column) = position(self.text, offset);
            ConfigError { line, column, message }
        };
        errors.into_iter().map(place).collect()
    }
}

/// One table. Remembers the keys it is asked for; when it is dropped, keys that nobody asked for are unknown.
pub(super) struct Section<'r, 't> {
    reader: &'r Reader<'t>,
    name: String,
    table: Option<&'t dyn TableLike>,
    offset: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'r, 't> Section<'r, 't> {
    /// A key with a default.
    pub(super) fn read<T>(&self, key: &'static str, default: T, read: impl FnOnce(&Value) -> Checked<T>) -> T {
        self.read_if_there(key, read).flatten().unwrap_or(default)
    }

    /// A key that must be there; `None` is noted as an error, with this advice.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        advice: &str,
        read: impl FnOnce(&Value) -> Checked<T>,
    ) -> Option<T> {
        let value = self.read_if_there(key, read);
        if value.is_none() {
            self.reader.error(self.offset, format!("{} lacks the key \"{key}\": {advice}", self.title()));
        }
        value.flatten()
    }

    /// The table below a key; an empty one where there is none.
    pub(super) fn section(&self, key: &'static str) -> Section<'r, 't> {
        let item = self.item(key);
        let table = item.and_then(|item| item.as_table_like());
        if let (Some(item), None) = (item, table) {
            let message = format!("[{}] is a section, not a value", self.path_of(key));
            self.reader.error(self.offset_of(key, item), message);
        }
        self.below(self.path_of(key), table, item.and_then(|item| item.span()))
    }

    /// The tables below a key that may stand several times (`[[key]]`).
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'r, 't>> {
        let Some(item) = self.item(key) else { return Vec::new() };
        let inline = |value: &'t Value| Some((value.as_inline_table()? as &dyn TableLike, value.span()));
        let tables: Option<Vec<_>> = match item.as_array_of_tables() {
            Some(tables) => Some(tables.iter().map(|table| (table as &dyn TableLike, table.span())).collect()),
            None => item.as_array().and_then(|array| array.iter().map(inline).collect()),
        };
        let Some(tables) = tables else {
            let message = format!("each {key} is a section of its own, headed [[{}]]", self.path_of(key));
            self.reader.error(self.offset_of(key, item), message);
            return Vec::new();
        };
        let name = format!("[{}]", self.path_of(key));
        tables.into_iter().map(|(table, span)| self.below(name.clone(), Some(table), span)).collect()
    }

    /// Notes something wrong with a key's value.
    pub(super) fn error(&self, key: &'static str, message: impl std::fmt::Display) {
        let offset = self.item(key).map_or(self.offset, |item| span_start(item.span()));
        self.reader.error(offset, format!("{key} in {}: {message}", self.title()));
    }

    fn read_if_there<T>(&self, key: &'static str, read: impl FnOnce(&Value) -> Checked<T>) -> Option<Option<T>> {
        let item = self.item(key)?;
        let Some(value) = item.as_value() else {
            self.reader
                .error(self.offset_of(key, item), format!("{key} in {} is a value, not a section", self.title()));
            return Some(None);
        };
        let problems = match read(value) {
            Ok(value) => return Some(Some(value)),
            Err(problems) => problems,
        };
        for Problem { span, message } in problems {
            let offset = span_start(span.or(value.span()));
            self.reader.error(offset, format!("{key} in {}: {message}", self.title()));
        }
        Some(None)
    }

    fn item(&self, key: &'static str) -> Option<&'t Item> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table?.get(key)
    }

    fn below(&self, name: String, table: Option<&'t dyn TableLike>, span: Option<Range<usize>>) -> Section<'r, 't> {
        Section { reader: self.reader, name, table, offset: span_start(span), asked: RefCell::default() }
    }

    fn offset_of(&self, key: &str, item: &Item) -> usize {
        let key = self.table.and_then(|table| table.get_key_value(key)).and_then(|(key, _)| key.span());
        span_start(key.or(item.span()))
    }

    fn path_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn title(&self) -> String {
        title(&self.name)
    }
}

impl Drop for Section<'_, '_> {
    fn drop(&mut self) {
        let known = self.asked.take();
        let foreign = self.table.into_iter().flat_map(|table| table.iter()).filter(|(key, _)| !known.contains(key));
        let unknown = foreign.map(|(key, item)| Unknown {
            key: key.to_owned(),
            offset: self.offset_of(key, item),
            is_section: !item.is_value(),
        });
        let unknown = unknown.collect();
        self.reader.sections.borrow_mut().push(Read { name: std::mem::take(&mut self.name), known, unknown });
    }
}

fn title(section: &str) -> String {
    if section.is_empty() { "the file".to_owned() } else { format!("[{section}]") }
}

fn span_start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |span| span.start)
}

/// A value as the message shows it: shortened, and never more than a line.
fn found(value: &Value) -> String {
    const SHOWN_CHARS: usize = 60;
    let text = match value {
        Value::Array(array) if array.is_empty() => return "an empty list".to_owned(),
        Value::Array(array) => return format!("a list of {}", array.len()),
        Value::InlineTable(_) => return "a table".to_owned(),
        Value::String(text) => format!("{:?}", text.value()),
        other => other.to_string().trim().to_owned(),
    };
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn unknown_key(unknown: &Unknown, section: &Read, all: &[Read]) -> String {
    let Unknown { key, is_section, .. } = unknown;
    let near = nearest(key, section.known.iter().copied());
    let what = match is_section {
        true if section.name.is_empty() => format!("unknown section [{}]", key.escape_debug()),
        true => format!("unknown section [{}.{}]", section.name, key.escape_debug()),
        false => format!("unknown key {key:?} in {}", title(&section.name)),
    };
    let home = all.iter().find(|other| other.known.contains(&key.as_str()));
    match (near, home) {
        (Some(near), _) if *is_section && section.name.is_empty() => format!("{what}; did you mean [{near}]?"),
        (Some(near), _) if *is_section => format!("{what}; did you mean [{}.{near}]?", section.name),
        (Some(near), _) => format!("{what}; did you mean \"{near}\"?"),
        (None, Some(home)) => format!("{what}; it belongs into {}", title(&home.name)),
        (None, None) => format!("{what}; `adit config show --reference` lists every key"),
    }
}

/// The candidate that a person most likely meant: at most a third of its letters wrong.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&word.to_lowercase(), candidate);
    let near = candidates.map(|candidate| (distance(&candidate), candidate)).min()?;
    (near.0 * 3 <= near.1.len().max(3)).then_some(near.1)
}
