//! Hostile documents, through real workers: each is read, refused with a reason, or costs its worker; and whatever came before, a good
//! document after it is read.

use std::fs::File;
use std::io::{Cursor, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use adit::daemon::workers::{Death, ExtractError, Pool, PoolConfig};
use adit::documents::{Dotfiles, ExtractLimits, Extracted, Format, HEAD_BYTES, Kind, Refusal, Visibility, detect};
use zip::write::{SimpleFileOptions, ZipWriter};

const MAX_TEXT: usize = 4 << 20;

fn pool(timeout: Duration) -> Pool {
    pool_of(env!("CARGO_BIN_EXE_adit").into(), timeout)
}

fn pool_of(program: PathBuf, timeout: Duration) -> Pool {
    Pool::new(PoolConfig { program, workers: 2, memory: 512 << 20, timeout })
}

async fn read(pool: &Pool, format: Format, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let limits = ExtractLimits { max_text: MAX_TEXT, languages: Vec::new() };
    pool.extract(format, file, bytes.len() as u64, &limits).await
}

async fn check_good(pool: &Pool) {
    let good = read(pool, Format::Markdown, b"# Good\n\nnews").await.unwrap();
    assert_eq!((good.title.as_deref(), good.text.as_str()), (Some("Good"), "# Good\n\nnews"));
}

/// What became of a document; a hostile one may do no more than this.
async fn check(pool: &Pool, name: &str, format: Format, bytes: &[u8]) -> &'static str {
    match read(pool, format, bytes).await {
        Ok(_) => "read",
        Err(ExtractError::Refused(Refusal::Panic(words))) => {
            println!("{name}: the parser panicked: {words}");
            "refused"
        }
        Err(ExtractError::Refused(_)) => "refused",
        Err(ExtractError::Killed(death)) => {
            println!("{name}: {death}");
            "killed"
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn samples() -> Vec<(String, Format, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library");
    let rule = Visibility::new(&root, &[], Dotfiles::Hidden, 1 << 20).unwrap();
    let walk = rule.walk(&Default::default()).unwrap();
    let sample = |path: String| {
        let bytes = std::fs::read(root.join(&path)).unwrap();
        match detect(&path, &bytes[..bytes.len().min(HEAD_BYTES)]) {
            Kind::Document(format) => (path, format, bytes),
            other => panic!("{path}: {other:?}"),
        }
    };
    walk.files.into_iter().map(|file| sample(file.path)).collect()
}

/// A small generator of our own: the same damage at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn mutate(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = chance.below(bytes.len());
    let length = chance.below(bytes.len() - at).min(200);
    match chance.below(5) {
        0 => bytes.truncate(at),
        1 => (0..=length).for_each(|_| {
            let at = chance.below(bytes.len());
            bytes[at] = chance.below(256) as u8;
        }),
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let piece = bytes[at..at + length].repeat(20);
            bytes.splice(at..at, piece);
        }
        _ => bytes[at..at + length].fill(b'9'),
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_and_mutated_documents_of_every_format_harm_nobody() {
    const EACH: usize = 24;
    let pool = pool(Duration::from_secs(30));
    let mut chance = Chance(0x5eed);
    let mut counts = std::collections::BTreeMap::new();
    for (path, format, bytes) in samples() {
        for n in 0..EACH {
            let mutant = mutate(&bytes, &mut chance);
            *counts.entry(check(&pool, &format!("{path}, mutant {n}"), format, &mutant).await).or_insert(0) += 1;
        }
        check_good(&pool).await;
    }
    println!("{counts:?}");
    assert!(counts["read"] > counts.values().sum::<i32>() / 2, "{counts:?}");
}

fn docx(document: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", SimpleFileOptions::default()).unwrap();
    writer.write_all(document).unwrap();
    writer.finish().unwrap().into_inner()
}

/// A PDF of these objects, the first of which is its catalogue.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n{object}\nendobj\n", number + 1).bytes());
    }
    let start = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    offsets.iter().for_each(|offset| bytes.extend(format!("{offset:010} 00000 n \n").bytes()));
    bytes
        .extend(format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).bytes());
    bytes
}

const CATALOGUE: &str = "<< /Type /Catalog /Pages 2 0 R >>";

fn page_with(content: &str) -> Vec<u8> {
    pdf(&[
        CATALOGUE.into(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> \
         /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
            .into(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >> /Length 5 >>\n\
         stream\n/X Do\nendstream"
            .into(),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn crafted_documents_harm_nobody() {
    let pool = pool(Duration::from_secs(30));
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200_000), close.repeat(200_000)).into_bytes();
    let laughs = "<!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><d>&b;&b;</d>";
    let crafted: Vec<(&str, Format, Vec<u8>)> = vec![
        ("a bomb", Format::Docx, docx(&vec![b' '; 150 << 20])),
        ("deep tables", Format::Docx, docx(&deep("<w:tbl><w:tr><w:tc>", ""))),
        ("entities", Format::Docx, docx(laughs.as_bytes())),
        ("a giant element", Format::Docx, docx(format!("<a b=\"{}\"/>", "x".repeat(80 << 20)).as_bytes())),
        ("entities in XML", Format::Xml, laughs.into()),
        ("deep HTML", Format::Html, deep("<div><blockquote>", "</div>")),
        ("many attributes", Format::Html, format!("<p {}>text", "a=1 b=2 ".repeat(200_000)).into_bytes()),
        ("deep quotes", Format::Markdown, deep("> ", "")),
        ("deep brackets", Format::Markdown, deep("[", "](x)")),
        ("deep emphasis", Format::Markdown, deep("*a _b ", "c_ d*")),
        ("deep JSON", Format::Json, deep("[", "]")),
        ("many titles", Format::Rst, "a\n==\n\n".repeat(100_000).into_bytes()),
        ("one line", Format::Text, "x".repeat(20 << 20).into_bytes()),
        ("newlines", Format::Text, "\n".repeat(10 << 20).into_bytes()),
        (
            "a loop of pages",
            Format::Pdf,
            pdf(&[CATALOGUE.into(), "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 >>".into()]),
        ),
        ("a million pages", Format::Pdf, pdf(&[CATALOGUE.into(), "<< /Type /Pages /Kids [] /Count 1000000 >>".into()])),
        ("a form in itself", Format::Pdf, page_with("/X Do")),
        ("deep arrays", Format::Pdf, page_with(&"[".repeat(500_000))),
        ("many glyphs", Format::Pdf, page_with(&format!("BT /F 1 Tf {} ET", "(a) Tj ".repeat(20_000)))),
    ];
    for (name, format, bytes) in &crafted {
        let outcome = check(&pool, name, *format, bytes).await;
        println!("{name}: {outcome}");
        check_good(&pool).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_and_a_broken_document_say_what_they_are() {
    let pool = pool(Duration::from_secs(30));
    let drawing = page_with("0 0 m 100 100 l S");
    let Err(ExtractError::Refused(refusal)) = read(&pool, Format::Pdf, &drawing).await else { panic!() };
    assert_eq!(refusal, Refusal::Scan { pages: 1 });
    let words = read(&pool, Format::Pdf, &page_with("BT /F 12 Tf 72 700 Td (Plain words) Tj ET")).await.unwrap();
    assert_eq!((words.text.as_str(), words.passages[0].place.page), ("Plain words", Some(1)));
    let behind_junk = [b"junk before\n".as_slice(), &page_with("BT /F 12 Tf 72 700 Td (Plain words) Tj ET")].concat();
    assert_eq!(read(&pool, Format::Pdf, &behind_junk).await.unwrap().text, "Plain words");
    let Err(ExtractError::Refused(refusal)) = read(&pool, Format::Docx, b"PK\x03\x04").await else { panic!() };
    assert!(matches!(refusal, Refusal::Damaged(_)), "{refusal}");
}

/// A program that takes a document and answers in its own way.
fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_stalls_or_lies_costs_its_document_only() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("exits", "exit 3", Death::Exit(3)),
        ("crashes", "kill -SEGV $$", Death::Signal("SIGSEGV")),
        ("aborts", "kill -ABRT $$", Death::Aborted),
        ("stalls", "exec sleep 60", Death::Timeout(Duration::from_secs(1))),
        ("floods", "exec yes", Death::Nonsense),
    ];
    for (name, text, expected) in cases {
        let pool = pool_of(script(dir.path(), name, text), Duration::from_secs(1));
        match read(&pool, Format::Text, b"text").await {
            Err(ExtractError::Killed(death)) => assert_eq!(death, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let pool = pool_of(dir.path().join("missing"), Duration::from_secs(1));
    assert!(matches!(read(&pool, Format::Text, b"text").await, Err(ExtractError::NoWorker(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_became_shorter_is_not_half_read() {
    let pool = pool(Duration::from_secs(30));
    let file: File = tempfile::tempfile().unwrap();
    let outcome = pool.extract(Format::Text, file, 100, &ExtractLimits::default()).await;
    assert!(matches!(outcome, Err(ExtractError::File(_))), "{outcome:?}");
    check_good(&pool).await;
}
