//! What a line in the audit log costs beside the call that it is about: a search of a small library, in process, snippets included.
//!
//! ```text
//! cargo bench --bench audit
//! ```

use std::time::{Duration, Instant};

use adit::access::Scope;
use adit::access::audit::{Note, Record, Verdict};
use adit::config::{AuditConfig, AuditFailure, AuditQueries};
use adit::daemon::audit::Audit;
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use anyhow::Result;
use jiff::Timestamp;

/// Documents, and words that each has a few of.
const DOCUMENTS: usize = 2_000;
const WORDS: [&str; 12] =
    ["heat", "pump", "filter", "valve", "garden", "quince", "bread", "butter", "lease", "rent", "kettle", "vinegar"];
/// Calls of one round, and rounds.
const CALLS: usize = 400;
const ROUNDS: usize = 9;

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let library = library(dir.path())?;
    let audit = |queries| {
        let file = dir.path().join("audit.jsonl");
        let config =
            AuditConfig { file, keep: Duration::MAX, max_size: 1 << 30, queries, on_error: AuditFailure::Refuse };
        Audit::start(&config, [7; 32])
    };
    let (mut searches, mut lines, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut found = Vec::new();
        searches.push(each(|number| found.push(search(&library, number))));
        for (queries, times) in [(AuditQueries::Text, &mut lines), (AuditQueries::Hash, &mut hashes)] {
            let log = audit(queries);
            times.push(each(|number| log.call(&record(number, &found[number]))));
            // What was recorded is written in the meantime, as it would be.
            drop(log);
        }
    }
    let (search, line, hash) = (median(searches), median(lines), median(hashes));
    println!("| what | µs | of a search |\n|---|--:|--:|\n| a search, ten results | {search:.1} | |");
    println!("| its line in the log | {line:.1} | {:.1} % |", 100.0 * line / search);
    println!("| the same, the query hashed | {hash:.1} | {:.1} % |", 100.0 * hash / search);
    Ok(())
}

/// Microseconds of one, on average.
fn each(mut work: impl FnMut(usize)) -> f64 {
    let began = Instant::now();
    (0..CALLS).for_each(&mut work);
    began.elapsed().as_secs_f64() * 1e6 / CALLS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn query(number: usize) -> String {
    format!("{} {}", WORDS[number % WORDS.len()], WORDS[number * 5 % 7])
}

fn search(library: &Library, number: usize) -> Vec<String> {
    let request = SearchRequest { query: query(number), limit: 10, snippet_budget: 2000, ..SearchRequest::default() };
    let answer = library.search(&Scope::owner(), &request).expect("an answer");
    answer.results.into_iter().map(|hit| format!("{}/{}", hit.collection, hit.path)).collect()
}

fn record(number: usize, documents: &[String]) -> Record {
    Record {
        at: Timestamp::now(),
        peer: PeerId::new(1),
        request_id: format!("{number:016x}"),
        route: "/mcp",
        note: Note {
            tool: Some("search"),
            query: Some(query(number)),
            documents: documents.to_vec(),
            ..Note::default()
        },
        bytes: 5000,
        milliseconds: 2,
        status: 200,
        verdict: Verdict::Served,
    }
}

fn library(dir: &std::path::Path) -> Result<Library> {
    let collections = vec![Collection { name: "papers".parse()?, root: dir.to_owned() }];
    let library =
        Library::open(LibraryConfig { index_dir: dir.join("index"), collections, memory: 30 << 20, threads: 1 })?;
    let mut writer = library.writer(&"papers".parse()?)?;
    for number in 0..DOCUMENTS {
        let text = (0..400).map(|at| WORDS[(number * 31 + at * at) % WORDS.len()]).collect::<Vec<_>>().join(" ");
        let passage = Passage { start: 0, end: text.len(), place: Place { line: Some(1), ..Place::default() } };
        let extracted = Extracted { text, passages: vec![passage], ..Extracted::default() };
        writer.put(&format!("folder/document-{number}.txt"), Format::Text, Stamp::NONE, &extracted)?;
    }
    writer.commit()?;
    drop(writer);
    Ok(library)
}
