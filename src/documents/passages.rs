//! Dividing a text: pages and headings in, passages of about 3 kB out, each with its place.

use super::{Passage, Place};
use crate::limits::{PASSAGE_BYTES, PASSAGES};

/// Something that begins in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte: where a heading's own text ends.
    pub(super) end: usize,
    pub(super) kind: MarkKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkKind {
    Page(u32),
    /// A page that is a thing of its own, as a slide: the heading above does not reach into it.
    Part(u32),
    /// Something is left out here: what follows is no continuation.
    Gap,
    Heading(String),
}

/// Which lines of the file the lines of a text are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lines {
    /// The same.
    Counted,
    /// From a byte of the text on, the line of this number, as far as the lines are known at all; in order.
    Given(Vec<(usize, u32)>),
    Unknown,
}

impl Lines {
    /// The line that a passage begins with, such that each line end in it leads to the next. `counted` line ends come before it. Where the
    /// name of a sheet stands before the first row, that is line 0.
    fn of(&self, text: &str, passage: std::ops::Range<usize>, counted: u32) -> Option<u32> {
        let given = match self {
            Lines::Counted => return Some(counted + 1),
            Lines::Unknown => return None,
            Lines::Given(given) => given,
        };
        let next = given.partition_point(|(start, _)| *start < passage.start);
        if let Some((start, line)) = given.get(next).filter(|(start, _)| *start < passage.end) {
            let before = text[passage.start..*start].matches('\n').count() as u32;
            return Some(line.saturating_sub(before));
        }
        // All of it is the end of one long row.
        next.checked_sub(1).map(|within| given[within].1)
    }
}

/// Divides a text at its marks (in the order of their starts), and what is long at paragraphs, lines or sentences. The passages
/// in order are the text, without gap or overlap.
pub(super) fn divide(text: &str, marks: &[Mark], lines: &Lines) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut counted = 0;
    for section in sections(text, marks) {
        let mut start = section.start;
        while start < section.end {
            let end = cut(text, start, section.end);
            let line = lines.of(text, start..end, counted);
            passages.push(Passage { start, end, place: Place { line, ..section.place.clone() } });
            counted += text[start..end].bytes().filter(|byte| *byte == b'\n').count() as u32;
            start = end;
        }
    }
    passages
}

#[derive(Debug)]
struct Section {
    start: usize,
    end: usize,
    place: Place,
}

/// A section begins with a page or a heading; headings without a word between them begin one together, under the last of them.
fn sections(text: &str, marks: &[Mark]) -> Vec<Section> {
    // However many headings a text has, its passages are bounded: in a text of many, tiny sections join the one before.
    let floor = text.len() / PASSAGES;
    let mut sections = Vec::new();
    let mut current = Section { start: 0, end: text.len(), place: Place::default() };
    let mut body_start = 0;
    for mark in marks {
        let start = mark.start.min(text.len());
        let has_body = !text[body_start.min(start)..start].trim().is_empty();
        let place = match &mark.kind {
            MarkKind::Page(number) => Place { page: Some(*number), ..current.place.clone() },
            MarkKind::Part(number) => Place { page: Some(*number), ..Place::default() },
            MarkKind::Gap => current.place.clone(),
            MarkKind::Heading(title) => Place { heading: Some(title.clone()), ..current.place.clone() },
        };
        let is_page = matches!(mark.kind, MarkKind::Page(_) | MarkKind::Part(_));
        let turns_page = is_page && current.place.page.is_some();
        if start == current.start || !(has_body || turns_page) {
            current.place = place;
        } else if start - current.start > floor {
            let next = Section { start, end: text.len(), place };
            sections.push(Section { end: start, ..std::mem::replace(&mut current, next) });
        }
        body_start = mark.end.max(body_start);
    }
    sections.push(current);
    sections
}

/// Where the passage that begins at `start` ends.
fn cut(text: &str, start: usize, end: usize) -> usize {
    let longest = PASSAGE_BYTES + PASSAGE_BYTES / 3;
    if end - start <= longest {
        return end;
    }
    let low = text.floor_char_boundary(start + PASSAGE_BYTES / 2);
    let high = text.floor_char_boundary(start + longest);
    let window = &text[low..high];
    let behind = |at: usize, len: usize| low + at + len;
    if let Some(at) = window.rfind("\n\n") {
        return behind(at, 2);
    }
    if let Some(at) = window.rfind('\n') {
        return behind(at, 1);
    }
    for sentence in [". ", "? ", "! ", "。", " "] {
        if let Some(at) = window.rfind(sentence) {
            return behind(at, sentence.len());
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(text: &str, title: &str) -> Mark {
        let start = text.find(title).unwrap();
        Mark { start, end: start + title.len(), kind: MarkKind::Heading(title.into()) }
    }

    fn check_tiling(text: &str, passages: &[Passage]) {
        let mut at = 0;
        for passage in passages {
            assert_eq!(passage.start, at);
            assert!(passage.end > at && text.is_char_boundary(passage.end));
            at = passage.end;
        }
        assert_eq!(at, text.len());
    }

    #[test]
    fn headings_without_text_between_them_begin_one_passage() {
        let text = "Title\n\nFirst\n\nSome words.\n\nSecond\n\nMore words.";
        let marks = ["Title", "First", "Second"].map(|title| heading(text, title));
        let passages = divide(text, &marks, &Lines::Counted);
        check_tiling(text, &passages);
        let places: Vec<_> = passages.iter().map(|p| (p.place.heading.as_deref(), p.place.line)).collect();
        assert_eq!(places, [(Some("First"), Some(1)), (Some("Second"), Some(7))]);
    }

    #[test]
    fn a_page_always_begins_a_passage_and_keeps_the_heading_above() {
        let text = "preface\n\nChapter\n\nwords\n\nsecond page\n\nthird";
        let page = |number, word: &str| {
            let start = text.find(word).unwrap();
            Mark { start, end: start, kind: MarkKind::Page(number) }
        };
        let marks = [page(1, "preface"), heading(text, "Chapter"), page(2, "second"), page(3, "third")];
        let passages = divide(text, &marks, &Lines::Unknown);
        check_tiling(text, &passages);
        let places: Vec<_> = passages.iter().map(|p| (p.place.page, p.place.heading.as_deref())).collect();
        let chapter = Some("Chapter");
        assert_eq!(places, [(Some(1), None), (Some(1), chapter), (Some(2), chapter), (Some(3), chapter)]);
    }

    #[test]
    fn a_slide_does_not_stand_below_the_title_of_the_one_before() {
        let text = "Title\n\nwords\n\nno title here";
        let part = |number, start| Mark { start, end: start, kind: MarkKind::Part(number) };
        let passages = divide(text, &[part(1, 0), heading(text, "Title"), part(2, 14)], &Lines::Unknown);
        let places: Vec<_> = passages.iter().map(|p| (p.place.page, p.place.heading.as_deref())).collect();
        assert_eq!(places, [(Some(1), Some("Title")), (Some(2), None)]);
    }

    #[test]
    fn long_texts_are_cut_where_it_hurts_least() {
        let paragraphs = format!("{}\n\n", "a few words of prose here. ".repeat(20)).repeat(40);
        let lines = "one line after the other\n".repeat(2000);
        let sentences = "Words and words. ".repeat(2000);
        for (text, ends) in [(&paragraphs, "\n\n"), (&lines, "\n"), (&sentences, ". ")] {
            let passages = divide(text, &[], &Lines::Counted);
            check_tiling(text, &passages);
            assert!(passages.len() > 5);
            for passage in &passages {
                assert!(text[..passage.end].ends_with(ends));
                assert!(passage.end - passage.start <= PASSAGE_BYTES * 4 / 3);
            }
        }
        for text in ["é".repeat(10_000), "語".repeat(10_000), "\n".repeat(10_000), "x".repeat(10_000)] {
            check_tiling(&text, &divide(&text, &[], &Lines::Counted));
        }
        assert_eq!(divide("", &[], &Lines::Counted), []);
    }

    #[test]
    fn the_line_is_that_of_the_first_byte() {
        let text = "one line after the other\n".repeat(2000);
        for passage in divide(&text, &[], &Lines::Counted) {
            let before = text[..passage.start].matches('\n').count() as u32;
            assert_eq!(passage.place.line, Some(before + 1));
        }
    }

    #[test]
    fn rows_are_found_by_the_number_that_they_have_in_the_file() {
        let text = "Sheet\n".to_owned() + &"one | two three four\n".repeat(1000);
        let rows: Vec<(usize, u32)> = (0..1000).map(|n| (6 + 21 * n, n as u32 + 1)).collect();
        for passage in divide(&text, &[], &Lines::Given(rows.clone())) {
            let before = text[..passage.start].matches('\n').count() as u32;
            assert_eq!(passage.place.line, Some(before));
        }
        let long = "word ".repeat(3000);
        for passage in divide(&long, &[], &Lines::Given(vec![(0, 7)])) {
            assert_eq!(passage.place.line, Some(7));
        }
        assert_eq!(divide("title", &[], &Lines::Given(Vec::new()))[0].place.line, None);
    }

    #[test]
    fn any_number_of_headings_gives_a_bounded_number_of_passages() {
        let count = 4 * PASSAGES;
        let text = "h\nb\n".repeat(count);
        let marks: Vec<Mark> =
            (0..count).map(|n| Mark { start: 4 * n, end: 4 * n + 1, kind: MarkKind::Heading("h".into()) }).collect();
        let passages = divide(&text, &marks, &Lines::Counted);
        check_tiling(&text, &passages);
        assert!(passages.len() <= PASSAGES);
    }
}
