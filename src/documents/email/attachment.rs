//! What is attached to a message: each read as the document that it is, below a heading with its name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::write_message;
use crate::documents::compose::{Composer, tidy};
use crate::documents::extract::{ExtractLimits, Refusal, extract_at};
use crate::documents::format::{HEAD_BYTES, Kind, detect};
use crate::documents::{Extracted, Place};
use crate::limits::{ATTACHMENT_BYTES, ATTACHMENT_DEPTH, ATTACHMENTS};

/// What may still be read of all that is attached in one file.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    attachments: usize,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { bytes: ATTACHMENT_BYTES, attachments: ATTACHMENTS }
    }

    /// Whether there is room for one more of this size.
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.attachments > 0 && bytes <= self.bytes;
        if fits {
            self.attachments -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

/// Writes what is attached to a message below headings of this level.
pub(super) fn write_attachments(
    message: &Message<'_>,
    level: u8,
    depth: usize,
    limits: &ExtractLimits,
    budget: &mut Budget,
    composer: &mut Composer,
) {
    for part in message.attachments() {
        if composer.is_full() {
            return;
        }
        if let PartType::Message(inner) = &part.body {
            let readable = depth < ATTACHMENT_DEPTH && budget.take(0);
            match readable {
                true => write_message(inner, level, depth + 1, limits, budget, composer),
                false => {
                    name(inner.subject().unwrap_or("message"), Some("not read: too many in one another"), composer)
                }
            }
            continue;
        }
        write_attachment(part, level, depth, limits, budget, composer);
    }
}

fn write_attachment(
    part: &MessagePart<'_>,
    level: u8,
    depth: usize,
    limits: &ExtractLimits,
    budget: &mut Budget,
    composer: &mut Composer,
) {
    let bytes = part.contents();
    let called = part.attachment_name().and_then(tidy);
    let title = called.as_deref().unwrap_or("attachment");
    let format = match detect(called.as_deref().unwrap_or_default(), &bytes[..bytes.len().min(HEAD_BYTES)]) {
        Kind::Document(format) => format,
        Kind::Refused(reason) => return name(title, Some(reason), composer),
        // A picture without a name is a part of the letter's dress.
        Kind::NoDocument if called.is_none() => return,
        Kind::NoDocument => return name(title, None, composer),
    };
    if depth >= ATTACHMENT_DEPTH || !budget.take(bytes.len()) {
        return name(title, Some("not read: too much is attached"), composer);
    }
    // A parser that gives up must not cost the letter.
    let outcome = catch_unwind(AssertUnwindSafe(|| extract_at(format, bytes, limits, depth + 1)));
    match outcome.unwrap_or_else(|_| Err(Refusal::Panic(String::new()))) {
        Ok(document) => write_document(title, &document, level, composer),
        Err(refusal) => {
            if let Refusal::Scan { pages } = refusal {
                composer.metadata().empty_pages += pages;
            }
            name(title, Some(&refusal.to_string()), composer);
        }
    }
}

/// An attachment that is named alone, with the reason why.
fn name(title: &str, reason: Option<&str>, composer: &mut Composer) {
    match reason {
        Some(reason) => composer.paragraph(&format!("Attachment: {title} ({reason})")),
        None => composer.paragraph(&format!("Attachment: {title}")),
    }
}

/// The text of an attachment, with its places below its name.
fn write_document(title: &str, document: &Extracted, level: u8, composer: &mut Composer) {
    composer.chapter(level, title);
    name(title, None, composer);
    let start = composer.begin();
    composer.push(&document.text);
    let mut last = None;
    for passage in &document.passages {
        let label = label(title, &passage.place);
        if last.as_ref() != Some(&label) {
            composer.place(&label, start + passage.start);
            last = Some(label);
        }
    }
    for entry in &document.outline {
        composer.mark_outline(level.saturating_add(entry.level), &entry.title, None, start + entry.offset);
    }
    composer.metadata().empty_pages += document.empty_pages;
    composer.break_paragraph();
}

fn label(title: &str, place: &Place) -> String {
    let page = place.page.map(|page| format!(", page {page}")).unwrap_or_default();
    let heading = place.heading.as_ref().map(|heading| format!(" › {heading}")).unwrap_or_default();
    format!("{title}{page}{heading}")
}
