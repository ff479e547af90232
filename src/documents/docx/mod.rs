//! DOCX (ECMA-376): paragraphs, tables and notes of a Word document; headings by their style or outline level.

mod body;
mod styles;

use self::body::Body;
use self::styles::read_styles;
use super::Extracted;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal};
use super::package::{Package, Relations, join, read_app, read_core};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut package = Package::open(bytes)?;
    let main = Relations::of(&mut package, "")?.of_kind("officeDocument").next().map(str::to_owned);
    let main = main.unwrap_or_else(|| "word/document.xml".to_owned());
    let styles = package.read(&join(&main, "styles.xml"), read_styles)?.unwrap_or_default();
    let mut body = Body::new(Composer::new(limits.max_text), styles);
    if package.read(&main, |events| body.read(events))?.is_none() {
        return Err(Refusal::Damaged(format!("it has no {main}")));
    }
    for name in further_parts(&package, &main) {
        body.composer.break_paragraph();
        package.read(&name, |events| body.read(events))?;
    }
    let mut composer = body.composer;
    let metadata = composer.metadata();
    read_core(&mut package, metadata)?;
    metadata.pages = read_app(&mut package, "Pages")?;
    metadata.title = metadata.title.take().or(body.title);
    composer.title_from_outline();
    Ok(composer.finish())
}

/// Notes, comments, headers and footers: read after the body, each once.
fn further_parts(package: &Package<'_>, main: &str) -> Vec<String> {
    const KINDS: [&str; 5] = ["footnotes", "endnotes", "comments", "header", "footer"];
    const MOST: usize = 64;
    let folder = join(main, "");
    let kind = |name: &str| {
        let file = name.strip_prefix(&folder)?.trim_start_matches('/');
        let stem = file.strip_suffix(".xml")?.trim_end_matches(|c: char| c.is_ascii_digit());
        KINDS.iter().position(|kind| *kind == stem)
    };
    let mut names: Vec<(usize, String)> =
        package.names().into_iter().filter_map(|name| Some((kind(&name)?, name))).collect();
    names.sort();
    names.truncate(MOST);
    names.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::package::tests::package;
    use crate::limits::UNPACKED_BYTES;

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
