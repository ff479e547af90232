//! A table of an OpenDocument: its cells and rows as they are read, with how often each stands.

use std::ops::RangeInclusive;

use quick_xml::events::BytesStart;

use crate::documents::package::attribute;
use crate::documents::row::Row;
use crate::limits::REPEATED_CELLS;

/// Attributes in which a cell holds its value, the one that reads best first.
const VALUES: [&str; 5] = ["string-value", "date-value", "time-value", "boolean-value", "value"];

/// A table being read.
#[derive(Debug, Default)]
pub(super) struct Table {
    row: Row,
    /// Rows before this one, and how often it stands.
    rows_before: u32,
    row_repeats: u32,
    cell: String,
    cell_repeats: u32,
    /// What the cell holds, where no text says it.
    value: Option<String>,
}

/// A row that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) text: String,
    /// Where it stands, counted from 1: as often as it is to be written.
    pub(super) numbers: RangeInclusive<u32>,
}

impl Table {
    pub(super) fn begin_row(&mut self, tag: &BytesStart<'_>) {
        self.row_repeats = repeats(tag, "number-rows-repeated");
    }

    pub(super) fn begin_cell(&mut self, tag: &BytesStart<'_>) {
        self.cell.clear();
        self.cell_repeats = repeats(tag, "number-columns-repeated");
        self.value = VALUES.iter().find_map(|name| attribute(tag, name));
    }

    /// A paragraph of the cell.
    pub(super) fn text(&mut self, text: &str) {
        self.cell.push(' ');
        self.cell.push_str(text);
    }

    pub(super) fn end_cell(&mut self) {
        let text = std::mem::take(&mut self.cell);
        let text = if text.trim().is_empty() { self.value.take().unwrap_or_default() } else { text };
        let repeats = std::mem::take(&mut self.cell_repeats) as usize;
        let written = if text.trim().is_empty() { 0 } else { repeats.min(REPEATED_CELLS) };
        (0..written).for_each(|_| self.row.cell(&text));
        self.row.skip(repeats - written);
    }

    /// The row, unless it is empty.
    pub(super) fn end_row(&mut self) -> Option<Rows> {
        let repeats = std::mem::take(&mut self.row_repeats);
        let first = self.rows_before.saturating_add(1);
        self.rows_before = self.rows_before.saturating_add(repeats);
        let text = self.row.take()?;
        let last = self.rows_before.min(first.saturating_add(REPEATED_CELLS as u32 - 1));
        Some(Rows { text, numbers: first..=last })
    }
}

fn repeats(tag: &BytesStart<'_>, name: &str) -> u32 {
    attribute(tag, name).and_then(|number| number.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(attributes: &str) -> BytesStart<'_> {
        BytesStart::from_content(attributes, 1)
    }

    #[test]
    fn what_repeats_is_counted_and_written_a_bounded_number_of_times() {
        let mut table = Table::default();
        table.begin_row(&tag("r table:number-rows-repeated='1000000'"));
        table.begin_cell(&tag("c table:number-columns-repeated='16384'"));
        table.end_cell();
        assert_eq!(table.end_row(), None);
        table.begin_row(&tag("r table:number-rows-repeated='4000000000'"));
        table.begin_cell(&tag("c office:value='7' table:number-columns-repeated='4294967295'"));
        table.end_cell();
        let rows = table.end_row().unwrap();
        assert_eq!(rows.numbers, 1_000_001..=1_000_032);
        assert_eq!(rows.text.matches('7').count(), REPEATED_CELLS);
        table.begin_row(&tag("r table:number-rows-repeated='4000000000'"));
        table.begin_cell(&tag("c"));
        table.text("end");
        table.end_cell();
        assert_eq!(table.end_row().unwrap().text, "end");
    }
}
