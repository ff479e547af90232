//! What a score is made of.

use super::bench::{Bench, plain};
use adit::search::{Explanation, SearchRequest};

fn explained(bench: &Bench, query: &str) -> Vec<(f32, Explanation)> {
    let request = SearchRequest { query: query.to_owned(), explain: true, ..plain() };
    let hits = bench.ask_with(request).results;
    hits.into_iter().map(|hit| (hit.score, hit.explanation.expect("it was asked for"))).collect()
}

fn library() -> Bench {
    Bench::of(&[
        ("manuals/boiler.md", "# Boiler valves\nthe boiler has a valve, and the valve leaks in winter\n"),
        ("letter.md", "about the winter and a boiler, which needs its yearly check, and of some other valve"),
        ("recipe.md", "bread, and winter vegetables"),
    ])
}

#[test]
fn the_parts_of_a_score_add_up_to_it() {
    let bench = library();
    for query in
        ["boiler valve", "valves winter boiler boiler", "\"boiler has\" winter", "boil*", "title:valves", "winter"]
    {
        let hits = explained(&bench, query);
        assert!(!hits.is_empty(), "{query}");
        for (score, explanation) in hits {
            let sum: f32 = explanation.parts.iter().map(|part| part.weight).sum();
            assert!((sum - score).abs() < 0.001, "{query}: {sum} for {score}");
            assert!(explanation.parts.is_sorted_by(|a, b| a.weight >= b.weight), "{query}");
            assert!(explanation.first_score > 0.0 && explanation.tier == 0, "{query}");
        }
    }
}

#[test]
fn each_part_says_where_what_and_how_often() {
    let (_, explanation) = explained(&library(), "boiler valve").remove(0);
    let parts = explanation.parts.iter().map(|part| (part.field.as_str(), part.words.as_str(), part.times));
    let mut parts: Vec<_> = parts.filter(|(field, ..)| !["near", "named"].contains(field)).collect();
    parts.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    // The title stands before the text of its passage, and the heading in it.
    let expected = [
        ("name", "boiler", 1.0),
        ("text", "boiler", 3.0),
        ("text", "valve", 4.0),
        ("title", "boiler", 1.0),
        ("title", "valve", 1.0),
    ];
    assert_eq!(parts, expected);
    let near = explanation.parts.iter().find(|part| part.field == "near").expect("they stand by each other");
    assert_eq!(near.words, "boiler, valve");
    assert!(near.times > 1.0);
}

#[test]
fn nothing_is_explained_unasked() {
    assert!(library().ask("boiler").results.iter().all(|hit| hit.explanation.is_none()));
    let json = serde_json::to_string(&library().ask("boiler")).unwrap();
    assert!(!json.contains("explanation") && !json.contains("copies"), "{json}");
}
