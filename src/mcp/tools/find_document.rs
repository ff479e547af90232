//! `find_document`: documents by their name.

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::{Tool, ToolError, answer};
use crate::access::Action;
use crate::access::audit::Note;

/// Documents without `limit`, and with it at most.
const LIMIT: usize = 10;
const LIMIT_MAX: usize = 50;

pub(super) struct FindDocument;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "query",
        about: "The name, part of it, a glob, or the name with typos.",
        kind: Kind::Text(300),
        required: true,
        example: "\"invoice*2024\"",
    },
    Argument {
        name: "limit",
        about: "Documents wanted.",
        kind: Kind::Number(1, LIMIT_MAX as u64, Some(LIMIT as u64)),
        required: false,
        example: "10",
    },
];

impl Tool for FindDocument {
    fn name(&self) -> &'static str {
        "find_document"
    }

    fn title(&self) -> &'static str {
        "Find a document by name"
    }

    fn about(&self) -> &'static str {
        "Finds documents by file name or path: part of it, a glob with * and ?, or with typos. For words inside documents use search."
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
                "documents": { "type": "array", "items": answer::document_schema() },
                "suggestion": { "type": "string", "description": "What to try where nothing was found" },
            },
            "required": ["documents"],
        })
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        let query = given.text("query").unwrap_or_default();
        note.query = Some(query.to_owned());
        let found = call.library.find_document(&call.scope, query, given.number("limit").unwrap_or(LIMIT))?;
        note.documents = found.iter().map(|document| format!("{}/{}", document.collection, document.path)).collect();
        let mut listed = answer::documents(call, &found);
        if found.is_empty() {
            listed["suggestion"] = json!("No such name. Try part of it, or search for words inside the document.");
        }
        Ok(listed)
    }
}
