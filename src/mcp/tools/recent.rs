//! Documents by their date, the latest first: for the page, not for MCP (agents search).

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::{Tool, ToolError, answer};
use crate::access::Action;
use crate::access::audit::Note;

/// Documents without `limit`, and with it at most.
const LIMIT: usize = 10;
const LIMIT_MAX: usize = 50;

pub(super) struct Recent;

impl Tool for Recent {
    fn name(&self) -> &'static str {
        "recent"
    }

    fn title(&self) -> &'static str {
        "Recent documents"
    }

    fn about(&self) -> &'static str {
        "The documents of the latest date."
    }

    fn action(&self) -> Action {
        Action::Browse
    }

    fn arguments(&self) -> &'static [Argument] {
        &[Argument {
            name: "limit",
            about: "Documents wanted.",
            kind: Kind::Number(1, LIMIT_MAX as u64, Some(LIMIT as u64)),
            required: false,
            example: "10",
        }]
    }

    fn output(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "documents": { "type": "array", "items": answer::document_schema() } },
            "required": ["documents"],
        })
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        let recent = call.library.recent(&call.scope, given.number("limit").unwrap_or(LIMIT))?;
        note.documents = recent.iter().map(|document| format!("{}/{}", document.collection, document.path)).collect();
        Ok(answer::documents(call, &recent))
    }
}
