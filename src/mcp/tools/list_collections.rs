//! `list_collections`: what there is: collections, and what is below a folder of one.

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::super::cursor::Position;
use super::super::text::plain;
use super::{ANSWER_CHARS, Tool, ToolError, answer, cursor_error};
use crate::access::Action;
use crate::access::audit::Note;
use crate::search::Listing;

/// Folders and documents on one page.
const PAGE: usize = 50;

pub(super) struct ListCollections;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "path",
        about: "A collection, or a folder in one; without it, the collections.",
        kind: Kind::Text(4_096),
        required: false,
        example: "\"documents/letters\"",
    },
    Argument {
        name: "cursor",
        about: "next_cursor of the page before, with the same path: goes on after it.",
        kind: Kind::Text(1_000),
        required: false,
        example: "\"(as it was given)\"",
    },
];

impl Tool for ListCollections {
    fn name(&self) -> &'static str {
        "list_collections"
    }

    fn title(&self) -> &'static str {
        "List collections and folders"
    }

    fn about(&self) -> &'static str {
        "Lists the collections, or the folders and documents directly below a path, each folder with how many documents are in it."
    }

    fn action(&self) -> Action {
        Action::Browse
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn output(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "path": { "type": "string" },
                "folders": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "path": { "type": "string", "description": "As this tool and search take it" },
                            "documents": { "type": "integer", "description": "Documents in it, however deep" },
                        },
                        "required": ["path", "documents"],
                    },
                },
                "documents": { "type": "array", "items": answer::document_schema() },
                "next_cursor": { "type": "string" },
            },
            "required": ["path", "folders", "documents"],
        })
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        let path = given.text("path").unwrap_or_default();
        note.collection = path.split('/').next().filter(|name| !name.is_empty()).map(str::to_owned);
        let question = given.question(self.name());
        let offset = match given.text("cursor").map(|cursor| call.seal.open(call.now, &question, cursor)) {
            None => 0,
            Some(Ok(Position::Offset(offset))) => offset,
            Some(_) => return Err(cursor_error()),
        };
        fitting(call, &question, path, offset)
    }
}

/// The page, with fewer entries where they would make it too long.
fn fitting(call: &Call, question: &str, path: &str, offset: usize) -> Result<Value, ToolError> {
    let mut limit = PAGE;
    loop {
        let listing = call.library.list(&call.scope, path, offset, limit)?;
        let value = page(call, question, &listing);
        if limit == 1 || answer::chars(&value) <= ANSWER_CHARS {
            return Ok(value);
        }
        limit /= 2;
    }
}

fn page(call: &Call, question: &str, listing: &Listing) -> Value {
    let folders: Vec<Value> = listing
        .folders
        .iter()
        .map(|folder| json!({ "path": plain(&folder.path), "documents": folder.documents }))
        .collect();
    let mut page = json!({ "path": plain(&listing.path), "folders": folders });
    page["documents"] = listing.documents.iter().map(|document| answer::document(call, document)).collect();
    if let Some(offset) = listing.next_offset {
        page["next_cursor"] = json!(call.seal.seal(call.now, question, Position::Offset(offset)));
    }
    page
}
