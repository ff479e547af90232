//! What is found, and in which order.

use super::bench::{Bench, extracted, paths, plain, put, scope, stamp};
use adit::documents::Format;
use adit::search::SearchRequest;

/// Questions to one library, each with the paths of what it finds, in order.
fn check(texts: &[(&str, &str)], cases: &[(&str, &[&str])]) {
    let bench = Bench::of(texts);
    for (query, expected) in cases {
        let answer = bench.ask(query);
        assert_eq!(paths(&answer.results), *expected, "{query}");
        assert_eq!((answer.total, answer.total_is_exact), (expected.len() as u64, true), "{query}");
    }
}

#[test]
fn more_of_the_words_rank_higher() {
    check(
        &[
            ("both.md", "The boiler needs a new valve before winter."),
            ("one.md", "The boiler is in the cellar, next to the other boiler."),
            ("none.md", "Bread recipe."),
        ],
        &[("boiler valve", &["both.md", "one.md"]), ("valve boiler", &["both.md", "one.md"]), ("zeppelin", &[])],
    );
}

#[test]
fn phrases_signs_and_alternatives() {
    let texts = [
        ("a.md", "annual report of the garden club"),
        ("b.md", "the report is annual, says the club"),
        ("c.md", "garden draft"),
    ];
    check(
        &texts,
        &[
            ("\"annual report\"", &["a.md"]),
            ("\"report annual\"", &[]),
            ("club -garden", &["b.md"]),
            ("+garden club", &["a.md", "c.md"]),
            ("report | draft", &["c.md", "a.md", "b.md"]),
            ("(report | draft) -club", &["c.md"]),
            ("+(report | draft) +garden", &["c.md", "a.md"]),
            ("-club", &["c.md"]),
            ("report AND garden", &["a.md"]),
            ("gard* -clu*", &["c.md"]),
        ],
    );
}

#[test]
fn what_meets_the_condition_without_a_word_comes_last() {
    let texts =
        [("a.md", "garden club"), ("b.pdf", "annual report"), ("c.pdf", "annual garden"), ("d/a.md", "something else")];
    check(
        &texts,
        &[
            ("garden | type:pdf", &["a.md", "c.pdf", "b.pdf"]),
            ("garden (-annual)", &["a.md", "c.pdf", "d/a.md"]),
            ("zeppelin | path:d/", &["d/a.md"]),
        ],
    );
    let bench = Bench::of(&texts);
    let page = |after| bench.ask_with(SearchRequest { query: "garden | type:pdf".into(), limit: 1, after, ..plain() });
    let (mut seen, mut after) = (Vec::new(), None);
    while seen.len() < 9 {
        let answer = page(after);
        seen.extend(paths(&answer.results));
        after = answer.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a.md", "c.pdf", "b.pdf"]);
}

#[test]
fn fields_narrow() {
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    for (path, day, format) in [
        ("2024/tax.pdf", 19_800, Format::Pdf),
        ("2025/tax.md", 20_200, Format::Markdown),
        ("2025/Ünfall.md", 20_300, Format::Markdown),
    ] {
        writer.put(path, format, stamp(path, day), &extracted("# Letter\nabout the tax\n# Reply\nnone")).unwrap();
    }
    writer.commit().unwrap();
    for (query, expected) in [
        ("tax type:pdf", &["2024/tax.pdf"][..]),
        ("tax -type:pdf path:tax", &["2025/tax.md"]),
        ("letter path:2025/unf", &["2025/Ünfall.md"]),
        ("letter path:20*tax", &["2024/tax.pdf", "2025/tax.md"]),
        ("letter after:2025", &["2025/tax.md", "2025/Ünfall.md"]),
        ("letter before:2025-01-01", &["2024/tax.pdf"]),
        ("after:2025 before:2025-05", &["2025/tax.md"]),
        ("title:reply", &["2024/tax.pdf", "2025/tax.md", "2025/Ünfall.md"]),
        ("title:tax", &[]),
        ("type:md", &["2025/tax.md", "2025/Ünfall.md"]),
        ("unfall", &["2025/Ünfall.md"]),
    ] {
        let mut found = bench.paths(query);
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn a_mail_is_of_the_day_it_was_sent_and_all_else_of_the_day_its_file_was_modified() {
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    writer.now_is("2026-06-01T00:00:00Z".parse().unwrap());
    let copied = "2026-05-30T00:00:00Z";
    for (path, format, created, date) in [
        ("sent.eml", Format::Email, Some("2025-03-04T09:15:00Z"), "2025-03-04T09:15:00Z"),
        ("undated.eml", Format::Email, None, copied),
        ("from the future.eml", Format::Email, Some("2038-01-01T00:00:00Z"), copied),
        ("template.docx", Format::Docx, Some("2013-12-23T23:15:00Z"), copied),
    ] {
        let mut letter = extracted("wombats");
        letter.created = created.map(|created| created.parse().unwrap());
        writer.put(path, format, stamp(path, 20_603), &letter).unwrap();
        writer.commit().unwrap();
        let found = bench.ask(&format!("wombats path:{path:?}")).results.remove(0);
        assert_eq!((found.date.to_string().as_str(), found.modified.to_string().as_str()), (date, copied), "{path}");
        let info = bench.library.info(&adit::access::Scope::owner(), &found.id).unwrap().document;
        assert_eq!((info.date, info.modified, info.created), (found.date, found.modified, letter.created), "{path}");
    }
    assert!(writer.rename("sent.eml", "filed/sent.eml", stamp("filed", 20_604)).unwrap());
    writer.commit().unwrap();
    assert_eq!(bench.paths("wombats before:2026"), ["filed/sent.eml"]);
    assert_eq!(bench.paths("wombats after:2026").len(), 3);
    let recent = bench.library.recent(&adit::access::Scope::owner(), 10).unwrap();
    assert_eq!(recent.last().map(|document| document.path.as_str()), Some("filed/sent.eml"));
}

#[test]
fn case_diacritics_and_forms_are_folded() {
    let mut german = extracted("Die Häuser stehen am Übergang.");
    german.language = Some("deu".to_owned());
    let bench = Bench::of(&[("en.md", "Running libraries in the CAFÉ")]);
    let mut writer = bench.writer("notes");
    writer.put("de.md", Format::Text, stamp("de.md", 1), &german).unwrap();
    writer.commit().unwrap();
    drop(writer);
    for (query, expected) in [
        ("cafe library run", "en.md"),
        ("LIBRARY", "en.md"),
        ("haus", "de.md"),
        ("ubergang", "de.md"),
        ("Hauser", "de.md"),
    ] {
        assert_eq!(bench.paths(query), [expected], "{query}");
    }
}

#[test]
fn scripts_without_spaces_are_searched() {
    check(
        &[
            ("tokyo.md", "私は東京都に住んでいます。"),
            ("kyoto.md", "京都の寺は美しい。"),
            ("ko.md", "서울에서 기차를 탔다"),
        ],
        &[
            ("東京", &["tokyo.md"]),
            ("京都の", &["kyoto.md"]),
            ("寺", &["kyoto.md"]),
            ("기차", &["ko.md"]),
            ("\"東京都に\"", &["tokyo.md"]),
            ("北海道", &[]),
        ],
    );
}

#[test]
fn exact_finds_stand_before_fuzzy_ones_which_are_marked() {
    let bench = Bench::of(&[
        ("typo.md", "invocie invocie invocie"),
        ("exact.md", "a long text with one invoice in the middle of many other words"),
    ]);
    assert_eq!(bench.paths("invoice"), ["exact.md"]);
    for request in [
        SearchRequest { query: "invoice".into(), fuzzy: true, ..plain() },
        SearchRequest { query: "invoice~".into(), ..plain() },
    ] {
        let answer = bench.ask_with(request);
        assert_eq!(paths(&answer.results), ["exact.md", "typo.md"]);
        assert_eq!(answer.results.iter().map(|hit| hit.fuzzy).collect::<Vec<_>>(), [false, true]);
        assert_eq!(answer.total, 2);
    }
}

#[test]
fn a_typo_is_answered_with_what_was_meant() {
    let bench = Bench::of(&[("a.md", "insurance policy"), ("b.md", "insurance letter")]);
    let answer = bench.ask("inzurance leter");
    assert_eq!((answer.total, answer.suggestion.as_deref()), (0, Some("insurance letter")));
    assert_eq!(bench.ask("insurance").suggestion, None);
    assert_eq!(bench.ask("qqqqqq").suggestion, None);
}

#[test]
fn all_words_may_stand_in_different_passages() {
    let bench = Bench::of(&[("a.md", "# One\napples\n# Two\npears\n"), ("b.md", "apples alone")]);
    let request = SearchRequest { query: "apples pears".into(), match_all: true, ..plain() };
    assert_eq!(paths(&bench.ask_with(request).results), ["a.md"]);
    assert_eq!(bench.paths("+apples +pears"), ["a.md"]);
    assert_eq!(bench.paths("apples -pears"), ["b.md"]);
}

#[test]
fn what_was_not_used_is_said() {
    let bench = Bench::of(&[("a.md", "the cat")]);
    let unused = bench.ask("the cat *ing after:soon").unused.join(" / ");
    for part in ["the", "*ing", "after:soon"] {
        assert!(unused.contains(part), "{part}: {unused}");
    }
    assert_eq!(bench.paths("the"), ["a.md"], "common words count where there is nothing else");
    assert_eq!(bench.paths("\"the cat\""), ["a.md"]);
}

#[test]
fn a_group_of_common_words_asks_for_nothing() {
    let bench = Bench::of(&[("a.md", "the cat"), ("b.md", "a dog")]);
    for query in ["cat (the)", "(the) cat", "cat (the of)", "cat -(the)", "cat | (the)", "-dog cat (a"] {
        let answer = bench.ask(query);
        assert_eq!((paths(&answer.results), answer.total), (vec!["a.md".to_owned()], 1), "{query}");
    }
}

#[test]
fn a_type_that_no_document_has_is_said() {
    let bench = Bench::of(&[("a.md", "boiler"), ("b.pdf", "boiler"), ("c.rs", "boiler")]);
    for (query, said) in [
        ("type:pfd boiler", &["type:pfd: no document has this type; did you mean type:pdf?"][..]),
        ("(boiler | type:exe)", &["type:exe: no document has this type; there are: markdown, pdf"]),
        ("boiler type:rs", &[]),
        ("boiler -type:pdf", &[]),
    ] {
        assert_eq!(bench.ask(query).unused, said, "{query}");
    }
    let request = SearchRequest { query: "type:exe".into(), ..plain() };
    let only = bench.library.search(&scope(&["notes/a.md"]), &request).unwrap().unused;
    assert_eq!(only, ["type:exe: no document has this type; there are: markdown"], "what is out of scope is not named");
}

#[test]
fn a_hit_tells_its_place() {
    let bench = Bench::of(&[
        ("a.md", "# Intro\nwords\n# Heating\nthe pump\nis broken\n"),
        ("b.pdf", "first\u{c}second pump\u{c}third"),
    ]);
    let answer = bench.ask("pump broken");
    let hit = &answer.results[0];
    assert_eq!((hit.place.heading.as_deref(), hit.place.line), (Some("Heating"), Some(4)));
    assert_eq!(hit.highlights.iter().map(|&(a, b)| &hit.snippet[a..b]).collect::<Vec<_>>(), ["pump", "broken"]);
    assert_eq!(answer.results[1].place.page, Some(2));
    assert_eq!(bench.read(&hit.id).text, "# Heating\nthe pump\nis broken\n");
}

#[test]
fn pages_of_results_never_repeat_and_never_miss() {
    let texts: Vec<(String, String)> = (0..530)
        .map(|n| (format!("{:03}.md", (n * 7919) % 530), format!("word {}", "filler ".repeat(n % 5))))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let bench = Bench::of(&texts);
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..200 {
        let answer = bench.ask_with(SearchRequest { query: "word".into(), limit: 7, after, ..plain() });
        assert_eq!((answer.total, answer.total_is_exact), (530, true));
        seen.extend(answer.results.iter().map(|hit| (hit.path.clone(), hit.score)));
        after = answer.next;
        if after.is_none() {
            break;
        }
    }
    assert!(seen.is_sorted_by(|(path_a, a), (path_b, b)| a > b || (a == b && path_a < path_b)));
    assert_eq!(seen.len(), 530);
}

#[test]
fn totals_are_exact_up_to_a_thousand_and_a_lower_bound_above() {
    let bench = Bench::new(&["notes"]);
    let mut writer = bench.writer("notes");
    for n in 0..1001 {
        put(&mut writer, &format!("{n}.md"), if n == 0 { "word once" } else { "word" });
    }
    writer.commit().unwrap();
    let answer = bench.ask("word");
    assert_eq!((answer.total, answer.total_is_exact), (1000, false));
    let answer = bench.ask("word -once");
    assert_eq!((answer.total, answer.total_is_exact), (1000, true));
}

#[test]
fn the_words_of_a_title_heading_or_file_name_find_that_document_first() {
    let mut texts = vec![
        ("manuals/heat-pump-maintenance.md".to_owned(), "Check the filter twice a year.".to_owned()),
        ("letters/2024-03-landlord.md".to_owned(), "# Rent increase\nDear Sir\n".to_owned()),
        ("notes/garden.md".to_owned(), "# Garden\nplan\n# Pruning roses\nin March\n".to_owned()),
    ];
    for n in 0..40 {
        let text =
            format!("heat pump rent increase pruning landlord maintenance roses garden number {n}").repeat(1 + n % 4);
        texts.push((format!("other/{n}.md"), text));
    }
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let bench = Bench::of(&texts);
    for (query, expected) in [
        ("heat pump maintenance", "manuals/heat-pump-maintenance.md"),
        ("rent increase", "letters/2024-03-landlord.md"),
        ("pruning roses", "notes/garden.md"),
        ("2024 landlord", "letters/2024-03-landlord.md"),
    ] {
        assert_eq!(bench.paths(query)[0], expected, "{query}");
    }
}
