//! Documents made by hand: packages, workbooks, PDFs.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

/// A package of these parts.
pub fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn docx(document: &[u8]) -> Vec<u8> {
    package(&[("word/document.xml", document)])
}

pub fn odf(body: &str) -> Vec<u8> {
    package(&[("content.xml", format!("<office:document-content><office:body>{body}").as_bytes())])
}

/// A workbook with one sheet and these shared strings.
pub fn xlsx(sheet: &str, strings: &str) -> Vec<u8> {
    const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let relations = |kind: &str, target: &str| {
        format!(
            "<Relationships><Relationship Id=\"r1\" Type=\"{RELATION}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let book = format!(
        "<workbook xmlns:r=\"{RELATION}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
    );
    package(&[
        ("_rels/.rels", relations("officeDocument", "xl/workbook.xml").as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations("worksheet", "worksheets/sheet1.xml").as_bytes()),
        ("xl/worksheets/sheet1.xml", format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>").as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
    ])
}

/// A presentation whose slides refer to each other and to themselves in every way that a reader follows.
pub fn pptx_in_circles() -> Vec<u8> {
    let ids: String = (0..50_000).map(|n| format!("<p:sldId r:id=\"r{}\"/>", n % 200)).collect();
    let relations: String = (0..200)
        .map(|n| format!("<Relationship Id=\"r{n}\" Type=\"x/slide\" Target=\"slides/slide{}.xml\"/>", n % 20))
        .collect();
    let circle: String = ["notesSlide", "chart", "diagramData", "comments", "slide"]
        .iter()
        .flat_map(|kind| {
            (0..20).map(move |n| format!("<Relationship Id=\"c\" Type=\"x/{kind}\" Target=\"slide{n}.xml\"/>"))
        })
        .collect();
    let mut parts = vec![
        ("ppt/presentation.xml".to_owned(), format!("<p:presentation>{ids}</p:presentation>")),
        ("ppt/_rels/presentation.xml.rels".to_owned(), format!("<R>{relations}</R>")),
    ];
    for n in 0..20 {
        parts.push((format!("ppt/slides/slide{n}.xml"), "<p:sld><a:p><a:t>round</a:t></a:p></p:sld>".to_owned()));
        parts.push((format!("ppt/slides/_rels/slide{n}.xml.rels"), format!("<R>{circle}</R>")));
    }
    package(&parts.iter().map(|(name, content)| (name.as_str(), content.as_bytes())).collect::<Vec<_>>())
}

pub fn epub(chapter: &[u8], contents: &str) -> Vec<u8> {
    let book = "<package><manifest><item id=\"a\" href=\"a.xhtml\"/><item id=\"n\" href=\"n.xhtml\" properties=\"nav\"/></manifest>\
                <spine><itemref idref=\"a\"/><itemref idref=\"a\"/><itemref idref=\"n\"/></spine></package>";
    package(&[("book.opf", book.as_bytes()), ("a.xhtml", chapter), ("n.xhtml", contents.as_bytes())])
}

/// A PDF of these objects, the first of which is its catalogue.
pub fn pdf(objects: &[String]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n{object}\nendobj\n", number + 1).bytes());
    }
    let start = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    offsets.iter().for_each(|offset| bytes.extend(format!("{offset:010} 00000 n \n").bytes()));
    bytes
        .extend(format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).bytes());
    bytes
}

pub const CATALOGUE: &str = "<< /Type /Catalog /Pages 2 0 R >>";

pub fn page_with(content: &str) -> Vec<u8> {
    pdf(&[
        CATALOGUE.into(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> \
         /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
            .into(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >> /Length 5 >>\n\
         stream\n/X Do\nendstream"
            .into(),
    ])
}

/// A page whose content unpacks to so many blanks.
pub fn page_with_bomb(bytes: usize) -> Vec<u8> {
    let packed = zlib(&vec![b' '; bytes]);
    let mut document = pdf(&[
        CATALOGUE.into(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>".into(),
        format!("<< /Filter /FlateDecode /Length {} >>\nstream\n@\nendstream", packed.len()),
    ]);
    let at = document.iter().rposition(|byte| *byte == b'@').unwrap();
    document.splice(at..=at, packed);
    document
}

/// Page trees, one in the other.
pub fn deep_pages(depth: usize) -> Vec<u8> {
    let node = |n: usize| format!("<< /Type /Pages /Kids [{} 0 R] /Count 1 /Parent {} 0 R >>", n + 1, n - 1);
    let nodes = (2..depth).map(node);
    let page = format!("<< /Type /Page /MediaBox [0 0 9 9] /Parent {} 0 R >>", depth - 1);
    pdf(&std::iter::once(CATALOGUE.to_owned()).chain(nodes).chain([page]).collect::<Vec<_>>())
}

/// Bookmarks, one below the other.
pub fn deep_bookmarks(depth: usize) -> Vec<u8> {
    let first = [
        "<< /Type /Catalog /Pages 2 0 R /Outlines 3 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [] /Count 0 >>".to_owned(),
        "<< /First 4 0 R /Last 4 0 R >>".to_owned(),
    ];
    let mark = |n: usize| format!("<< /Title (a) /Parent {} 0 R /First {} 0 R /Last {} 0 R >>", n - 1, n + 1, n + 1);
    pdf(&first.into_iter().chain((4..depth).map(mark)).collect::<Vec<_>>())
}

/// A zlib stream: what a zip holds, in another wrapping (RFC 1950).
fn zlib(content: &[u8]) -> Vec<u8> {
    let zip = package(&[("a", content)]);
    let packed = u32::from_le_bytes(zip[18..22].try_into().unwrap()) as usize;
    let begin = 30 + usize::from(zip[26]) + usize::from(u16::from_le_bytes([zip[28], zip[29]]));
    let sums = content.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    [&[0x78, 0x9c], &zip[begin..begin + packed], &(sums.1 << 16 | sums.0).to_be_bytes()[..]].concat()
}
