//! What is tried with bytes of any kind: every parser that is ours, the query language, and what comes through the tunnel.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::OnceLock;

use super::wire;
use adit::access::Scope;
use adit::documents::{ExtractLimits, Extracted, Format, Passage, Place, Stamp, extract};
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Text that is taken of one document, in bytes.
const MAX_TEXT: usize = 1 << 16;

/// Something that takes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A question to a small library.
    Query,
    /// Inner packets of a device that holds a key.
    Packets,
    /// What is done with two nodes, and on the wire between them.
    Operations,
    /// A document of this format.
    Document(Format),
    /// A part of a package of this format, by its name: what lies behind the decompression.
    Part(Format, &'static str),
}

/// All of them: formats whose parsers are ours, or whose walk over what a library parsed is.
pub const SUBJECTS: [Subject; 24] = [
    Subject::Query,
    Subject::Packets,
    Subject::Operations,
    Subject::Document(Format::Markdown),
    Subject::Document(Format::Text),
    Subject::Document(Format::Html),
    Subject::Document(Format::Xml),
    Subject::Document(Format::Org),
    Subject::Document(Format::Rst),
    Subject::Document(Format::Csv),
    Subject::Document(Format::Notebook),
    Subject::Document(Format::Rtf),
    Subject::Document(Format::Email),
    Subject::Document(Format::Mbox),
    Subject::Document(Format::Docx),
    Subject::Document(Format::Epub),
    Subject::Part(Format::Docx, "word/document.xml"),
    Subject::Part(Format::Docx, "word/styles.xml"),
    Subject::Part(Format::Odt, "content.xml"),
    Subject::Part(Format::Ods, "content.xml"),
    Subject::Part(Format::Odp, "content.xml"),
    Subject::Part(Format::Pptx, "ppt/slides/slide1.xml"),
    Subject::Part(Format::Epub, "book.opf"),
    Subject::Part(Format::Epub, "a.xhtml"),
];

impl Subject {
    /// Its name, fit for a file's.
    pub fn name(self) -> String {
        match self {
            Subject::Query => "query".to_owned(),
            Subject::Packets => "packets".to_owned(),
            Subject::Operations => "operations".to_owned(),
            Subject::Document(format) => format.as_str().to_owned(),
            Subject::Part(format, part) => format!("{}-{}", format.as_str(), part.replace(['/', '.'], "-")),
        }
    }

    /// Tries these bytes. Panics where the subject does, or breaks its promises.
    pub fn try_bytes(self, bytes: &[u8]) {
        match self {
            Subject::Query => ask(&String::from_utf8_lossy(bytes)),
            Subject::Packets => drop(wire::packets(bytes)),
            Subject::Operations => drop(wire::operations(bytes)),
            Subject::Document(format) => read(format, bytes),
            Subject::Part(format, part) => read(format, &package(part, bytes)),
        }
    }

    /// What is changed in many ways: sound bytes of its kind.
    pub fn seeds(self, library: &Path) -> Vec<Vec<u8>> {
        let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        match self {
            Subject::Packets => wire::seeds(true),
            Subject::Operations => wire::seeds(false),
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
            Subject::Part(Format::Epub, "book.opf") => texts(&[
                "<package><metadata><dc:title>Book</dc:title><dc:creator>Her</dc:creator></metadata><manifest>\
                 <item id='a' href='a.xhtml'/><item id='n' href='n.xhtml' properties='nav'/><item id='x' href='../a.xhtml'/></manifest>\
                 <spine toc='n'><itemref idref='a'/><itemref idref='a'/></spine></package>",
            ]),
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
}

fn read(format: Format, bytes: &[u8]) {
    // Telling languages apart is not ours, and takes most of the time.
    let limits = ExtractLimits { max_text: MAX_TEXT, languages: vec!["eng".to_owned()] };
    if let Ok(extracted) = extract(format, bytes, &limits) {
        assert!(extracted.is_sound(MAX_TEXT), "what came out is not sound: {extracted:?}");
    }
}

/// A package of this part, and of what leads to it.
fn package(part: &str, bytes: &[u8]) -> Vec<u8> {
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

/// Asks a small library. Whatever is typed, there is an answer.
fn ask(query: &str) {
    static LIBRARY: OnceLock<(tempfile::TempDir, Library)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(small_library);
    let request = SearchRequest {
        query: query.to_owned(),
        limit: 10,
        snippet_budget: 2000,
        fuzzy: query.len().is_multiple_of(2),
        ..SearchRequest::default()
    };
    let answer = library.search(&Scope::owner(), &request).expect("nothing that is typed is an error");
    assert!(answer.results.len() <= 10);
    assert_eq!(answer.results.is_empty(), answer.total == 0, "what is counted is found");
}

fn small_library() -> (tempfile::TempDir, Library) {
    let dir = tempfile::tempdir().expect("a folder");
    let library = Library::open(LibraryConfig {
        index_dir: dir.path().join("index"),
        collections: vec![Collection { name: "notes".parse().expect("a name"), root: dir.path().to_owned() }],
        memory: 15_000_000,
        threads: 1,
    })
    .expect("it opens");
    let mut writer = library.writer(&"notes".parse().expect("a name")).expect("nobody else writes");
    let texts = [
        "heat pump filter valve",
        "sourdough bread and butter in the slow cooker",
        "naïve 検索エンジン words",
        "a b c d e",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let passage = Passage { start: 0, end: text.len(), place: Place { line: Some(1), ..Place::default() } };
        let extracted = Extracted { text: text.to_owned(), passages: vec![passage], ..Extracted::default() };
        let stamp = Stamp { size: text.len() as u64, modified_ns: number as i128, inode: number as u64 };
        writer.put(&format!("house/{number}.pdf"), Format::Pdf, stamp, &extracted).expect("it is put");
    }
    writer.commit().expect("it is committed");
    drop(writer);
    (dir, library)
}
