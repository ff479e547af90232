//! CSV and TSV (RFC 4180, and what people make of it): records in, a line of text for each out, at the line where it begins.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Extracted;
use super::compose::Composer;
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal};
use super::row::Row;

/// What may stand between two cells, the likelier ones first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// Records that the separator is guessed from.
const SAMPLE: usize = 50;

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let text = decode(bytes, None);
    // Excel's own hint, which no other program shows as data.
    let hint = text
        .strip_prefix("sep=")
        .and_then(|rest| rest.chars().next().filter(|c| rest[c.len_utf8()..].starts_with('\n')));
    let skipped = if hint.is_some() { 1 } else { 0 };
    let records = if hint.is_some() { &text["sep=,\n".len()..] } else { text.as_str() };
    let separator = hint.unwrap_or_else(|| separator(records));
    let mut composer = Composer::new(limits.max_text);
    let mut row = Row::default();
    let mut line = 1 + skipped;
    for record in Records::new(records, separator) {
        record.cells.iter().for_each(|cell| row.cell(cell));
        if let Some(text) = row.take() {
            composer.row(line);
            composer.push(&text);
        }
        line += record.lines;
        if composer.is_full() {
            break;
        }
    }
    Ok(composer.finish())
}

/// The separator that divides the largest part of the first records alike.
fn separator(text: &str) -> char {
    let score = |separator: &char| {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for record in Records::new(text, *separator).take(SAMPLE) {
            *counts.entry(record.cells.len()).or_default() += 1;
        }
        let all: usize = counts.values().sum();
        let alike = counts.iter().filter(|(cells, _)| **cells > 1).map(|(_, records)| *records).max();
        alike.unwrap_or(0) * SAMPLE / all.max(1)
    };
    // The first of the best: `max_by_key` would give the last.
    SEPARATORS.into_iter().rev().max_by_key(score).unwrap_or(',')
}

struct Record<'a> {
    cells: Vec<Cow<'a, str>>,
    /// Lines of the file that it takes up.
    lines: u32,
}

struct Records<'a> {
    rest: &'a str,
    separator: char,
    /// A quote that nothing closes tells that quotes mean nothing here; it also bounds the looking.
    quotes: bool,
}

impl<'a> Records<'a> {
    fn new(text: &'a str, separator: char) -> Records<'a> {
        Records { rest: text, separator, quotes: true }
    }

    /// A cell in quotes, if it is one and its quotes are closed: its text, and how many bytes it takes.
    fn quoted(&mut self) -> Option<(Cow<'a, str>, usize)> {
        /// A quote that is not closed within so many bytes was none.
        const LONGEST_CELL: usize = 1 << 20;
        let inner = self.rest.strip_prefix('"').filter(|_| self.quotes)?;
        let mut text = String::new();
        let mut at = 0;
        loop {
            let Some(close) = inner[at..].find('"').map(|close| at + close).filter(|close| *close < LONGEST_CELL)
            else {
                self.quotes = false;
                return None;
            };
            text.push_str(&inner[at..close]);
            at = close + 1;
            if !inner[at..].starts_with('"') {
                break;
            }
            text.push('"');
            at += 1;
        }
        let ends = inner[at..].chars().next().is_none_or(|c| c == self.separator || c == '\n');
        ends.then_some((text.into(), at + 1))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        /// A record has no more cells; what else is in its line belongs to the last. Excel's own limit.
        const CELLS: usize = 16_384;
        if self.rest.is_empty() {
            return None;
        }
        let mut record = Record { cells: Vec::new(), lines: 1 };
        loop {
            let (cell, length) = self.quoted().unwrap_or_else(|| {
                let is_last = record.cells.len() + 1 >= CELLS;
                let ends = |c| c == '\n' || c == self.separator && !is_last;
                let end = self.rest.find(ends).unwrap_or(self.rest.len());
                (self.rest[..end].into(), end)
            });
            record.lines += self.rest[..length].matches('\n').count() as u32;
            record.cells.push(cell);
            let behind = &self.rest[length..];
            let mut chars = behind.chars();
            let next = chars.next();
            self.rest = chars.as_str();
            if next != Some(self.separator) {
                return Some(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Extracted {
        extract(source.as_bytes(), &ExtractLimits::default()).unwrap()
    }

    #[test]
    fn records_are_read_with_whatever_stands_between_cells() {
        for (source, expected) in [
            ("a,b\n1,\"2, and \"\"3\"\"\"\n", "a | b\n1 | 2, and \"3\""),
            ("Datum;Betrag\n1.2.2024;3,50\n2.2.2024;4,00\n", "Datum | Betrag\n1.2.2024 | 3,50\n2.2.2024 | 4,00"),
            ("a\tb c, d\n1\t2\n", "a | b c, d\n1 | 2"),
            ("\"\t\nstart\t\nend\t\n\",b\nc,d\n", "start end | b\n\n\n\nc | d"),
            ("sep=|\na,b|c\n", "a,b | c"),
            ("one column\n\nof words\n", "one column\n\nof words"),
            ("a,\"never closed\nb,c\n", "a | \"never closed\nb | c"),
            ("say \"yes\",b\n", "say \"yes\" | b"),
            ("", ""),
        ] {
            assert_eq!(read(source).text, expected, "{source:?}");
        }
    }

    #[test]
    fn the_line_is_the_one_where_the_record_begins() {
        let source = "id,note\n".to_owned() + &"1,\"two\nlines\"\n".repeat(1000);
        let extracted = read(&source);
        assert!(extracted.passages.len() > 2);
        for passage in &extracted.passages {
            let before = extracted.text[..passage.start].matches('\n').count() as u32;
            assert_eq!(passage.place.line, Some(before + 1));
        }
    }

    #[test]
    fn many_quotes_do_not_take_long() {
        read(&"\"a\n".repeat(100_000));
        read(&"\"\"\"\n".repeat(1_000_000));
    }
}
