//! Known items: the words of a title, a heading or a file name find that document first.

use std::collections::BTreeMap;
use std::path::Path;

use super::bench::{Bench, extracted, stamp};
use adit::documents::{ExtractLimits, Extracted, Format, HEAD_BYTES, Kind, detect, extract};

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

/// Most questions that are asked of a library: a sample of the known items of a large one.
const QUESTIONS: usize = 300;

/// Asks for the known items of these documents.
fn check(bench: &Bench, documents: &BTreeMap<String, Extracted>, least: usize) {
    let mut questions = questions(documents);
    let step = questions.len().div_ceil(QUESTIONS).max(1);
    questions = questions.into_iter().step_by(step).collect();
    assert!(questions.len() >= least, "{} questions", questions.len());
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

#[test]
fn the_words_of_titles_headings_and_file_names_find_their_document_first() {
    let bench = Bench::new(&["library"]);
    let (mut found, mut writer) = (BTreeMap::new(), bench.writer("library"));
    documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library"), "", &mut found, &mut writer);
    writer.commit().unwrap();
    check(&bench, &found, 30);
}

#[test]
fn among_many_documents_that_use_the_same_words_too() {
    const DOCUMENTS: usize = 400;
    const VOCABULARY: usize = 3000;
    let mut state = 20_261_122_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % bound
    };
    let word = |rank: usize| {
        let syllable =
            |digit: usize| ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se"][digit % 12];
        format!("{}{}{}{}", syllable(rank), syllable(rank / 12), syllable(rank / 144), syllable(rank / 1728 + rank))
    };
    // Words as frequent as words are: the n-th one n times rarer than the first.
    let mut words = |count: usize, between: &str| {
        let rank = |number: usize| ((VOCABULARY as f64).ln() * number as f64 / 1e6).exp() as usize;
        (0..count).map(|_| word(rank(below(1_000_000)))).collect::<Vec<_>>().join(between)
    };
    let bench = Bench::new(&["library"]);
    let (mut found, mut writer) = (BTreeMap::new(), bench.writer("library"));
    for number in 0..DOCUMENTS {
        let (path, title) = (format!("{}/{}.md", number % 20, words(3, "-")), words(4, " "));
        let sections: Vec<String> = (0..2).map(|_| format!("# {}\n{}\n", words(4, " "), words(60, " "))).collect();
        let text = extracted(&format!("# {title}\n{}\n{}", words(60, " "), sections.concat()));
        writer.put(&path, Format::Markdown, stamp(&path, 1), &text).unwrap();
        found.insert(path, text);
    }
    writer.commit().unwrap();
    check(&bench, &found, 250);
}
