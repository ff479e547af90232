//! PDF: page by page, so that every passage knows its page; bookmarks, or else what looks like headings, are the outline.

mod bookmarks;

use std::ops::ControlFlow;

use jiff::Timestamp;
use unpdf::{Block, ErrorMode, Page, PageSelection, PageStreamOptions, ParseEvent, ParseOptions, PdfParser};

use self::bookmarks::{Bookmarks, Sighting};
use super::Extracted;
use super::compose::{Composer, tidy};
use super::content::pdf_start;
use super::extract::{ExtractLimits, Refusal};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let parser = open(bytes)?;
    let mut reading = Reading { composer: Composer::new(limits.max_text), bookmarks: Bookmarks::default(), lost: 0 };
    let outcome = parser.for_each_page(page_options(), |event| reading.take(event));
    reading.finish(outcome.err())
}

/// Opens a PDF. Offsets in it count from its header, but some writers count junk before it too: both are tried.
fn open(bytes: &[u8]) -> Result<PdfParser, Refusal> {
    let start = pdf_start(bytes).ok_or_else(|| Refusal::Damaged("there is no PDF header".into()))?;
    let options = || ParseOptions::new().with_parallel(false);
    let from_header = PdfParser::from_bytes_with_options(&bytes[start..], options());
    let parser = match from_header {
        Err(_) if start > 0 => PdfParser::from_bytes_with_options(bytes, options()),
        other => other,
    };
    parser.map_err(refusal)
}

fn refusal(error: unpdf::Error) -> Refusal {
    match error {
        unpdf::Error::Encrypted | unpdf::Error::InvalidPassword => Refusal::Encrypted,
        other => Refusal::Damaged(tidy(&other.to_string()).unwrap_or_default()),
    }
}

/// One page after the other on this thread: the pool of workers is the parallelism.
fn page_options() -> PageStreamOptions {
    PageStreamOptions {
        error_mode: ErrorMode::Lenient,
        extract_text: true,
        extract_resources: false,
        min_image_dimension: 0,
        pages: PageSelection::All,
        password: None,
        parallel: false,
        suppress_low_confidence_ocr: true,
        window_size: 1,
        emit_progress_every: u32::MAX,
    }
}

struct Reading {
    composer: Composer,
    bookmarks: Bookmarks,
    /// Pages that could not be read.
    lost: u32,
}

impl Reading {
    fn take(&mut self, event: ParseEvent) -> ControlFlow<()> {
        match event {
            ParseEvent::DocumentStart { metadata, page_count, outline, .. } => {
                self.bookmarks = Bookmarks::new(&outline.unwrap_or_default().items);
                let into = self.composer.metadata();
                into.pages = Some(page_count);
                into.title = metadata.title.as_deref().and_then(real_title);
                into.author = metadata.author;
                into.created = metadata.created.and_then(|time| Timestamp::from_second(time.timestamp()).ok());
            }
            ParseEvent::PageParsed(page) => self.page(&page),
            ParseEvent::PageFailed { page, .. } => {
                self.lost += 1;
                self.composer.page(page);
            }
            _ => {}
        }
        match self.composer.is_full() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn page(&mut self, page: &Page) {
        self.composer.page(page.number);
        let start = self.composer.text().len();
        for block in &page.elements {
            self.block(block, page.number);
            self.composer.break_paragraph();
        }
        if self.composer.text()[start..].trim().is_empty() && !self.composer.is_full() {
            self.composer.empty_page(page.number);
        }
    }

    /// Where a document has bookmarks, they alone are headings: what a large font says is a guess.
    fn block(&mut self, block: &Block, page: u32) {
        let mut text = String::new();
        block.append_plain_text(&mut text);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let level = match block {
            Block::Paragraph(paragraph) => paragraph.heading_level(),
            _ => None,
        };
        let start = self.composer.begin();
        self.composer.push(text);
        let end = self.composer.text().len();
        match level {
            Some(level) if self.bookmarks.is_empty() => {
                self.composer.mark_heading(level, text, Some(page), start, end);
            }
            _ => self.bookmarks.see(text, Sighting { start, end, page, is_heading: level.is_some() }),
        }
    }

    fn finish(mut self, error: Option<unpdf::Error>) -> Result<Extracted, Refusal> {
        let has_text = !self.composer.text().trim().is_empty();
        let pages = self.composer.metadata().pages.unwrap_or(0);
        if !has_text {
            return Err(match error {
                Some(error) => refusal(error),
                None if pages == 0 => Refusal::Damaged("it has no pages".into()),
                None if self.lost > 0 => Refusal::Damaged(format!("{} of {pages} pages cannot be read", self.lost)),
                None => Refusal::Scan { pages },
            });
        }
        self.bookmarks.settle(&mut self.composer);
        let mut extracted = self.composer.finish();
        if extracted.title.is_none() {
            extracted.title = extracted.outline.iter().find(|entry| entry.level == 1).map(|entry| entry.title.clone());
        }
        Ok(extracted)
    }
}

/// A title that a person gave, not the name of a file or of a program.
fn real_title(title: &str) -> Option<String> {
    let title = tidy(title)?;
    let title = title.strip_prefix("Microsoft Word - ").unwrap_or(&title);
    let lower = title.to_lowercase();
    let is_file = [".doc", ".docx", ".indd", ".qxd", ".tex", ".dvi", ".pdf", ".odt", ".rtf", ".ps"]
        .iter()
        .any(|extension| lower.ends_with(extension));
    let is_default = lower.starts_with("untitled") || matches!(lower.as_str(), "title" | "document" | "slide 1");
    (!is_file && !is_default && title.chars().any(char::is_alphabetic)).then(|| title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_no_title() {
        for (title, expected) in [
            ("Heat pump manual", Some("Heat pump manual")),
            ("Microsoft Word - Offer for Ada", Some("Offer for Ada")),
            ("Microsoft Word - offer.doc", None),
            ("untitled-3", None),
            (" ", None),
            ("2024-01-02", None),
        ] {
            assert_eq!(real_title(title).as_deref(), expected, "{title}");
        }
    }
}
