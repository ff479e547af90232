//! Texts read: any part of a document, to the last byte.

use std::ops::Range;

use super::catalogue::Entry;
use super::error::LibraryError;
use super::passages::Detail;
use super::stored::{self, Location};
use super::text::folded;
use super::types::{Document, ReadRequest, Reading};
use super::view::Part;
use crate::documents::{Format, clean};
use crate::limits::READ_BYTES;

/// Part of a document's text.
pub(super) fn read(
    part: &Part,
    entry: &Entry,
    passage: Option<u32>,
    request: &ReadRequest,
) -> Result<Reading, LibraryError> {
    let detail = stored::detail(&part.shelf, &part.snapshot, entry.slot).map_err(|error| part.error(error))?;
    let passages = stored::passages(&part.shelf, &part.snapshot, entry.slot).map_err(|error| part.error(error))?;
    let selected = select(entry, &detail, &passages, passage, request)?;
    let total_bytes = selected.len();
    let first = selected.start + request.offset.min(total_bytes);
    let limit = if request.limit == 0 { READ_BYTES } else { request.limit.min(READ_BYTES) };
    let (text, begin) = text(part, entry, &passages, first, first.saturating_add(limit).min(selected.end))?;
    let end = begin + text.len();
    Ok(Reading {
        document: document(part, entry, detail),
        text: clean(&text),
        start: selected.start,
        offset: begin.saturating_sub(selected.start),
        next_offset: (end < selected.end).then(|| end - selected.start),
        total_bytes,
    })
}

/// What is known of a document.
pub(super) fn document(part: &Part, entry: &Entry, detail: Detail) -> Document {
    let (date, modified) = super::library::date_and_modified(entry);
    Document {
        id: entry.id.to_string(),
        collection: part.shelf.name.clone(),
        path: entry.path.to_string(),
        title: entry.shown_title().to_owned(),
        format: entry.format.unwrap_or(Format::Text),
        size: entry.stamp.size,
        date,
        modified,
        author: detail.author.map(|author| clean(&author)),
        created: detail.created,
        language: detail.language,
        pages: detail.pages,
        empty_pages: detail.empty_pages,
        which_empty: detail.which_empty,
        text_bytes: entry.text_bytes as usize,
        truncated: detail.truncated,
    }
}

/// The bytes of the text that are asked for.
fn select(
    entry: &Entry,
    detail: &Detail,
    passages: &[Location],
    passage: Option<u32>,
    request: &ReadRequest,
) -> Result<Range<usize>, LibraryError> {
    let whole = 0..entry.text_bytes as usize;
    if let Some(pages) = &request.pages {
        return self::pages(pages, passages, &whole);
    }
    if let Some(section) = &request.section {
        return self::section(section, detail, &whole);
    }
    let Some(number) = passage else { return Ok(whole) };
    let at = passages.iter().position(|location| location.passage == number).ok_or(LibraryError::NotFound)?;
    Ok(passages[at].start..passages.get(at + 1).map_or(whole.end, |next| next.start))
}

fn pages(pages: &str, passages: &[Location], whole: &Range<usize>) -> Result<Range<usize>, LibraryError> {
    let argument = |problem: String| LibraryError::Argument { argument: "pages", problem };
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|&page| page > 0);
    let range = match pages.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(pages).map(|page| (page, page)),
    };
    let (first, last) = range
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| argument("a page or a range of pages, counted from 1, as \"3\" or \"3-5\"".to_owned()))?;
    let most = passages.iter().map(|location| location.page).max().unwrap_or(0);
    if most == 0 {
        return Err(argument("this document has no pages; use offset and limit, or section".to_owned()));
    }
    let on = |location: &&Location| (first..=last).contains(&location.page);
    let Some(begin) = passages.iter().find(on) else {
        return match first > most {
            true => Err(argument(format!("this document's text ends on page {most}"))),
            false => Ok(whole.start..whole.start),
        };
    };
    let after = passages.iter().filter(|location| location.start >= begin.start).find(|location| !on(location));
    Ok(begin.start..after.map_or(whole.end, |location| location.start))
}

/// From the heading to the next of its level or above: the one that is called so, or the first that has the words in it.
fn section(wanted: &str, detail: &Detail, whole: &Range<usize>) -> Result<Range<usize>, LibraryError> {
    let wanted = folded(wanted.trim());
    let is = |title: &str| folded(title.trim()) == wanted;
    let has = |title: &str| folded(title).contains(&wanted);
    let found = detail.outline.iter().position(|entry| is(&entry.title));
    let found = found.or_else(|| detail.outline.iter().position(|entry| !wanted.is_empty() && has(&entry.title)));
    let Some(at) = found else {
        let problem = "no such heading; get_document_info lists the headings of a document".to_owned();
        return Err(LibraryError::Argument { argument: "section", problem });
    };
    let heading = &detail.outline[at];
    let next = detail.outline[at + 1..].iter().find(|next| next.level <= heading.level);
    let begin = heading.offset.min(whole.end);
    Ok(begin..next.map_or(whole.end, |next| next.offset).clamp(begin, whole.end))
}

/// The text from `first` (moved back to a character's beginning) to `last` (moved back as well, but behind one character at
/// least), and where it begins.
fn text(
    part: &Part,
    entry: &Entry,
    passages: &[Location],
    first: usize,
    last: usize,
) -> Result<(String, usize), LibraryError> {
    let whole = entry.text_bytes as usize;
    // A character may begin up to three bytes before, and end up to three behind.
    let (from, to) = (first.saturating_sub(3), last.saturating_add(3).min(whole));
    let mut text = String::new();
    let mut begin = None;
    for (at, location) in passages.iter().enumerate() {
        let end = passages.get(at + 1).map_or(whole, |next| next.start);
        if location.start < to && end > from {
            begin.get_or_insert(location.start);
            let (passage, _) =
                stored::passage(&part.shelf, &part.snapshot, *location).map_err(|error| part.error(error))?;
            text.push_str(&passage);
        }
    }
    let begin = begin.unwrap_or(first);
    let start = text.floor_char_boundary(first.saturating_sub(begin));
    let mut end = text.floor_char_boundary(last.saturating_sub(begin)).max(start);
    if end == start && last > first {
        end = text.ceil_char_boundary(start + 1);
    }
    Ok((text[start..end].to_owned(), begin + start))
}
