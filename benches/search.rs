//! What indexing and searching cost, against the number of passages: `cargo bench --bench search -- [PASSAGES…]` (10,000 and 100,000
//! without arguments; 1,000,000 is about 2.5 GB of text and takes its time).
//!
//! Texts are made of a vocabulary whose words are as frequent as words are (Zipf), three passages to a document; questions have one
//! to five words of all frequencies. Times are of whole answers of ten results, snippets included.

use std::path::Path;
use std::time::{Duration, Instant};

use adit::access::{Action, Grant, Policy, Scope};
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::name::CollectionName;
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use anyhow::{Context, Result};

const VOCABULARY: usize = 200_000;
const PASSAGE_WORDS: usize = 370;
const PASSAGES_PER_DOCUMENT: usize = 3;
const QUESTIONS: usize = 1000;

fn main() -> Result<()> {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000] } else { sizes };
    println!("passages\ttext MB\tMB/s\tdocs/s\tindex/text\tanon MB\tscope\tp50 ms\tp99 ms");
    for passages in sizes {
        measure(passages)?;
    }
    Ok(())
}

fn measure(passages: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let name: CollectionName = "bench".parse()?;
    let open = || {
        Library::open(LibraryConfig {
            index_dir: dir.path().join("index"),
            collections: vec![Collection { name: name.clone(), root: dir.path().to_owned() }],
            memory: 100 << 20,
            threads: 2,
        })
    };
    let mut chance = Chance(20_261_122);
    let documents = passages.div_ceil(PASSAGES_PER_DOCUMENT);
    let (mut bytes, mut spent) = (0, Duration::ZERO);
    let library = open()?;
    let mut writer = library.writer(&name)?;
    for number in 0..documents {
        let extracted = document(&mut chance);
        bytes += extracted.text.len();
        let begin = Instant::now();
        let path = format!("folder-{}/document-{number}.txt", number % 20);
        writer.put(&path, Format::Text, Stamp { size: 0, modified_ns: 0, inode: 0 }, &extracted)?;
        spent += begin.elapsed();
    }
    let begin = Instant::now();
    writer.commit()?;
    spent += begin.elapsed();
    drop((writer, library));
    let library = open()?;
    let megabytes = bytes as f64 / 1e6;
    let ratio = size(&dir.path().join("index"))? as f64 / bytes as f64;
    let memory = anonymous_megabytes().unwrap_or(f64::NAN);
    let cut: Vec<String> = (0..10).map(|folder| format!("bench/folder-{folder}")).collect();
    let policy = Policy::new(1, [(PeerId::new(1), Grant::new(&cut, [Action::Search])?)]);
    let part = policy.scope(PeerId::new(1)).context("the peer has a grant")?;
    for (told, scope) in [("all", Scope::owner()), ("half of the folders", part)] {
        let (p50, p99) = ask(&library, &scope, Chance(7))?;
        println!(
            "{passages}\t{megabytes:.0}\t{:.1}\t{:.0}\t{ratio:.2}\t{memory:.0}\t{told}\t{p50:.2}\t{p99:.2}",
            megabytes / spent.as_secs_f64(),
            documents as f64 / spent.as_secs_f64(),
        );
    }
    Ok(())
}

fn ask(library: &Library, scope: &Scope, mut chance: Chance) -> Result<(f64, f64)> {
    let mut times = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let words: Vec<String> = (0..1 + chance.below(5)).map(|_| word(chance.below(20_000))).collect();
        let request =
            SearchRequest { query: words.join(" "), limit: 10, snippet_budget: 4000, ..SearchRequest::default() };
        let begin = Instant::now();
        library.search(scope, &request)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[QUESTIONS / 2], times[QUESTIONS * 99 / 100]))
}

fn document(chance: &mut Chance) -> Extracted {
    let mut extracted = Extracted::default();
    for number in 0..PASSAGES_PER_DOCUMENT {
        let start = extracted.text.len();
        for at in 0..PASSAGE_WORDS {
            // The exponential of an even number is spread as Zipf says.
            let rank = ((VOCABULARY as f64).ln() * chance.unit()).exp() as usize;
            extracted.text.push_str(&word(rank));
            extracted.text.push(if at % 12 == 11 { '\n' } else { ' ' });
        }
        let place = Place { line: Some(1 + 31 * number as u32), ..Place::default() };
        extracted.passages.push(Passage { start, end: extracted.text.len(), place });
    }
    extracted
}

/// The word of this rank: pronounceable, longer the rarer.
fn word(mut rank: usize) -> String {
    let mut word = String::new();
    loop {
        word.push_str(
            ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu"][rank % 15],
        );
        rank /= 15;
        if rank == 0 {
            return word;
        }
    }
}

fn size(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

fn anonymous_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1000.0)
}

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }

    fn unit(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 53) as f64
    }
}
