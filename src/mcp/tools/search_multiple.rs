//! `search_multiple`: several questions at once, for finding out which of them the library can answer.

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::super::text::beginning;
use super::{ANSWER_CHARS, Tool, ToolError, answer};
use crate::access::Action;
use crate::access::audit::Note;
use crate::search::SearchRequest;

/// Questions in one call.
const QUERIES: usize = 10;

/// Passages shown for each.
const PASSAGES: usize = 3;

/// Characters of JSON around a snippet, for planning.
const HIT_CHARS: usize = 450;

/// Characters of JSON between the parts of one answer.
const AROUND_CHARS: usize = 50;

pub(super) struct SearchMultiple;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "queries",
        about: "What to look for, as search takes it.",
        kind: Kind::Texts(QUERIES, 1_000),
        required: true,
        example: "[\"rent increase\", \"notice period\"]",
    },
    Argument {
        name: "collection",
        about: "Only in this collection.",
        kind: Kind::Text(100),
        required: false,
        example: "\"documents\"",
    },
    Argument {
        name: "path",
        about: "Only below this folder, or in this document.",
        kind: Kind::Text(4_096),
        required: false,
        example: "\"letters/2024\"",
    },
];

impl Tool for SearchMultiple {
    fn name(&self) -> &'static str {
        "search_multiple"
    }

    fn title(&self) -> &'static str {
        "Search for several things"
    }

    fn about(&self) -> &'static str {
        "Asks up to ten questions at once and tells for each whether anything was found, in how many documents, and the best passages."
    }

    fn action(&self) -> Action {
        Action::Search
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn output(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "queries": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "query": { "type": "string" },
                            "found": { "type": "boolean" },
                            "count": { "type": "integer", "description": "Documents that match" },
                            "count_is_exact": { "type": "boolean", "description": "Otherwise there are more" },
                            "passages": { "type": "array", "items": answer::hit_schema() },
                            "indexing": answer::indexing_schema(),
                            "suggestion": { "type": "string" },
                        },
                        "required": ["query", "found", "count", "count_is_exact", "passages"],
                    },
                },
                "notice": { "type": "string" },
            },
            "required": ["queries"],
        })
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        let queries = given.texts("queries");
        note.query = Some(queries.join(" ; "));
        note.collection = given.text("collection").map(str::to_owned);
        let room = ANSWER_CHARS / queries.len().max(1);
        let mut answers = Vec::with_capacity(queries.len());
        for query in queries {
            answers.push(one(call, given, query, room, note)?);
        }
        Ok(json!({ "queries": answers, "notice": answer::notice() }))
    }
}

/// The answer to one of the questions, in no more than this many characters: with fewer passages, or none, where there is no room.
fn one(call: &Call, given: &Given, query: &str, room: usize, note: &mut Note) -> Result<Value, ToolError> {
    let request = SearchRequest {
        now: call.now,
        query: query.to_owned(),
        collection: given.text("collection").map(str::to_owned),
        path: given.text("path").map(str::to_owned),
        limit: PASSAGES,
        snippet_budget: room.saturating_sub(PASSAGES * HIT_CHARS),
        ..SearchRequest::default()
    };
    let found = call.library.search(&call.scope, &request)?;
    let mut value = json!({
        "query": beginning(query, 200),
        "found": found.total > 0,
        "count": found.total,
        "count_is_exact": found.total_is_exact,
    });
    if let Some(indexing) = found.indexing {
        value["indexing"] = answer::indexing(indexing);
    }
    if let Some(suggestion) = found.suggestion.as_ref().filter(|_| found.total == 0) {
        value["suggestion"] = json!(suggestion);
    }
    let mut passages: Vec<Value> = found.results.iter().map(|hit| answer::hit(call, hit)).collect();
    while passages.iter().map(answer::chars).sum::<usize>() + answer::chars(&value) + AROUND_CHARS > room
        && passages.pop().is_some()
    {}
    let shown = &found.results[..passages.len()];
    note.documents.extend(shown.iter().map(|hit| format!("{}/{}", hit.collection, hit.path)));
    value["passages"] = Value::Array(passages);
    Ok(value)
}
