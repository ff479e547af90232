//! What came out of a document in, the documents that tantivy is given out.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tantivy::schema::document::TantivyDocument;

use super::catalogue::Entry;
use super::naming::apart;
use super::schema::{Fields, RECORD, Searched};
use super::text::{Tongue, count_words, mark};
use crate::documents::{Extracted, OutlineEntry, Passage, Place};
use crate::limits::PASSAGE_BYTES;

/// What is known of a file beyond its catalogue entry; kept in the index alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<jiff::Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pages: Option<u32>,
    #[serde(default)]
    pub(super) empty_pages: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) which_empty: Vec<u32>,
    #[serde(default)]
    pub(super) truncated: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outline: Vec<OutlineEntry>,
    /// When the file was read, or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) read: Option<jiff::Timestamp>,
}

impl Detail {
    /// All of it that came out of a document, at this time.
    pub(super) fn of(extracted: &Extracted, read: Option<jiff::Timestamp>) -> Detail {
        Detail {
            author: extracted.author.clone(),
            created: extracted.created,
            language: extracted.language.clone(),
            pages: extracted.pages,
            empty_pages: extracted.empty_pages,
            which_empty: extracted.which_empty.clone(),
            truncated: extracted.truncated,
            outline: extracted.outline.clone(),
            read,
        }
    }
}

/// Makes the tantivy documents of one file, and counts their words into its entry.
pub(super) struct Maker<'a> {
    fields: &'a Fields,
    tongue: Tongue,
    entry: &'a mut Entry,
}

impl<'a> Maker<'a> {
    pub(super) fn new(fields: &'a Fields, entry: &'a mut Entry) -> Maker<'a> {
        let tongue = Tongue::from_number(entry.tongue).unwrap_or(Tongue::ENGLISH);
        Maker { fields, tongue, entry }
    }

    /// The tantivy document of the next passage.
    pub(super) fn passage(&mut self, start: usize, place: &Place, body: &str) -> TantivyDocument {
        let number = self.entry.passages;
        let mut document = TantivyDocument::new();
        document.add_u64(self.fields.slot, u64::from(self.entry.slot));
        document.add_u64(self.fields.passage, u64::from(number));
        document.add_u64(self.fields.start, start as u64);
        document.add_u64(self.fields.page, u64::from(place.page.unwrap_or(0)));
        document.add_bytes(self.fields.detail, &serde_json::to_vec(place).unwrap_or_default());
        document.add_text(self.fields.body, body);
        if let Some(title) = self.entry.title.clone() {
            self.add(&mut document, &title, InTitle::Yes);
        }
        if let Some(heading) = place.heading.as_deref().filter(|heading| Some(*heading) != self.entry.title.as_deref())
        {
            self.add(&mut document, heading, InTitle::Yes);
        }
        self.add(&mut document, body, InTitle::No);
        if number == 0 {
            let names = name_words(&self.entry.path);
            self.count(Searched::Name, count_words(&names).0);
            document.add_text(self.fields.searched(Searched::Name), names);
        }
        self.entry.passages += 1;
        document
    }

    /// The tantivy document that says what is known of the file; made last, when its words are counted.
    pub(super) fn record(self, detail: &Detail) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_u64(self.fields.slot, u64::from(self.entry.slot));
        document.add_u64(self.fields.passage, RECORD);
        document.add_bytes(self.fields.record, &serde_json::to_vec(self.entry).unwrap_or_default());
        document.add_bytes(self.fields.detail, &serde_json::to_vec(detail).unwrap_or_default());
        document
    }

    fn add(&mut self, document: &mut TantivyDocument, text: &str, in_title: InTitle) {
        let (words, characters) = count_words(text);
        if words > 0 {
            document.add_text(self.fields.searched(Searched::Word), text);
            self.count(Searched::Word, words);
            let marked = format!("{}{text}", mark(self.tongue));
            if in_title == InTitle::Yes {
                document.add_text(self.fields.searched(Searched::Title), &marked);
                self.count(Searched::Title, words);
            }
            document.add_text(self.fields.searched(Searched::Stem), marked);
        }
        if characters > 0 {
            document.add_text(self.fields.searched(Searched::Cjk), text);
            self.count(Searched::Cjk, characters);
        }
    }

    fn count(&mut self, field: Searched, words: u64) {
        let sum = &mut self.entry.words[field as usize];
        *sum = sum.saturating_add(u32::try_from(words).unwrap_or(u32::MAX));
    }
}

/// Whether a text is title or heading as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InTitle {
    Yes,
    No,
}

/// The words of a path, those written in `CamelCase` apart as well.
fn name_words(path: &str) -> String {
    let apart = apart(path);
    if apart == path { apart.into_owned() } else { format!("{path} {apart}") }
}

/// The passages of a text: as they came, if they divide it without gap or overlap; otherwise (a worker is not to be trusted) cut
/// anew. At least one, so that a document without text is found by its name.
pub(super) fn division(extracted: &Extracted) -> Vec<(Range<usize>, Place)> {
    let text = &extracted.text;
    let mut at = 0;
    let sound = |passage: &Passage| {
        let fits = passage.start == at && passage.start <= passage.end && text.is_char_boundary(passage.end);
        at = passage.end;
        fits
    };
    if !extracted.passages.is_empty()
        && extracted.passages.iter().all(sound)
        && extracted.passages.last().is_some_and(|last| last.end == text.len())
    {
        return extracted.passages.iter().map(|passage| (passage.start..passage.end, passage.place.clone())).collect();
    }
    let mut division = Vec::new();
    let (mut start, mut line) = (0, 1);
    while start < text.len() || division.is_empty() {
        let end = text.ceil_char_boundary(start.saturating_add(PASSAGE_BYTES).min(text.len()));
        let place = Place { line: Some(line), ..Place::default() };
        line += text[start..end].matches('\n').count() as u32;
        division.push((start..end, place));
        start = end;
    }
    division
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_division_that_does_not_fit_is_made_anew() {
        let passage = |start, end| Passage { start, end, place: Place { page: Some(1), ..Place::default() } };
        let text = "aä\n".repeat(PASSAGE_BYTES);
        for (passages, kept) in [
            (vec![passage(0, 4), passage(4, text.len())], true),
            (vec![passage(0, 2), passage(2, text.len())], false),
            (vec![passage(0, 4)], false),
            (vec![passage(4, text.len())], false),
            (vec![passage(0, 8), passage(4, text.len())], false),
            (vec![passage(0, usize::MAX)], false),
            (vec![], false),
        ] {
            let extracted = Extracted { text: text.clone(), passages: passages.clone(), ..Extracted::default() };
            let division = division(&extracted);
            let whole: String = division.iter().map(|(range, _)| &text[range.clone()]).collect();
            assert_eq!(whole, text);
            assert_eq!(division[0].1.page.is_some(), kept, "{passages:?}");
        }
        assert_eq!(division(&Extracted::default()).len(), 1);
    }

    #[test]
    fn camel_case_is_taken_apart() {
        assert_eq!(name_words("a/getUserName.rs"), "a/getUserName.rs a/get User Name.rs");
        assert_eq!(name_words("a b"), "a b");
    }
}
