//! Whatever a person types is answered.

use proptest::prelude::*;

use super::bench::{Bench, plain};
use adit::search::SearchRequest;

fn pieces() -> impl Strategy<Value = String> {
    let operators = prop::sample::select(vec![
        "\"",
        "(",
        ")",
        "|",
        "+",
        "-",
        "*",
        "~",
        ":",
        "title:",
        "path:",
        "type:",
        "after:",
        "before:",
        " ",
        "OR",
        "AND",
        "NOT",
        "~2",
        "after:2025",
        "type:pdf",
        "boiler",
        "val*",
        "*",
        "\u{202e}",
        "東京",
        "e.g.",
        "a_b",
        "..",
        "/",
        "\\",
        "\0",
        "İ",
        "ß",
    ]);
    prop::collection::vec(prop_oneof![3 => operators.prop_map(str::to_owned), 1 => any::<String>()], 0..40)
        .prop_map(|parts| parts.concat())
}

#[test]
fn no_question_is_an_error() {
    let bench = Bench::of(&[
        ("a.md", "# Boiler\nThe boiler has a valve, 東京都 a_b e.g. straße"),
        ("b.pdf", "page one\u{c}page two with val and vale"),
    ]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let cases = (pieces(), any::<bool>(), any::<bool>(), 0usize..60, prop::option::of(0usize..5));
    let asked = runner.run(&cases, |(query, match_all, fuzzy, limit, context_lines)| {
        let request = SearchRequest { query, match_all, fuzzy, limit, context_lines, ..plain() };
        let answer = bench.ask_with(request);
        prop_assert!(answer.total as usize >= answer.results.len());
        for hit in &answer.results {
            prop_assert!(
                hit.highlights.iter().all(|&(begin, end)| begin < end && hit.snippet.get(begin..end).is_some())
            );
            prop_assert!(hit.highlights.is_sorted_by(|a, b| a.1 <= b.0));
        }
        Ok(())
    });
    asked.unwrap();
}

#[test]
fn a_question_of_any_length_is_bounded_work() {
    let bench = Bench::of(&[("a.md", "boiler valve")]);
    for query in
        ["(".repeat(100_000), "boiler ".repeat(100_000), "a*".repeat(50_000), "\"".repeat(99_999), "b* ".repeat(50_000)]
    {
        let answer = bench.ask(&query);
        assert!(answer.unused.len() <= 16, "{}", answer.unused.len());
    }
    assert_eq!(bench.paths(&"boiler ".repeat(100_000)), ["a.md"]);
}

#[test]
fn many_threads_search_while_one_writes() {
    let bench = Bench::of(&[("a.md", "boiler valve")]);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(bench.ask("boiler").total, 1);
                }
            });
        }
        for n in 0..10 {
            bench.put("notes", &[("a.md", &format!("boiler number {n}"))]);
        }
    });
}
