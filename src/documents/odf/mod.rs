//! OpenDocument (ISO/IEC 26300): texts, presentations and spreadsheets, packed or flat; slides and sheets are parts by number.

mod content;
mod meta;

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
