//! One document's bytes in, its text and structure out, or the reason why not. Runs in a worker: whatever the parsers do here
//! costs that process at most.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::compose::Composer;
use super::encoding::decode;
use super::{
    Extracted, Format, csv, docx, email, epub, html, language, markdown, notebook, odf, org, pdf, pptx, rst, rtf, xlsx,
};

/// What extraction may produce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractLimits {
    /// Text kept of one document, in bytes.
    pub max_text: usize,
    /// Languages to choose between, as ISO 639-3; empty: all that are known.
    pub languages: Vec<String>,
}

impl Default for ExtractLimits {
    fn default() -> Self {
        ExtractLimits { max_text: 20 << 20, languages: Vec::new() }
    }
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// A password would be needed.
    #[error("encrypted: a password would be needed")]
    Encrypted,
    /// Pictures of pages.
    #[error("a scan: none of its {pages} pages holds text")]
    Scan {
        /// How many.
        pages: u32,
    },
    /// It breaks the rules of its format.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It would fill the memory.
    #[error("a part of it unpacks to more than {limit} bytes")]
    Inflates {
        /// The bound in bytes.
        limit: u64,
    },
    /// The parser gave up in a way it should not.
    #[error("the parser failed: {0}")]
    Panic(String),
}

/// Extracts a document of a known format.
pub fn extract(format: Format, bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    extract_at(format, bytes, limits, 0)
}

/// Extracts a document that is attached to so many others, one in another.
pub(super) fn extract_at(
    format: Format,
    bytes: &[u8],
    limits: &ExtractLimits,
    depth: usize,
) -> Result<Extracted, Refusal> {
    let mut extracted = match format {
        Format::Markdown => markdown::extract(bytes, limits),
        Format::Rst => rst::extract(bytes, limits),
        Format::Html => html::extract(bytes, limits),
        Format::Pdf => pdf::extract(bytes, limits),
        Format::Docx => docx::extract(bytes, limits),
        Format::Org => org::extract(bytes, limits),
        Format::Csv => csv::extract(bytes, limits),
        Format::Notebook => notebook::extract(bytes, limits),
        Format::Epub => epub::extract(bytes, limits),
        Format::Odt | Format::Odp | Format::Ods => odf::extract(format, bytes, limits),
        Format::Pptx => pptx::extract(bytes, limits),
        Format::Xlsx => xlsx::extract(bytes, limits),
        Format::Xml => Ok(Composer::source(decode(bytes, xml_encoding(bytes)), limits.max_text).finish()),
        Format::Text | Format::Code | Format::Json | Format::Yaml => {
            Ok(Composer::source(decode(bytes, None), limits.max_text).finish())
        }
        Format::Rtf => rtf::extract(bytes, limits),
        Format::Email => email::extract(bytes, limits, depth),
        Format::Mbox => email::extract_mailbox(bytes, limits, depth),
    }?;
    if !matches!(
        format,
        Format::Code | Format::Json | Format::Yaml | Format::Csv | Format::Xml | Format::Xlsx | Format::Ods
    ) {
        extracted.language = extracted.language.take().or_else(|| language::detect(&extracted.text, &limits.languages));
    }
    Ok(extracted)
}

/// What an XML declaration says of the encoding.
fn xml_encoding(bytes: &[u8]) -> Option<&str> {
    const DECLARATION_BYTES: usize = 200;
    let head = &bytes[..bytes.len().min(DECLARATION_BYTES)];
    let head = std::str::from_utf8(&head[..head.iter().position(|byte| *byte == b'>')?]).ok()?;
    let value = head.trim_start().strip_prefix("<?xml")?.split_once("encoding")?.1.trim_start().strip_prefix('=')?;
    value.trim_start().split(['"', '\'']).nth(1)
}

/// A date or time as documents write them: RFC 3339, or a plain date, which is taken for midnight UTC.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let civil = match text.parse::<jiff::civil::DateTime>() {
        Ok(civil) => civil,
        Err(_) => text.get(..10)?.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0),
    };
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_keep_their_lines() {
        let source = "fn main() {\r\n    let größe = 1;\r\n}\r\n";
        for format in [Format::Code, Format::Text, Format::Json, Format::Yaml, Format::Xml] {
            let extracted = extract(format, source.as_bytes(), &ExtractLimits::default()).unwrap();
            assert_eq!(extracted.text, source.replace('\r', ""));
            assert_eq!(extracted.passages[0].place.line, Some(1));
            assert_eq!(extracted.title, None);
        }
    }

    #[test]
    fn xml_is_read_in_the_encoding_that_it_names() {
        let bytes = b"<?xml version=\"1.0\" encoding='ISO-8859-2'?><p>\xb9</p>";
        assert!(extract(Format::Xml, bytes, &ExtractLimits::default()).unwrap().text.contains('š'));
    }

    #[test]
    fn dates_are_read_as_documents_write_them() {
        for (text, expected) in [
            ("2024-03-01T10:00:00Z", Some("2024-03-01T10:00:00Z")),
            ("2024-03-01T10:00:00+02:00", Some("2024-03-01T08:00:00Z")),
            ("2024-03-01T10:00:00", Some("2024-03-01T10:00:00Z")),
            ("2024-03-01", Some("2024-03-01T00:00:00Z")),
            ("2024-03-01 (spring)", Some("2024-03-01T00:00:00Z")),
            ("last year", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text).map(|date| date.to_string()).as_deref(), expected, "{text}");
        }
    }
}
