//! Hostile documents, through real workers: each is read, refused with a reason, or costs its worker; and whatever came before, a good
//! document after it is read.

use std::fs::File;
use std::io::{Cursor, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use adit::daemon::workers::{Death, ExtractError, Pool, PoolConfig};
use adit::documents::confine::Confinement;
use adit::documents::frame::begin_frame;
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

/// A package of these parts.
fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx(document: &[u8]) -> Vec<u8> {
    package(&[("word/document.xml", document)])
}

fn odf(body: &str) -> Vec<u8> {
    package(&[("content.xml", format!("<office:document-content><office:body>{body}").as_bytes())])
}

/// A workbook with one sheet and these shared strings.
fn xlsx(sheet: &str, strings: &str) -> Vec<u8> {
    const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let relations = |kind: &str, target: &str| {
        format!(
            "<Relationships><Relationship Id=\"r1\" Type=\"{RELATION}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let book = format!(
        "<workbook xmlns:r=\"{RELATION}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
    );
    package(&[
        ("_rels/.rels", relations("officeDocument", "xl/workbook.xml").as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations("worksheet", "worksheets/sheet1.xml").as_bytes()),
        ("xl/worksheets/sheet1.xml", format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>").as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
    ])
}

/// A presentation whose slides refer to each other and to themselves in every way that a reader follows.
fn pptx_in_circles() -> Vec<u8> {
    let ids: String = (0..50_000).map(|n| format!("<p:sldId r:id=\"r{}\"/>", n % 200)).collect();
    let relations: String = (0..200)
        .map(|n| format!("<Relationship Id=\"r{n}\" Type=\"x/slide\" Target=\"slides/slide{}.xml\"/>", n % 20))
        .collect();
    let circle: String = ["notesSlide", "chart", "diagramData", "comments", "slide"]
        .iter()
        .flat_map(|kind| {
            (0..20).map(move |n| format!("<Relationship Id=\"c\" Type=\"x/{kind}\" Target=\"slide{n}.xml\"/>"))
        })
        .collect();
    let mut parts = vec![
        ("ppt/presentation.xml".to_owned(), format!("<p:presentation>{ids}</p:presentation>")),
        ("ppt/_rels/presentation.xml.rels".to_owned(), format!("<R>{relations}</R>")),
    ];
    for n in 0..20 {
        parts.push((format!("ppt/slides/slide{n}.xml"), "<p:sld><a:p><a:t>round</a:t></a:p></p:sld>".to_owned()));
        parts.push((format!("ppt/slides/_rels/slide{n}.xml.rels"), format!("<R>{circle}</R>")));
    }
    package(&parts.iter().map(|(name, content)| (name.as_str(), content.as_bytes())).collect::<Vec<_>>())
}

fn epub(chapter: &[u8], contents: &str) -> Vec<u8> {
    let book = "<package><manifest><item id=\"a\" href=\"a.xhtml\"/><item id=\"n\" href=\"n.xhtml\" properties=\"nav\"/></manifest>\
                <spine><itemref idref=\"a\"/><itemref idref=\"a\"/><itemref idref=\"n\"/></spine></package>";
    package(&[("book.opf", book.as_bytes()), ("a.xhtml", chapter), ("n.xhtml", contents.as_bytes())])
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
        ("a bomb", Format::Docx, docx(&vec![b' '; 97 << 20])),
        ("deep tables", Format::Docx, docx(&deep("<w:tbl><w:tr><w:tc>", ""))),
        ("entities", Format::Docx, docx(laughs.as_bytes())),
        ("a giant element", Format::Docx, docx(format!("<a b=\"{}\"/>", "x".repeat(80 << 20)).as_bytes())),
        ("entities in XML", Format::Xml, laughs.into()),
        ("a bomb", Format::Odt, odf(&" ".repeat(97 << 20))),
        ("deep lists", Format::Odt, odf(&"<text:list><text:list-item><text:p>a".repeat(200_000))),
        ("deep tables", Format::Odt, odf(&"<table:table><table:table-row><table:table-cell>".repeat(200_000))),
        ("deep notes", Format::Odt, odf(&"<text:p>a<text:note><text:note-body>".repeat(200_000))),
        (
            "a million empty rows",
            Format::Ods,
            odf(&"<table:table table:name='S'><table:table-row table:number-rows-repeated='4294967295'><table:table-cell \
                  table:number-columns-repeated='4294967295'/></table:table-row></table:table>"
                .repeat(1000)),
        ),
        (
            "a million full rows",
            Format::Ods,
            odf(&format!(
                "<table:table>{}",
                "<table:table-row table:number-rows-repeated='4000000000'><table:table-cell table:number-columns-repeated='4000000000'>\
                 <text:p>again and again</text:p></table:table-cell></table:table-row>"
                    .repeat(10_000)
            )),
        ),
        ("entities", Format::Ods, odf(laughs)),
        ("slides without end", Format::Odp, odf(&"<draw:page><draw:frame presentation:class='title'>".repeat(200_000))),
        ("relations in circles", Format::Pptx, pptx_in_circles()),
        ("far cells", Format::Xlsx, xlsx("<row r='1048576'><c r='XFD1048576'><v>1</v></c></row><row r='1'><c r='A1'><v>2</v></c></row>", "<sst></sst>")),
        ("cells that are nowhere", Format::Xlsx, xlsx("<row r='99999999999'><c r='ZZZZZZ0'><v>1</v></c></row>", "<sst></sst>")),
        ("many cells", Format::Xlsx, xlsx(&"<row><c><v>1</v></c></row>".repeat(200_000), "<sst></sst>")),
        ("strings that are said to be many", Format::Xlsx, xlsx("", "<sst uniqueCount='18446744073709551615'></sst>")),
        ("a bomb of strings", Format::Xlsx, xlsx("", &format!("<sst>{}</sst>", "<si><t>aaaaaaaa</t></si>".repeat(8_000_000)))),
        ("a bomb", Format::Epub, epub(&vec![b' '; 97 << 20], "")),
        ("deep contents", Format::Epub, epub(b"<p>text", &format!("<nav epub:type='toc'>{}", "<ol><li><a href='a.xhtml#x'>a</a>".repeat(40_000)))),
        ("a title without end", Format::Epub, epub(b"<title/><p>text<script/><p>more", "")),
        ("deep groups", Format::Rtf, format!("{{\\rtf1 {}", "{\\b a".repeat(100_000)).into_bytes()),
        ("deep notes", Format::Rtf, format!("{{\\rtf1 {}", "{\\footnote a\\par ".repeat(100_000)).into_bytes()),
        ("lengths that lie", Format::Rtf, b"{\\rtf1 a\\bin2147483647 b\\u99999999999 c\\uc255\\u1 }".to_vec()),
        ("many fonts", Format::Rtf, (0..200_000).fold("{\\rtf1{\\fonttbl".to_owned(), |all, n| all + &format!("{{\\f{n}\\fcharset128 a;}}")).into_bytes()),
        ("deep messages", Format::Email, format!("{}Subject: last\n\ntext", "Content-Type: message/rfc822\n\n".repeat(50)).into_bytes()),
        ("very deep messages", Format::Email, "Content-Type: message/rfc822\n\n".repeat(200_000).into_bytes()),
        ("deep parts", Format::Email, (0..20_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect::<String>().into_bytes()),
        ("many parts", Format::Email, format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\na\n".repeat(200_000)).into_bytes()),
        ("a bomb that is attached", Format::Email, [b"Content-Type: application/zip; name=a.docx\nContent-Transfer-Encoding: binary\n\n", docx(&vec![b' '; 97 << 20]).as_slice()].concat()),
        ("one line", Format::Mbox, [b"From a 2024\nSubject: a\n\n".as_slice(), &vec![b'x'; 90 << 20]].concat()),
        ("many messages", Format::Mbox, "From a 2024\nSubject: a\n\nb\n\n".repeat(500_000).into_bytes()),
        ("deep JSON", Format::Notebook, deep("{\"cells\":[", "]}")),
        ("many cells", Format::Notebook, format!("{{\"cells\":[{}{{}}]}}", "{\"source\":\"a\"},".repeat(500_000)).into_bytes()),
        ("many quotes", Format::Csv, "\"\"\"\n".repeat(3_000_000).into_bytes()),
        ("many cells", Format::Csv, ",;\t|".repeat(5_000_000).into_bytes()),
        ("many headings", Format::Org, "* a\n".repeat(1_000_000).into_bytes()),
        ("anchors", Format::Yaml, format!("a: &a [x]\n{}", "b: [*a, *a, *a]\n".repeat(100_000)).into_bytes()),
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
        println!("{}, {name}: {outcome}", format.as_str());
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
    let page = |kids: &str, count: u32| format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>");
    let content = "BT /F 12 Tf 72 700 Td (Plain words) Tj ET";
    let half = pdf(&[
        CATALOGUE.into(),
        page("3 0 R 4 0 R 6 0 R", 3),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".into(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F << /Type /Font /Subtype /Type1 \
         /BaseFont /Helvetica >> >> >> >>"
            .into(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".into(),
    ]);
    let half = read(&pool, Format::Pdf, &half).await.unwrap();
    assert_eq!((half.pages, half.empty_pages, half.which_empty), (Some(3), 2, vec![1, 3]));
    let behind_junk = [b"junk before\n".as_slice(), &page_with("BT /F 12 Tf 72 700 Td (Plain words) Tj ET")].concat();
    assert_eq!(read(&pool, Format::Pdf, &behind_junk).await.unwrap().text, "Plain words");
    let Err(ExtractError::Refused(refusal)) = read(&pool, Format::Docx, b"PK\x03\x04").await else { panic!() };
    assert!(matches!(refusal, Refusal::Damaged(_)), "{refusal}");
}

/// A program that says how it is confined, as a worker does, and then takes a document and answers in its own way.
fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = dir.join(name);
    let greeting = dir.join("greeting");
    std::fs::write(&greeting, begin_frame(&Confinement { landlock_abi: 0, seccomp: true }, 0)).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\ncat {}\n{text}\n", greeting.display())).unwrap();
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
        ("reaches out", "kill -SYS $$", Death::Forbidden),
        ("stalls", "exec sleep 60", Death::Timeout(Duration::from_secs(1))),
        ("floods", "exec yes", Death::Nonsense),
    ];
    for (name, text, expected) in cases {
        let pool = pool_of(script(dir.path(), name, text), Duration::from_secs(1));
        match read(&pool, Format::Text, b"text").await {
            Err(ExtractError::Killed(death)) => assert_eq!(death, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(pool.warning().unwrap().contains("no landlock"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_cannot_begin_blame_no_document_and_are_named() {
    let pools = [
        pool_of("/nowhere/adit".into(), Duration::from_secs(1)),
        pool_of("/bin/true".into(), Duration::from_secs(1)),
        pool_of("/bin/echo".into(), Duration::from_secs(1)),
        Pool::new(PoolConfig { memory: 1 << 20, ..pool(Duration::from_secs(1)).config().clone() }),
    ];
    for pool in pools {
        let outcome = read(&pool, Format::Text, b"text").await;
        assert!(matches!(outcome, Err(ExtractError::NoWorker(_))), "{outcome:?}");
        assert!(pool.warning().unwrap().contains("no worker can be started"), "{:?}", pool.warning());
    }
    let good = pool(Duration::from_secs(30));
    good.begin().await;
    assert!(good.confinement().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_became_shorter_is_not_half_read() {
    let pool = pool(Duration::from_secs(30));
    let file: File = tempfile::tempfile().unwrap();
    let outcome = pool.extract(Format::Text, file, 100, &ExtractLimits::default()).await;
    assert!(matches!(outcome, Err(ExtractError::File(_))), "{outcome:?}");
    check_good(&pool).await;
}
