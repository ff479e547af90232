//! Where changing begins.

use std::path::Path;

use adit::documents::Format;

use super::{Subject, documents, files, requests, wire};

/// What is changed in many ways: sound bytes of this kind.
pub(super) fn of(subject: Subject, library: &Path) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match subject {
        Subject::Requests => requests::seeds(),
        Subject::Configuration => files::configurations(library),
        Subject::Device => files::devices(),
        Subject::Grant => files::grants(),
        Subject::Datagrams => wire::datagram_seeds(),
        Subject::Packets => wire::packet_seeds(),
        Subject::Segments => wire::segment_seeds(),
        Subject::Operations => wire::operation_seeds(),
        Subject::Query => texts(&[
            "heat pump -filter +valve",
            "\"slow cooker\" | (bread butter) title:\"sour dough\"",
            "word* wrod~ path:house/ type:pdf after:2025-01 before:2026-02-28",
            "-\"a b\" (c | (d | -e)) 検索 naïve title:x* NOT AND OR",
        ]),
        Subject::Document(format) => {
            let mut seeds = Vec::new();
            for folder in ["club", "drafts", "garden", "house", "kitchen", "workshop"] {
                let entries = std::fs::read_dir(library.join(folder)).expect("the sample library is there");
                for entry in entries {
                    let path = entry.expect("it can be listed").path();
                    let bytes = std::fs::read(&path).expect("it can be read");
                    let name = path.file_name().and_then(|name| name.to_str()).expect("its name is ours");
                    if adit::documents::detect(name, &bytes[..bytes.len().min(adit::documents::HEAD_BYTES)])
                        == adit::documents::Kind::Document(format)
                    {
                        seeds.push(bytes);
                    }
                }
            }
            assert!(!seeds.is_empty(), "the library has no {}", format.as_str());
            if matches!(format, Format::Docx | Format::Epub) {
                // A small package, which stays one when little of it is changed.
                seeds.push(documents::package("word/styles.xml", b"<w:styles/>"));
            }
            seeds
        }
        Subject::Part(Format::Docx, "word/styles.xml") => texts(&[
            "<w:styles><w:style w:type='paragraph' w:styleId='H'><w:name w:val='heading 1'/><w:basedOn w:val='H'/>\
                 <w:pPr><w:outlineLvl w:val='0'/></w:pPr></w:style></w:styles>",
        ]),
        Subject::Part(Format::Docx, _) => texts(&[
            "<w:document><w:body><w:p><w:pPr><w:pStyle w:val='H'/></w:pPr><w:r><w:t>Title</w:t></w:r></w:p><w:tbl><w:tr><w:tc>\
                 <w:p><w:r><w:t>a</w:t><w:tab/><w:br/></w:r></w:p></w:tc></w:tr></w:tbl><w:p><w:ins><w:r><w:t>in</w:t></w:r></w:ins>\
                 <w:del><w:r><w:delText>out</w:delText></w:r></w:del><w:r><w:footnoteReference w:id='1'/></w:r>\
                 <mc:AlternateContent><mc:Choice><w:t>x</w:t></mc:Choice><mc:Fallback><w:t>y</w:t></mc:Fallback></mc:AlternateContent>\
                 </w:p></w:body></w:document>",
        ]),
        Subject::Part(Format::Pptx, _) => texts(&[
            "<p:sld show='1'><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type='title'/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r>\
                 <a:t>Title</a:t></a:r></a:p></p:txBody></p:sp><p:graphicFrame><a:tbl><a:tr><a:tc><a:p><a:r><a:t>cell</a:t></a:r></a:p>\
                 </a:tc></a:tr></a:tbl></p:graphicFrame></p:spTree></p:cSld></p:sld>",
        ]),
        Subject::Part(Format::Epub, "book.opf") => {
            texts(&["<package><metadata><dc:title>Book</dc:title><dc:creator>Her</dc:creator></metadata><manifest>\
                 <item id='a' href='a.xhtml'/><item id='n' href='n.xhtml' properties='nav'/><item id='x' href='../a.xhtml'/></manifest>\
                 <spine toc='n'><itemref idref='a'/><itemref idref='a'/></spine></package>"])
        }
        Subject::Part(Format::Epub, _) => texts(&[
            "<html><head><title>T</title></head><body><h1 id='a'>One</h1><p>text <b>bold</b><br/>&amp;&nbsp;&#x41;</p><table><tr><td>1\
                 </td></tr></table><pre>  x\n y</pre><ul><li>z</li></ul><script>no</script></body></html>",
        ]),
        Subject::Part(..) => texts(&[
            "<office:document-content><office:automatic-styles><style:style style:name='P1' style:parent-style-name='Title'/>\
                 </office:automatic-styles><office:body><office:text><text:h text:outline-level='1'>One</text:h><text:p>a<text:s text:c='3'/>\
                 <text:tab/><text:note><text:note-body><text:p>n</text:p></text:note-body></text:note></text:p><table:table table:name='S'>\
                 <table:table-row table:number-rows-repeated='2'><table:table-cell table:number-columns-repeated='3'><text:p>c</text:p>\
                 </table:table-cell></table:table-row></table:table><draw:page draw:name='x'><draw:frame presentation:class='title'>\
                 <draw:text-box><text:p>t</text:p></draw:text-box></draw:frame></draw:page></office:text></office:body>\
                 </office:document-content>",
        ]),
    }
}
