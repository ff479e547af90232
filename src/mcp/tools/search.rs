//! `search`: the best passages for a question. The shape that OpenAI's connectors ask for, with more in it.

use serde_json::{Value, json};

use super::super::Call;
use super::super::arguments::{Argument, Given, Kind};
use super::super::cursor::Position;
use super::super::text::beginning;
use super::{ANSWER_CHARS, Tool, ToolError, answer};
use crate::access::Action;
use crate::access::audit::Note;
use crate::documents::Format;
use crate::search::{Answer, SearchRequest, SortKey};

/// Results without `limit`, and with it at most.
const LIMIT: usize = 10;
const LIMIT_MAX: usize = 50;

/// Characters of JSON around a snippet, for planning.
const HIT_CHARS: usize = 450;

/// The suggestion where there is no better one, in an agent's terms.
pub const NOTHING_FOUND: &str = "Nothing found. Try fewer or other words, fuzzy: true, or no filters.";

/// The names that `type` takes, as they stand in answers.
pub const TYPES: &[&str] = &[
    "markdown", "text", "rst", "org", "html", "pdf", "docx", "odt", "rtf", "epub", "pptx", "odp", "xlsx", "ods", "csv",
    "json", "yaml", "xml", "email", "mbox", "notebook", "code",
];

pub(super) struct Search;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "query",
        about: "Words to look for; more of them rank higher. Also \"a phrase\", -not, +must, a | b, word*.",
        kind: Kind::Text(1_000),
        required: true,
        example: "\"rent increase 2024\"",
    },
    Argument {
        name: "collection",
        about: "Only in this collection; list_collections names them.",
        kind: Kind::Text(100),
        required: false,
        example: "\"documents\"",
    },
    Argument {
        name: "path",
        about: "Only below this folder of a collection, or in this document.",
        kind: Kind::Text(4_096),
        required: false,
        example: "\"letters/2024\"",
    },
    Argument {
        name: "type",
        about: "Only documents of this type.",
        kind: Kind::Choice(TYPES),
        required: false,
        example: "\"pdf\"",
    },
    Argument {
        name: "modified_after",
        about: "Only documents of this date or later: of a mail when it was sent, else when the file was modified.",
        kind: Kind::Date,
        required: false,
        example: "\"2024-01-31\"",
    },
    Argument {
        name: "modified_before",
        about: "Only documents dated before this time.",
        kind: Kind::Date,
        required: false,
        example: "\"2025-01\"",
    },
    Argument {
        name: "match",
        about: "Whether any of the words is enough (the default) or all must be in the document.",
        kind: Kind::Choice(&["any", "all"]),
        required: false,
        example: "\"all\"",
    },
    Argument {
        name: "fuzzy",
        about: "Also words with a typo; they are marked and stand after exact ones.",
        kind: Kind::Flag,
        required: false,
        example: "true",
    },
    Argument {
        name: "context_lines",
        about: "Lines around each hit; without it, as the answer has room.",
        kind: Kind::Number(0, 20, None),
        required: false,
        example: "3",
    },
    Argument {
        name: "limit",
        about: "Results wanted.",
        kind: Kind::Number(1, LIMIT_MAX as u64, Some(LIMIT as u64)),
        required: false,
        example: "10",
    },
    Argument {
        name: "cursor",
        about: "next_cursor of the page before, with the same other arguments: goes on after it.",
        kind: Kind::Text(24_576),
        required: false,
        example: "\"(as it was given)\"",
    },
];

impl Tool for Search {
    fn name(&self) -> &'static str {
        "search"
    }

    fn title(&self) -> &'static str {
        "Search documents"
    }

    fn about(&self) -> &'static str {
        "Searches the owner's documents by their text and returns the best passages, each with its place (page, slide, sheet, message or cell as page; heading; line), a snippet \
         and an id that fetch takes. Begin with a few telling words; narrow with collection, path, type and dates. Nothing found is an \
         answer too: try the suggestion."
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
                "results": { "type": "array", "items": answer::hit_schema() },
                "total": { "type": "integer", "description": "Documents that match" },
                "total_is_exact": { "type": "boolean", "description": "Otherwise there are more" },
                "next_cursor": { "type": "string", "description": "For the next page, where there is one" },
                "index_age_seconds": { "type": "integer", "description": "Since the index last agreed with the folders, where it did" },
                "indexing": answer::indexing_schema(),
                "suggestion": { "type": "string", "description": "What to try where nothing was found" },
                "unused": {
                    "type": "array",
                    "items": { "type": "string" },
                    "description": "What of the query was not used, and why",
                },
                "notice": { "type": "string" },
            },
            "required": ["results", "total", "total_is_exact"],
        })
    }

    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError> {
        note.query = given.text("query").map(str::to_owned);
        note.collection = given.text("collection").map(str::to_owned);
        let question = given.question(self.name());
        let after = match given.text("cursor") {
            Some(cursor) => Some(open(call, &question, cursor)?),
            None => None,
        };
        let limit = given.number("limit").unwrap_or(LIMIT);
        let (answer, value) = fitting(call, given, &question, after, limit)?;
        note.documents = answer.results.iter().map(|hit| format!("{}/{}", hit.collection, hit.path)).collect();
        note.documents.dedup();
        Ok(value)
    }
}

fn open(call: &Call, question: &str, cursor: &str) -> Result<SortKey, ToolError> {
    match call.seal.open(call.now, question, cursor) {
        Ok(Position::After(key)) => Ok(key),
        _ => Err(super::cursor_error()),
    }
}

/// The page, with fewer results than wanted where they would make it too long: the cursor then goes on after the last one that is in it.
fn fitting(
    call: &Call,
    given: &Given,
    question: &str,
    after: Option<SortKey>,
    mut limit: usize,
) -> Result<(Answer, Value), ToolError> {
    loop {
        let answer = call.library.search(&call.scope, &request(call, given, after.clone(), limit))?;
        let value = page(call, question, &answer);
        if limit == 1 || answer::chars(&value) <= ANSWER_CHARS {
            return Ok((answer, value));
        }
        limit = limit.min(answer.results.len()).div_ceil(2).min(limit - 1).max(1);
    }
}

fn request(call: &Call, given: &Given, after: Option<SortKey>, limit: usize) -> SearchRequest {
    let room = call.snippet_chars.min(ANSWER_CHARS.saturating_sub(limit * HIT_CHARS));
    SearchRequest {
        now: call.now,
        query: given.text("query").unwrap_or_default().to_owned(),
        collection: given.text("collection").map(str::to_owned),
        path: given.text("path").map(str::to_owned),
        format: given.text("type").and_then(format),
        modified_after: given.date("modified_after"),
        modified_before: given.date("modified_before"),
        match_all: given.text("match") == Some("all"),
        fuzzy: given.flag("fuzzy"),
        context_lines: given.number("context_lines"),
        limit,
        after,
        snippet_budget: room,
        explain: false,
    }
}

fn format(name: &str) -> Option<Format> {
    serde_json::from_value(json!(name)).ok()
}

fn page(call: &Call, question: &str, answer: &Answer) -> Value {
    let results: Vec<Value> = answer.results.iter().map(|hit| answer::hit(call, hit)).collect();
    let mut page = json!({
        "results": results,
        "total": answer.total,
        "total_is_exact": answer.total_is_exact,
    });
    if let Some(age) = answer.index_age_seconds {
        page["index_age_seconds"] = json!(age);
    }
    if let Some(indexing) = answer.indexing {
        page["indexing"] = answer::indexing(indexing);
    }
    if let Some(key) = &answer.next {
        page["next_cursor"] = json!(call.seal.seal(call.now, question, Position::After(key.clone())));
    }
    if answer.results.is_empty() {
        page["suggestion"] = json!(answer.suggestion.as_deref().unwrap_or(NOTHING_FOUND));
    } else {
        page["notice"] = answer::notice();
    }
    if !answer.unused.is_empty() {
        page["unused"] = json!(answer.unused.iter().map(|what| beginning(what, 200)).collect::<Vec<_>>());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_a_format() {
        for name in TYPES {
            assert!(format(name).is_some(), "{name}");
        }
    }
}
