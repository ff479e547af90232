//! A small library to try things on.

use std::path::Path;

use adit::access::{Action, Grant, Policy, Scope};
use adit::documents::{Extracted, Format, OutlineEntry, Passage, Place, Stamp};
use adit::name::CollectionName;
use adit::peer::PeerId;
use adit::search::{Answer, Collection, Hit, Library, LibraryConfig, ReadRequest, Reading, SearchRequest, Writer};

/// A library in a folder of its own.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub library: Library,
}

impl Bench {
    /// With these collections, empty.
    pub fn new(collections: &[&str]) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let library = open(dir.path(), collections).unwrap();
        Bench { dir, library }
    }

    /// With one collection, `notes`, of these paths and texts.
    pub fn of(texts: &[(&str, &str)]) -> Bench {
        let bench = Bench::new(&["notes"]);
        bench.put("notes", texts);
        bench
    }

    /// Puts texts into a collection and commits.
    pub fn put(&self, collection: &str, texts: &[(&str, &str)]) {
        let mut writer = self.writer(collection);
        for (path, text) in texts {
            put(&mut writer, path, text);
        }
        writer.commit().unwrap();
    }

    pub fn writer(&self, collection: &str) -> Writer {
        self.library.writer(&name(collection)).unwrap()
    }

    /// The owner's question.
    pub fn ask(&self, query: &str) -> Answer {
        self.ask_with(SearchRequest { query: query.to_owned(), ..plain() })
    }

    pub fn ask_with(&self, request: SearchRequest) -> Answer {
        self.library.search(&Scope::owner(), &request).unwrap()
    }

    /// Paths of what the owner finds.
    pub fn paths(&self, query: &str) -> Vec<String> {
        paths(&self.ask(query).results)
    }

    pub fn read(&self, id: &str) -> Reading {
        let request = ReadRequest { id: id.to_owned(), ..ReadRequest::default() };
        self.library.read(&Scope::owner(), &request).unwrap()
    }
}

pub fn open(dir: &Path, collections: &[&str]) -> Result<Library, adit::search::LibraryError> {
    let collection = |text: &&str| Collection { name: name(text), root: dir.join("documents").join(text) };
    Library::open(LibraryConfig {
        index_dir: dir.join("index"),
        collections: collections.iter().map(collection).collect(),
        memory: 30_000_000,
        threads: 1,
    })
}

pub fn name(text: &str) -> CollectionName {
    text.parse().unwrap()
}

pub fn plain() -> SearchRequest {
    SearchRequest { limit: 10, snippet_budget: 2000, ..SearchRequest::default() }
}

pub fn paths(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.path.clone()).collect()
}

/// A scope of these rules.
pub fn scope(rules: &[&str]) -> Scope {
    let grant = Grant::new(rules, [Action::Search, Action::Read, Action::Browse]).unwrap();
    Policy::new(1, [(PeerId::new(1), grant)]).scope(PeerId::new(1)).unwrap()
}

/// A stamp from a path and a day since 1970.
pub fn stamp(path: &str, day: i128) -> Stamp {
    Stamp { size: path.len() as u64, modified_ns: day * 86_400_000_000_000, inode: 7 }
}

pub fn put(writer: &mut Writer, path: &str, text: &str) {
    let format = if path.ends_with(".pdf") { Format::Pdf } else { Format::Markdown };
    writer.put(path, format, stamp(path, 20_000), &extracted(text)).unwrap();
}

/// A text as extraction would deliver it: `# ` begins a heading, the first one is the title, and every heading a passage; a form
/// feed begins a page.
pub fn extracted(text: &str) -> Extracted {
    let mut out = Extracted { text: text.replace('\u{c}', "\n"), ..Extracted::default() };
    let (mut at, mut line, mut page, mut heading) = (0, 1, text.contains('\u{c}').then_some(1), None);
    let mut starts: Vec<(usize, Place)> = Vec::new();
    for part in text.split_inclusive(['\n', '\u{c}']) {
        if let Some(title) = part.strip_prefix("# ") {
            let title = title.trim().to_owned();
            out.title.get_or_insert(title.clone());
            out.outline.push(OutlineEntry { level: 1, title: title.clone(), page, offset: at });
            heading = Some(title);
        }
        if part.starts_with("# ") || starts.last().is_none_or(|(_, place): &(usize, Place)| place.page != page) {
            starts.push((at, Place { page, heading: heading.clone(), line: Some(line) }));
        }
        at += part.len();
        line += 1;
        page = page.map(|page| page + u32::from(part.ends_with('\u{c}')));
    }
    out.pages = page;
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([at]).collect::<Vec<_>>();
    out.passages = starts.into_iter().zip(ends).map(|((start, place), end)| Passage { start, end, place }).collect();
    out
}
