//! The state of reading RTF: tokens in, text with its structure out.

use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::charset;
use super::destination::{Destination, opened_by};
use super::tokens::Token;
use crate::documents::Extracted;
use crate::documents::compose::Composer;
use crate::documents::row::Row;
use crate::limits::{ASIDES, RTF_GROUPS, STYLES};

/// What a group inherits from the one around it, and what ends with it.
#[derive(Debug, Clone, Copy)]
struct Group {
    destination: Destination,
    /// Whether the destination began with this group.
    begins: bool,
    /// Whether `\*` stood at its beginning.
    starred: bool,
    font: i32,
    /// Characters that stand for one in Unicode, for readers that do not know it.
    fallback: u8,
    hidden: bool,
    style: i32,
    rank: Option<u8>,
    in_table: bool,
}

#[derive(Debug)]
pub(super) struct Reading {
    composer: Composer,
    group: Group,
    outer: Vec<Group>,
    /// Groups deeper than are followed: they inherit all from the deepest.
    deeper: usize,
    document_encoding: &'static Encoding,
    font_encodings: HashMap<i32, &'static Encoding>,
    /// Paragraph styles: rank by number, 0 for a title.
    ranks: HashMap<i32, u8>,
    /// Bytes whose encoding is that of the font.
    bytes: Vec<u8>,
    surrogate: Option<u16>,
    /// Characters still to be passed over behind one in Unicode.
    passing: u8,
    text: String,
    is_item: bool,
    row: Row,
    /// Texts around the aside that is being read, and asides to be written behind the paragraph.
    interrupted: Vec<String>,
    asides: Vec<String>,
    created: [i16; 3],
    title: Option<String>,
}

impl Reading {
    pub(super) fn new(composer: Composer) -> Reading {
        let group = Group {
            destination: Destination::Body,
            begins: false,
            starred: false,
            font: -1,
            fallback: 1,
            hidden: false,
            style: -1,
            rank: None,
            in_table: false,
        };
        Reading {
            composer,
            group,
            outer: Vec::new(),
            deeper: 0,
            document_encoding: WINDOWS_1252,
            font_encodings: HashMap::new(),
            ranks: HashMap::new(),
            bytes: Vec::new(),
            surrogate: None,
            passing: 0,
            text: String::new(),
            is_item: false,
            row: Row::default(),
            interrupted: Vec::new(),
            asides: Vec::new(),
            created: [0; 3],
            title: None,
        }
    }

    /// The next piece.
    pub(super) fn take(&mut self, token: Token<'_>) {
        match token {
            Token::Byte(_) | Token::Symbol(_) | Token::Word(..) if self.passes(token) => {}
            Token::Byte(byte) if self.reads() => self.bytes.push(byte),
            Token::Byte(_) => {}
            other => {
                self.decode();
                match other {
                    Token::Open => self.open(),
                    Token::Close => self.close(),
                    Token::Symbol(symbol) => self.symbol(symbol),
                    Token::Word(word, number) => self.word(word, number),
                    Token::Byte(_) => {}
                }
            }
        }
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.composer.is_full()
    }

    /// Whether this is the fallback of a character that was given in Unicode.
    fn passes(&mut self, token: Token<'_>) -> bool {
        let passes = self.passing > 0 && !matches!(token, Token::Word("u", _));
        self.passing -= u8::from(passes);
        passes
    }

    fn reads(&self) -> bool {
        !self.group.hidden && self.group.destination != Destination::Skipped
    }

    /// Turns the bytes so far into text.
    fn decode(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let encoding = self.font_encodings.get(&self.group.font).copied().unwrap_or(self.document_encoding);
        let text = encoding.decode_without_bom_handling(&self.bytes).0;
        self.text.push_str(&text);
        self.bytes.clear();
    }

    fn open(&mut self) {
        self.passing = 0;
        if self.outer.len() >= RTF_GROUPS {
            self.deeper += 1;
            return;
        }
        self.outer.push(self.group);
        (self.group.begins, self.group.starred) = (false, false);
    }

    fn close(&mut self) {
        self.passing = 0;
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        // A file may close more groups than it opened.
        let Some(outer) = self.outer.pop() else { return };
        let inner = std::mem::replace(&mut self.group, outer);
        if inner.begins {
            self.end_destination(inner.destination);
        } else if inner.destination == Destination::StyleSheet {
            self.end_style(inner);
        }
    }

    fn begin_destination(&mut self, destination: Destination) {
        (self.group.destination, self.group.begins) = (destination, true);
        if !matches!(destination, Destination::Body | Destination::Skipped) {
            self.interrupted.push(std::mem::take(&mut self.text));
        }
    }

    fn end_destination(&mut self, destination: Destination) {
        if matches!(destination, Destination::Body | Destination::Skipped) {
            return;
        }
        let text = std::mem::replace(&mut self.text, self.interrupted.pop().unwrap_or_default());
        let text = text.trim();
        let metadata = self.composer.metadata();
        match destination {
            _ if text.is_empty() && destination != Destination::Created => {}
            Destination::Title => metadata.title = Some(text.to_owned()),
            Destination::Author => metadata.author = Some(text.to_owned()),
            Destination::Created => metadata.created = date(self.created),
            Destination::Aside if self.asides.len() < ASIDES && !self.asides.iter().any(|aside| aside == text) => {
                self.asides.push(text.to_owned());
            }
            _ => {}
        }
    }

    /// One style of the style sheet: its name says whether it is a heading's.
    fn end_style(&mut self, style: Group) {
        let name = std::mem::take(&mut self.text);
        let name = name.trim().trim_end_matches(';').trim().to_lowercase();
        let by_name = match name.strip_prefix("heading ") {
            Some(level) => level.trim().parse().ok().filter(|level| (1..=9).contains(level)),
            None if name == "title" => Some(0),
            None => None,
        };
        if let (Some(rank), true) = (by_name.or(style.rank), self.ranks.len() < STYLES) {
            self.ranks.insert(style.style, rank);
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'*' => self.group.starred = true,
            b'~' => self.character('\u{a0}'),
            b'_' => self.character('-'),
            b'\\' | b'{' | b'}' => self.character(char::from(symbol)),
            b'\r' | b'\n' => self.end_paragraph(),
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        let starred = std::mem::take(&mut self.group.starred);
        if matches!(word, "listtext" | "pntext") {
            self.is_item = true;
        }
        match opened_by(word, starred) {
            Some(Destination::Title | Destination::Author | Destination::Created)
                if self.group.destination != Destination::Skipped => {}
            // In what is skipped, only what the document says of itself and what an object shows is read.
            Some(Destination::Body) if self.group.destination == Destination::Skipped && word != "result" => {}
            Some(Destination::Aside) if self.group.destination == Destination::Skipped => {}
            Some(destination) => return self.begin_destination(destination),
            None => {}
        }
        if self.group.destination == Destination::Created {
            let part = ["yr", "mo", "dy"].iter().position(|name| *name == word);
            if let (Some(part), Some(number)) = (part, number) {
                self.created[part] = i16::try_from(number).unwrap_or(0);
            }
        }
        self.format(word, number);
    }

    fn format(&mut self, word: &str, number: Option<i32>) {
        let on = number != Some(0);
        match word {
            "ansicpg" => self.document_encoding = charset::of_code_page(number.unwrap_or(1252)),
            "mac" => self.document_encoding = charset::of_code_page(10000),
            "f" => self.group.font = number.unwrap_or(0),
            "deff" if self.group.font < 0 => self.group.font = number.unwrap_or(0),
            "fcharset" | "cpg" if self.group.destination == Destination::FontTable => self.font(word, number),
            "uc" => self.group.fallback = u8::try_from(number.unwrap_or(1)).unwrap_or(1),
            "u" => self.unicode(number.unwrap_or(0)),
            "plain" => self.group.hidden = false,
            "v" | "deleted" => self.group.hidden = on,
            "pard" => (self.group.style, self.group.rank, self.group.in_table) = (-1, None, false),
            "s" => self.group.style = number.unwrap_or(0),
            "outlinelevel" => {
                self.group.rank = number.and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 9);
                self.group.rank = self.group.rank.map(|level| level + 1);
            }
            "intbl" => self.group.in_table = on,
            "nofpages" => {
                self.composer.metadata().pages = number.and_then(|pages| u32::try_from(pages).ok()).filter(|n| *n > 0);
            }
            word => self.text_of(word),
        }
    }

    fn font(&mut self, word: &str, number: Option<i32>) {
        let number = number.unwrap_or(0);
        let encoding = match word {
            "cpg" => Some(charset::of_code_page(number)),
            _ => charset::of_charset(number),
        };
        if let (Some(encoding), true) = (encoding, self.font_encodings.len() < STYLES) {
            self.font_encodings.insert(self.group.font, encoding);
        }
    }

    /// Control words that stand for text.
    fn text_of(&mut self, word: &str) {
        match word {
            "par" | "sect" | "page" => self.end_paragraph(),
            "cell" | "nestcell" => self.end_cell(),
            "row" | "nestrow" => self.end_row(),
            "line" | "softline" => self.character('\n'),
            "tab" => self.character('\t'),
            "emdash" => self.character('—'),
            "endash" => self.character('–'),
            "lquote" => self.character('‘'),
            "rquote" => self.character('’'),
            "ldblquote" => self.character('“'),
            "rdblquote" => self.character('”'),
            "bullet" => self.character('•'),
            "emspace" | "enspace" | "qmspace" => self.character(' '),
            _ => {}
        }
    }

    fn character(&mut self, c: char) {
        if self.reads() {
            self.text.push(c);
        }
    }

    /// A UTF-16 unit, as a signed number.
    fn unicode(&mut self, unit: i32) {
        self.passing = self.group.fallback;
        let unit = unit as u16;
        let high = self.surrogate.take();
        match char::decode_utf16(high.into_iter().chain([unit])).last() {
            Some(Ok(c)) => self.character(c),
            _ => self.surrogate = Some(unit),
        }
    }

    fn end_paragraph(&mut self) {
        match self.group.destination {
            Destination::Body => {}
            Destination::Aside => return self.text.push('\n'),
            _ => return,
        }
        if self.group.in_table {
            return self.text.push(' ');
        }
        self.end_row();
        let text = std::mem::take(&mut self.text);
        let is_item = std::mem::take(&mut self.is_item);
        let text = text.trim();
        if !text.is_empty() {
            match self.group.rank.or_else(|| self.ranks.get(&self.group.style).copied()) {
                Some(0) => {
                    self.title = self.title.take().or_else(|| Some(text.to_owned()));
                    self.composer.heading(1, text);
                }
                Some(level) => self.composer.heading(level, text),
                None if is_item => self.composer.item(text),
                None => self.composer.paragraph(text),
            }
        }
        self.write_asides();
    }

    fn write_asides(&mut self) {
        for aside in std::mem::take(&mut self.asides) {
            self.composer.paragraph(&aside);
        }
    }

    fn end_cell(&mut self) {
        if self.group.destination == Destination::Body {
            let cell = std::mem::take(&mut self.text);
            self.row.cell(&cell);
            self.is_item = false;
        }
    }

    fn end_row(&mut self) {
        if let Some(row) = self.row.take() {
            self.composer.break_line();
            self.composer.push(&row);
            self.composer.break_line();
        }
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> Extracted {
        self.decode();
        // Groups that nobody closed end here.
        while !self.outer.is_empty() {
            self.deeper = 0;
            self.close();
        }
        self.group.in_table = false;
        self.end_paragraph();
        let metadata = self.composer.metadata();
        metadata.title = metadata.title.take().or(self.title);
        self.composer.title_from_outline();
        self.composer.finish()
    }
}

fn date([year, month, day]: [i16; 3]) -> Option<jiff::Timestamp> {
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
