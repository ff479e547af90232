//! A text that is there several times is shown once, with the other places in scope named.

use super::bench::{Bench, paths, plain, scope};
use adit::access::Scope;
use adit::search::{Hit, SearchRequest};

/// A text long enough to be no copy by chance.
fn letter(word: &str) -> String {
    format!("# Letter\nDear landlord, the {word} is broken again.\n{}\n", "It has been cold for days. ".repeat(6))
}

/// Three collections: a letter in four places, one of them with other white space, and a different one.
fn library() -> Bench {
    let bench = Bench::new(&["alpha", "beta", "gamma"]);
    let boiler = letter("boiler");
    bench.put("alpha", &[("open/letter.md", &boiler), ("closed/old boiler.md", &boiler)]);
    bench.put("beta", &[("letter copy.md", &boiler.replace('\n', "\r\n")), ("other.md", &letter("boiler valve"))]);
    bench.put("gamma", &[("kept.md", &boiler)]);
    bench
}

fn seen(hits: &[Hit]) -> Vec<(String, Vec<&str>)> {
    let place = |hit: &Hit| format!("{}/{}", hit.collection, hit.path);
    hits.iter().map(|hit| (place(hit), hit.copies.iter().map(String::as_str).collect())).collect()
}

fn check(scope: &Scope, query: &str, expected: &[(&str, &[&str])]) {
    let request = SearchRequest { query: query.to_owned(), ..plain() };
    let answer = library().library.search(scope, &request).unwrap();
    let expected: Vec<_> = expected.iter().map(|(path, copies)| (path.to_string(), copies.to_vec())).collect();
    assert_eq!(seen(&answer.results), expected, "{query}");
}

#[test]
fn a_text_is_shown_once_and_its_other_places_are_named() {
    check(
        &Scope::owner(),
        "landlord",
        &[
            ("alpha/closed/old boiler.md", &["alpha/open/letter.md", "beta/letter copy.md", "gamma/kept.md"]),
            ("beta/other.md", &[]),
        ],
    );
}

#[test]
fn the_copy_whose_name_is_asked_for_is_the_one_shown() {
    let others: &[&str] = &["alpha/closed/old boiler.md", "alpha/open/letter.md", "beta/letter copy.md"];
    check(&Scope::owner(), "landlord kept", &[("gamma/kept.md", others), ("beta/other.md", &[])]);
}

#[test]
fn copies_out_of_scope_are_neither_shown_nor_named() {
    for (rules, expected) in [
        (&["alpha"][..], &[("alpha/closed/old boiler.md", &["alpha/open/letter.md"][..])][..]),
        (&["alpha/open"], &[("alpha/open/letter.md", &[])]),
        (&["alpha/closed"], &[("alpha/closed/old boiler.md", &[])]),
        (&["*", "!alpha/closed", "!beta"], &[("alpha/open/letter.md", &["gamma/kept.md"])]),
        (&["gamma"], &[("gamma/kept.md", &[])]),
    ] {
        check(&scope(rules), "landlord", expected);
    }
}

#[test]
fn a_filter_chooses_which_copy_is_shown() {
    check(
        &Scope::owner(),
        "landlord path:kept",
        &[("gamma/kept.md", &["alpha/closed/old boiler.md", "alpha/open/letter.md", "beta/letter copy.md"])],
    );
    check(&Scope::owner(), "path:alpha -type:pdf", &[]);
    check(
        &Scope::owner(),
        "path:letter",
        &[("alpha/open/letter.md", &["alpha/closed/old boiler.md", "beta/letter copy.md", "gamma/kept.md"])],
    );
}

#[test]
fn a_copy_that_changes_or_goes_is_no_copy_any_more() {
    let bench = library();
    bench.put("gamma", &[("kept.md", &letter("roof"))]);
    let mut writer = bench.writer("beta");
    writer.delete("letter copy.md").unwrap();
    writer.commit().unwrap();
    let answer = bench.ask("boiler -valve");
    assert_eq!(seen(&answer.results), [("alpha/closed/old boiler.md".to_owned(), vec!["alpha/open/letter.md"])]);
    assert_eq!(answer.total, 2, "documents are counted, not texts");
}

#[test]
fn many_copies_fill_one_place_on_the_pages_and_leave_the_others_theirs() {
    let bench = Bench::new(&["notes"]);
    let same = letter("boiler");
    let others: Vec<String> = (0..30).map(|n| letter(&format!("boiler number {n}"))).collect();
    let mut texts: Vec<(String, &str)> = (0..450).map(|n| (format!("copies/{n:03}.md"), same.as_str())).collect();
    texts.extend(others.iter().enumerate().map(|(n, text)| (format!("others/{n:02}.md"), text.as_str())));
    bench.put("notes", &texts.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>());
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let answer = bench.ask_with(SearchRequest { query: "landlord".into(), limit: 7, after, ..plain() });
        for hit in answer.results.iter().filter(|hit| !hit.copies.is_empty()) {
            assert_eq!((hit.copies.len(), hit.more_copies), (10, 439));
        }
        found.extend(paths(&answer.results));
        after = answer.next;
        if after.is_none() {
            break;
        }
    }
    found.sort();
    let expected: Vec<String> =
        std::iter::once("copies/000.md".to_owned()).chain((0..30).map(|n| format!("others/{n:02}.md"))).collect();
    assert_eq!(found, expected);
}

#[test]
fn short_texts_are_documents_of_their_own() {
    let bench = Bench::of(&[("a.md", "to do"), ("b.md", "to do")]);
    let answer = bench.ask("do");
    assert_eq!(paths(&answer.results), ["a.md", "b.md"]);
    assert!(answer.results.iter().all(|hit| hit.copies.is_empty()));
}
