//! The text of an OpenDocument: events in, paragraphs, headings, tables, slides and sheets out.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::table::Table;
use crate::documents::Format;
use crate::documents::compose::Composer;
use crate::documents::extract::Refusal;
use crate::documents::package::{Events, attribute, resolve};
use crate::documents::slide::Slide;
use crate::limits::STYLES;

/// Elements whose text nobody reads: what was deleted, marks of notes, who commented when, definitions.
const SKIPPED: &[&str] = &[
    "text:tracked-changes",
    "text:note-citation",
    "text:ruby-text",
    "office:forms",
    "office:binary-data",
    "dc:creator",
    "dc:date",
    "meta:creator-initials",
    "table:content-validations",
    "table:tracked-changes",
];

/// Reads the parts that hold text.
pub(super) struct Content {
    composer: Composer,
    format: Format,
    /// Paragraph styles that a document derives from others, with the name of the other.
    parents: HashMap<String, String>,
    /// Inside an element in which text stands.
    reading: bool,
    /// Paragraphs, one inside another: a note or a frame stands in a paragraph and has its own.
    open: Vec<Paragraph>,
    /// Those that ended inside another, to be read behind it.
    inner: Vec<Paragraph>,
    is_item: bool,
    tables: Vec<Table>,
    /// Kinds of the frames that are open.
    frames: Vec<Frame>,
    slide: Option<Slide>,
    in_notes: bool,
    /// Slides or sheets so far.
    parts: u32,
    title: Option<String>,
}

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    rank: Rank,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Rank {
    Title,
    Heading(u8),
    Item,
    #[default]
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Title,
    /// Repeated on every slide.
    Margin,
    Other,
}

impl Content {
    pub(super) fn new(composer: Composer, format: Format) -> Content {
        Content {
            composer,
            format,
            parents: HashMap::new(),
            reading: false,
            open: Vec::new(),
            inner: Vec::new(),
            is_item: false,
            tables: Vec::new(),
            frames: Vec::new(),
            slide: None,
            in_notes: false,
            parts: 0,
            title: None,
        }
    }

    /// Reads what stands inside the elements of these names. A document that breaks off still has what stands before.
    pub(super) fn read(&mut self, events: &mut Events<'_>, within: &[&str]) -> Result<(), Refusal> {
        let is_skipped = |tag: &BytesStart<'_>| SKIPPED.contains(&tag.name().as_ref());
        let outcome = events.each_shown(is_skipped, |event| match event {
            Event::Start(tag) | Event::Empty(tag) if !self.reading => {
                self.reading = matches!(event, Event::Start(_)) && within.contains(&tag.local_name().as_ref());
                self.learn_style(tag);
            }
            Event::End(tag) if within.contains(&tag.local_name().as_ref()) => {
                self.end_all();
                self.reading = false;
            }
            _ if !self.reading || self.composer.is_full() => {}
            Event::Start(tag) => self.start(tag),
            Event::Empty(tag) => self.empty(tag),
            Event::End(tag) => self.end(tag.name().as_ref()),
            Event::Text(text) => self.text(text),
            Event::CData(text) => self.text(text),
            Event::GeneralRef(reference) => {
                if let Some(c) = resolve(reference) {
                    self.text(c.encode_utf8(&mut [0; 4]));
                }
            }
            _ => {}
        });
        self.end_all();
        self.reading = false;
        match outcome {
            Err(Refusal::Damaged(_)) if !self.composer.text().is_empty() => Ok(()),
            other => other,
        }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> Composer {
        let metadata = self.composer.metadata();
        metadata.title = self.title;
        metadata.pages = Some(self.parts).filter(|parts| *parts > 0);
        self.composer
    }

    fn learn_style(&mut self, tag: &BytesStart<'_>) {
        if tag.name().as_ref() == "style:style"
            && self.parents.len() < STYLES
            && let (Some(name), Some(parent)) = (attribute(tag, "name"), attribute(tag, "parent-style-name"))
        {
            self.parents.insert(name, parent);
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.name();
        let name = name.as_ref();
        match name {
            "text:p" | "text:h" => {
                let rank = self.rank(name, tag);
                self.open.push(Paragraph { text: String::new(), rank });
            }
            "text:list-item" => self.is_item = true,
            "draw:page" => self.begin_slide(),
            "presentation:notes" => self.in_notes = true,
            "draw:frame" | "draw:custom-shape" => self.frames.push(frame(tag)),
            "table:table" => self.begin_table(tag),
            "table:table-row" => self.begin_row(tag),
            "table:table-cell" | "table:covered-table-cell" => self.begin_cell(tag),
            _ => self.empty(tag),
        }
    }

    fn empty(&mut self, tag: &BytesStart<'_>) {
        match tag.name().as_ref() {
            "text:tab" => self.character('\t'),
            "text:line-break" => self.character('\n'),
            "text:s" => self.character(' '),
            "draw:page" => {
                self.begin_slide();
                self.end_slide();
            }
            "table:table-row" => {
                self.begin_row(tag);
                self.end_row();
            }
            "table:table-cell" | "table:covered-table-cell" => {
                self.begin_cell(tag);
                self.end_cell();
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "text:p" | "text:h" => self.end_paragraph(),
            "text:list-item" => self.is_item = false,
            "draw:page" => self.end_slide(),
            "presentation:notes" => self.in_notes = false,
            "draw:frame" | "draw:custom-shape" => drop(self.frames.pop()),
            "table:table" => self.end_table(),
            "table:table-row" => self.end_row(),
            "table:table-cell" | "table:covered-table-cell" => self.end_cell(),
            _ => {}
        }
    }

    fn end_all(&mut self) {
        while !self.open.is_empty() {
            self.end_paragraph();
        }
        while !self.tables.is_empty() {
            self.end_cell();
            self.end_row();
            self.end_table();
        }
        self.end_slide();
        self.frames.clear();
    }

    fn rank(&mut self, name: &str, tag: &BytesStart<'_>) -> Rank {
        let is_item = std::mem::take(&mut self.is_item);
        if name == "text:h" {
            let level = attribute(tag, "outline-level").and_then(|level| level.parse().ok()).unwrap_or(1);
            return Rank::Heading(u8::clamp(level, 1, 9));
        }
        let style = attribute(tag, "style-name").unwrap_or_default();
        match self.parents.get(&style).unwrap_or(&style).as_str() {
            "Title" => Rank::Title,
            _ if is_item => Rank::Item,
            _ => Rank::Text,
        }
    }

    /// Text, its white space collapsed (ODF 1.3 part 3, §6.1.2).
    fn text(&mut self, text: &str) {
        let Some(paragraph) = self.open.last_mut() else { return };
        for piece in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
            let word = piece.trim_ascii_end();
            paragraph.text.push_str(word);
            if word.len() < piece.len() && !paragraph.text.ends_with([' ', '\n', '\t']) {
                paragraph.text.push(' ');
            }
        }
    }

    fn character(&mut self, c: char) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.text.push(c);
        }
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.open.pop() else { return };
        if let Some(table) = self.tables.last_mut() {
            table.text(paragraph.text.trim());
        } else if self.open.is_empty() {
            self.write(paragraph);
            for inner in std::mem::take(&mut self.inner) {
                self.write(inner);
            }
        } else {
            self.inner.push(paragraph);
        }
    }

    fn write(&mut self, paragraph: Paragraph) {
        let text = paragraph.text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(slide) = &mut self.slide {
            match self.frames.last() {
                Some(Frame::Margin) => {}
                _ if self.in_notes => slide.notes.push(text.to_owned()),
                Some(Frame::Title) => {
                    slide.title.push(' ');
                    slide.title.push_str(text);
                }
                _ => slide.blocks.push(text.to_owned()),
            }
            return;
        }
        match paragraph.rank {
            Rank::Title => {
                self.title = self.title.take().or_else(|| Some(text.to_owned()));
                self.composer.heading(1, text);
            }
            Rank::Heading(level) => self.composer.heading(level, text),
            Rank::Item => self.composer.item(text),
            Rank::Text => self.composer.paragraph(text),
        }
    }

    fn begin_slide(&mut self) {
        self.end_slide();
        self.slide = Some(Slide::default());
    }

    fn end_slide(&mut self) {
        self.in_notes = false;
        if let Some(slide) = self.slide.take() {
            self.parts += 1;
            slide.write(self.parts, &mut self.composer);
        }
    }

    fn begin_table(&mut self, tag: &BytesStart<'_>) {
        if self.format == Format::Ods && self.tables.is_empty() {
            self.parts += 1;
            self.composer.part(self.parts);
            self.composer.heading(1, &attribute(tag, "name").unwrap_or_default());
        }
        self.tables.push(Table::default());
    }

    fn end_table(&mut self) {
        drop(self.tables.pop());
        if self.tables.is_empty() {
            self.composer.break_paragraph();
        }
    }

    fn begin_row(&mut self, tag: &BytesStart<'_>) {
        if let Some(table) = self.tables.last_mut() {
            table.begin_row(tag);
        }
    }

    fn begin_cell(&mut self, tag: &BytesStart<'_>) {
        if let Some(table) = self.tables.last_mut() {
            table.begin_cell(tag);
        }
    }

    fn end_cell(&mut self) {
        if let Some(table) = self.tables.last_mut() {
            table.end_cell();
        }
    }

    fn end_row(&mut self) {
        let Some(rows) = self.tables.last_mut().and_then(Table::end_row) else { return };
        if let [.., outer, _] = self.tables.as_mut_slice() {
            return outer.text(&rows.text);
        }
        match (&mut self.slide, self.format) {
            (Some(slide), _) => slide.blocks.push(rows.text),
            (None, Format::Ods) => {
                for number in rows.numbers {
                    self.composer.row(number);
                    self.composer.push(&rows.text);
                }
            }
            (None, _) => {
                self.composer.break_line();
                self.composer.push(&rows.text);
                self.composer.break_line();
            }
        }
    }
}

fn frame(tag: &BytesStart<'_>) -> Frame {
    match attribute(tag, "class").as_deref() {
        Some("title") => Frame::Title,
        Some("header" | "footer" | "date-time" | "page-number" | "page") => Frame::Margin,
        _ => Frame::Other,
    }
}
