//! What is tried with bytes of any kind: every parser that is ours, the query language, and what comes through the tunnel.

mod documents;
mod files;
mod query;
mod requests;
mod seeds;
pub mod wire;

use std::path::Path;

use adit::documents::Format;

/// Something that takes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A question to a small library.
    Query,
    /// The bytes of a device's connection.
    Requests,
    /// An `adit.toml`.
    Configuration,
    /// The configuration of a device.
    Device,
    /// The rules of a grant.
    Grant,
    /// Datagrams from anybody.
    Datagrams,
    /// Inner packets of a device that holds a key.
    Packets,
    /// The segments of TCP's other end, and what a stream's user does.
    Segments,
    /// What is done with three nodes, and on the wires between them.
    Operations,
    /// A document of this format.
    Document(Format),
    /// A part of a package of this format, by its name: what lies behind the decompression.
    Part(Format, &'static str),
}

/// All of them: formats whose parsers are ours, or whose walk over what a library parsed is.
pub const SUBJECTS: [Subject; 30] = [
    Subject::Query,
    Subject::Requests,
    Subject::Configuration,
    Subject::Device,
    Subject::Grant,
    Subject::Datagrams,
    Subject::Packets,
    Subject::Segments,
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
            Subject::Requests => "requests".to_owned(),
            Subject::Configuration => "configuration".to_owned(),
            Subject::Device => "device".to_owned(),
            Subject::Grant => "grant".to_owned(),
            Subject::Datagrams => "datagrams".to_owned(),
            Subject::Packets => "packets".to_owned(),
            Subject::Segments => "segments".to_owned(),
            Subject::Operations => "operations".to_owned(),
            Subject::Document(format) => format.as_str().to_owned(),
            Subject::Part(format, part) => format!("{}-{}", format.as_str(), part.replace(['/', '.'], "-")),
        }
    }

    /// Whether its bytes come by the wire.
    pub fn is_of_the_wire(self) -> bool {
        matches!(self, Subject::Datagrams | Subject::Packets | Subject::Segments | Subject::Operations)
    }

    /// Tries these bytes. Panics where the subject does, or breaks its promises.
    pub fn try_bytes(self, bytes: &[u8]) {
        match self {
            Subject::Query => query::ask(&String::from_utf8_lossy(bytes)),
            Subject::Requests => requests::requests(bytes),
            Subject::Configuration => files::configuration(&String::from_utf8_lossy(bytes)),
            Subject::Device => files::device(&String::from_utf8_lossy(bytes)),
            Subject::Grant => files::grant(&String::from_utf8_lossy(bytes)),
            Subject::Datagrams => drop(wire::datagrams(bytes)),
            Subject::Packets => drop(wire::packets(bytes)),
            Subject::Segments => drop(wire::segments(bytes)),
            Subject::Operations => drop(wire::operations(bytes)),
            Subject::Document(format) => documents::read(format, bytes),
            Subject::Part(format, part) => documents::read(format, &documents::package(part, bytes)),
        }
    }

    /// What is changed in many ways: sound bytes of its kind.
    pub fn seeds(self, library: &Path) -> Vec<Vec<u8>> {
        seeds::of(self, library)
    }
}
