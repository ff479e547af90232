//! Documents with much in common: few words, their mistypings, near names, equal texts, and every property that answers show.

use std::path::Path;

use adit::documents::{Extracted, Format, Stamp};

use crate::bench;
use crate::chance::Chance;

pub const COLLECTIONS: [&str; 4] = ["alpha", "beta", "gamma", "zeta"];

pub const FOLDERS: [&str; 9] = [
    "",
    "open/",
    "open/deep/",
    "open/deep/er/",
    "closed/",
    "closed/shared/",
    "closed/shared/deep/",
    "closed-too/",
    "Übersicht 2024/",
];

const STEMS: [&str; 14] = [
    "report",
    "reports",
    "Report-2024",
    "report_2024",
    "Report 2024 (copy)",
    "boilerManual",
    "garden",
    "gardens",
    "lettre",
    "letter",
    "a",
    "b",
    "京都",
    "plan.final",
];

const ENDINGS: [(&str, Format); 5] = [
    ("md", Format::Markdown),
    ("txt", Format::Text),
    ("pdf", Format::Pdf),
    ("py", Format::Code),
    ("eml", Format::Email),
];

/// Words that stand anywhere.
pub const WORDS: [&str; 22] = [
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
    "insurance",
    "policy",
    "Übergang",
    "東京都",
    "京都",
    "2024",
    "foo_bar",
    "pump",
    "3.5",
];

/// Words that stand in one collection or folder alone: what they are near to would be suggested.
pub const LOCAL: [&str; 16] = [
    "boilet",
    "broiler",
    "valves",
    "winner",
    "repairs",
    "reporter",
    "annuals",
    "gardener",
    "rosette",
    "letters",
    "insurence",
    "insurances",
    "policies",
    "pumps",
    "wintery",
    "gardeneer",
];

/// A document as it was put into the libraries.
#[derive(Debug, Clone)]
pub struct Document {
    pub format: Format,
    pub text: String,
    pub author: Option<String>,
    pub day: i64,
    /// It cannot be read.
    pub fails: bool,
    pub truncated: bool,
}

pub fn one<'a, T: ?Sized>(chance: &mut Chance, of: &[&'a T]) -> &'a T {
    of[chance.below(of.len() as u64) as usize]
}

/// A place for a document: the number of a collection, and a path.
pub fn place(chance: &mut Chance) -> (usize, String) {
    let collection = chance.below(COLLECTIONS.len() as u64) as usize;
    let (ending, _) = ENDINGS[chance.below(ENDINGS.len() as u64) as usize];
    (collection, format!("{}{}.{ending}", one(chance, &FOLDERS), one(chance, &STEMS)))
}

/// What is to stand there.
pub fn document(chance: &mut Chance, collection: usize, path: &str) -> Document {
    let ending = path.rsplit('.').next().unwrap_or_default();
    let format = ENDINGS.iter().find(|(known, _)| *known == ending).map_or(Format::Text, |(_, format)| *format);
    let folder = FOLDERS.iter().rposition(|folder| path.starts_with(folder)).unwrap_or(0);
    Document {
        format,
        text: text(chance, collection + 5 * folder),
        author: (chance.below(4) == 0).then(|| one(chance, &["Anna", "Ben", "Chris"]).to_owned()),
        day: 19_000 + chance.below(40) as i64,
        fails: chance.below(14) == 0,
        truncated: chance.below(20) == 0,
    }
}

fn text(chance: &mut Chance, locality: usize) -> String {
    if chance.below(5) == 0 {
        // One of a few texts that many documents have.
        let word = one(chance, &["boiler", "garden", "policy"]);
        return format!("# {word}\nthe annual report of the {word} and the winter repair, {}\n", "a pump ".repeat(20));
    }
    let mut text = String::new();
    for part in 0..1 + chance.below(3) {
        if part > 0 {
            text.push(if chance.below(2) == 0 { '\u{c}' } else { '\n' });
        }
        if chance.below(2) == 0 {
            text.push_str(&format!("# {} {}\n", one(chance, &WORDS), one(chance, &WORDS)));
        }
        for _ in 0..chance.below(30) {
            text.push_str(match chance.below(12) {
                0 => LOCAL[(locality + 3 * chance.below(2) as usize) % LOCAL.len()],
                _ => one(chance, &WORDS),
            });
            text.push_str(if chance.below(8) == 0 { "\n" } else { " " });
        }
        text.push('\n');
    }
    text
}

impl Document {
    /// What its file holds.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What a walk would have seen of it.
    pub fn stamp(&self) -> Stamp {
        Stamp { size: self.text.len() as u64, modified_ns: i128::from(self.day) * 86_400_000_000_000, inode: 7 }
    }

    /// What was read out of it.
    pub fn extracted(&self) -> Extracted {
        let created = self.author.as_ref().map(|_| jiff::Timestamp::from_second(self.day * 43_200).unwrap());
        Extracted {
            author: self.author.clone(),
            created,
            language: (self.day % 3 == 0).then(|| "eng".to_owned()),
            truncated: self.truncated,
            ..bench::extracted(&self.text)
        }
    }

    /// Writes its file below the root of a collection.
    pub fn write(&self, root: &Path, path: &str) {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, self.bytes()).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(self.day.unsigned_abs() * 86_400);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    }
}
