//! Known items: the words of a title, a heading or a file name find that document first.

use std::collections::BTreeMap;
use std::path::Path;

use super::bench::{Bench, stamp};
use adit::documents::{ExtractLimits, Extracted, HEAD_BYTES, Kind, detect, extract};

/// The documents of a folder, by path.
fn documents(folder: &Path, below: &str, found: &mut BTreeMap<String, Extracted>, bench: &mut adit::search::Writer) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let file = entry.file_name().into_string().unwrap();
        let path = format!("{below}{file}");
        if file.starts_with('.') {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            documents(&entry.path(), &format!("{path}/"), found, bench);
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        let Kind::Document(format) = detect(&file, &bytes[..bytes.len().min(HEAD_BYTES)]) else { continue };
        let Ok(extracted) = extract(format, &bytes, &ExtractLimits::default()) else { continue };
        bench.put(&path, format, stamp(&path, 1), &extracted).unwrap();
        found.insert(path, extracted);
    }
}

/// Questions, each with the one document that it names; what names several is no question.
fn questions(documents: &BTreeMap<String, Extracted>) -> Vec<(String, String)> {
    let mut named: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, extracted) in documents {
        let file = path.rsplit('/').next().unwrap();
        let stem = file.split_once('.').map_or(file, |(stem, _)| stem).replace(['-', '_'], " ");
        let headings = extracted.outline.iter().map(|entry| entry.title.clone());
        let names = extracted.title.iter().cloned().chain(headings).chain([stem]);
        for name in names.filter(|name| name.chars().any(char::is_alphanumeric)) {
            let owners = named
                .entry(name.to_lowercase().replace(['"', '-', '+', '*', ':', '(', ')', '|', '~'], " "))
                .or_default();
            if owners.last() != Some(&path.as_str()) {
                owners.push(path);
            }
        }
    }
    named
        .into_iter()
        .filter(|(_, owners)| owners.len() == 1)
        .map(|(name, owners)| (name, owners[0].to_owned()))
        .collect()
}

#[test]
fn the_words_of_titles_headings_and_file_names_find_their_document_first() {
    let bench = Bench::new(&["library"]);
    let (mut found, mut writer) = (BTreeMap::new(), bench.writer("library"));
    documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library"), "", &mut found, &mut writer);
    writer.commit().unwrap();
    let questions = questions(&found);
    assert!(questions.len() >= 30, "{} questions", questions.len());
    let (mut sum, mut missed) = (0.0, Vec::new());
    for (question, path) in &questions {
        let paths = bench.paths(question);
        let rank = paths.iter().position(|found| found == path);
        sum += rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
        if rank != Some(0) {
            missed.push(format!("{question:?} → {path}: {rank:?}, first {:?}", paths.first()));
        }
    }
    let mean = sum / questions.len() as f64;
    assert!(mean >= 0.95, "MRR {mean:.3} over {} questions:\n{}", questions.len(), missed.join("\n"));
}
