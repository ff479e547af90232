//! What the first bytes of a file say of it.

use super::Format;
use super::encoding::is_utf16;

/// What the bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Pdf,
    /// A package, and what it says it is.
    Zip(Option<Format>),
    Ole,
    Rtf,
    Html,
    Xml,
    Script,
    Email,
    Mbox,
    Text,
    Binary,
}

/// A PDF's header may stand behind junk, but within the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
const PDF_HEADER_WITHIN: usize = 1024;

/// Where a PDF begins in these bytes, if it is one.
pub(super) fn pdf_start(bytes: &[u8]) -> Option<usize> {
    let window = &bytes[..bytes.len().min(PDF_HEADER_WITHIN + 5)];
    window.windows(5).position(|five| five == b"%PDF-")
}

pub(super) fn content(head: &[u8]) -> Content {
    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Content::Zip(packed(head));
    }
    if head.starts_with(OLE) {
        return Content::Ole;
    }
    if head.starts_with(b"{\\rtf") {
        return Content::Rtf;
    }
    match pdf_start(head) {
        // A text about PDFs quotes the header inside a line; a PDF behind junk is binary.
        Some(start) if start == 0 || is_binary(head) => return Content::Pdf,
        _ => {}
    }
    if begins_mailbox(head) {
        return Content::Mbox;
    }
    if is_binary(head) {
        return Content::Binary;
    }
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let start = start[..start.len().min(64)].to_ascii_lowercase();
    if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") {
        Content::Html
    } else if start.starts_with(b"<?xml") {
        Content::Xml
    } else if start.starts_with(b"#!") {
        Content::Script
    } else if MESSAGE_BEGINS.iter().any(|name| start.starts_with(name)) {
        Content::Email
    } else {
        Content::Text
    }
}

/// What a package says in its first part, uncompressed (ODF 1.3 part 2, §3.3; OCF 3.3, §4.3): a header of 30 bytes, the name, the type.
fn packed(head: &[u8]) -> Option<Format> {
    let kind = head.get(30..)?.strip_prefix(b"mimetype")?;
    let document = |rest: &[u8]| match rest {
        rest if rest.starts_with(b"text") => Some(Format::Odt),
        rest if rest.starts_with(b"presentation") => Some(Format::Odp),
        rest if rest.starts_with(b"spreadsheet") => Some(Format::Ods),
        _ => None,
    };
    match kind.strip_prefix(b"application/vnd.oasis.opendocument.") {
        Some(rest) => document(rest),
        None => kind.starts_with(b"application/epub+zip").then_some(Format::Epub),
    }
}

/// Header fields with which a message in a Maildir begins, where names of files end in nothing known.
const MESSAGE_BEGINS: &[&[u8]] =
    &[b"return-path: ", b"received: ", b"delivered-to: ", b"x-original-to: ", b"message-id: ", b"mime-version: 1"];

/// A mailbox begins with a `From ` line that ends in a year, and a header field below it (RFC 4155).
fn begins_mailbox(head: &[u8]) -> bool {
    const YEAR: std::ops::RangeInclusive<u32> = 1970..=2199;
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let mut words = first.split(|byte| *byte == b' ').filter_map(|word| std::str::from_utf8(word).ok()).skip(1);
    let is_year = |word: &str| word.parse().is_ok_and(|year| YEAR.contains(&year));
    let field = second.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_field = field.len() < second.len() && field.iter().all(|byte| byte.is_ascii_graphic());
    first.starts_with(b"From ") && words.any(is_year) && is_field
}

fn is_binary(head: &[u8]) -> bool {
    if is_utf16(head) {
        return false;
    }
    let control = |byte: &&u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    head.contains(&0) || head.iter().filter(control).count() * 20 > head.len()
}
