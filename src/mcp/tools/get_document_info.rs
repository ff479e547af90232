//! `get_document_info`: what a document is, without its text.

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::{ANSWER_CHARS, Tool, ToolError, answer};
use crate::access::Action;
use crate::access::audit::Note;
use crate::documents::OutlineEntry;

pub(super) struct GetDocumentInfo;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "id",
        about: "Of a document or passage, as search and find_document give it; this or path.",
        kind: Kind::Text(200),
        required: false,
        example: "\"(as it was given)\"",
    },
    Argument {
        name: "path",
        about: "Collection and path of the document; this or id.",
        kind: Kind::Text(4_200),
        required: false,
        example: "\"documents/letters/2024/landlord.pdf\"",
    },
];

impl Tool for GetDocumentInfo {
    fn name(&self) -> &'static str {
        "get_document_info"
    }

    fn title(&self) -> &'static str {
        "Look at a document"
    }

    fn about(&self) -> &'static str {
        "Returns a document's format, size, dates, pages, author, language and outline (bookmarks or headings), so that fetch can be asked \
         for the right pages or section."
    }

    fn action(&self) -> Action {
        Action::Browse
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn output(&self) -> Value {
        let mut schema = answer::document_schema();
        schema["properties"]["outline"] = json!({
            "type": "array",
            "description": "Untrusted",
            "items": {
                "type": "object",
                "properties": {
                    "level": { "type": "integer", "description": "1 is the topmost" },
                    "title": { "type": "string" },
                    "page": { "type": "integer" },
                    "offset": { "type": "integer", "description": "Byte in the text, as fetch takes it" },
                },
                "required": ["level", "title", "offset"],
            },
        });
        schema["properties"]["outline_left_out"] =
            json!({ "type": "integer", "description": "Entries for which there was no room" });
        schema["properties"]["untrusted"] = json!({ "type": "boolean" });
        schema
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        let document = match (given.text("id"), given.text("path")) {
            (Some(one), None) | (None, Some(one)) => one,
            _ => return Err(ToolError::misfit("takes id or path: one of them".to_owned())),
        };
        let info = call.library.info(&call.scope, document)?;
        note.collection = Some(info.document.collection.to_string());
        note.documents = vec![format!("{}/{}", info.document.collection, info.document.path)];
        let mut answer = answer::document(call, &info.document);
        let mut room = ANSWER_CHARS.saturating_sub(answer::chars(&answer) + 200);
        let mut outline = Vec::new();
        for entry in &info.outline {
            let entry = outline_entry(entry);
            let chars = answer::chars(&entry) + 1;
            if chars > room {
                break;
            }
            room -= chars;
            outline.push(entry);
        }
        let left_out = info.outline.len() - outline.len();
        answer["outline"] = Value::Array(outline);
        if left_out > 0 {
            answer["outline_left_out"] = json!(left_out);
        }
        answer["untrusted"] = json!(true);
        Ok(answer)
    }
}

fn outline_entry(entry: &OutlineEntry) -> Value {
    let mut value = json!({ "level": entry.level, "title": answer::title(&entry.title) });
    if let Some(page) = entry.page {
        value["page"] = json!(page);
    }
    value["offset"] = json!(entry.offset);
    value
}
