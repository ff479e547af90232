//! What stands on a slide: the events of a part of a presentation in, its title and its paragraphs out.

use std::collections::HashSet;

use quick_xml::events::{BytesStart, Event};

use crate::documents::extract::Refusal;
use crate::documents::package::{Events, attribute, resolve};
use crate::documents::row::Row;

/// Reads the shapes of one part after the other.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    title: String,
    blocks: Vec<String>,
    paragraph: String,
    place: Placeholder,
    /// Inside an element whose text shows.
    in_text: bool,
    /// Inside the numbers that a chart draws.
    in_numbers: bool,
    /// Depth of tables; a cell of one gathers its paragraphs.
    tables: usize,
    cell: String,
    row: Row,
    /// Labels of the chart that have been read.
    labels: HashSet<String>,
}

/// What a shape stands for (ECMA-376 part 1, §19.7.10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Placeholder {
    Title,
    /// Repeated on every slide: number, date, footer.
    Margin,
    #[default]
    Other,
}

/// The other form of what `Choice` says already.
fn is_fallback(tag: &BytesStart<'_>) -> bool {
    tag.local_name().as_ref() == "Fallback"
}

impl Shapes {
    pub(super) fn read(&mut self, events: &mut Events<'_>) -> Result<(), Refusal> {
        let outcome = events.each_shown(is_fallback, |event| match event {
            Event::Start(tag) => self.start(tag),
            Event::Empty(tag) => self.empty(tag),
            Event::End(tag) => self.end(tag.local_name().as_ref()),
            Event::Text(text) if self.in_text => self.paragraph.push_str(text),
            Event::CData(text) if self.in_text => self.paragraph.push_str(text),
            Event::GeneralRef(reference) if self.in_text => self.paragraph.extend(resolve(reference)),
            _ => {}
        });
        self.end_paragraph();
        outcome
    }

    /// The title and the paragraphs so far; those that come belong to another part.
    pub(super) fn take(&mut self) -> (String, Vec<String>) {
        let done = std::mem::take(self);
        (done.title, done.blocks)
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        match name.as_ref() {
            "sp" => self.place = Placeholder::Other,
            "p" => self.end_paragraph(),
            // `t` is a run's text, `v` a chart's label, `text` an older comment.
            "t" | "text" => self.in_text = true,
            "v" => self.in_text = !self.in_numbers,
            "val" | "xVal" | "yVal" | "bubbleSize" => self.in_numbers = true,
            "tbl" => self.tables += 1,
            "tc" => self.cell.clear(),
            _ => self.empty(tag),
        }
    }

    fn empty(&mut self, tag: &BytesStart<'_>) {
        match tag.local_name().as_ref() {
            "ph" => {
                self.place = match attribute(tag, "type").as_deref() {
                    Some("title" | "ctrTitle") => Placeholder::Title,
                    Some("sldNum" | "dt" | "ftr" | "hdr" | "sldImg") => Placeholder::Margin,
                    _ => Placeholder::Other,
                }
            }
            "br" => self.paragraph.push('\n'),
            "tab" => self.paragraph.push('\t'),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "v" => self.end_label(),
            "val" | "xVal" | "yVal" | "bubbleSize" => self.in_numbers = false,
            "text" => {
                self.in_text = false;
                self.end_paragraph();
            }
            "p" => self.end_paragraph(),
            "sp" => self.place = Placeholder::Other,
            "tc" => {
                let cell = std::mem::take(&mut self.cell);
                self.row.cell(&cell);
            }
            "tr" => self.blocks.extend(self.row.take()),
            "tbl" => self.tables = self.tables.saturating_sub(1),
            _ => {}
        }
    }

    /// A label of a chart stands once however often its rows repeat it.
    fn end_label(&mut self) {
        self.in_text = false;
        if !self.labels.insert(self.paragraph.trim().to_owned()) {
            self.paragraph.clear();
        }
        self.end_paragraph();
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        let text = paragraph.trim();
        if text.is_empty() {
            return;
        }
        match self.place {
            _ if self.tables > 0 => {
                self.cell.push(' ');
                self.cell.push_str(text);
            }
            Placeholder::Title => {
                self.title.push(' ');
                self.title.push_str(text);
            }
            Placeholder::Margin => {}
            Placeholder::Other => self.blocks.push(text.to_owned()),
        }
    }
}
