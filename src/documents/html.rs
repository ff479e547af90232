//! HTML: what a reader of the page would read, block by block; `<h1>` to `<h6>` are the outline.

use std::collections::HashMap;

use html5gum::{DefaultEmitter, StartTag, State, Token, Tokenizer};

use super::Extracted;
use super::compose::{Composer, tidy};
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal, parse_date};
use super::language::iso_639_3;

/// How far into a page its encoding is declared, in bytes (HTML standard, "prescan a byte stream").
const DECLARATION_BYTES: usize = 4096;

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut composer = Composer::new(limits.max_text);
    let head = read(&decode_page(bytes), &mut composer, Chapters::default());
    let metadata = composer.metadata();
    (metadata.title, metadata.author) = (tidy(&head.title), head.author);
    (metadata.created, metadata.language) = (head.created, head.language);
    composer.title_from_outline();
    Ok(composer.finish())
}

/// The source of a page, in the encoding that it names.
pub(super) fn decode_page(bytes: &[u8]) -> String {
    decode(bytes, declared_encoding(bytes).as_deref())
}

/// Adds what a reader of a page would read.
pub(super) fn read(source: &str, composer: &mut Composer, chapters: Chapters) -> Head {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page::new(composer, chapters);
    let mut tokens = Tokenizer::new_with_emitter(source, emitter);
    while let Some(Ok(token)) = tokens.next() {
        match token {
            Token::StartTag(tag) => {
                page.open(&tag);
                // XHTML may close `<title/>` or `<script/>` at once; HTML would take all that follows for its content.
                if tag.self_closing {
                    tokens.set_state(State::Data);
                }
            }
            Token::EndTag(tag) => page.close(&tag.name),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text.value)),
            _ => {}
        }
        if page.composer.is_full() {
            break;
        }
    }
    page.end_paragraph();
    page.head
}

/// What a page says of itself.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) title: String,
    pub(super) author: Option<String>,
    pub(super) created: Option<jiff::Timestamp>,
    pub(super) language: Option<String>,
}

/// What a book says of a page: the chapters that begin on it.
#[derive(Debug, Default)]
pub(super) struct Chapters {
    /// Level of the chapter that the page stands in: its own headings are below. 0: it is the whole document.
    pub(super) level: u8,
    /// Title of that chapter, so that its heading is not taken for another.
    pub(super) title: String,
    /// Those that begin where an element has this id, with their levels.
    pub(super) by_id: HashMap<String, (u8, String)>,
}

#[derive(Debug)]
struct Page<'a> {
    composer: &'a mut Composer,
    chapters: Chapters,
    head: Head,
    /// Words of the line being read, white space collapsed.
    line: String,
    heading: Option<u8>,
    /// Whether white space stands as it is: depth of `<pre>`.
    pre: usize,
    /// Inside something that is not read: its name, and how many of that name are open.
    skipping: Option<(String, usize)>,
    in_title: bool,
    first_cell: bool,
}

impl Page<'_> {
    fn new(composer: &mut Composer, chapters: Chapters) -> Page<'_> {
        Page {
            composer,
            chapters,
            head: Head::default(),
            line: String::new(),
            heading: None,
            pre: 0,
            skipping: None,
            in_title: false,
            first_cell: true,
        }
    }

    fn open(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name);
        if let Some((skipped, depth)) = &mut self.skipping {
            *depth += usize::from(*skipped == name && !tag.self_closing);
            return;
        }
        self.begin_chapter(tag);
        match &*name {
            "script" | "style" | "template" | "svg" | "iframe" | "object" | "noframes" => {
                if !tag.self_closing {
                    self.skipping = Some((name.into_owned(), 1));
                }
            }
            "title" => self.in_title = self.head.title.is_empty() && !tag.self_closing,
            "html" => {
                self.head.language = attribute(tag, "lang").and_then(|lang| iso_639_3(&lang));
            }
            "meta" => self.meta(tag),
            "br" => self.end_line(),
            "img" => {
                if let Some(words) = attribute(tag, "alt") {
                    self.text(&words);
                }
            }
            "td" | "th" => {
                if !std::mem::take(&mut self.first_cell) {
                    self.line.push_str(" | ");
                }
            }
            "tr" => {
                self.end_line();
                self.first_cell = true;
            }
            "li" | "dt" | "dd" | "option" => {
                self.end_line();
                if name == "li" {
                    self.line.push_str("- ");
                }
            }
            "pre" | "textarea" if !tag.self_closing => {
                self.end_paragraph();
                self.pre += 1;
            }
            name => match heading_level(name) {
                Some(level) => {
                    self.end_paragraph();
                    self.heading = Some(level);
                }
                None if is_block(name) => self.end_paragraph(),
                None => {}
            },
        }
    }

    fn close(&mut self, name: &[u8]) {
        let name = String::from_utf8_lossy(name);
        if let Some((skipped, depth)) = &mut self.skipping {
            *depth -= usize::from(*skipped == name);
            if *depth == 0 {
                self.skipping = None;
            }
            return;
        }
        match &*name {
            "title" => self.in_title = false,
            "tr" | "li" | "dt" | "dd" | "option" => self.end_line(),
            "pre" | "textarea" => {
                self.end_paragraph();
                self.pre = self.pre.saturating_sub(1);
            }
            name if is_block(name) || heading_level(name).is_some() => self.end_paragraph(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipping.is_some() {
        } else if self.in_title {
            self.head.title.push_str(text);
        } else if self.pre > 0 && self.heading.is_none() {
            self.composer.push(text);
        } else {
            for piece in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
                let word = piece.trim_ascii();
                self.line.push_str(word);
                if word.len() < piece.len() && !self.line.is_empty() && !self.line.ends_with(' ') {
                    self.line.push(' ');
                }
            }
        }
    }

    fn meta(&mut self, tag: &StartTag<()>) {
        let name = attribute(tag, "name").or_else(|| attribute(tag, "property")).unwrap_or_default();
        let Some(content) = attribute(tag, "content") else { return };
        let metadata = &mut self.head;
        match name.to_ascii_lowercase().as_str() {
            "author" | "article:author" | "dc.creator" => metadata.author = metadata.author.take().or(Some(content)),
            "date" | "article:published_time" | "dc.date" | "dcterms.created" => {
                metadata.created = metadata.created.or_else(|| parse_date(&content));
            }
            _ => {}
        }
    }

    fn end_line(&mut self) {
        if self.heading.is_some() {
            self.line.push(' ');
            return;
        }
        self.flush();
        self.composer.break_line();
    }

    fn end_paragraph(&mut self) {
        match self.heading.take() {
            Some(level) => {
                let title = std::mem::take(&mut self.line);
                self.end_heading(level, &title);
            }
            None => self.flush(),
        }
        self.composer.break_paragraph();
    }

    fn flush(&mut self) {
        let line = self.line.trim();
        if line != "-" && line != "|" {
            self.composer.push(line);
        }
        self.line.clear();
    }

    /// A chapter of a book that begins in the middle of a page.
    fn begin_chapter(&mut self, tag: &StartTag<()>) {
        if self.chapters.by_id.is_empty() {
            return;
        }
        let Some(id) = attribute(tag, "id").or_else(|| attribute(tag, "name")) else { return };
        if let Some((level, title)) = self.chapters.by_id.remove(&id) {
            self.end_paragraph();
            self.composer.chapter(level, &title);
            (self.chapters.level, self.chapters.title) = (level, title);
        }
    }

    fn end_heading(&mut self, level: u8, title: &str) {
        let is_chapter = tidy(title).is_some_and(|title| Some(title) == tidy(&self.chapters.title));
        match is_chapter && self.chapters.level > 0 {
            true => self.composer.paragraph(title.trim()),
            false => self.composer.heading(level.saturating_add(self.chapters.level), title),
        }
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    let value = String::from_utf8_lossy(&value.value).trim().to_owned();
    (!value.is_empty()).then_some(value)
}

fn heading_level(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "section"
            | "article"
            | "header"
            | "footer"
            | "main"
            | "nav"
            | "aside"
            | "ul"
            | "ol"
            | "dl"
            | "table"
            | "thead"
            | "tbody"
            | "tfoot"
            | "caption"
            | "figure"
            | "figcaption"
            | "blockquote"
            | "address"
            | "form"
            | "fieldset"
            | "legend"
            | "details"
            | "summary"
            | "hr"
            | "body"
            | "center"
            | "select"
    )
}

/// The encoding that a page names, as `<meta charset="…">` or in `<meta http-equiv … content="…; charset=…">`.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES)]).to_ascii_lowercase();
    let start = head.find("charset")? + "charset".len();
    let value = head[start..].trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')))?;
    Some(value[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Extracted {
        extract(source.as_bytes(), &ExtractLimits::default()).unwrap()
    }

    #[test]
    fn a_page_is_read_as_it_looks() {
        let page = read(
            "<!doctype html><html lang=de-AT><head><title>Kompost &amp; Co</title><meta name=author content=Ada>\
             <style>p { color: red }</style></head><body><h1>Der\n <em>Kompost</em></h1><p>Erste  Zeile<br>zweite \
             &Uuml;ber</p><script>alert('<p>no</p>')</script><ul><li>eins<li>zwei</ul><h2>Tabelle</h2><table><tr><th>A\
             <th>B<tr><td>1<td>2</table><pre>  x\n    y</pre><svg><text>no</text></svg>Ende</body></html>",
        );
        assert_eq!(
            page.text,
            "Der Kompost\n\nErste Zeile\nzweite Über\n\n- eins\n- zwei\n\nTabelle\n\nA | B\n1 | 2\n\n  x\n    y\n\nEnde"
        );
        assert_eq!(page.title.as_deref(), Some("Kompost & Co"));
        assert_eq!(page.author.as_deref(), Some("Ada"));
        assert_eq!(page.language.as_deref(), Some("deu"));
        let headings: Vec<_> = page.passages.iter().map(|p| p.place.heading.as_deref()).collect();
        assert_eq!(headings, [Some("Der Kompost"), Some("Tabelle")]);
        assert_eq!(page.passages[0].place.line, None);
    }

    #[test]
    fn words_joined_by_markup_stay_joined_and_others_apart() {
        assert_eq!(read("<p>un<b>believ</b>able <i>thing</i></p><p>next</p>").text, "unbelievable thing\n\nnext");
        assert_eq!(read("a<span> </span>b").text, "a b");
    }

    #[test]
    fn elements_that_xhtml_closes_at_once_swallow_nothing() {
        let page = read(
            "<?xml version='1.0'?><html><head><title/><script src='x'/><style/></head><body><p>text<a id='b'/></p><br/>more",
        );
        assert_eq!(page.text, "text\n\nmore");
    }

    #[test]
    fn the_encoding_is_the_declared_one() {
        let bytes =
            b"<meta http-equiv=content-type content='text/html; charset=windows-1251'><p>\xcf\xf0\xe8\xe2\xe5\xf2";
        assert_eq!(extract(bytes, &ExtractLimits::default()).unwrap().text, "Привет");
    }

    #[test]
    fn unfinished_markup_loses_nothing_else() {
        for (source, expected) in [
            ("<h1>Open heading<p>text", "Open heading\n\ntext"),
            ("</p></div></h1>text", "text"),
            ("<p>text<a href='", "text"),
            ("&lt;&#x41;&#0;&bogus;", "<A\u{fffd}&bogus;"),
            ("", ""),
        ] {
            assert_eq!(read(source).text, expected, "{source}");
        }
    }
}
