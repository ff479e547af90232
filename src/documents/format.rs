//! What a file is: its name and its first bytes in, a [`Format`] out. A name is a claim and bytes can lie, so both are asked, and
//! whatever they say, the parsers can only refuse.

use super::Format;
use super::content::{Content, content};

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
            Claim::Is(format) if !format.is_text() => Kind::Refused("the file is empty"),
            Claim::Is(format) => Kind::Document(format),
            Claim::Other | Claim::Nothing => Kind::NoDocument,
        };
    }
    match (claim, content(head)) {
        (_, Content::Pdf) => Kind::Document(Format::Pdf),
        (_, Content::Rtf) => Kind::Document(Format::Rtf),
        (_, Content::Zip(Some(format))) => Kind::Document(format),
        (Claim::Is(format), Content::Zip(None)) if format.is_packed() => Kind::Document(format),
        (Claim::Is(format), Content::Ole) if format.is_packed() => Kind::Refused(OLD_OR_ENCRYPTED),
        (Claim::Is(format @ (Format::Odt | Format::Odp | Format::Ods)), Content::Xml) => Kind::Document(format),
        (_, Content::Zip(_) | Content::Ole) => Kind::NoDocument,
        // A message may hold anything behind its header.
        (Claim::Is(format @ (Format::Email | Format::Mbox)), _) => Kind::Document(format),
        (Claim::Is(format), _) if !format.is_text() => Kind::Refused(misnamed(format)),
        (Claim::Is(_), Content::Binary) => Kind::Refused("named as a text, but its content is binary"),
        (Claim::Is(Format::Text) | Claim::Nothing, Content::Mbox) => Kind::Document(Format::Mbox),
        (_, Content::Binary) => Kind::NoDocument,
        (Claim::Is(Format::Text) | Claim::Nothing, Content::Html) => Kind::Document(Format::Html),
        (Claim::Is(format), _) => Kind::Document(format),
        (_, Content::Email) => Kind::Document(Format::Email),
        (_, Content::Script) => Kind::Document(Format::Code),
        (_, Content::Xml) => Kind::Document(Format::Xml),
        (_, _) => Kind::Document(Format::Text),
    }
}

const OLD_OR_ENCRYPTED: &str = "encrypted, or an old Office document under the name of a new one";

fn misnamed(format: Format) -> &'static str {
    match format {
        Format::Pdf => "named as a PDF, but it is none",
        Format::Docx => "named as a Word document, but it is none",
        Format::Xlsx => "named as an Excel workbook, but it is none",
        Format::Pptx => "named as a PowerPoint presentation, but it is none",
        Format::Epub => "named as an EPUB book, but it is none",
        Format::Rtf => "named as an RTF document, but it is none",
        _ => "named as an OpenDocument file, but it is none",
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
    /// Whether such a document's date is the one it bears, whatever became of its file: a letter is of the day it was sent. Other
    /// documents are worked on, and what made them often writes no date, or that of a template.
    pub fn bears_its_date(self) -> bool {
        self == Format::Email
    }

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
            Format::Org => "org",
            Format::Yaml => "yaml",
            Format::Notebook => "notebook",
            Format::Odt => "odt",
            Format::Odp => "odp",
            Format::Ods => "ods",
            Format::Pptx => "pptx",
            Format::Xlsx => "xlsx",
            Format::Rtf => "rtf",
            Format::Epub => "epub",
            Format::Email => "email",
            Format::Mbox => "mbox",
        }
    }

    /// What the numbered parts of such a document are called, where it has any: those that [`super::Place::page`] counts.
    pub fn part(self) -> &'static str {
        match self {
            Format::Pptx | Format::Odp => "slide",
            Format::Xlsx | Format::Ods => "sheet",
            Format::Mbox => "message",
            Format::Notebook => "cell",
            _ => "page",
        }
    }

    /// Whether it is a package of parts.
    fn is_packed(self) -> bool {
        use Format::*;
        matches!(self, Docx | Odt | Odp | Ods | Pptx | Xlsx | Epub)
    }

    /// Whether any text will do: its parser refuses none.
    fn is_text(self) -> bool {
        !self.is_packed() && !matches!(self, Format::Pdf | Format::Rtf)
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
        "txt" | "text" | "log" | "adoc" | "asciidoc" | "tex" | "bib" | "srt" | "vtt" | "nfo" | "me" | "asc"
        | "conf" | "cfg" | "ini" | "properties" | "toml" | "diff" | "patch" | "textile" | "wiki" => Format::Text,
        "rst" | "rest" => Format::Rst,
        "html" | "htm" | "xhtml" | "shtml" => Format::Html,
        "org" => Format::Org,
        "yaml" | "yml" => Format::Yaml,
        "ipynb" => Format::Notebook,
        "pdf" => Format::Pdf,
        "odt" | "ott" | "fodt" => Format::Odt,
        "odp" | "otp" | "fodp" => Format::Odp,
        "ods" | "ots" | "fods" => Format::Ods,
        "pptx" | "pptm" | "ppsx" | "ppsm" | "potx" | "potm" => Format::Pptx,
        "xlsx" | "xlsm" | "xltx" | "xltm" => Format::Xlsx,
        "rtf" => Format::Rtf,
        "epub" => Format::Epub,
        "eml" => Format::Email,
        "mbox" | "mbx" => Format::Mbox,
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
    "pkl", "h5", "lock", "torrent", "kdbx", "gpg", "pgp", "p12", "pfx", "key", "pem", "ppt", "msg", "msf", "mobi",
    "azw3", "djvu", "ps", "eps", "min.js", "map",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_content_are_both_asked() {
        use Format::*;
        let doc = Kind::Document;
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("Grüße".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let odf = |kind: &str| [b"PK\x03\x04".as_slice(), &[0; 26], b"mimetype", kind.as_bytes(), b"PK"].concat();
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
            ("old.doc", b"{\\rtf1 text}", doc(Rtf)),
            ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::NoDocument),
            ("new.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Refused(OLD_OR_ENCRYPTED)),
            ("letter.docx", &odf("application/vnd.oasis.opendocument.text"), doc(Odt)),
            ("book", &odf("application/epub+zip"), doc(Epub)),
            ("drawing.odg", &odf("application/vnd.oasis.opendocument.graphics"), Kind::NoDocument),
            ("slides.pptx", b"PK\x03\x04", doc(Pptx)),
            ("slides.pptx", b"text", Kind::Refused("named as a PowerPoint presentation, but it is none")),
            ("flat.fodt", b"<?xml version='1.0'?><office:document>", doc(Odt)),
            ("flat.fodt", b"text", Kind::Refused("named as an OpenDocument file, but it is none")),
            ("a.eml", b"Subject: x\n\n\0\0\0", doc(Email)),
            ("Inbox", b"From - Mon Jan  1 10:00:00 2024\r\nReceived: x", doc(Mbox)),
            ("notes", b"From here on\nit is better", doc(Text)),
            ("1700000000.M1P2.host:2,S", b"Return-Path: <a@b.c>\nSubject: x\n\nHi", doc(Email)),
            ("notes.yml", b"a: b", doc(Yaml)),
            ("notes.org", b"* A", doc(Org)),
            ("empty.epub", b"", Kind::Refused("the file is empty")),
            ("empty.pdf", b"", Kind::Refused("the file is empty")),
            ("empty", b"", Kind::NoDocument),
            ("Makefile", b"all:", doc(Code)),
        ];
        for (name, head, expected) in cases {
            assert_eq!(detect(name, head), *expected, "{name}");
        }
    }
}
