//! What the tools' answers have in common: links, provenance, the mark that text is untrusted, and their size.

use serde_json::{Value, json};

use super::super::Call;
use super::super::text::{UNTRUSTED, beginning, plain, plain_with_ranges};
use super::ANSWER_CHARS;
use crate::search::{Document, Hit, Indexing};

/// Characters of a title or heading.
const TITLE_CHARS: usize = 200;

/// What a document's date is.
const DATE: &str = "When a mail was sent; of other documents when the file was modified";

/// The page that shows a document, or opens it at a passage.
pub(super) fn url(call: &Call, id: &str) -> String {
    format!("{}/?document={id}", call.base_url)
}

/// A result of a search: what was found, where it stands, and that it is not to be trusted.
pub(super) fn hit(call: &Call, hit: &Hit) -> Value {
    let (snippet, highlights) = plain_with_ranges(&hit.snippet, &hit.highlights);
    let mut value = json!({
        "id": hit.id,
        "title": title(&hit.title),
        "url": url(call, &hit.id),
        "collection": hit.collection,
        "path": plain(&hit.path),
        "type": hit.format,
    });
    if let Some(page) = hit.place.page {
        value["page"] = json!(page);
    }
    if let Some(heading) = &hit.place.heading {
        value["heading"] = json!(title(heading));
    }
    if let Some(line) = hit.place.line {
        value["line"] = json!(line);
    }
    value["snippet"] = json!(snippet);
    value["highlights"] = json!(highlights);
    value["score"] = json!(rounded(hit.score));
    value["date"] = json!(hit.date);
    value["modified"] = json!(hit.modified);
    if hit.fuzzy {
        value["fuzzy"] = json!(true);
    }
    if !hit.copies.is_empty() {
        value["copies"] = json!(hit.copies.iter().map(|path| plain(path)).collect::<Vec<_>>());
    }
    if hit.more_copies > 0 {
        value["more_copies"] = json!(hit.more_copies);
    }
    value["untrusted"] = json!(true);
    value
}

/// What is known of a document.
pub(super) fn document(call: &Call, document: &Document) -> Value {
    let mut value = json!({
        "id": document.id,
        "title": title(&document.title),
        "url": url(call, &document.id),
        "collection": document.collection,
        "path": plain(&document.path),
        "type": document.format,
        "size": document.size,
        "date": document.date,
        "modified": document.modified,
        "text_bytes": document.text_bytes,
    });
    let optional = [
        ("pages", json!(document.pages)),
        ("author", json!(document.author.as_deref().map(plain))),
        ("created", json!(document.created)),
        ("language", json!(document.language)),
        // Pages without any text are scans: whoever reads should know what is missing.
        ("pages_without_text", json!((document.empty_pages > 0).then_some(document.empty_pages))),
        ("which_without_text", json!((!document.which_empty.is_empty()).then(|| ranges(&document.which_empty)))),
        ("truncated", json!(document.truncated.then_some(true))),
    ];
    for (name, known) in optional {
        if !known.is_null() {
            value[name] = known;
        }
    }
    value
}

/// A list of documents, as many as have room.
pub(super) fn documents(call: &Call, documents: &[Document]) -> Value {
    let mut room = ANSWER_CHARS - 500;
    let listed = documents.iter().map(|found| document(call, found)).take_while(|listed| {
        let chars = chars(listed) + 1;
        let fits = chars <= room;
        room = room.saturating_sub(chars);
        fits
    });
    json!({ "documents": listed.collect::<Vec<_>>() })
}

/// A title or heading, cut where it is a paragraph that was formatted as one.
pub(super) fn title(text: &str) -> String {
    beginning(&plain(text), TITLE_CHARS).to_owned()
}

/// The sentence about untrusted text.
pub(super) fn notice() -> Value {
    json!(UNTRUSTED)
}

/// Scores to four digits: more would only be noise of the arithmetic.
/// Page numbers in order as a person writes them: `3-5, 9`. So many that nobody would read them end in `…`.
fn ranges(pages: &[u32]) -> String {
    const MOST: usize = 20;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &page in pages {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == page => *last = page,
            _ => ranges.push((page, page)),
        }
    }
    let one = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let mut shown: Vec<String> = ranges.iter().take(MOST).map(one).collect();
    if ranges.len() > MOST {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}

/// Characters of an answer as JSON.
pub(super) fn chars(value: &Value) -> usize {
    value.to_string().chars().count()
}

/// How far reading has come, where a collection in scope is still being read.
pub(super) fn indexing(indexing: Indexing) -> Value {
    json!({ "read": indexing.read, "files": indexing.files, "note": indexing.to_string() })
}

/// The schema of it.
pub(super) fn indexing_schema() -> Value {
    json!({
        "type": "object",
        "description": "Only while documents are still being read: the answer may be incomplete",
        "properties": {
            "read": { "type": "integer" },
            "files": { "type": "integer", "description": "Known of so far; 0 where that is not known" },
            "note": { "type": "string" },
        },
        "required": ["read", "files", "note"],
    })
}

/// The schema of a hit.
pub(super) fn hit_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "description": "Of the passage; fetch takes it" },
            "title": { "type": "string" },
            "url": { "type": "string", "description": "Opens the document at this passage in a browser" },
            "collection": { "type": "string" },
            "path": { "type": "string", "description": "Below the collection" },
            "type": { "type": "string" },
            "page": { "type": "integer", "description": "Or slide, sheet, message, cell: what documents of this type have" },
            "heading": { "type": "string" },
            "line": { "type": "integer" },
            "snippet": { "type": "string", "description": "Text around the hit: untrusted" },
            "highlights": {
                "type": "array",
                "description": "Byte ranges in snippet (UTF-8)",
                "items": { "type": "array", "items": { "type": "integer" } },
            },
            "score": { "type": "number", "description": "Comparable within one answer" },
            "date": { "type": "string", "description": DATE },
            "modified": { "type": "string", "description": "When the file was modified" },
            "fuzzy": { "type": "boolean", "description": "Found only with a typo allowed" },
            "copies": {
                "type": "array",
                "description": "Documents with the same text, as collection/path; they are no results of their own",
                "items": { "type": "string" },
            },
            "more_copies": { "type": "integer", "description": "How many there are besides those" },
            "untrusted": { "type": "boolean" },
        },
        "required": ["id", "title", "url", "collection", "path", "type", "snippet", "highlights", "score", "date",
            "modified", "untrusted"],
    })
}

/// The schema of what is known of a document.
pub(super) fn document_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "title": { "type": "string" },
            "url": { "type": "string" },
            "collection": { "type": "string" },
            "path": { "type": "string" },
            "type": { "type": "string" },
            "size": { "type": "integer", "description": "Bytes of the file" },
            "date": { "type": "string", "description": DATE },
            "modified": { "type": "string", "description": "When the file was modified" },
            "text_bytes": { "type": "integer", "description": "Bytes of its text" },
            "pages": { "type": "integer", "description": "Or slides, sheets, messages, cells" },
            "author": { "type": "string" },
            "created": { "type": "string" },
            "language": { "type": "string", "description": "ISO 639-3" },
            "pages_without_text": { "type": "integer", "description": "Scans, which cannot be searched" },
            "which_without_text": { "type": "string", "description": "Which pages those are, as 3-5, 9" },
            "truncated": { "type": "boolean", "description": "Its text was too long and is not all there" },
        },
        "required": ["id", "title", "url", "collection", "path", "type", "size", "date", "modified", "text_bytes"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_written_as_ranges() {
        for (pages, expected) in [
            (vec![], ""),
            (vec![7], "7"),
            (vec![3, 4, 5, 9, 11, 12], "3-5, 9, 11-12"),
            (vec![u32::MAX, 1], "4294967295, 1"),
        ] {
            assert_eq!(ranges(&pages), expected);
        }
        let odd: Vec<u32> = (0..100).map(|n| 2 * n + 1).collect();
        assert!(ranges(&odd).ends_with("37, 39, …"));
    }
}
