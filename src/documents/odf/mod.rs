//! OpenDocument (ISO/IEC 26300): texts, presentations and spreadsheets, packed or flat; slides and sheets are parts by number.

mod content;
mod meta;
mod table;

use self::content::Content;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal};
use super::package::{Events, Package, attribute};
use super::{Extracted, Format};
use quick_xml::events::Event;

/// Elements in which the text of a document stands, and those of its headers and footers in `styles.xml`.
const BODY: &[&str] = &["body"];
const MARGINS: &[&str] = &["header", "header-first", "header-left", "footer", "footer-first", "footer-left"];

/// `format` is one of the three OpenDocument formats.
pub(super) fn extract(format: Format, bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut content = Content::new(Composer::new(limits.max_text), format);
    let mut composer = if bytes.starts_with(b"PK") {
        let mut package = Package::open(bytes)?;
        if is_encrypted(&mut package)? {
            return Err(Refusal::Encrypted);
        }
        if package.read("content.xml", |events| content.read(events, BODY))?.is_none() {
            return Err(Refusal::Damaged("it has no content.xml".into()));
        }
        if format == Format::Odt {
            package.read_if_sound("styles.xml", |events| content.read(events, MARGINS))?;
        }
        let mut composer = content.finish();
        package.read_if_sound("meta.xml", |events| meta::read(events, composer.metadata()))?;
        composer
    } else {
        content.read(&mut Events::new(&mut &*bytes), BODY)?;
        let mut composer = content.finish();
        meta::read(&mut Events::new(&mut &*bytes), composer.metadata())?;
        composer
    };
    // The name of a sheet is no title of the whole.
    if format != Format::Ods {
        composer.title_from_outline();
    }
    Ok(composer.finish())
}

fn is_encrypted(package: &mut Package<'_>) -> Result<bool, Refusal> {
    let mut encrypted = false;
    package.read_if_sound("META-INF/manifest.xml", |events| {
        let mut of_content = false;
        events.each(|event| match event {
            Event::Start(tag) if tag.local_name().as_ref() == "file-entry" => {
                let path = attribute(tag, "full-path");
                of_content = path.is_some_and(|path| matches!(path.as_str(), "content.xml" | "encrypted-package"));
            }
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "encryption-data" => {
                encrypted |= of_content;
            }
            _ => {}
        })
    })?;
    Ok(encrypted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::package::tests::package;

    const STYLES: &str = "<office:automatic-styles><style:style style:name='P1' style:parent-style-name='Title'/></office:automatic-styles>";

    fn content(body: &str) -> String {
        format!("<office:document-content>{STYLES}<office:body>{body}</office:body></office:document-content>")
    }

    fn read(format: Format, parts: &[(&str, &str)]) -> Result<Extracted, Refusal> {
        extract(format, &package(parts), &ExtractLimits::default())
    }

    #[test]
    fn notes_and_frames_stand_behind_the_paragraph_that_they_stand_in() {
        let body = "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:p text:style-name='P1'>Bees</text:p>\
            <text:h text:outline-level='2'>Hive</text:h><text:p>one\n  <text:note><text:note-citation>1</text:note-citation><text:note-body>\
            <text:p>a note</text:p></text:note-body></text:note>two<text:s/> &amp; three<office:annotation><dc:creator>Ada</dc:creator>\
            <text:p>why?</text:p></office:annotation><draw:frame><draw:text-box><text:p>in a box</text:p></draw:text-box></draw:frame></text:p>\
            <table:table><table:table-row><table:table-cell><text:p>a</text:p><text:p>b</text:p></table:table-cell><table:table-cell>\
            <table:table><table:table-row><table:table-cell><text:p>inner</text:p></table:table-cell></table:table-row></table:table>\
            </table:table-cell></table:table-row></table:table>";
        let margins = "<style:master-page><style:footer><text:p>page foot</text:p></style:footer></style:master-page>";
        let text = read(Format::Odt, &[("content.xml", &content(body)), ("styles.xml", margins)]).unwrap();
        assert_eq!(
            text.text,
            "Bees\n\nHive\n\none two & three\n\na note\n\nwhy?\n\nin a box\n\na b | inner\n\npage foot"
        );
        let outline: Vec<_> = text.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!((outline, text.title.as_deref()), (vec![(1, "Bees"), (2, "Hive")], Some("Bees")));
    }

    #[test]
    fn a_flat_document_is_read_as_a_packed_one() {
        let meta =
            "<office:meta><dc:title>Flat</dc:title><meta:initial-creator>Ada</meta:initial-creator></office:meta>";
        let flat = format!(
            "<?xml version='1.0'?><office:document>{meta}<office:body><text:p>words</text:p></office:body></office:document>"
        );
        let text = extract(Format::Odt, flat.as_bytes(), &ExtractLimits::default()).unwrap();
        assert_eq!(
            (text.text.as_str(), text.title.as_deref(), text.author.as_deref()),
            ("words", Some("Flat"), Some("Ada"))
        );
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let manifest =
            "<manifest:file-entry manifest:full-path='content.xml'><manifest:encryption-data/></manifest:file-entry>";
        let encrypted = [("content.xml", "\u{1}garbage"), ("META-INF/manifest.xml", manifest)];
        assert_eq!(read(Format::Odt, &encrypted), Err(Refusal::Encrypted));
        assert!(matches!(read(Format::Odp, &[("other.xml", "<a/>")]), Err(Refusal::Damaged(_))));
        let half = content("<text:p>kept</text:p>").replace("</office:body></office:document-content>", "<text:p x='");
        assert_eq!(read(Format::Odt, &[("content.xml", &half)]).unwrap().text, "kept");
    }
}
