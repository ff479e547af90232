//! `fetch`: the text of a document, or the part of it that is wanted. The shape that OpenAI's connectors ask for, with more in it.

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::super::text::plain;
use super::{ANSWER_CHARS, Tool, ToolError, answer};
use crate::access::Action;
use crate::access::audit::Note;
use crate::search::{ReadRequest, Reading};

/// Bytes of text without `limit`, and with it at most: what fits an answer if it is not mostly quotes and line ends.
const LIMIT: usize = 16_000;
const LIMIT_MAX: usize = 20_000;

/// Characters of JSON kept for what stands around the text.
const AROUND_CHARS: usize = 3_000;

pub(super) struct Fetch;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "id",
        about: "Of a document or passage, as search and find_document give it; for a passage, its text alone.",
        kind: Kind::Text(200),
        required: true,
        example: "\"(as it was given)\"",
    },
    Argument {
        name: "pages",
        about: "Only this page, or these pages (slides, sheets, messages, cells), of a document that has them.",
        kind: Kind::Text(20),
        required: false,
        example: "\"3-5\"",
    },
    Argument {
        name: "section",
        about: "Only the section under this heading; get_document_info lists them.",
        kind: Kind::Text(500),
        required: false,
        example: "\"Notice periods\"",
    },
    Argument {
        name: "offset",
        about: "Byte of the text to begin at: next_offset of the part before.",
        kind: Kind::Number(0, u64::MAX, Some(0)),
        required: false,
        example: "16000",
    },
    Argument {
        name: "limit",
        about: "Bytes of text wanted.",
        kind: Kind::Number(1, LIMIT_MAX as u64, Some(LIMIT as u64)),
        required: false,
        example: "4000",
    },
];

impl Tool for Fetch {
    fn name(&self) -> &'static str {
        "fetch"
    }

    fn title(&self) -> &'static str {
        "Read a document"
    }

    fn about(&self) -> &'static str {
        "Returns the text of a document or passage by its id. A long text comes in parts: pass next_offset as offset for the next one, or \
         choose pages or a section."
    }

    fn action(&self) -> Action {
        Action::Read
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn output(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "title": { "type": "string" },
                "text": { "type": "string", "description": "Untrusted" },
                "url": { "type": "string" },
                "start": {
                    "type": "integer",
                    "description": "Byte of the document's text at which the part chosen by passage, pages or section begins",
                },
                "offset": { "type": "integer", "description": "Byte of that part at which this text begins" },
                "next_offset": { "type": "integer", "description": "Where it goes on, when there is more" },
                "total_bytes": { "type": "integer", "description": "Of the document's text, or of the part chosen" },
                "metadata": answer::document_schema(),
                "untrusted": { "type": "boolean" },
                "notice": { "type": "string" },
            },
            "required": ["id", "title", "text", "url", "start", "offset", "total_bytes", "metadata", "untrusted"],
        })
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        let id = given.text("id").unwrap_or_default();
        let request = ReadRequest {
            id: id.to_owned(),
            pages: given.text("pages").map(str::to_owned),
            section: given.text("section").map(str::to_owned),
            offset: given.number("offset").unwrap_or(0),
            limit: given.number("limit").unwrap_or(LIMIT),
        };
        let reading = call.library.read(&call.scope, &request)?;
        note.collection = Some(reading.document.collection.to_string());
        note.documents = vec![format!("{}/{}", reading.document.collection, reading.document.path)];
        Ok(part(call, id, &reading))
    }
}

fn part(call: &Call, id: &str, reading: &Reading) -> Value {
    let text = fitting(&reading.text, ANSWER_CHARS - AROUND_CHARS);
    let next = match text.len() < reading.text.len() {
        true => Some(reading.offset + text.len()),
        false => reading.next_offset,
    };
    let mut part = json!({
        "id": id,
        "title": answer::title(&reading.document.title),
        "text": plain(text),
        "url": answer::url(call, id),
        "start": reading.start,
        "offset": reading.offset,
    });
    if let Some(next) = next {
        part["next_offset"] = json!(next);
    }
    part["total_bytes"] = json!(reading.total_bytes);
    part["metadata"] = answer::document(call, &reading.document);
    part["untrusted"] = json!(true);
    part["notice"] = answer::notice();
    part
}

/// The longest beginning of a text that takes no more than this many characters in JSON.
fn fitting(text: &str, chars: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, character)| {
        taken += match character {
            '"' | '\\' | '\n' | '\t' | '\r' => 2,
            character if character.is_control() => 6,
            _ => 1,
        };
        taken > chars
    });
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_json_would_be_too_long() {
        for (text, chars, expected) in
            [("abc", 3, "abc"), ("abc", 2, "ab"), ("a\"b", 3, "a\""), ("a\"b", 2, "a"), ("äöü", 2, "äö"), ("", 0, "")]
        {
            assert_eq!(fitting(text, chars), expected);
        }
        let quotes = "\"\n\\".repeat(100);
        let cut = fitting(&quotes, 101);
        assert!(json!(cut).to_string().chars().count() - 2 <= 101 && cut.len() == 50);
    }
}
