//! `adit search`: the owner's own search, at the machine.

use std::ffi::{OsStr, OsString};

use clap::Args;

use super::outcome::{Exit, Outcome};
use super::places;
use super::style::Style;
use super::terminal::{print, print_json, say};
use super::units::{count, harmless};
use crate::config::Places;
use crate::control::{OwnerSearch, Request, Response};
use crate::name::CollectionName;
use crate::search::{Answer, Contribution, Explanation, Hit};

/// Lines of text shown per hit: one before the first word found is among them (the service is asked for one of context).
const LINES_PER_HIT: usize = 3;

/// Search the library here on the server
///
/// Words are ranked: more of them rank higher. Documents with a -word are left out; before one that begins with -c put --, or put
/// the query into quotes. Only root and
/// the daemon's own user may search here; devices search through the tunnel.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to look for
    #[arg(required = true, value_name = "QUERY")]
    pub query: Vec<String>,
    /// Show this many results, 1 to 50
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub limit: u16,
    /// Search this collection alone
    #[arg(short, long, value_name = "NAME")]
    pub collection: Option<CollectionName>,
    /// Say what each score is made of
    ///
    /// Below each hit: what a word adds in the text, in title or heading, in the file's name, as a phrase or near its neighbour, and the whole question where it names the file; how
    /// often it stands there and how rare it is; then the score of the first phase, which chose the few hundred documents that were
    /// looked at closely.
    #[arg(long)]
    pub explain: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of the program with the words of a query set apart from options: `-heat` is a word to leave out, and not `-h -e …`. A
/// blank before it is what the parser knows a word by, and means nothing in a query.
pub fn words_apart(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut before = Before::Program;
    let apart = |argument: OsString| {
        let (next, is_word) = before.then(&argument);
        before = next;
        if !is_word {
            return argument;
        }
        let mut word = OsString::from(" ");
        word.push(argument);
        word
    };
    arguments.into_iter().map(apart).collect()
}

/// What stands before an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing.
    Program,
    /// No verb yet.
    Verb,
    /// `--config`, and no verb yet.
    Config,
    /// `search`.
    Search,
    /// Another verb, or `--`.
    Rest,
}

impl Before {
    /// What then stands before the next argument, and whether this one is a word of a query that looks like options.
    fn then(self, argument: &OsStr) -> (Before, bool) {
        let bytes = argument.as_encoded_bytes();
        match (self, bytes) {
            (Before::Program | Before::Config, _) => (Before::Verb, false),
            (Before::Verb, b"--config") => (Before::Config, false),
            (Before::Verb, b"search") => (Before::Search, false),
            (Before::Verb, [b'-', ..]) => (Before::Verb, false),
            (Before::Verb, _) | (Before::Search, b"--") => (Before::Rest, false),
            (Before::Search, [b'-', b'-', ..] | [b'-', b'c', ..] | [b'-', b'n', b'=' | b'0'..=b'9', ..]) => {
                (self, false)
            }
            (Before::Search, [b'-', _, _, ..]) => (self, true),
            (Before::Search | Before::Rest, _) => (self, false),
        }
    }
}

pub fn run(places: &Places, arguments: Arguments) -> Outcome {
    let search = OwnerSearch {
        query: arguments.query.join(" ").trim_start().to_owned(),
        limit: arguments.limit.into(),
        collection: arguments.collection,
        explain: arguments.explain,
    };
    let answer = match places::ask_or_offline(places, &Request::Search(search))? {
        Response::Found(answer) => answer,
        other => return Err(places::unexpected(&other)),
    };
    if arguments.json {
        print_json(&answer)?;
        return Ok(Exit::Done);
    }
    for part in &answer.unused {
        say(format_args!("note: {}", harmless(part)));
    }
    let style = Style::of_stdout();
    print(&answer.results.iter().map(|hit| shown(hit, style)).collect::<Vec<_>>().join("\n"))?;
    say(summary(&answer));
    if let Some(indexing) = &answer.indexing {
        say(indexing);
    }
    Ok(Exit::Done)
}

/// Where it is, what it is called, and the text around what was found.
fn shown(hit: &Hit, style: Style) -> String {
    let file = style.file(&harmless(&format!("{}/{}", hit.collection, hit.path)).replace('\n', " "));
    let place = match (hit.place.page, hit.place.line) {
        (Some(page), None) => format!(":{}{page}", if hit.format.part() == "page" { "p" } else { hit.format.part() }),
        (Some(page), Some(line)) => format!(":{}{page}:{line}", hit.format.part()),
        (None, Some(line)) => format!(":{line}"),
        (None, None) => String::new(),
    };
    let one_line = |text: &str| harmless(text).replace('\n', " ");
    let mut title = style.strong(&one_line(&hit.title));
    if let Some(heading) = hit.place.heading.as_deref().filter(|heading| *heading != hit.title) {
        title.push_str(&format!(" › {}", one_line(heading)));
    }
    let mark = if hit.fuzzy { style.faint("  (similar words)") } else { String::new() };
    let snippet = highlighted(hit, style);
    let lines = snippet.lines().filter(|line| !line.trim().is_empty()).take(LINES_PER_HIT);
    let snippet: String = lines.map(|line| format!("    {line}\n")).collect();
    let mut copies: String =
        hit.copies.iter().map(|copy| format!("    also in {}\n", style.file(&one_line(copy)))).collect();
    if hit.more_copies > 0 {
        copies.push_str(&format!("    and in {} more\n", hit.more_copies));
    }
    let explanation = hit.explanation.as_ref().map(|explanation| explained(hit.score, explanation)).unwrap_or_default();
    format!("{file}{place}  {title}{mark}\n{snippet}{copies}{explanation}")
}

/// What a score is made of, the most first.
fn explained(score: f32, explanation: &Explanation) -> String {
    let mut text = format!("    score {score:.4}");
    let (first, tier) = (explanation.first_score, explanation.tier + 1);
    text.push_str(&format!(" (first phase {first:.4}, tier {tier})\n"));
    for Contribution { field, words, weight, times, rarity } in &explanation.parts {
        let times = match field.as_str() {
            "near" | "named" => format!("{field} {times:.2}"),
            _ => format!("{times:.0}×"),
        };
        let words = harmless(words);
        text.push_str(&format!("    {weight:>9.4}  {field:<6}  {words}  ({times}, rarity {rarity:.2})\n"));
    }
    text
}

/// The snippet with what was found set off. Ranges that do not fit the text are passed over.
fn highlighted(hit: &Hit, style: Style) -> String {
    let mut text = String::new();
    let mut done = 0;
    for (start, end) in &hit.highlights {
        let (Some(before), Some(found)) = (hit.snippet.get(done..*start), hit.snippet.get(*start..*end)) else {
            continue;
        };
        text.push_str(&harmless(before));
        text.push_str(&style.found(&harmless(found)));
        done = *end;
    }
    text.push_str(&harmless(&hit.snippet[done..]));
    text
}

fn summary(answer: &Answer) -> String {
    let shown = answer.results.len() as u64;
    match (shown, &answer.suggestion) {
        (0, Some(suggestion)) => format!("nothing found. Did you mean: {}?", harmless(suggestion)),
        (0, None) => "nothing found. Try fewer or other words.".to_owned(),
        _ if answer.total_is_exact => format!("{} of {}", shown, count(answer.total, "document")),
        _ => format!("{shown} of more than {}", count(answer.total, "document")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(snippet: &str, highlights: &[(usize, usize)]) -> Hit {
        Hit {
            id: "x.1".to_owned(),
            title: "The \x1b[2Jpump".to_owned(),
            path: "heating/pump.md".to_owned(),
            collection: "home".parse().unwrap(),
            snippet: snippet.to_owned(),
            highlights: highlights.to_vec(),
            place: crate::documents::Place { page: None, heading: Some("Service".to_owned()), line: Some(12) },
            score: 1.0,
            date: "2025-01-01T00:00:00Z".parse().unwrap(),
            modified: "2025-01-01T00:00:00Z".parse().unwrap(),
            fuzzy: false,
            copies: Vec::new(),
            more_copies: 0,
            explanation: None,
            format: crate::documents::Format::Markdown,
        }
    }

    #[test]
    fn a_word_to_leave_out_is_no_option() {
        let cases = [
            ("adit search boiler -heat", "adit search boiler  -heat"),
            (
                "adit --config search search -heat -n5 -n 5 -c a -ca --json -h",
                "adit --config search search  -heat -n5 -n 5 -c a -ca --json -h",
            ),
            ("adit --config=x search -nuclear -\"a", "adit --config=x search  -nuclear  -\"a"),
            ("adit search -- -heat", "adit search -- -heat"),
            ("adit peer add search -heat", "adit peer add search -heat"),
        ];
        for (typed, expected) in cases {
            let apart = words_apart(typed.split(' ').map(OsString::from));
            assert_eq!(apart.join(OsStr::new(" ")), expected);
        }
    }

    #[test]
    fn a_hit_says_where_it_is_and_steers_no_terminal() {
        let text = shown(&hit("the pump\nruns\x07", &[(4, 8)]), Style::Plain);
        let expected = "home/heating/pump.md:12  The \u{fffd}[2Jpump › Service\n    the pump\n    runs\u{fffd}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_place_is_called_what_the_format_calls_it() {
        use crate::documents::Format::*;

        for (format, page, line, expected) in [
            (Pdf, Some(4), None, "pump.md:p4 "),
            (Pptx, Some(4), None, "pump.md:slide4 "),
            (Ods, Some(2), Some(17), "pump.md:sheet2:17 "),
            (Mbox, Some(3), None, "pump.md:message3 "),
            (Csv, None, Some(7), "pump.md:7 "),
            (Docx, None, None, "pump.md "),
        ] {
            let mut hit = hit("the pump", &[]);
            (hit.format, hit.place.page, hit.place.line) = (format, page, line);
            let text = shown(&hit, Style::Plain);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn copies_are_named_and_scores_explained() {
        let mut hit = hit("the pump", &[]);
        hit.copies = vec!["old/pump.md".to_owned()];
        hit.more_copies = 2;
        let part = |field: &str, words: &str, weight, times| {
            let (field, words) = (field.to_owned(), words.to_owned());
            Contribution { field, words, weight, times, rarity: 2.5 }
        };
        let parts = vec![part("text", "pump", 0.75, 3.0), part("near", "heat, pump", 0.25, 1.5)];
        hit.explanation = Some(Explanation { first_score: 0.9, tier: 0, parts });
        let text = shown(&hit, Style::Plain);
        let expected = "    the pump\n    also in old/pump.md\n    and in 2 more\n    score 1.0000 (first phase 0.9000, tier 1)\n       \
                        0.7500  text    pump  (3×, rarity 2.50)\n       0.2500  near    heat, pump  (near 1.50, rarity 2.50)\n";
        assert_eq!(text.split_once('\n').unwrap().1, expected);
    }

    #[test]
    fn a_hit_takes_a_few_lines() {
        let text = shown(&hit(&"the pump\n\n".repeat(50), &[(4, 8)]), Style::Plain);
        assert_eq!(text.lines().count(), 1 + LINES_PER_HIT);
    }

    #[test]
    fn highlights_are_coloured_where_they_fit() {
        let style = Style::Colours;
        assert_eq!(highlighted(&hit("the pump", &[(4, 8)]), style), "the \x1b[1;31mpump\x1b[0m");
        for odd in [(4, 80), (8, 4), (1, 2)] {
            let text = highlighted(&hit("thé", &[odd]), style);
            assert_eq!(text.replace("\x1b[1;31m", "").replace("\x1b[0m", ""), "thé", "{odd:?}");
        }
    }
}
