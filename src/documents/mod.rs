//! Documents: folders in, texts with their structure out. Walks collections under one visibility rule, and turns a file of
//! any format into text, passages and an outline (in a worker process: a document is hostile until extracted).

mod beneath;
mod compose;
pub mod confine;
mod content;
mod csv;
mod docx;
mod email;
mod encoding;
mod epub;
mod extract;
mod format;
pub mod frame;
mod html;
mod language;
mod markdown;
mod notebook;
mod odf;
mod org;
mod package;
mod passages;
mod pdf;
mod pptx;
mod row;
mod rst;
mod rtf;
mod slide;
mod visible;
mod walk;
pub mod worker;
mod xlsx;

use serde::{Deserialize, Serialize};

use crate::limits::{EMPTY_PAGES, OUTLINE_ENTRIES, PASSAGE_BYTES, PASSAGES, TITLE_CHARS};

pub use beneath::open_beneath;
pub use encoding::{clean, is_unseen};
pub use extract::{ExtractLimits, Refusal, extract};
pub use format::{HEAD_BYTES, Kind, could_be_a_document, detect, is_no_document};
pub use visible::{Dotfiles, IGNORE_FILE, PatternError, Rule, Verdict, Visibility};
pub use walk::{Found, PassedOver, Refused, Walk};

/// What came out of a document. `text` is whole; passages divide it without gap or overlap, so that their texts in order are the text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Extracted {
    /// The document's own title (its metadata or first heading), if it has one.
    pub title: Option<String>,
    /// Its author, as its metadata say.
    pub author: Option<String>,
    /// When it was made, as its metadata say.
    pub created: Option<jiff::Timestamp>,
    /// Language as ISO 639-3, where the text is long enough to tell.
    pub language: Option<String>,
    /// How many pages (slides, sheets, messages, cells) it has.
    pub pages: Option<u32>,
    /// Pages without any text: scans.
    pub empty_pages: u32,
    /// Which of its own pages those are: the first [`EMPTY_PAGES`] of them, in order.
    pub which_empty: Vec<u32>,
    /// Headings or bookmarks, in order.
    pub outline: Vec<OutlineEntry>,
    /// The text, with `\n` line ends, control characters removed.
    pub text: String,
    /// Its division.
    pub passages: Vec<Passage>,
    /// Whether text was cut off at `extract.max_text`.
    pub truncated: bool,
}

/// A heading or bookmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlineEntry {
    /// 1 is the topmost.
    pub level: u8,
    /// Its text.
    pub title: String,
    /// Page, counted from 1, where the format has pages.
    pub page: Option<u32>,
    /// Byte offset in the text.
    pub offset: usize,
}

/// A piece of about 3 kB: a page or section, or part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// First byte in the text.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Where it stands.
    pub place: Place,
}

/// Where in a document something stands; each part only where the format has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Page, counted from 1; in other formats slide, sheet, message or cell: [`Format::part`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page: Option<u32>,
    /// The innermost heading above it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heading: Option<String>,
    /// Line, counted from 1; in a sheet, row. Of a passage, the line that it begins with: 0 where a sheet's name is before its first row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
}

/// A form in which documents come; named in answers, in `type:` and in filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Format {
    Markdown,
    Text,
    Rst,
    Html,
    Pdf,
    Docx,
    Code,
    Json,
    Csv,
    Xml,
    Org,
    Yaml,
    Notebook,
    Odt,
    Odp,
    Ods,
    Pptx,
    Xlsx,
    Rtf,
    Epub,
    /// One message, with its attachments.
    Email,
    /// A mailbox: messages one after the other.
    Mbox,
}

/// What a walk saw of a file: enough to know that it is the same as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Inode number: recognises a file that was moved.
    pub inode: u64,
}

impl Stamp {
    /// Of something that could not be looked at.
    pub const NONE: Stamp = Stamp { size: 0, modified_ns: 0, inode: 0 };
}

impl Extracted {
    /// Whether this is what extraction may produce. What a worker says is asked, since a hostile document may have spoken through it.
    pub fn is_sound(&self, max_text: usize) -> bool {
        let one_line = |text: &str, chars: usize| {
            text.len() <= 4 * chars && !text.chars().any(|c| is_unseen(c) || matches!(c, '\n' | '\t'))
        };
        let title = |text: &str| one_line(text, TITLE_CHARS);
        let places = |place: &Place| place.heading.as_deref().is_none_or(title);
        let mut end = 0;
        let tiles = self.passages.iter().all(|passage| {
            let follows = passage.start == end && passage.end > end && self.text.is_char_boundary(passage.end);
            end = passage.end;
            follows && places(&passage.place)
        });
        tiles
            && end == self.text.len()
            && self.text.len() <= max_text
            && self.passages.len() <= PASSAGES + self.text.len() / (PASSAGE_BYTES / 2)
            && self.which_empty.len() <= EMPTY_PAGES
            && self.outline.len() <= OUTLINE_ENTRIES
            && self.outline.iter().all(|entry| title(&entry.title) && self.text.is_char_boundary(entry.offset))
            && self.title.as_deref().is_none_or(title)
            && self.author.as_deref().is_none_or(title)
            && self
                .language
                .as_deref()
                .is_none_or(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_lowercase()))
            && !self.text.chars().any(is_unseen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_the_promises_of_extraction_is_not_sound() {
        let sound = extract(Format::Markdown, b"# One\n\ntext", &ExtractLimits::default()).unwrap();
        assert!(sound.is_sound(100));
        assert!(!sound.is_sound(5));
        let spoilt: [fn(&mut Extracted); 7] = [
            |e| e.text.push('x'),
            |e| e.text = e.text.replace('t', "\u{202e}"),
            |e| e.passages.clear(),
            |e| e.passages[0].start = 1,
            |e| e.outline[0].offset = 1000,
            |e| e.title = Some("a\nb".into()),
            |e| e.language = Some("xx\u{1b}".into()),
        ];
        for spoil in spoilt {
            let mut extracted = sound.clone();
            spoil(&mut extracted);
            assert!(!extracted.is_sound(100), "{extracted:?}");
        }
    }
}
