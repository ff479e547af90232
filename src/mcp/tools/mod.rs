//! The tools: a name and arguments in, a JSON object out. None writes, and none administers. The list depends on what the caller may do and
//! on nothing else.
//!
//! | tool | what the caller must be allowed |
//! |---|---|
//! | `search`, `search_multiple` | search |
//! | `fetch` | read |
//! | `find_document`, `list_collections`, `get_document_info` | browse |

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Call;
use super::arguments::{self, Argument, Arguments, Given, Misfit};
use crate::access::Action;
use crate::access::audit::Note;
use crate::search::LibraryError;

mod answer;
mod fetch;
mod find_document;
mod get_document_info;
mod list_collections;
mod recent;
mod search;
mod search_multiple;

pub use search::{NOTHING_FOUND, TYPES};

/// Characters that an answer may have as JSON. It is sent twice, as text and as structure: both together stay below 50,000.
const ANSWER_CHARS: usize = 24_000;

/// One tool.
pub(super) trait Tool: Sync {
    /// Its name, as it is called by.
    fn name(&self) -> &'static str;
    /// Its name for people.
    fn title(&self) -> &'static str;
    /// What it does and when to use it, for a model.
    fn about(&self) -> &'static str;
    /// What a caller must be allowed.
    fn action(&self) -> Action;
    /// What it takes.
    fn arguments(&self) -> &'static [Argument];
    /// The JSON Schema of its answer.
    fn output(&self) -> Value;
    /// Answers. Runs on a thread that may block; says in `note` what it was about.
    fn run(&self, call: &Call, given: &Given, note: &mut Note) -> Result<Value, ToolError>;
}

/// All tools, in the order they are listed.
static TOOLS: [&dyn Tool; 6] = [
    &search::Search,
    &search_multiple::SearchMultiple,
    &fetch::Fetch,
    &find_document::FindDocument,
    &list_collections::ListCollections,
    &get_document_info::GetDocumentInfo,
];

/// Why a tool didn't answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolError {
    /// No such tool, or none this caller may use: the two are one.
    Unknown,
    /// An argument that doesn't fit.
    Argument(Misfit),
    /// No such document or folder, or none this caller may see: the two are one.
    NotFound,
    /// A fault of ours; the log has the rest.
    Failed,
}

impl ToolError {
    /// The reason in one word, for records.
    pub fn code(&self) -> &'static str {
        match self {
            ToolError::Unknown => "unknown_tool",
            ToolError::Argument(_) => "argument",
            ToolError::NotFound => "not_found",
            ToolError::Failed => "internal",
        }
    }

    fn misfit(message: impl Into<String>) -> ToolError {
        ToolError::Argument(Misfit { message: message.into() })
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToolError::Unknown => f.write_str("no such tool"),
            ToolError::Argument(misfit) => misfit.fmt(f),
            ToolError::NotFound => {
                f.write_str("no such document or folder; find_document and search tell what there is")
            }
            ToolError::Failed => f.write_str("something went wrong on the server; its log tells what"),
        }
    }
}

impl From<Misfit> for ToolError {
    fn from(misfit: Misfit) -> Self {
        ToolError::Argument(misfit)
    }
}

impl From<LibraryError> for ToolError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::NotFound => ToolError::NotFound,
            LibraryError::Argument { argument, problem } => ToolError::misfit(format!("{argument}: {problem}")),
            error => {
                tracing::error!(%error, "a tool failed");
                ToolError::Failed
            }
        }
    }
}

/// Every tool.
pub(super) fn all() -> impl Iterator<Item = &'static dyn Tool> {
    TOOLS.into_iter()
}

/// The tools this caller may use.
pub(super) fn allowed(call: &Call) -> impl Iterator<Item = &'static dyn Tool> {
    all().filter(|tool| call.allows(tool.action()))
}

/// Calls a tool by its name, on a thread of its own. Dropping the future drops the answer.
pub async fn run(call: Arc<Call>, name: &str, arguments: Arguments) -> Result<Value, ToolError> {
    let tool = allowed(&call).find(|tool| tool.name() == name).ok_or(ToolError::Unknown)?;
    run_on_thread(call, tool, arguments).await
}

/// The most recently modified documents: asked for like a tool, but not one of MCP's.
pub async fn recent(call: Arc<Call>, arguments: Arguments) -> Result<Value, ToolError> {
    match call.allows(recent::Recent.action()) {
        true => run_on_thread(call, &recent::Recent, arguments).await,
        false => Err(ToolError::Unknown),
    }
}

async fn run_on_thread(call: Arc<Call>, tool: &'static dyn Tool, arguments: Arguments) -> Result<Value, ToolError> {
    call.note.lock().tool = Some(tool.name());
    let (sender, receiver) = futures_channel::oneshot::channel();
    let work = {
        let call = Arc::clone(&call);
        Box::new(move || {
            // Whoever waited may be gone by now.
            let _ = sender.send(run_here(tool, &call, arguments));
        })
    };
    call.threads.run(work);
    // The sender is dropped unused when the work panicked.
    receiver.await.unwrap_or(Err(ToolError::Failed))
}

fn run_here(tool: &dyn Tool, call: &Call, arguments: Arguments) -> Result<Value, ToolError> {
    let mut note = call.note.lock().clone();
    let answer = arguments::check(tool.arguments(), arguments)
        .map_err(ToolError::from)
        .and_then(|given| tool.run(call, &given, &mut note));
    note.refused = answer.as_ref().err().map(ToolError::code);
    *call.note.lock() = note;
    answer
}

/// The JSON Schema of a tool's arguments.
pub(super) fn input_schema(tool: &dyn Tool) -> Map<String, Value> {
    arguments::schema(tool.arguments())
}

/// The one answer to a cursor that cannot be used, whatever is wrong with it.
fn cursor_error() -> ToolError {
    ToolError::misfit("cursor: not a cursor for these arguments, or older than an hour; ask again without it")
}
