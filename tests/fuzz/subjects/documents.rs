//! Documents: whatever the bytes, what comes out is what extraction may produce.

use std::io::{Cursor, Write};

use adit::documents::frame::Answer;
use adit::documents::{ExtractLimits, Format, extract};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Text that is taken of one document, in bytes.
const MAX_TEXT: usize = 1 << 16;
/// And of one that is cut short, at most.
const CUT: usize = 97;

/// Reads a document, whole and cut short.
pub(super) fn read(format: Format, bytes: &[u8]) {
    for max_text in [MAX_TEXT, 1 + bytes.len() % CUT] {
        // Telling languages apart is not ours, and takes most of the time.
        let limits = ExtractLimits { max_text, languages: vec!["eng".to_owned()] };
        let Ok(extracted) = extract(format, bytes, &limits) else { continue };
        assert!(extracted.is_sound(max_text), "what came out is not sound: {extracted:?}");
        assert!(extracted.outline.is_sorted_by_key(|entry| entry.offset), "an outline is in order: {extracted:?}");
        let said = serde_json::to_vec(&Answer::Extracted(Box::new(extracted.clone()))).expect("it can be said");
        match serde_json::from_slice(&said) {
            Ok(Answer::Extracted(heard)) => assert_eq!(*heard, extracted, "what a worker says is what is heard"),
            other => panic!("what a worker says is not heard: {other:?}"),
        }
    }
}

/// A package of this part, and of what leads to it.
pub(super) fn package(part: &str, bytes: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let others: [(&str, &str); 6] = [
        (
            "word/document.xml",
            "<w:document><w:body><w:p><w:pPr><w:pStyle w:val='H'/></w:pPr><w:r><w:t>a</w:t></w:r></w:p></w:body></w:document>",
        ),
        ("ppt/presentation.xml", "<p:presentation><p:sldIdLst><p:sldId r:id='r1'/></p:sldIdLst></p:presentation>"),
        ("ppt/_rels/presentation.xml.rels", "<R><Relationship Id='r1' Type='x/slide' Target='slides/slide1.xml'/></R>"),
        (
            "book.opf",
            "<package><manifest><item id='a' href='a.xhtml'/></manifest><spine><itemref idref='a'/></spine></package>",
        ),
        ("a.xhtml", "<p>text"),
        ("n.xhtml", "<nav epub:type='toc'><ol><li><a href='a.xhtml#a'>One</a></li></ol></nav>"),
    ];
    for (name, content) in others.into_iter().filter(|(name, _)| *name != part) {
        writer.start_file(name, stored).expect("the names are ours");
        writer.write_all(content.as_bytes()).expect("memory takes it");
    }
    writer.start_file(part, stored).expect("the names are ours");
    writer.write_all(bytes).expect("memory takes it");
    writer.finish().expect("memory takes it").into_inner()
}
