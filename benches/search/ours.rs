//! adit's own library.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use adit::access::{Action, Grant, Policy, Scope};
use adit::documents::{ExtractLimits, Format, Stamp, extract};
use adit::name::CollectionName;
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use anyhow::{Context, Result};

use super::cost::Asked;
use super::texts::FOLDERS;
use super::{QUESTIONS, files_of, texts};

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
    for (number, file) in files_of(files)?.into_iter().enumerate() {
        let bytes = std::fs::read(&file)?;
        let path = file.strip_prefix(files)?.to_str().context("a name in UTF-8")?;
        let extracted = extract(Format::Markdown, &bytes, &ExtractLimits::default());
        let extracted = extracted.map_err(|refusal| anyhow::anyhow!("{path}: {refusal:?}"))?;
        let stamp = Stamp { size: bytes.len() as u64, modified_ns: date(number), inode: 0 };
        writer.put(path, Format::Markdown, stamp, &extracted)?;
        since_commit += bytes.len();
        if since_commit >= COMMIT_BYTES {
            writer.commit()?;
            since_commit = 0;
        }
    }
    Ok(writer.commit()?)
}

/// A date of a file, in nanoseconds since 1970: any day of fifty-four years.
fn date(number: usize) -> i128 {
    (number * 7919 % 20_000) as i128 * 86_400_000_000_000
}

/// Asks as the owner, with properties of the files, and under scopes that see a part of the folders.
pub fn ask(index: &Path) -> Result<Asked> {
    let library = open(index)?;
    let mut asked = Asked::new();
    let owner = Scope::owner();
    for (kind, scope, property) in [
        ("words", &owner, ""),
        ("words and `path:`", &owner, " path:folder-7"),
        ("words and `type:`", &owner, " type:md"),
        ("words and `after:`", &owner, " after:2000-01-01"),
        ("words, of half the folders", &scope(FOLDERS as u32 / 2)?, ""),
        ("words, of one folder", &scope(1)?, ""),
    ] {
        asked.measure(kind, &texts::questions(QUESTIONS), |words| {
            let query = words.join(" ") + property;
            let request = SearchRequest { query, limit: 10, snippet_budget: SNIPPETS, ..SearchRequest::default() };
            library.search(scope, &request)?;
            Ok(())
        })?;
    }
    Ok(asked)
}

/// A scope that sees so many of the folders.
fn scope(folders: u32) -> Result<Scope> {
    let rules: Vec<String> = (0..folders).map(|folder| format!("{NAME}/folder-{folder}")).collect();
    let policy = Policy::new(1, [(PeerId::new(folders), Grant::new(&rules, [Action::Search])?)]);
    policy.scope(PeerId::new(folders)).context("the peer has a grant")
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
