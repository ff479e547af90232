//! The body of one POST in, what is answered out. What the SDK's transport would refuse with a bare text is refused here as JSON-RPC
//! wants it; what is well formed goes on to the SDK, one message at a time.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{Call, server};

/// Revisions that adit speaks, oldest first.
pub const REVISIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// The header in which a client of 2025-06-18 or later names its revision.
pub(super) const REVISION_HEADER: &str = "mcp-protocol-version";

/// The only revision in which messages come in batches: they were added by it and removed by the next.
const BATCH_REVISION: &str = "2025-03-26";

/// Revisions whose clients don't name their revision in a header.
const WITHOUT_HEADER: [&str; 2] = ["2024-11-05", BATCH_REVISION];

/// Messages in one batch: more than a client has reason to send at once, few enough to bound the work of one request.
const BATCH_MESSAGES: usize = 20;

/// JSON-RPC 2.0 §5.1.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;
/// MCP 2026-07-28.
const UNSUPPORTED_REVISION: i64 = -32022;

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// The HTTP status.
    pub status: StatusCode,
    /// JSON; nothing for a notification.
    pub body: Option<Bytes>,
}

/// A JSON-RPC error to be answered.
#[derive(Debug)]
struct Fault {
    status: StatusCode,
    code: i64,
    message: String,
    data: Option<Value>,
}

impl Fault {
    fn bad(code: i64, message: impl Into<String>) -> Fault {
        Fault { status: StatusCode::BAD_REQUEST, code, message: message.into(), data: None }
    }

    fn posted(self, id: Value) -> Posted {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = self.data {
            error["data"] = data;
        }
        let message = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        Posted { status: self.status, body: Some(Bytes::from(message.to_string())) }
    }
}

/// Answers the body of one POST. `calls` makes a call for each of so many messages, or refuses them all.
pub async fn handle<R>(
    headers: &HeaderMap,
    body: &[u8],
    calls: impl FnOnce(usize) -> Result<Vec<Arc<Call>>, R>,
) -> Result<Posted, R> {
    let message: Value = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => {
            let place = format!("not JSON: line {}, column {}", error.line(), error.column());
            return Ok(Fault::bad(PARSE_ERROR, place).posted(Value::Null));
        }
    };
    let (messages, is_batch) = match message {
        Value::Array(messages) => (messages, true),
        message => (vec![message], false),
    };
    if messages.is_empty() || messages.len() > BATCH_MESSAGES {
        let fault = Fault::bad(INVALID_REQUEST, format!("a batch holds 1 to {BATCH_MESSAGES} messages"));
        return Ok(fault.posted(Value::Null));
    }
    let calls = calls(messages.len())?;
    match is_batch {
        true => Ok(batch(headers, messages, calls).await),
        false => Ok(single(headers, messages, calls).await),
    }
}

async fn single(headers: &HeaderMap, messages: Vec<Value>, calls: Vec<Arc<Call>>) -> Posted {
    let Some((message, call)) = messages.into_iter().zip(calls).next() else {
        return Fault::bad(INTERNAL_ERROR, "no call").posted(Value::Null);
    };
    one(headers, message, call).await
}

async fn batch(headers: &HeaderMap, messages: Vec<Value>, calls: Vec<Arc<Call>>) -> Posted {
    if let Err(fault) = check_batch(headers, &messages, &calls) {
        return fault.posted(Value::Null);
    }
    let mut answers: Vec<Bytes> = Vec::new();
    for (message, call) in messages.into_iter().zip(calls) {
        answers.extend(one(headers, message, call).await.body);
    }
    if answers.is_empty() {
        return Posted { status: StatusCode::ACCEPTED, body: None };
    }
    let body = [b"[", answers.join(&b","[..]).as_slice(), b"]"].concat();
    Posted { status: StatusCode::OK, body: Some(Bytes::from(body)) }
}

/// MCP 2025-03-26, Base Protocol: batches are received, `initialize` is never in one. Other revisions have none.
fn check_batch(headers: &HeaderMap, messages: &[Value], calls: &[Arc<Call>]) -> Result<(), Fault> {
    let named = revision(headers)?.unwrap_or(BATCH_REVISION);
    let accepted = calls.iter().all(|call| call.revisions.iter().any(|revision| revision == BATCH_REVISION));
    if named != BATCH_REVISION || !accepted {
        return Err(Fault::bad(INVALID_REQUEST, "batches belong to revision 2025-03-26: send one message at a time"));
    }
    match messages.iter().any(|message| message["method"] == "initialize") {
        true => Err(Fault::bad(INVALID_REQUEST, "initialize is not sent in a batch")),
        false => Ok(()),
    }
}

/// Answers one message.
async fn one(headers: &HeaderMap, message: Value, call: Arc<Call>) -> Posted {
    let id = message.get("id").filter(|id| is_id(id)).cloned().unwrap_or(Value::Null);
    match check(headers, &message, &call) {
        Ok(()) => mend(server::forward(headers, &message, call).await, id),
        Err(fault) => fault.posted(id),
    }
}

/// Whether a message is one that the SDK will understand.
fn check(headers: &HeaderMap, message: &Value, call: &Call) -> Result<(), Fault> {
    let Value::Object(fields) = message else {
        return Err(Fault::bad(INVALID_REQUEST, "a message is an object"));
    };
    if fields.get("jsonrpc") != Some(&json!("2.0")) {
        return Err(Fault::bad(INVALID_REQUEST, "jsonrpc must be \"2.0\""));
    }
    if fields.get("id").is_some_and(|id| !is_id(id)) {
        return Err(Fault::bad(INVALID_REQUEST, "id must be text or a whole number"));
    }
    let Some(method) = fields.get("method") else {
        return Err(Fault::bad(INVALID_REQUEST, "method is missing (nothing was asked of you that you could answer)"));
    };
    let Value::String(method) = method else {
        return Err(Fault::bad(INVALID_REQUEST, "method must be text"));
    };
    let params = match fields.get("params") {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(Fault::bad(INVALID_PARAMS, "params must be an object")),
    };
    check_revision(headers, method, call)?;
    match fields.contains_key("id") {
        true => check_params(method, params),
        false => Ok(()),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.as_i64().is_some()
}

/// What a client names as its revision, if it does.
fn revision(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut values = headers.get_all(REVISION_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value)),
        _ => Err(Fault::bad(INVALID_REQUEST, "MCP-Protocol-Version must be there once, as text")),
    }
}

/// Refuses a revision that isn't accepted. `initialize` is where revisions are agreed on, so it is let through.
fn check_revision(headers: &HeaderMap, method: &str, call: &Call) -> Result<(), Fault> {
    let named = revision(headers)?;
    let accepted = |revision: &str| call.revisions.iter().any(|accepted| accepted == revision);
    let fine = match named {
        _ if method == "initialize" => true,
        Some(named) => accepted(named),
        None => WITHOUT_HEADER.into_iter().any(accepted) || method == "server/discover",
    };
    if fine {
        return Ok(());
    }
    let list = call.revisions.join(", ");
    Err(Fault {
        status: StatusCode::BAD_REQUEST,
        code: UNSUPPORTED_REVISION,
        message: format!("this revision of MCP is not accepted here; accepted in MCP-Protocol-Version: {list}"),
        data: Some(json!({ "supported": call.revisions, "requested": named })),
    })
}

/// Parameters that the SDK would otherwise mistake for another method's.
fn check_params(method: &str, params: Option<&Map<String, Value>>) -> Result<(), Fault> {
    let field = |name: &str| params.and_then(|params| params.get(name));
    let wrong = |what: &str| Err(Fault::bad(INVALID_PARAMS, format!("{method}: {what}")));
    match method {
        "tools/call" if !field("name").is_some_and(Value::is_string) => wrong("params.name must be text"),
        "tools/call" if field("arguments").is_some_and(|arguments| !arguments.is_object()) => {
            wrong("params.arguments must be an object")
        }
        "tools/list" if field("cursor").is_some_and(|cursor| !cursor.is_string()) => {
            wrong("params.cursor must be text")
        }
        "initialize" if !field("protocolVersion").is_some_and(Value::is_string) => {
            wrong("params.protocolVersion must be text")
        }
        "initialize" if !field("capabilities").is_some_and(Value::is_object) => {
            wrong("params.capabilities must be an object")
        }
        "initialize" => {
            let named = |field: &str, info: &Value| info.get(field).is_some_and(Value::is_string);
            match field("clientInfo").is_some_and(|info| named("name", info) && named("version", info)) {
                true => Ok(()),
                false => wrong("params.clientInfo must have a name and a version"),
            }
        }
        _ => Ok(()),
    }
}

/// The SDK's transport answers some errors with bare text: those become JSON-RPC too.
fn mend(answer: server::Answer, id: Value) -> Posted {
    let server::Answer { status, is_json, body } = answer;
    if is_json || (status.is_success() && body.is_empty()) {
        return Posted { status, body: (!body.is_empty()).then_some(body) };
    }
    if status.is_server_error() || status.is_success() {
        let fault = Fault {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: INTERNAL_ERROR,
            message: "something went wrong here".to_owned(),
            data: None,
        };
        return fault.posted(id);
    }
    Fault::bad(INVALID_REQUEST, "this message is not one that MCP knows in this form").posted(id)
}
