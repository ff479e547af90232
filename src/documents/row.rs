//! A row of a table as a line of text: cells in, ` | ` between them.

/// Empty cells that are kept between two others: a wide gap says no more than a narrow one.
const GAP_CELLS: usize = 4;

/// A row that is longer takes no further cell, in bytes: repeated cells could make it grow without end.
const ROW_BYTES: usize = 256 << 10;

/// A row being read.
#[derive(Debug, Default)]
pub(super) struct Row {
    line: String,
    gap: usize,
    has_cells: bool,
}

impl Row {
    /// The next cell, on one line.
    pub(super) fn cell(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        let Some(first) = words.next() else { return self.skip(1) };
        if self.line.len() > ROW_BYTES {
            return;
        }
        let separators = if self.has_cells { self.gap.min(GAP_CELLS) + 1 } else { self.gap.min(GAP_CELLS) };
        for _ in 0..separators {
            self.line.push_str(if self.line.is_empty() { "| " } else { " | " });
        }
        (self.gap, self.has_cells) = (0, true);
        self.line.push_str(first);
        for word in words {
            self.line.push(' ');
            self.line.push_str(word);
        }
    }

    /// So many empty cells.
    pub(super) fn skip(&mut self, cells: usize) {
        self.gap = self.gap.saturating_add(cells);
    }

    /// The row, unless all of it is empty; the next one begins.
    pub(super) fn take(&mut self) -> Option<String> {
        let row = std::mem::take(self);
        row.has_cells.then_some(row.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_kept_and_bounded() {
        for (cells, expected) in [
            (vec!["a", "b\n c", ""], Some("a | b c")),
            (vec!["", "a", "", "b"], Some("| a |  | b")),
            (vec!["", " "], None),
            (vec![], None),
        ] {
            let mut row = Row::default();
            cells.iter().for_each(|cell| row.cell(cell));
            assert_eq!(row.take().as_deref(), expected, "{cells:?}");
            assert_eq!(row.take(), None);
        }
        let mut row = Row::default();
        row.cell("a");
        row.skip(1_000_000_000);
        row.cell("b");
        assert_eq!(row.take().as_deref(), Some("a |  |  |  |  | b"));
    }
}
