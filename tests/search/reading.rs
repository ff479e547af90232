//! What is read and browsed.

use super::bench::{Bench, extracted, plain, put, stamp};
use adit::access::Scope;
use adit::documents::Format;
use adit::search::{LibraryError, ReadRequest};

#[test]
fn every_byte_of_a_long_text_can_be_reached() {
    let text: String = (0..3000).map(|n| format!("Zeile {n} ä 東 ")).collect();
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    let mut long = extracted(&text);
    long.passages.clear();
    writer.put("long.txt", Format::Text, stamp("l", 1), &long).unwrap();
    writer.commit().unwrap();
    let id = bench.library.info(&Scope::owner(), "notes/long.txt").unwrap().document.id;
    for limit in [1, 2, 1000, 4097, 1_000_000] {
        let (mut whole, mut offset, mut steps) = (String::new(), 0, 0);
        let most = if limit < 10 { 500 } else { 100 };
        loop {
            let request = ReadRequest { id: id.clone(), offset, limit, ..ReadRequest::default() };
            let reading = bench.library.read(&Scope::owner(), &request).unwrap();
            assert_eq!((reading.offset, reading.total_bytes), (whole.len(), text.len()));
            whole.push_str(&reading.text);
            steps += 1;
            match reading.next_offset {
                Some(next) if steps < most => offset = next,
                _ => break,
            }
        }
        assert!(text.starts_with(&whole) && (whole == text || steps == most), "{limit}");
    }
    let request = ReadRequest { id, offset: text.find('東').unwrap() + 1, limit: 3, ..ReadRequest::default() };
    assert_eq!(
        bench.library.read(&Scope::owner(), &request).unwrap().text,
        "東 ",
        "moved back to the character's beginning"
    );
}

#[test]
fn pages_and_sections_are_read_by_name() {
    let bench =
        Bench::of(&[("a.pdf", "one\u{c}two\u{c}three"), ("b.md", "# Intro\nhello\n# The Garden\nroses\n# End\nbye\n")]);
    let read = |path: &str, pages: Option<&str>, section: Option<&str>| {
        let id = bench.library.info(&Scope::owner(), path).unwrap().document.id;
        let request = ReadRequest {
            id,
            pages: pages.map(str::to_owned),
            section: section.map(str::to_owned),
            ..ReadRequest::default()
        };
        bench.library.read(&Scope::owner(), &request).map(|reading| reading.text)
    };
    assert_eq!(read("notes/a.pdf", Some("2"), None).unwrap(), "two\n");
    assert_eq!(read("notes/a.pdf", Some("2-3"), None).unwrap(), "two\nthree");
    assert_eq!(read("notes/b.md", None, Some("the garden")).unwrap(), "# The Garden\nroses\n");
    assert_eq!(read("notes/b.md", None, Some("gard")).unwrap(), "# The Garden\nroses\n");
    for (pages, section) in
        [(Some("0"), None), (Some("x"), None), (Some("3-2"), None), (Some("4"), None), (None, Some("nothing"))]
    {
        assert!(
            matches!(read("notes/a.pdf", pages, section), Err(LibraryError::Argument { .. })),
            "{pages:?} {section:?}"
        );
    }
    assert!(matches!(read("notes/b.md", Some("1"), None), Err(LibraryError::Argument { argument: "pages", .. })));
}

#[test]
fn folders_are_listed_with_their_counts() {
    let bench = Bench::new(&["notes", "work"]);
    bench.put("notes", &[("a.md", "x"), ("sub/b.md", "x"), ("sub/deep/c.md", "x"), ("subway.md", "x")]);
    let list = |path: &str, offset, limit| bench.library.list(&Scope::owner(), path, offset, limit);
    let folders = |path: &str| {
        let listing = list(path, 0, 100).unwrap();
        let folders = listing.folders.iter().map(|folder| format!("{} {}", folder.path, folder.documents));
        folders.chain(listing.documents.iter().map(|document| document.path.clone())).collect::<Vec<_>>()
    };
    assert_eq!(folders(""), ["notes 4", "work 0"]);
    assert_eq!(folders("notes"), ["notes/sub 2", "a.md", "subway.md"]);
    assert_eq!(folders("/notes/sub/"), ["notes/sub/deep 1", "sub/b.md"]);
    assert_eq!(folders("work"), Vec::<String>::new());
    for missing in ["nothing", "notes/none", "notes/su", "notes/a.md"] {
        assert!(matches!(list(missing, 0, 10), Err(LibraryError::NotFound)), "{missing}");
    }
    let (mut seen, mut offset) = (0, 0);
    while let Some(next) = {
        let listing = list("notes", offset, 1).unwrap();
        seen += listing.folders.len() + listing.documents.len();
        listing.next_offset
    } {
        offset = next;
    }
    assert_eq!(seen, 3);
}

#[test]
fn documents_are_found_by_name() {
    let bench = Bench::of(&[
        ("letters/2024-03 Landlord.md", "# Rent increase\nx"),
        ("letters/landlord.pdf", "x"),
        ("photos/Übersicht.md", "x"),
    ]);
    for (query, expected) in [
        ("landlord.pdf", &["letters/landlord.pdf"][..]),
        ("landlord", &["letters/landlord.pdf", "letters/2024-03 Landlord.md"]),
        ("rent increase", &["letters/2024-03 Landlord.md"]),
        ("*.pdf", &["letters/landlord.pdf"]),
        ("letters/*", &["letters/landlord.pdf", "letters/2024-03 Landlord.md"]),
        ("landlrod", &["letters/landlord.pdf", "letters/2024-03 Landlord.md"]),
        ("ubersicht", &["photos/Übersicht.md"]),
        ("notes/letters/landlord.pdf", &["letters/landlord.pdf"]),
        ("2024 land", &["letters/2024-03 Landlord.md"]),
        ("zzz", &[]),
        ("", &[]),
    ] {
        let found = bench.library.find_document(&Scope::owner(), query, 10).unwrap();
        assert_eq!(found.iter().map(|document| document.path.as_str()).collect::<Vec<_>>(), expected, "{query}");
    }
    assert!(matches!(bench.library.find_document(&Scope::owner(), "a[", 10), Err(LibraryError::Argument { .. })));
}

#[test]
fn the_newest_documents_come_first() {
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    for (path, day) in [("old.md", 1), ("new.md", 3), ("middle.md", 2)] {
        writer.put(path, Format::Text, stamp(path, day), &extracted("x")).unwrap();
    }
    writer.commit().unwrap();
    let recent = bench.library.recent(&Scope::owner(), 2).unwrap();
    assert_eq!(recent.iter().map(|document| document.path.as_str()).collect::<Vec<_>>(), ["new.md", "middle.md"]);
}

#[test]
fn the_original_is_opened_beneath_its_root() {
    let bench = Bench::new(&["notes"]);
    let root = bench.dir.path().join("documents/notes");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("a.md"), "original").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("link.md")).unwrap();
    let mut writer = bench.writer("notes");
    put(&mut writer, "a.md", "text");
    put(&mut writer, "link.md", "text");
    writer.commit().unwrap();
    let id = |path: &str| bench.library.info(&Scope::owner(), path).unwrap().document.id;
    let (file, document) = bench.library.original(&Scope::owner(), &id("notes/a.md")).unwrap();
    assert_eq!((std::io::read_to_string(file).unwrap().as_str(), document.path.as_str()), ("original", "a.md"));
    assert!(matches!(bench.library.original(&Scope::owner(), &id("notes/link.md")), Err(LibraryError::NotFound)));
    assert_eq!(bench.ask_with(plain()).total, 0, "an empty question finds nothing");
}
