//! What is kept: through restarts, crashes and damage.

use super::bench::{Bench, extracted, name, open, plain, put, scope, stamp};
use adit::access::Scope;
use adit::documents::Format;
use adit::search::{Indexing, Known, Library, LibraryError, SearchRequest, Writer};

fn found(library: &Library, query: &str) -> Vec<String> {
    let request = SearchRequest { query: query.to_owned(), ..plain() };
    let answer = library.search(&Scope::owner(), &request).unwrap();
    answer.results.into_iter().map(|hit| hit.path).collect()
}

/// What a writer knows.
fn listed(writer: &Writer) -> Vec<(String, Known)> {
    writer.files().iter().map(|(path, known)| (path.to_owned(), known)).collect()
}

#[test]
fn everything_is_there_after_a_restart() {
    let Bench { dir, library } = Bench::of(&[("a.md", "# Title\napples"), ("b.md", "pears")]);
    let mut writer = library.writer(&name("notes")).unwrap();
    writer.put_failure("c.pdf", stamp("c.pdf", 3), "it is broken").unwrap();
    writer.delete("b.md").unwrap();
    writer.commit().unwrap();
    writer.agreed("2026-01-01T00:00:00Z".parse().unwrap());
    let known = listed(&writer);
    drop((writer, library));
    let library = open(dir.path(), &["notes"]).unwrap();
    assert_eq!(found(&library, "apples pears"), ["a.md"]);
    let writer = library.writer(&name("notes")).unwrap();
    assert_eq!(listed(&writer), known);
    let known: Vec<_> = known.iter().map(|(path, known)| (path.as_str(), known.failed)).collect();
    assert_eq!(known, [("a.md", false), ("c.pdf", true)]);
    assert_eq!(library.failures(&Scope::owner())[0].reason, "it is broken");
    let status = &library.status(&Scope::owner())[0];
    assert_eq!((status.documents, status.passages, status.failed, status.text_bytes), (1, 1, 1, 14));
    let now = "2026-01-01T00:01:00Z".parse().unwrap();
    let answer = library.search(&Scope::owner(), &SearchRequest { now, ..plain() }).unwrap();
    assert_eq!(answer.index_age_seconds, Some(60));
}

#[test]
fn nothing_shows_before_the_commit_and_all_of_it_after() {
    let bench = Bench::of(&[("a.md", "old")]);
    let mut writer = bench.writer("notes");
    put(&mut writer, "a.md", "new");
    put(&mut writer, "b.md", "new");
    assert_eq!((bench.paths("old"), bench.paths("new")), (vec!["a.md".to_owned()], vec![]));
    writer.commit().unwrap();
    assert_eq!((bench.paths("old").len(), bench.paths("new").len()), (0, 2));
}

#[test]
fn what_was_not_committed_is_gone_after_a_crash_and_the_rest_is_there() {
    let Bench { dir, library } = Bench::of(&[("a.md", "kept")]);
    let mut writer = library.writer(&name("notes")).unwrap();
    put(&mut writer, "b.md", "lost");
    writer.delete("a.md").unwrap();
    drop((writer, library));
    let library = open(dir.path(), &["notes"]).unwrap();
    assert_eq!((found(&library, "kept").len(), found(&library, "lost").len()), (1, 0));
}

#[test]
fn a_moved_document_is_taken_over_without_extracting_it_again() {
    let bench = Bench::of(&[("a.md", "# One\napples\n# Two\npears\n")]);
    let before = bench.library.info(&Scope::owner(), "notes/a.md").unwrap();
    let mut writer = bench.writer("notes");
    assert!(writer.rename("a.md", "new/place.md", stamp("a.md", 20_000)).unwrap());
    assert!(!writer.rename("missing.md", "x.md", stamp("x", 1)).unwrap());
    writer.commit().unwrap();
    assert_eq!(bench.paths("pears"), ["new/place.md"]);
    assert_eq!(bench.paths("place"), ["new/place.md"]);
    let after = bench.library.info(&Scope::owner(), "notes/new/place.md").unwrap();
    assert_eq!(after.outline, before.outline);
    assert_ne!(after.document.id, before.document.id);
    assert_eq!(bench.read(&after.document.id).text, "# One\napples\n# Two\npears\n");
    assert!(matches!(bench.library.info(&Scope::owner(), &before.document.id), Err(LibraryError::NotFound)));
}

#[test]
fn there_is_one_writer_at_a_time() {
    let bench = Bench::new(&["notes"]);
    let writer = bench.writer("notes");
    assert!(matches!(bench.library.writer(&name("notes")), Err(LibraryError::Busy { .. })));
    let elsewhere = open(bench.dir.path(), &["notes"]).unwrap();
    assert!(matches!(elsewhere.writer(&name("notes")), Err(LibraryError::Busy { .. })), "another process");
    drop(writer);
    assert!(bench.library.writer(&name("notes")).is_ok());
}

#[test]
fn a_damaged_index_is_moved_aside_and_begun_anew() {
    type Spoil = fn(&std::path::Path);
    let spoils: [(&str, Spoil); 4] = [
        ("cut", |dir| {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|end| end == "idx" || end == "store" || end == "term" || end == "fast")
                {
                    std::fs::write(path, b"x").unwrap();
                }
            }
        }),
        ("version", |dir| std::fs::write(dir.join("adit-format"), "0").unwrap()),
        ("no version", |dir| std::fs::remove_file(dir.join("adit-format")).unwrap()),
        ("meta", |dir| std::fs::write(dir.join("meta.json"), "{").unwrap()),
    ];
    for (what, spoil) in spoils {
        let Bench { dir, library } = Bench::of(&[("a.md", "apples")]);
        drop(library);
        for _ in 0..2 {
            spoil(&dir.path().join("index/notes"));
            let library = open(dir.path(), &["notes"]).unwrap();
            assert_eq!(found(&library, "apples").len(), 0, "{what}");
            let mut writer = library.writer(&name("notes")).unwrap();
            assert_eq!(listed(&writer), []);
            put(&mut writer, "a.md", "apples");
            writer.commit().unwrap();
            assert_eq!(found(&library, "apples").len(), 1, "{what}");
        }
        let names = std::fs::read_dir(dir.path().join("index")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["notes", "notes.damaged-2"], "{what}: one is kept");
    }
}

#[test]
fn an_index_that_cannot_be_read_is_not_wiped() {
    let Bench { dir, library } = Bench::of(&[("a.md", "apples")]);
    drop(library);
    let index = dir.path().join("index/notes");
    std::fs::rename(&index, dir.path().join("elsewhere")).unwrap();
    std::fs::write(&index, "not a folder").unwrap();
    assert!(matches!(open(dir.path(), &["notes"]), Err(LibraryError::Io { .. })));
    std::fs::remove_file(&index).unwrap();
    std::fs::rename(dir.path().join("elsewhere"), &index).unwrap();
    assert_eq!(found(&open(dir.path(), &["notes"]).unwrap(), "apples").len(), 1);
}

#[test]
fn deleted_text_leaves_the_disk() {
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    for n in 0..100 {
        put(&mut writer, &format!("{n}.md"), &format!("common words and the secret{n}xyzzy of {n}"));
    }
    writer.commit().unwrap();
    for n in 0..60 {
        writer.delete(&format!("{n}.md")).unwrap();
    }
    writer.commit().unwrap();
    for _ in 0..200 {
        writer.tidy().unwrap();
        let meta = std::fs::read_to_string(writer.dir().join("meta.json")).unwrap();
        let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
        let segments = meta["segments"].as_array().unwrap();
        let files = std::fs::read_dir(writer.dir()).unwrap();
        let stores = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "store"));
        if segments.iter().all(|segment| segment["deletes"].is_null()) && stores.count() == segments.len() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("deleted text is still there");
}

#[test]
fn documents_without_passages_or_with_huge_ones_are_kept() {
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    let mut scan = extracted("");
    (scan.passages, scan.empty_pages) = (Vec::new(), 3);
    writer.put("scanned letter.pdf", Format::Pdf, stamp("s", 1), &scan).unwrap();
    let long = format!("{} needle {}", "x".repeat(100_000), "word ".repeat(300_000));
    let mut whole = extracted(&long);
    whole.passages.clear();
    writer.put("long.txt", Format::Text, stamp("l", 1), &whole).unwrap();
    writer.commit().unwrap();
    assert_eq!(bench.paths("letter"), ["scanned letter.pdf"]);
    assert_eq!(bench.paths("needle"), ["long.txt"]);
}

#[test]
fn while_documents_are_read_answers_say_how_far_that_has_come() {
    let bench = Bench::new(&["notes", "work"]);
    let indexing = |read, files| Some(Indexing { read, files });
    assert_eq!(bench.ask("x").indexing, None);
    bench.library.set_indexing(&name("notes"), indexing(2, 5));
    bench.library.set_indexing(&name("work"), indexing(1, 1));
    assert_eq!(bench.ask("x").indexing, indexing(3, 6));
    let request = SearchRequest { query: "x".to_owned(), collection: Some("work".to_owned()), ..plain() };
    assert_eq!(bench.ask_with(request).indexing, indexing(1, 1));
    bench.library.set_indexing(&name("work"), None);
    let found = |scope: &Scope| bench.library.search(scope, &plain()).unwrap().indexing;
    assert_eq!(found(&scope(&["work"])), None);
    assert_eq!(found(&scope(&["notes/open"])), indexing(0, 0), "how many there are is not told");
}
