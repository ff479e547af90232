//! A scope never leaks: what is answered under a scope equals what a library answers that holds nothing else.

use std::collections::BTreeMap;

use super::bench::{Bench, name, plain, put, scope, stamp};
use adit::access::Scope;
use adit::search::{Answer, LibraryError, ReadRequest, SearchRequest};

/// Numbers from a seed; printed on failure, taken from `ADIT_SEED` to repeat one.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const COLLECTIONS: &[&str] = &["alpha", "beta", "gamma"];
const FOLDERS: &[&str] = &["", "open/", "open/deep/", "closed/", "closed/shared/"];
const WORDS: &[&str] = &[
    "boiler",
    "boilers",
    "valve",
    "winter",
    "repair",
    "report",
    "annual",
    "garden",
    "rose",
    "roses",
    "the",
    "of",
    "letter",
    "lettre",
    "insurance",
    "insurence",
    "policy",
    "Übergang",
    "東京都",
    "京都",
    "2024",
    "foo_bar",
    "pump",
];
const RULES: &[&[&str]] = &[
    &["alpha"],
    &["alpha", "beta"],
    &["*", "!gamma"],
    &["alpha/open"],
    &["*", "!*/closed", "*/closed/shared"],
    &["beta", "!beta/open/deep", "gamma/closed"],
    &["nothing"],
    &["a*", "gamma/open/deep"],
];

fn text(chance: &mut Chance) -> String {
    let mut text = String::new();
    if chance.below(4) == 0 {
        // One of a few texts that many documents have.
        let word = chance.one(&["boiler", "garden", "policy"]);
        return format!("# {word}\nthe annual report of the {word} and the winter repair, {}\n", "a pump ".repeat(20));
    }
    for _ in 0..1 + chance.below(3) {
        if chance.below(2) == 0 {
            text.push_str(&format!("# {} {}\n", chance.one(WORDS), chance.one(WORDS)));
        }
        for _ in 0..chance.below(30) {
            text.push_str(chance.one(WORDS));
            text.push_str(if chance.below(8) == 0 { "\n" } else { " " });
        }
        text.push('\n');
    }
    text
}

fn question(chance: &mut Chance) -> SearchRequest {
    let mut query = String::new();
    for _ in 0..1 + chance.below(4) {
        let word = chance.one(WORDS);
        let part = match chance.below(12) {
            0 => format!("+{word}"),
            1 => format!("-{word}"),
            2 => format!("\"{word} {}\"", chance.one(WORDS)),
            3 => format!("{}*", word.chars().take(2).collect::<String>()),
            4 => format!("{word}~"),
            5 => format!("title:{word}"),
            6 => format!("({word} | {})", chance.one(WORDS)),
            7 => format!("path:{}", chance.one(&["open", "closed", "deep"])),
            8 => format!("{word}x"),
            _ => word.to_owned(),
        };
        query.push_str(&part);
        query.push(' ');
    }
    SearchRequest {
        query,
        match_all: chance.below(5) == 0,
        fuzzy: chance.below(3) == 0,
        limit: 1 + chance.below(12),
        context_lines: [None, Some(1)][chance.below(2)],
        ..plain()
    }
}

/// Everything that an answer says, scores to three digits.
fn shown(answer: Result<Answer, LibraryError>) -> String {
    let mut answer = answer.map_err(|error| error.to_string());
    if let Ok(answer) = &mut answer {
        for hit in &mut answer.results {
            hit.score = (hit.score * 1000.0).round() / 1000.0;
        }
    }
    let next = answer.as_ref().ok().and_then(|answer| answer.next.clone()).map(|key| (key.path, key.passage, key.tier));
    format!("{} {next:?}", serde_json::to_string_pretty(&answer.map_err(|error| error.to_string())).unwrap())
}

/// Two libraries: one holds everything, the other what a scope sees.
struct Pair {
    whole: Bench,
    part: Bench,
    rules: &'static [&'static str],
    scope: Scope,
    held: BTreeMap<(usize, String), String>,
}

impl Pair {
    fn new(rules: &'static [&'static str]) -> Pair {
        let scope = scope(rules);
        let seen: Vec<&str> = COLLECTIONS.iter().copied().filter(|text| scope.admits(&name(text))).collect();
        Pair { whole: Bench::new(COLLECTIONS), part: Bench::new(&seen), rules, scope, held: BTreeMap::new() }
    }

    /// Puts and deletes documents, in the small library those alone that the scope sees.
    fn edit(&mut self, chance: &mut Chance) {
        let collection = chance.below(COLLECTIONS.len());
        let named = name(COLLECTIONS[collection]);
        let mut writers = vec![(self.whole.library.writer(&named).unwrap(), true)];
        if self.scope.admits(&named) {
            writers.push((self.part.library.writer(&named).unwrap(), false));
        }
        for _ in 0..1 + chance.below(8) {
            let path = format!("{}{}.md", chance.one(FOLDERS), chance.one(&["a", "b", "c", "garden", "Report-2024"]));
            let (kind, text) = (chance.below(10), text(chance));
            for (writer, all) in &mut writers {
                if !*all && !self.scope.admits_path(&named, &path) {
                    continue;
                }
                match kind {
                    0..=2 => writer.delete(&path).unwrap(),
                    3 => writer.put_failure(&path, stamp(&path, 1), "broken").unwrap(),
                    _ => put(writer, &path, &text),
                }
            }
            self.held.insert((collection, path), text);
        }
        for (writer, _) in &mut writers {
            writer.commit().unwrap();
        }
    }

    fn compare(&self, chance: &mut Chance, seed: u64) {
        let mut request = question(chance);
        let told = format!("seed {seed}, rules {:?}, {request:?}", self.rules);
        for _ in 0..3 {
            let whole = self.whole.library.search(&self.scope, &request);
            let part = self.part.library.search(&Scope::owner(), &request);
            request.after = whole.as_ref().ok().and_then(|answer| answer.next.clone());
            assert_eq!(shown(whole), shown(part), "{told}");
            if request.after.is_none() {
                break;
            }
        }
        let word = request.query.split_whitespace().next().unwrap_or("a").to_owned();
        let (whole, part) = (&self.whole.library, &self.part.library);
        let json =
            |value: Result<serde_json::Value, LibraryError>| format!("{:?}", value.map_err(|error| error.to_string()));
        let found = |library: &adit::search::Library, scope: &Scope| {
            json(library.find_document(scope, &word, 20).map(|found| serde_json::to_value(found).unwrap()))
        };
        assert_eq!(found(whole, &self.scope), found(part, &Scope::owner()), "{told}");
        let collection = COLLECTIONS[chance.below(COLLECTIONS.len())];
        let folder = chance.one(FOLDERS).trim_end_matches('/');
        let place = if chance.below(3) == 0 { String::new() } else { format!("{collection}/{folder}") };
        let listed = |library: &adit::search::Library, scope: &Scope| {
            json(library.list(scope, &place, place.len() % 3, 5).map(|listing| serde_json::to_value(listing).unwrap()))
        };
        assert_eq!(listed(whole, &self.scope), listed(part, &Scope::owner()), "{told} {place}");
        let recent = |library: &adit::search::Library, scope: &Scope| {
            json(library.recent(scope, 5).map(|recent| serde_json::to_value(recent).unwrap()))
        };
        assert_eq!(recent(whole, &self.scope), recent(part, &Scope::owner()), "{told}");
        self.compare_reading(chance, &told);
        let status =
            |library: &adit::search::Library, scope: &Scope| serde_json::to_value(library.status(scope)).unwrap();
        assert_eq!(status(whole, &self.scope), status(part, &Scope::owner()), "{told}");
    }

    /// What is out of scope is not there, by its path and by its id.
    fn compare_reading(&self, chance: &mut Chance, told: &str) {
        let Some(((collection, path), _)) = self.held.iter().nth(chance.below(self.held.len().max(1))) else { return };
        let whole_path = format!("{}/{path}", COLLECTIONS[*collection]);
        let id = self.whole.library.info(&Scope::owner(), &whole_path).map(|info| info.document.id);
        for wanted in id.into_iter().chain([whole_path]) {
            let read = |library: &adit::search::Library, scope: &Scope| {
                let request = ReadRequest { id: wanted.clone(), ..ReadRequest::default() };
                let info = library.info(scope, &wanted).map(|info| serde_json::to_string(&info).unwrap());
                let text = library.read(scope, &request).map(|reading| reading.text);
                format!("{:?} {:?}", info.map_err(|error| error.to_string()), text.map_err(|error| error.to_string()))
            };
            let (seen, there) = (read(&self.whole.library, &self.scope), read(&self.part.library, &Scope::owner()));
            assert_eq!(seen, there, "{told} {wanted}");
        }
    }
}

#[test]
fn a_scope_sees_what_a_library_of_nothing_else_would_show() {
    let seed = std::env::var("ADIT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    let mut chance = Chance(seed);
    for rules in RULES {
        let mut pair = Pair::new(rules);
        for _ in 0..6 {
            for _ in 0..2 {
                pair.edit(&mut chance);
            }
            for _ in 0..12 {
                pair.compare(&mut chance, seed);
            }
        }
    }
}
