//! adit's own library.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use adit::access::{Action, Grant, Policy, Scope};
use adit::documents::{ExtractLimits, Format, Stamp, extract};
use adit::name::CollectionName;
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use anyhow::{Context, Result};

use super::{QUESTIONS, anonymous_megabytes, files_of, percentiles, texts};

const NAME: &str = "bench";
/// Text between two commits, in bytes: as the daemon does.
const COMMIT_BYTES: usize = 64 << 20;
/// Room for ten snippets, in bytes: as a page of results has.
const SNIPPETS: usize = 4000;

fn open(index: &Path) -> Result<Library> {
    let collections = vec![Collection { name: NAME.parse()?, root: index.to_owned() }];
    Ok(Library::open(LibraryConfig { index_dir: index.to_owned(), collections, memory: 100 << 20, threads: 2 })?)
}

/// Indexes a folder.
pub fn index(files: &Path, index: &Path) -> Result<()> {
    let library = open(index)?;
    let name: CollectionName = NAME.parse()?;
    let mut writer = library.writer(&name)?;
    let mut since_commit = 0;
    for file in files_of(files)? {
        let bytes = std::fs::read(&file)?;
        let path = file.strip_prefix(files)?.to_str().context("a name in UTF-8")?;
        let extracted = extract(Format::Markdown, &bytes, &ExtractLimits::default());
        let extracted = extracted.map_err(|refusal| anyhow::anyhow!("{path}: {refusal:?}"))?;
        let stamp = Stamp { size: bytes.len() as u64, modified_ns: 0, inode: 0 };
        writer.put(path, Format::Markdown, stamp, &extracted)?;
        since_commit += bytes.len();
        if since_commit >= COMMIT_BYTES {
            writer.commit()?;
            since_commit = 0;
        }
    }
    Ok(writer.commit()?)
}

/// Asks under the owner's scope, and under one that sees half of the folders.
pub fn ask(index: &Path) -> Result<()> {
    let library = open(index)?;
    let idle = anonymous_megabytes().unwrap_or(f64::NAN);
    let half: Vec<String> = (0..10).map(|folder| format!("{NAME}/folder-{folder}")).collect();
    let policy = Policy::new(1, [(PeerId::new(1), Grant::new(&half, [Action::Search])?)]);
    let half = policy.scope(PeerId::new(1)).context("the peer has a grant")?;
    let (p50, p99) = times(&library, &Scope::owner())?;
    let (p50_of_half, p99_of_half) = times(&library, &half)?;
    println!("{idle} {p50} {p99} {p50_of_half} {p99_of_half}");
    Ok(())
}

fn times(library: &Library, scope: &Scope) -> Result<(f64, f64)> {
    let mut times = Vec::with_capacity(QUESTIONS);
    for words in texts::questions(QUESTIONS) {
        let query = words.join(" ");
        let request = SearchRequest { query, limit: 10, snippet_budget: SNIPPETS, ..SearchRequest::default() };
        let begin = Instant::now();
        library.search(scope, &request)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(percentiles(&mut times))
}

/// What each part of the index takes, in megabytes, the most first.
pub fn space(index: &Path) -> Result<String> {
    let searcher = tantivy::Index::open_in_dir(index.join(NAME))?.reader()?.searcher();
    let usage = searcher.space_usage()?;
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for segment in usage.segments() {
        for (kind, fields) in [
            ("words", segment.termdict()),
            ("postings", segment.postings()),
            ("positions", segment.positions()),
            ("columns", segment.fast_fields()),
            ("lengths", segment.fieldnorms()),
        ] {
            for field in fields.fields() {
                *sums.entry(format!("{kind} of {}", field.field_name())).or_default() += field.total().get_bytes();
            }
        }
        *sums.entry("texts".to_owned()).or_default() += segment.store().total().get_bytes();
    }
    let mut sums: Vec<(String, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut told = format!("{} segments\n", usage.segments().len());
    for (part, bytes) in sums {
        writeln!(told, "{:>9.2} {part}", bytes as f64 / 1e6)?;
    }
    Ok(told)
}
