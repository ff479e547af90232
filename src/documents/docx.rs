//! DOCX (ECMA-376): paragraphs, tables and notes of a Word document; headings by their style or outline level.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use zip::ZipArchive;

use super::Extracted;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal, parse_date};
use crate::limits::{STYLES, UNPACKED_BYTES};

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let main = main_part(&mut archive);
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let styles = read_part(&mut archive, &join(&folder, "styles.xml"), read_styles)?.unwrap_or_default();
    let mut body = Body::new(Composer::new(limits.max_text), styles);
    if read_part(&mut archive, &main, |events| body.read(events))?.is_none() {
        return Err(Refusal::Damaged(format!("it has no {main}")));
    }
    for name in further_parts(&archive, &folder) {
        body.composer.break_paragraph();
        read_part(&mut archive, &name, |events| body.read(events))?;
    }
    let mut composer = body.composer;
    read_part(&mut archive, "docProps/core.xml", |events| read_core(events, composer.metadata()))?;
    let metadata = composer.metadata();
    metadata.title = metadata.title.take().or(body.title);
    let topmost = metadata.outline.iter().min_by_key(|entry| entry.level).map(|entry| entry.title.clone());
    metadata.title = metadata.title.take().filter(|title| !title.trim().is_empty()).or(topmost);
    Ok(composer.finish())
}

fn damaged(error: impl std::fmt::Display) -> Refusal {
    Refusal::Damaged(super::compose::tidy(&error.to_string()).unwrap_or_default())
}

/// Notes, comments, headers and footers: read after the body, each once.
fn further_parts(archive: &Archive<'_>, folder: &str) -> Vec<String> {
    const KINDS: [&str; 5] = ["footnotes", "endnotes", "comments", "header", "footer"];
    const MOST: usize = 64;
    let mut names: Vec<String> = archive
        .file_names()
        .flatten()
        .map(|name| name.into_owned())
        .filter(|name| {
            let file = name.strip_prefix(folder).unwrap_or(name).trim_start_matches('/');
            let stem = file.strip_suffix(".xml").unwrap_or("").trim_end_matches(|c: char| c.is_ascii_digit());
            KINDS.contains(&stem)
        })
        .collect();
    names.sort_by_key(|name| (KINDS.iter().position(|kind| name.contains(kind)), name.clone()));
    names.truncate(MOST);
    names
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The part that holds the text, as the package's relationships say.
fn main_part(archive: &mut Archive<'_>) -> String {
    let mut target = None;
    let outcome = read_part(archive, "_rels/.rels", |events| {
        events.each(|event| {
            if let Event::Start(tag) | Event::Empty(tag) = event
                && attribute(tag, "Type").is_some_and(|kind| kind.ends_with("/officeDocument"))
            {
                target = attribute(tag, "Target");
            }
        })
    });
    let target = outcome.ok().and(target).unwrap_or_default();
    match target.trim_start_matches('/') {
        "" => "word/document.xml".to_owned(),
        path => path.to_owned(),
    }
}

/// Reads one part of the package, if it is there.
fn read_part<T>(
    archive: &mut Archive<'_>,
    name: &str,
    read: impl FnOnce(&mut Events<'_>) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let mut part = match archive.by_name(name) {
        Ok(part) => part,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(zip::result::ZipError::UnsupportedArchive(reason)) if reason.contains("assword") => {
            return Err(Refusal::Encrypted);
        }
        Err(error) => return Err(damaged(error)),
    };
    let mut source = BufReader::new((&mut part as &mut dyn Read).take(UNPACKED_BYTES + 1));
    read(&mut Events::new(&mut source)).map(Some)
}

/// The events of one part, up to [`UNPACKED_BYTES`] of it.
struct Events<'a> {
    reader: Reader<&'a mut dyn BufRead>,
    buffer: Vec<u8>,
}

impl<'a> Events<'a> {
    fn new(source: &'a mut dyn BufRead) -> Events<'a> {
        let mut reader = Reader::from_reader(source);
        reader.config_mut().allow_dangling_amp = true;
        reader.config_mut().allow_unmatched_ends = true;
        reader.config_mut().check_end_names = false;
        Events { reader, buffer: Vec::new() }
    }

    /// Hands every event over. No entity is ever expanded but the five of XML and characters by number, so none can grow.
    fn each(&mut self, mut take: impl FnMut(&Event<'_>)) -> Result<(), Refusal> {
        loop {
            self.buffer.clear();
            match self.reader.read_event_into(&mut self.buffer) {
                Ok(Event::Eof) => return Ok(()),
                Ok(event) => take(&event),
                Err(error) => return Err(damaged(error)),
            }
            if self.reader.buffer_position() > UNPACKED_BYTES {
                return Err(Refusal::Inflates { limit: UNPACKED_BYTES });
            }
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found =
        tag.attributes().with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == name);
    found.and_then(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned()))
}

fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

/// What a paragraph style says of a paragraph's rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Title,
    Heading(u8),
    Text,
}

/// Ranks by style id.
type Styles = HashMap<String, Rank>;

fn read_styles(events: &mut Events<'_>) -> Result<Styles, Refusal> {
    let mut own: HashMap<String, (Option<Rank>, Option<String>)> = HashMap::new();
    let mut id = String::new();
    events.each(|event| {
        let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
        let value = || attribute(tag, "val");
        match tag.local_name().as_ref() {
            "style" if own.len() < STYLES => {
                id = attribute(tag, "styleId").unwrap_or_default();
                own.insert(id.clone(), (None, None));
            }
            "name" => {
                if let (Some(style), Some(name)) = (own.get_mut(&id), value()) {
                    style.0 = style.0.or(rank_of_name(&name));
                }
            }
            "basedOn" => {
                if let Some(style) = own.get_mut(&id) {
                    style.1 = value();
                }
            }
            "outlineLvl" => {
                if let (Some(style), Some(level)) = (own.get_mut(&id), value().as_deref().and_then(rank_of_level)) {
                    style.0 = Some(style.0.filter(|rank| *rank == Rank::Title).unwrap_or(level));
                }
            }
            _ => {}
        }
    })?;
    Ok(own.keys().map(|id| (id.clone(), inherited(&own, id))).collect())
}

fn inherited(own: &HashMap<String, (Option<Rank>, Option<String>)>, id: &str) -> Rank {
    const LONGEST_CHAIN: usize = 10;
    let mut id = id;
    for _ in 0..LONGEST_CHAIN {
        match own.get(id) {
            Some((Some(rank), _)) => return *rank,
            Some((None, Some(base))) => id = base,
            _ => break,
        }
    }
    Rank::Text
}

fn rank_of_name(name: &str) -> Option<Rank> {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("heading ") {
        Some(level) => level.trim().parse().ok().filter(|level| (1..=9).contains(level)).map(Rank::Heading),
        None if name == "title" => Some(Rank::Title),
        None => None,
    }
}

/// `outlineLvl` counts from 0; 9 is body text.
fn rank_of_level(value: &str) -> Option<Rank> {
    match value.parse::<u8>() {
        Ok(level @ 0..=8) => Some(Rank::Heading(level + 1)),
        Ok(_) => Some(Rank::Text),
        Err(_) => None,
    }
}

/// Reads the parts that hold paragraphs.
struct Body {
    composer: Composer,
    styles: Styles,
    title: Option<String>,
    paragraph: String,
    rank: Rank,
    is_item: bool,
    /// Inside `<w:t>`, the one element whose text shows.
    in_text: bool,
    /// Depth inside something whose text is not to be read.
    skipping: usize,
    tables: usize,
    /// Paragraphs of the row being read, cell by cell.
    row: Vec<String>,
}

impl Body {
    fn new(composer: Composer, styles: Styles) -> Body {
        Body {
            composer,
            styles,
            title: None,
            paragraph: String::new(),
            rank: Rank::Text,
            is_item: false,
            in_text: false,
            skipping: 0,
            tables: 0,
            row: Vec::new(),
        }
    }

    fn read(&mut self, events: &mut Events<'_>) -> Result<(), Refusal> {
        (self.skipping, self.tables) = (0, 0);
        let outcome = events.each(|event| match event {
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
        self.in_text && self.skipping == 0 && !self.composer.is_full()
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        let name = name.as_ref();
        // The other form of what `Choice` says already, and what was deleted.
        if self.skipping > 0 || matches!(name, "Fallback" | "del" | "moveFrom") {
            self.skipping += 1;
            return;
        }
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
        if self.skipping > 0 {
            return;
        }
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
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
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
            Rank::Text if self.is_item => {
                self.composer.break_line();
                self.composer.push(&format!("- {text}"));
                self.composer.break_line();
            }
            Rank::Text => {
                self.composer.break_paragraph();
                self.composer.push(text);
                self.composer.break_paragraph();
            }
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

/// Title, author and date out of the core properties.
fn read_core(events: &mut Events<'_>, metadata: &mut Extracted) -> Result<(), Refusal> {
    let mut text = String::new();
    let outcome = events.each(|event| match event {
        Event::Start(_) => text.clear(),
        Event::Text(piece) => text.push_str(piece),
        Event::GeneralRef(reference) => text.extend(resolve(reference)),
        Event::End(tag) => {
            let value = Some(std::mem::take(&mut text)).filter(|value| !value.trim().is_empty());
            match tag.local_name().as_ref() {
                "title" => metadata.title = value,
                "creator" => metadata.author = value,
                "created" => metadata.created = value.as_deref().and_then(parse_date),
                _ => {}
            }
        }
        _ => {}
    });
    match outcome {
        Err(Refusal::Damaged(_)) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    pub(crate) fn package(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    const STYLES_XML: &str = r#"<w:styles xmlns:w="w"><w:style w:styleId="T"><w:name w:val="Title"/></w:style>
        <w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:styleId="Own"><w:name w:val="Clause"/><w:basedOn w:val="berschrift1"/></w:style>
        <w:style w:styleId="L2"><w:name w:val="Deep"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
        <w:style w:styleId="A"><w:basedOn w:val="B"/></w:style><w:style w:styleId="B"><w:basedOn w:val="A"/></w:style>
        </w:styles>"#;

    fn paragraph(style: &str, text: &str) -> String {
        format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"#)
    }

    fn document(body: &str) -> String {
        format!(r#"<?xml version="1.0"?><w:document xmlns:w="w" xmlns:mc="mc"><w:body>{body}</w:body></w:document>"#)
    }

    fn read(parts: &[(&str, &str)]) -> Result<Extracted, Refusal> {
        extract(&package(parts), &ExtractLimits::default())
    }

    #[test]
    fn paragraphs_headings_tables_and_notes_are_read() {
        let table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Rent</w:t></w:r></w:p><w:p><w:r><w:t>cold</w:t></w:r></w:p></w:tc>\
                     <w:tc><w:p><w:r><w:t>1,040</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
        let changes = "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del>\
                       <w:ins><w:r><w:t xml:space=\"preserve\"> &amp; added&#33;</w:t></w:r></w:ins></w:p>";
        let box_twice = "<w:p><mc:AlternateContent><mc:Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Choice>\
                         <mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent></w:p>";
        let body = document(
            &[
                paragraph("T", "Tenancy"),
                paragraph("Own", "Rent"),
                paragraph("A", "The rent is due."),
                table.into(),
                paragraph("L2", "Late"),
                changes.into(),
                box_twice.into(),
            ]
            .concat(),
        );
        let notes =
            "<w:footnotes xmlns:w=\"w\"><w:footnote><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnote></w:footnotes>";
        let core = "<c xmlns:dc=\"d\"><dc:title>Lease</dc:title><dc:creator>Ada &amp; Co</dc:creator>\
                    <dcterms:created>2024-05-06T07:08:09Z</dcterms:created></c>";
        let extracted = read(&[
            ("word/document.xml", &body),
            ("word/styles.xml", STYLES_XML),
            ("word/footnotes.xml", notes),
            ("docProps/core.xml", core),
        ])
        .unwrap();
        assert_eq!(
            extracted.text,
            "Tenancy\n\nRent\n\nThe rent is due.\n\nRent cold | 1,040\n\nLate\n\nkept & added!\n\nbox\n\na note"
        );
        let outline: Vec<_> = extracted.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "Tenancy"), (1, "Rent"), (2, "Late")]);
        assert_eq!(extracted.title.as_deref(), Some("Lease"));
        assert_eq!(extracted.author.as_deref(), Some("Ada & Co"));
        assert_eq!(extracted.created.unwrap().to_string(), "2024-05-06T07:08:09Z");
        let place = |words: &str| {
            let at = extracted.text.find(words).unwrap();
            extracted.passages.iter().find(|p| p.start <= at && at < p.end).unwrap().place.heading.clone().unwrap()
        };
        assert_eq!((place("1,040"), place("added")), ("Rent".into(), "Late".into()));
    }

    #[test]
    fn the_text_may_stand_in_another_part() {
        let relations = r#"<R><Relationship Type="http://x/officeDocument" Target="/text/main.xml"/></R>"#;
        let extracted =
            read(&[("_rels/.rels", relations), ("text/main.xml", &document(&paragraph("", "here")))]).unwrap();
        assert_eq!(extracted.text, "here");
    }

    #[test]
    fn a_bomb_is_refused_and_entities_do_not_grow() {
        let bomb = format!("<a>{}</a>", " ".repeat(UNPACKED_BYTES as usize + 10));
        assert_eq!(read(&[("word/document.xml", &bomb)]), Err(Refusal::Inflates { limit: UNPACKED_BYTES }));
        let laughs = r#"<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><w:p><w:t>x&b;y</w:t></w:p>"#;
        assert_eq!(read(&[("word/document.xml", laughs)]).unwrap().text, "xy");
        let deep = "<w:tbl><w:tr><w:tc>".repeat(100_000);
        assert_eq!(read(&[("word/document.xml", &deep)]).unwrap().text, "");
    }

    #[test]
    fn what_is_no_word_document_is_refused() {
        assert!(matches!(read(&[("other.xml", "<a/>")]), Err(Refusal::Damaged(_))));
        assert!(matches!(extract(b"PK\x03\x04 and then nothing", &ExtractLimits::default()), Err(Refusal::Damaged(_))));
    }
}
