//! Putting a document together: pieces of text with their breaks, headings and pages in, an [`Extracted`] out.

use std::collections::BTreeMap;

use super::encoding::{clean, is_unseen};
use super::passages::{Lines, Mark, MarkKind, divide};
use super::{Extracted, OutlineEntry};
use crate::limits::{EMPTY_PAGES, EMPTY_ROWS, OUTLINE_ENTRIES, TITLE_CHARS};

/// A piece that is not longer is always cleaned whole, in bytes.
const CLEANED_AT_ONCE: usize = 64 << 10;

/// Collects the text of one document up to a bound.
#[derive(Debug)]
pub(super) struct Composer {
    max_text: usize,
    lines: Lines,
    pending: Break,
    /// The row that was written last, in this sheet.
    last_row: Option<u32>,
    marks: Vec<Mark>,
    extracted: Extracted,
}

/// What stands between two pieces of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Break {
    None,
    Line,
    Paragraph,
}

impl Composer {
    /// For a text that is put together from pieces.
    pub(super) fn new(max_text: usize) -> Composer {
        let extracted = Extracted::default();
        Composer { max_text, lines: Lines::Unknown, pending: Break::None, last_row: None, marks: Vec::new(), extracted }
    }

    /// For a document whose text is the file itself, line by line.
    pub(super) fn source(mut text: String, max_text: usize) -> Composer {
        let mut composer = Composer::new(max_text);
        if text.len() > max_text {
            text.truncate(text.floor_char_boundary(max_text));
            composer.extracted.truncated = true;
        }
        composer.lines = Lines::Counted;
        composer.extracted.text = text;
        composer
    }

    /// What is there so far.
    pub(super) fn text(&self) -> &str {
        &self.extracted.text
    }

    /// Title, author and the like, to be set by who reads them.
    pub(super) fn metadata(&mut self) -> &mut Extracted {
        &mut self.extracted
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.extracted.truncated
    }

    /// Adds a piece of text, behind the break that is due.
    pub(super) fn push(&mut self, piece: &str) {
        if piece.is_empty() || self.is_full() {
            return;
        }
        self.settle();
        self.pending = Break::None;
        if self.is_full() {
            return;
        }
        let text = &mut self.extracted.text;
        let room = self.max_text.saturating_sub(text.len());
        // Cleaning leaves out little: of a piece far too long, what cannot fit need not be cleaned.
        let start = &piece[..piece.floor_char_boundary(room.saturating_mul(2).saturating_add(CLEANED_AT_ONCE))];
        self.extracted.truncated = start.len() < piece.len();
        let piece = clean(start);
        self.extracted.truncated |= piece.len() > room;
        text.push_str(&piece[..piece.floor_char_boundary(room)]);
    }

    /// The next piece begins a new line.
    pub(super) fn break_line(&mut self) {
        if !self.text().ends_with('\n') {
            self.pending = self.pending.max(Break::Line);
        }
    }

    /// The next piece begins a new paragraph.
    pub(super) fn break_paragraph(&mut self) {
        if !self.text().ends_with("\n\n") {
            self.pending = Break::Paragraph;
        }
    }

    /// Adds a paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.break_paragraph();
        self.push(text);
        self.break_paragraph();
    }

    /// Adds an item of a list: a line of its own.
    pub(super) fn item(&mut self, text: &str) {
        self.break_line();
        self.push(&format!("- {text}"));
        self.break_line();
    }

    /// Adds a heading as a paragraph of its own; 1 is the topmost level.
    pub(super) fn heading(&mut self, level: u8, title: &str) {
        let Some(title) = tidy(title) else { return };
        self.break_paragraph();
        let start = self.begin();
        self.push(&title);
        self.mark_heading(level, &title, None, start, self.text().len());
        self.break_paragraph();
    }

    /// A chapter begins here, whose title may or may not follow as text.
    pub(super) fn chapter(&mut self, level: u8, title: &str) {
        self.break_paragraph();
        let start = self.begin();
        self.place(title, start);
        self.mark_outline(level, title, None, start);
    }

    /// What follows from `start` on stands below this heading, which is no entry of the outline.
    pub(super) fn place(&mut self, heading: &str, start: usize) {
        let Some(heading) = tidy(heading) else { return };
        self.marks.push(Mark { start, end: start, kind: MarkKind::Heading(heading) });
    }

    /// Notes a heading that stands in the text already, from `start` to `end`. Headings come in the order of the text.
    pub(super) fn mark_heading(&mut self, level: u8, title: &str, page: Option<u32>, start: usize, end: usize) {
        let Some(title) = tidy(title) else { return };
        if start >= self.text().len() {
            return;
        }
        let end = self.text().floor_char_boundary(end);
        self.marks.push(Mark { start, end, kind: MarkKind::Heading(title.clone()) });
        self.mark_outline(level, &title, page, start);
    }

    /// Notes an entry of the outline alone.
    pub(super) fn mark_outline(&mut self, level: u8, title: &str, page: Option<u32>, offset: usize) {
        let Some(title) = tidy(title) else { return };
        let offset = self.text().floor_char_boundary(offset);
        if self.extracted.outline.len() < OUTLINE_ENTRIES {
            self.extracted.outline.push(OutlineEntry { level, title, page, offset });
        }
    }

    /// Writes the break that is due, and says where the next piece will begin.
    pub(super) fn begin(&mut self) -> usize {
        self.settle();
        self.text().len()
    }

    /// Where each page begins, so far.
    pub(super) fn page_starts(&self) -> BTreeMap<u32, usize> {
        let page = |mark: &Mark| match mark.kind {
            MarkKind::Page(number) | MarkKind::Part(number) => Some((number, mark.start)),
            MarkKind::Heading(_) | MarkKind::Gap => None,
        };
        self.marks.iter().filter_map(page).collect()
    }

    /// A page begins here.
    pub(super) fn page(&mut self, number: u32) {
        self.mark(MarkKind::Page(number));
    }

    /// A slide, a sheet, a message begins here: the heading above does not reach into it.
    pub(super) fn part(&mut self, number: u32) {
        self.last_row = None;
        self.mark(MarkKind::Part(number));
    }

    /// The page of this number holds no text.
    pub(super) fn empty_page(&mut self, number: u32) {
        self.extracted.empty_pages += 1;
        if self.extracted.which_empty.len() < EMPTY_PAGES {
            self.extracted.which_empty.push(number);
        }
    }

    fn mark(&mut self, kind: MarkKind) {
        self.break_paragraph();
        let start = self.begin();
        self.marks.push(Mark { start, end: start, kind });
    }

    /// Writes the break that is due now, so that what is marked next begins behind it.
    fn settle(&mut self) {
        if self.text().is_empty() || self.is_full() {
            return;
        }
        self.end_lines(match self.pending {
            Break::None => 0,
            Break::Line => 1,
            Break::Paragraph => 2,
        });
        self.pending = Break::None;
    }

    /// Writes so many line ends; where they do not fit, nothing behind them would.
    fn end_lines(&mut self, number: usize) {
        match self.text().len() + number <= self.max_text {
            true => self.extracted.text.extend(std::iter::repeat_n('\n', number)),
            false => self.extracted.truncated = true,
        }
    }

    /// The next piece is what stands in this row of a table: a line of the file. Empty rows before it are empty lines, so that lines can be
    /// counted on from any row; where too many are left out, a passage begins.
    pub(super) fn row(&mut self, number: u32) {
        let empty = self.last_row.map(|last| number.checked_sub(last).filter(|rows| (1..=EMPTY_ROWS).contains(rows)));
        match empty {
            // The name of a sheet takes up one line, no more: see `Lines::Given`.
            None => self.pending = self.pending.min(Break::Line),
            Some(Some(rows)) if !self.is_full() => {
                self.pending = Break::None;
                self.end_lines(rows as usize);
            }
            Some(_) => self.mark(MarkKind::Gap),
        }
        let start = self.begin();
        self.last_row = Some(number);
        match &mut self.lines {
            Lines::Given(rows) => rows.push((start, number)),
            lines => *lines = Lines::Given(vec![(start, number)]),
        }
    }

    /// A document without a title of its own has that of its topmost heading.
    pub(super) fn title_from_outline(&mut self) {
        let extracted = &mut self.extracted;
        if extracted.title.as_deref().is_none_or(|title| title.trim().is_empty()) {
            extracted.title = extracted.outline.iter().min_by_key(|entry| entry.level).map(|entry| entry.title.clone());
        }
    }

    /// The document, divided into passages.
    pub(super) fn finish(mut self) -> Extracted {
        let extracted = &mut self.extracted;
        self.marks.sort_by_key(|mark| mark.start);
        extracted.passages = divide(&extracted.text, &self.marks, &self.lines);
        extracted.title = extracted.title.take().and_then(|title| tidy(&title));
        extracted.author = extracted.author.take().and_then(|author| tidy(&author));
        self.extracted
    }
}

/// A title on one line, without what nobody sees, of bounded length; `None` where nothing is left.
pub(super) fn tidy(title: &str) -> Option<String> {
    let mut out = String::new();
    for word in title.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !is_unseen(*c)));
        if out.chars().count() > TITLE_CHARS {
            out = out.chars().take(TITLE_CHARS).collect();
            break;
        }
    }
    let out = out.trim();
    (!out.is_empty()).then(|| out.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_stand_between_pieces_only() {
        let mut composer = Composer::new(100);
        composer.break_paragraph();
        composer.push("one");
        composer.break_line();
        composer.break_line();
        composer.push("two");
        composer.break_line();
        composer.break_paragraph();
        composer.push("three");
        composer.break_paragraph();
        assert_eq!(composer.finish().text, "one\ntwo\n\nthree");
    }

    #[test]
    fn a_text_ends_at_its_bound_and_says_so() {
        let mut composer = Composer::new(5);
        composer.push("ab");
        composer.push("cdé and more");
        composer.push("even more");
        let extracted = composer.finish();
        assert_eq!((extracted.text.as_str(), extracted.truncated), ("abcd", true));
        let extracted = Composer::source("abcdé".into(), 5).finish();
        assert_eq!((extracted.text.as_str(), extracted.truncated), ("abcd", true));
    }

    #[test]
    fn no_line_end_goes_beyond_the_bound() {
        for max_text in 1..40 {
            let mut composer = Composer::new(max_text);
            for number in [1, 2, 5, 9] {
                composer.row(number);
                composer.push("row");
                composer.paragraph("of a");
                composer.heading(1, "table");
                composer.page(number);
            }
            let extracted = composer.finish();
            assert!(extracted.truncated && extracted.is_sound(max_text), "{max_text}: {extracted:?}");
        }
    }

    #[test]
    fn titles_are_one_clean_bounded_line() {
        assert_eq!(tidy(" a\n\tb\u{202e}c ").as_deref(), Some("a bc"));
        assert_eq!(tidy(" \u{200b} "), None);
        assert_eq!(tidy(&"x ".repeat(10_000)).unwrap().chars().count(), TITLE_CHARS - 1);
    }
}
