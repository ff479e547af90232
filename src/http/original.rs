//! `/api/documents/{id}/original`: the file itself, whole or in part, always as an attachment that a browser neither runs nor frames.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;

use super::answer::Question;
use super::body::Content;
use super::file::{FileBody, Watch};
use super::range::{self, Wanted};
use super::refusal::Refusal;
use super::reply::{Reply, http_date};
use super::{Appliance, tools};
use crate::access::audit::Note;
use crate::documents::Format;
use crate::limits::SMALL_FILE_BYTES;
use crate::search::{Document, LibraryError};

/// Nothing in a file may run, load, or be taken for a page of ours.
const SANDBOX: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

/// A file as it is now.
struct Original {
    file: File,
    document: Document,
    length: u64,
    modified: Timestamp,
    /// All of a small one: it is read where it is opened, on a thread that may block already.
    bytes: Option<Bytes>,
}

/// `/api/documents/{id}/original`
pub(super) async fn reply(
    appliance: &Arc<Appliance>,
    question: &mut Question,
    id: &str,
    parts: &Parts,
) -> Result<Reply, Refusal> {
    let original = open(appliance, question, id).await?;
    let Document { collection, path, .. } = &original.document;
    let note = Note {
        collection: Some(collection.to_string()),
        documents: vec![format!("{collection}/{path}")],
        ..Note::default()
    };
    question.notes.push(note);

    let tag = format!("\"{:x}-{:x}\"", original.length, original.modified.as_nanosecond());
    let date = http_date(original.modified);
    if is_unchanged(&parts.headers, &tag, original.modified) {
        return Ok(dress(Reply::empty(StatusCode::NOT_MODIFIED), &tag, &date));
    }
    let (status, first, length) = match wanted(parts, &tag, &date, original.length) {
        Wanted::Whole => (StatusCode::OK, 0, original.length),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Nothing => return Err(Refusal::Range(original.length)),
    };
    let content = match original.bytes {
        // A few thousand bytes: their places fit `usize`.
        Some(bytes) => Content::Whole(bytes.slice(first as usize..(first + length) as usize)),
        None => Content::file(in_pieces(appliance, question, id, original.file, (first, length))),
    };
    let mut reply = dress(Reply::new(status, media_type(original.document.format), content), &tag, &date);
    if status == StatusCode::PARTIAL_CONTENT {
        reply.content_range(format!("bytes {first}-{}/{}", first + length - 1, original.length));
    }
    if let Ok(value) = HeaderValue::try_from(disposition(&original.document.path)) {
        reply.header(CONTENT_DISPOSITION, value);
    }
    Ok(reply)
}

/// The part of a file, read as it is sent.
fn in_pieces(
    appliance: &Arc<Appliance>,
    question: &Question,
    id: &str,
    file: File,
    (first, length): (u64, u64),
) -> FileBody {
    let watch = Watch {
        appliance: Arc::clone(appliance),
        peer: question.peer,
        id: id.to_owned(),
        policy: Arc::clone(&question.policy),
    };
    FileBody::new(file, first, length, watch)
}

async fn open(appliance: &Appliance, question: &Question, id: &str) -> Result<Original, Refusal> {
    let (library, scope, id) = (Arc::clone(&appliance.library), question.scope.clone(), id.to_owned());
    let work = move || {
        let (file, document) = library.original(&scope, &id)?;
        let path = document.path.clone().into();
        look(file, document).map_err(|source| LibraryError::Io { path, source })
    };
    match tools::on_thread(appliance, question, work).await? {
        Ok(original) => Ok(original),
        Err(LibraryError::NotFound | LibraryError::Argument { .. }) => Err(Refusal::NotFound),
        Err(error) => {
            tracing::error!(%error, "an original could not be opened");
            Err(Refusal::Internal)
        }
    }
}

fn look(file: File, document: Document) -> io::Result<Original> {
    let metadata = file.metadata()?;
    let modified = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
    let length = metadata.len();
    let bytes = if length <= SMALL_FILE_BYTES { read_all(&file, length)? } else { None };
    Ok(Original { file, document, length, modified, bytes })
}

/// All of a file, if it is as long as it was a moment ago.
fn read_all(file: &File, length: u64) -> io::Result<Option<Bytes>> {
    let mut bytes = Vec::new();
    file.take(length + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 == length).map(Bytes::from))
}

/// What every answer about a file carries.
fn dress(mut reply: Reply, tag: &str, date: &str) -> Reply {
    let fixed = [(ACCEPT_RANGES, "bytes"), (CONTENT_SECURITY_POLICY, SANDBOX)];
    for (name, value) in fixed {
        reply.header(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(ETAG, tag), (LAST_MODIFIED, date)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            reply.header(name, value);
        }
    }
    reply
}

/// Whether the caller has it already (RFC 9110 §13.1.2, §13.1.3).
fn is_unchanged(headers: &HeaderMap, tag: &str, modified: Timestamp) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        let mut tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        return tags.any(|tags| {
            tags.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
        });
    }
    text(headers, IF_MODIFIED_SINCE)
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
        .is_some_and(|since| modified.as_second() <= since.timestamp().as_second())
}

/// The part asked for, if it is asked of this very version (RFC 9110 §13.1.5).
fn wanted(parts: &Parts, tag: &str, date: &str, length: u64) -> Wanted {
    let of_this_version = text(&parts.headers, IF_RANGE).is_none_or(|version| version == tag || version == date);
    match text(&parts.headers, RANGE) {
        Some(value) if of_this_version && parts.method == Method::GET => range::wanted(value, length),
        _ => Wanted::Whole,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Types that a device can choose a reader by, and none that a browser would run.
fn media_type(format: Format) -> &'static str {
    match format {
        Format::Pdf => "application/pdf",
        Format::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Format::Markdown => "text/markdown; charset=utf-8",
        Format::Odt => "application/vnd.oasis.opendocument.text",
        Format::Odp => "application/vnd.oasis.opendocument.presentation",
        Format::Ods => "application/vnd.oasis.opendocument.spreadsheet",
        Format::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Format::Rtf => "application/rtf",
        Format::Epub => "application/epub+zip",
        Format::Email => "message/rfc822",
        Format::Mbox => "application/mbox",
        Format::Notebook => "application/x-ipynb+json",
        Format::Csv => "text/csv",
        Format::Json => "application/json",
        Format::Yaml => "application/yaml",
        _ => "application/octet-stream",
    }
}

/// `attachment` with the file's name: in ASCII for old readers, whole for others (RFC 6266, RFC 8187).
fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let plain =
        |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | '/') || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_cannot_leave_their_header() {
        let cases = [
            ("a/b/Report 1.pdf", "attachment; filename=\"Report 1.pdf\"; filename*=UTF-8''Report%201.pdf"),
            ("Bücher.md", "attachment; filename=\"B_cher.md\"; filename*=UTF-8''B%C3%BCcher.md"),
            ("a\"\r\nX: y;.txt", "attachment; filename=\"a___X: y;.txt\"; filename*=UTF-8''a%22%0D%0AX%3A%20y%3B.txt"),
        ];
        for (path, expected) in cases {
            assert_eq!(disposition(path), expected);
        }
    }
}
