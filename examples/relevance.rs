//! Measures the ranking on collections with judgments, in the form of BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`.
//!
//! `cargo run --release --example relevance DIR… [--runs DIR]` prints nDCG@10 as trec_eval defines it (linear gain, mean over all judged
//! questions), and writes the runs in TREC's form where asked.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use adit::access::Scope;
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Judged documents of each question, with their grades.
type Judgments = BTreeMap<String, HashMap<String, f64>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut folders, mut runs) = (Vec::new(), None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--runs" => runs = Some(PathBuf::from(arguments.next().context("--runs needs a folder")?)),
            folder => folders.push(PathBuf::from(folder)),
        }
    }
    if folders.is_empty() {
        bail!("usage: relevance DIR… [--runs DIR]");
    }
    let mut sum = 0.0;
    for folder in &folders {
        let name = folder.file_name().and_then(|name| name.to_str()).context("a folder with a name")?;
        let score = measure(folder, name, runs.as_deref()).with_context(|| format!("in {}", folder.display()))?;
        println!("{name}\tnDCG@10={score:.4}");
        sum += score;
    }
    println!("mean\tnDCG@10={:.4}", sum / folders.len() as f64);
    Ok(())
}

fn measure(folder: &Path, name: &str, runs: Option<&Path>) -> Result<f64> {
    let index = tempfile::tempdir()?;
    let library = index_corpus(folder, index.path())?;
    let judgments = judgments(&folder.join("qrels.tsv"))?;
    let (mut sum, mut run) = (0.0, String::new());
    for question in lines(&folder.join("queries.jsonl"))? {
        let id = text(&question, "_id")?;
        let Some(judged) = judgments.get(&id) else { continue };
        let request = SearchRequest { query: text(&question, "text")?, limit: 50, ..SearchRequest::default() };
        let results = library.search(&Scope::owner(), &request)?.results;
        for (rank, hit) in results.iter().enumerate() {
            run.push_str(&format!("{id} Q0 {} {} {} adit\n", hit.path, rank + 1, 1000 - rank));
        }
        sum += ndcg(results.iter().map(|hit| hit.path.as_str()), judged);
    }
    if let Some(runs) = runs {
        std::fs::write(runs.join(format!("{name}.run")), run)?;
    }
    Ok(sum / judgments.len() as f64)
}

fn index_corpus(folder: &Path, index: &Path) -> Result<Library> {
    let collection: adit::name::CollectionName = "corpus".parse()?;
    let library = Library::open(LibraryConfig {
        index_dir: index.to_owned(),
        collections: vec![Collection { name: collection.clone(), root: folder.to_owned() }],
        memory: 60_000_000,
        threads: 1,
    })?;
    let mut writer = library.writer(&collection)?;
    for document in lines(&folder.join("corpus.jsonl"))? {
        let (title, text) = (text(&document, "title")?, text(&document, "text")?);
        let extracted = Extracted {
            title: Some(title).filter(|title| !title.trim().is_empty()),
            passages: vec![Passage { start: 0, end: text.len(), place: Place::default() }],
            language: Some("eng".to_owned()),
            text,
            ..Extracted::default()
        };
        let stamp = Stamp { size: extracted.text.len() as u64, modified_ns: 0, inode: 0 };
        writer.put(&self::text(&document, "_id")?, Format::Text, stamp, &extracted)?;
    }
    writer.commit()?;
    Ok(library)
}

fn lines(file: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn text(object: &Value, key: &str) -> Result<String> {
    Ok(object[key].as_str().with_context(|| format!("no {key}"))?.to_owned())
}

fn judgments(file: &Path) -> Result<Judgments> {
    let mut judgments = Judgments::new();
    for line in std::fs::read_to_string(file)?.lines().skip(1) {
        let mut columns = line.split_whitespace();
        let (Some(question), Some(document), Some(grade)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        judgments.entry(question.to_owned()).or_default().insert(document.to_owned(), grade.parse()?);
    }
    judgments.retain(|_, judged| judged.values().any(|&grade| grade > 0.0));
    Ok(judgments)
}

fn ndcg<'a>(results: impl Iterator<Item = &'a str>, judged: &HashMap<String, f64>) -> f64 {
    let discounted = |(rank, grade): (usize, f64)| grade / ((rank + 2) as f64).log2();
    let gain = results.take(10).map(|document| judged.get(document).copied().unwrap_or(0.0).max(0.0));
    let gain: f64 = gain.enumerate().map(discounted).sum();
    let mut grades: Vec<f64> = judged.values().copied().filter(|&grade| grade > 0.0).collect();
    grades.sort_by(|a, b| b.total_cmp(a));
    let ideal: f64 = grades.into_iter().take(10).enumerate().map(discounted).sum();
    gain / ideal
}
