//! The parts of a Word document that hold paragraphs: events in, text with its headings out.

use quick_xml::events::{BytesStart, Event};

use super::styles::{Rank, Styles, rank_of_level};
use crate::documents::compose::Composer;
use crate::documents::extract::Refusal;
use crate::documents::package::{Events, attribute, resolve};

/// Reads the parts that hold paragraphs.
pub(super) struct Body {
    pub(super) composer: Composer,
    styles: Styles,
    /// The first paragraph in the style of a title.
    pub(super) title: Option<String>,
    paragraph: String,
    rank: Rank,
    is_item: bool,
    /// Inside `<w:t>`, the one element whose text shows.
    in_text: bool,
    tables: usize,
    /// Paragraphs of the row being read, cell by cell.
    row: Vec<String>,
}

/// The other form of what `Choice` says already, and what was deleted.
fn is_hidden(tag: &BytesStart<'_>) -> bool {
    matches!(tag.local_name().as_ref(), "Fallback" | "del" | "moveFrom")
}

impl Body {
    pub(super) fn new(composer: Composer, styles: Styles) -> Body {
        Body {
            composer,
            styles,
            title: None,
            paragraph: String::new(),
            rank: Rank::Text,
            is_item: false,
            in_text: false,
            tables: 0,
            row: Vec::new(),
        }
    }

    pub(super) fn read(&mut self, events: &mut Events<'_>) -> Result<(), Refusal> {
        self.tables = 0;
        let outcome = events.each_shown(is_hidden, |event| match event {
            Event::Start(tag) => self.start(tag),
            Event::Empty(tag) => self.empty(tag),
            Event::End(tag) => self.end(tag.local_name().as_ref()),
            Event::Text(text) if self.shows() => self.paragraph.push_str(text),
            Event::CData(text) if self.shows() => self.paragraph.push_str(text),
            Event::GeneralRef(reference) if self.shows() => self.paragraph.extend(resolve(reference)),
            _ => {}
        });
        self.end_paragraph();
        self.end_row();
        match outcome {
            // A document that breaks off still has what stands before.
            Err(Refusal::Damaged(_)) if !self.composer.text().is_empty() => Ok(()),
            other => other,
        }
    }

    fn shows(&self) -> bool {
        self.in_text && !self.composer.is_full()
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        let name = name.as_ref();
        match name {
            "p" => self.begin_paragraph(),
            "t" => self.in_text = true,
            "tbl" => {
                self.end_paragraph();
                self.composer.break_paragraph();
                self.tables += 1;
            }
            "tc" => self.row.push(String::new()),
            _ => self.empty(tag),
        }
    }

    fn empty(&mut self, tag: &BytesStart<'_>) {
        match tag.local_name().as_ref() {
            "pStyle" => {
                let style = attribute(tag, "val").and_then(|id| self.styles.get(&id).copied());
                self.rank = style.unwrap_or(self.rank);
            }
            "outlineLvl" => {
                self.rank = attribute(tag, "val").as_deref().and_then(rank_of_level).unwrap_or(self.rank);
            }
            "numPr" => self.is_item = true,
            "tab" | "ptab" => self.paragraph.push('\t'),
            "br" | "cr" => self.paragraph.push('\n'),
            "noBreakHyphen" => self.paragraph.push('-'),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "p" => self.end_paragraph(),
            "tr" => self.end_row(),
            "tbl" => {
                self.end_row();
                self.tables = self.tables.saturating_sub(1);
                self.composer.break_paragraph();
            }
            _ => {}
        }
    }

    /// A text box stands inside a paragraph: what came before it is a paragraph of its own.
    fn begin_paragraph(&mut self) {
        self.end_paragraph();
        (self.rank, self.is_item) = (Rank::Text, false);
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        let text = paragraph.trim();
        if text.is_empty() {
            return;
        }
        if let (true, Some(cell)) = (self.tables > 0, self.row.last_mut()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&text.replace(['\n', '\t'], " "));
            return;
        }
        match self.rank {
            Rank::Title => {
                self.title = self.title.take().or_else(|| Some(text.to_owned()));
                self.composer.heading(1, text);
            }
            Rank::Heading(level) => self.composer.heading(level, text),
            Rank::Text if self.is_item => self.composer.item(text),
            Rank::Text => self.composer.paragraph(text),
        }
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        if row.iter().any(|cell| !cell.is_empty()) {
            self.composer.push(&row.join(" | "));
            self.composer.break_line();
        }
    }
}
