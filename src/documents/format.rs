//! What a file is: its name and its first bytes in, a [`Format`] out. A name is a claim and bytes can lie, so both are asked, and
//! whatever they say, the parsers can only refuse.

use super::Format;

/// How many bytes of a file are enough to tell.
pub const HEAD_BYTES: usize = 8192;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A document.
    Document(Format),
    /// A picture, a program, an archive: nothing to read, and nothing wrong with it.
    NoDocument,
    /// It claims to be a document, but is none that can be read; why.
    Refused(&'static str),
}

/// What the file of this name that begins with these bytes is. `head` holds the first [`HEAD_BYTES`], or the whole file.
pub fn detect(name: &str, head: &[u8]) -> Kind {
    let claim = claim(name);
    if claim == Claim::Other {
        return Kind::NoDocument;
    }
    if head.is_empty() {
        return match claim {
            Claim::Is(Format::Pdf | Format::Docx) => Kind::Refused("the file is empty"),
            Claim::Is(format) => Kind::Document(format),
            Claim::Other | Claim::Nothing => Kind::NoDocument,
        };
    }
    match (claim, content(head)) {
        (_, Content::Pdf) => Kind::Document(Format::Pdf),
        (Claim::Is(Format::Docx), Content::Zip) => Kind::Document(Format::Docx),
        (Claim::Is(Format::Docx), Content::Ole) => {
            Kind::Refused("encrypted, or an old Word document under the name of a new one")
        }
        (_, Content::Zip | Content::Ole | Content::Rtf) => Kind::NoDocument,
        (Claim::Is(Format::Pdf), _) => Kind::Refused("named as a PDF, but it is none"),
        (Claim::Is(Format::Docx), _) => Kind::Refused("named as a Word document, but it is none"),
        (Claim::Is(_), Content::Binary) => Kind::Refused("named as a text, but its content is binary"),
        (_, Content::Binary) => Kind::NoDocument,
        (Claim::Is(Format::Text) | Claim::Nothing, Content::Html) => Kind::Document(Format::Html),
        (Claim::Is(format), _) => Kind::Document(format),
        (_, Content::Script) => Kind::Document(Format::Code),
        (_, Content::Xml) => Kind::Document(Format::Xml),
        (_, _) => Kind::Document(Format::Text),
    }
}

/// Whether a file of this name is worth a word when it cannot be read, or could be a document at all.
pub fn could_be_a_document(name: &str) -> bool {
    matches!(claim(name), Claim::Is(_))
}

/// Whether a file of this name need not be opened: no document has such a name.
pub fn is_no_document(name: &str) -> bool {
    claim(name) == Claim::Other
}

impl Format {
    /// Its name, as in answers and in `type:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Text => "text",
            Format::Rst => "rst",
            Format::Html => "html",
            Format::Pdf => "pdf",
            Format::Docx => "docx",
            Format::Code => "code",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Xml => "xml",
        }
    }
}

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Is(Format),
    /// Something that adit does not read.
    Other,
    Nothing,
}

fn claim(path: &str) -> Claim {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let Some((stem, extension)) = name.rsplit_once('.') else { return claim_of_bare(&name) };
    if stem.is_empty() {
        return claim_of_bare(&name);
    }
    let format = match extension {
        "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd" => Format::Markdown,
        "txt" | "text" | "log" | "org" | "adoc" | "asciidoc" | "tex" | "bib" | "srt" | "vtt" | "nfo" | "me" | "asc"
        | "conf" | "cfg" | "ini" | "properties" | "yaml" | "yml" | "toml" | "diff" | "patch" | "textile" | "wiki" => {
            Format::Text
        }
        "rst" | "rest" => Format::Rst,
        "html" | "htm" | "xhtml" | "shtml" => Format::Html,
        "pdf" => Format::Pdf,
        "docx" | "docm" | "dotx" | "dotm" => Format::Docx,
        "json" | "jsonl" | "ndjson" | "json5" | "geojson" => Format::Json,
        "csv" | "tsv" | "tab" => Format::Csv,
        "xml" | "xsd" | "xsl" | "xslt" | "gpx" | "kml" | "opml" | "rss" | "atom" | "dbk" | "docbook" | "dita"
        | "tei" => Format::Xml,
        extension if CODE.contains(&extension) => Format::Code,
        extension if OTHER.contains(&extension) => return Claim::Other,
        _ => return Claim::Nothing,
    };
    Claim::Is(format)
}

fn claim_of_bare(name: &str) -> Claim {
    match name {
        "readme" | "license" | "licence" | "copying" | "changelog" | "authors" | "notice" | "todo" | "news" => {
            Claim::Is(Format::Text)
        }
        "makefile" | "dockerfile" | "containerfile" | "justfile" | "rakefile" | "gemfile" | "vagrantfile" => {
            Claim::Is(Format::Code)
        }
        _ => Claim::Nothing,
    }
}

const CODE: &[&str] = &[
    "rs", "py", "pyi", "js", "mjs", "cjs", "jsx", "ts", "tsx", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "cs", "java",
    "kt", "kts", "scala", "go", "rb", "php", "pl", "pm", "lua", "sh", "bash", "zsh", "fish", "ps1", "bat", "cmd",
    "sql", "r", "jl", "m", "mm", "swift", "dart", "ex", "exs", "erl", "hs", "ml", "mli", "fs", "clj", "lisp", "el",
    "scm", "vim", "nix", "zig", "v", "vhdl", "asm", "s", "f90", "f", "pas", "vb", "groovy", "gradle", "cmake", "mk",
    "tf", "proto", "graphql", "css", "scss", "sass", "less", "vue", "svelte", "awk", "sed", "tcl", "ino", "gd", "glsl",
    "cu",
];

/// Names of what adit does not read, so that a walk need not open each picture of a photo collection.
const OTHER: &[&str] = &[
    "jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "heic", "heif", "avif", "svg", "ico", "psd", "raw",
    "cr2", "nef", "arw", "dng", "xcf", "mp3", "m4a", "ogg", "oga", "opus", "flac", "wav", "aac", "wma", "mid", "mp4",
    "mkv", "avi", "mov", "webm", "wmv", "mpg", "mpeg", "m4v", "3gp", "zip", "gz", "tgz", "bz2", "xz", "zst", "7z",
    "rar", "tar", "lz4", "deb", "rpm", "apk", "jar", "war", "whl", "iso", "img", "dmg", "vmdk", "qcow2", "exe", "dll",
    "so", "dylib", "a", "o", "obj", "lib", "class", "pyc", "pyo", "wasm", "bin", "dat", "db", "sqlite", "sqlite3",
    "mdb", "ttf", "otf", "woff", "woff2", "eot", "blend", "stl", "fbx", "glb", "gltf", "dwg", "parquet", "npy", "npz",
    "pkl", "h5", "lock", "torrent", "kdbx", "gpg", "pgp", "p12", "pfx", "key", "pem", "doc", "xls", "ppt", "odt",
    "ods", "odp", "rtf", "epub", "pptx", "xlsx", "eml", "mbox", "msg", "ipynb", "mobi", "azw3", "djvu", "ps", "eps",
    "min.js", "map",
];

/// What the bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Pdf,
    Zip,
    Ole,
    Rtf,
    Html,
    Xml,
    Script,
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

fn content(head: &[u8]) -> Content {
    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Content::Zip;
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
    } else {
        Content::Text
    }
}

fn is_binary(head: &[u8]) -> bool {
    if super::encoding::is_utf16(head) {
        return false;
    }
    let control = |byte: &&u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    head.contains(&0) || head.iter().filter(control).count() * 20 > head.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_content_are_both_asked() {
        use Format::*;
        let doc = Kind::Document;
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("Grüße".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let cases: &[(&str, &[u8], Kind)] = &[
            ("a/notes.md", b"# Notes", doc(Markdown)),
            ("A.PDF", b"%PDF-1.7\n\x00", doc(Pdf)),
            ("junk.pdf", b"\x00\x01junk\n%PDF-1.4", doc(Pdf)),
            ("scan", b"%PDF-1.4\n", doc(Pdf)),
            ("about.txt", b"a file begins with %PDF-1.4", doc(Text)),
            ("fake.pdf", b"<html>", Kind::Refused("named as a PDF, but it is none")),
            ("letter.docx", b"PK\x03\x04", doc(Docx)),
            ("bundle", b"PK\x03\x04", Kind::NoDocument),
            ("page.txt", b"\n <!DOCTYPE html><p>", doc(Html)),
            ("page.htm", b"no tags", doc(Html)),
            ("data.unknown", b"plain words", doc(Text)),
            ("data.unknown", b"plain\0words", Kind::NoDocument),
            ("data.txt", b"plain\0words", Kind::Refused("named as a text, but its content is binary")),
            ("wide.txt", &utf16, doc(Text)),
            ("run", b"#!/bin/sh\n", doc(Code)),
            ("feed", b"<?xml version='1.0'?>", doc(Xml)),
            ("photo.jpg", b"plain words", Kind::NoDocument),
            ("empty.txt", b"", doc(Text)),
            ("empty.pdf", b"", Kind::Refused("the file is empty")),
            ("empty", b"", Kind::NoDocument),
            ("Makefile", b"all:", doc(Code)),
        ];
        for (name, head, expected) in cases {
            assert_eq!(detect(name, head), *expected, "{name}");
        }
    }
}
