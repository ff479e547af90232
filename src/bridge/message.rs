//! One line from the agent, looked at and never re-typed: is it a request, what is its id, and which headers does the transport
//! want beside it (MCP 2026-07-28, Transports: Streamable HTTP).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The first revision that wants `Mcp-Method` and `Mcp-Name`. Revisions are dates: they compare as text.
const NAMED_HEADERS_SINCE: &str = "2026-07-28";

/// JSON-RPC's codes for what this end refuses (JSON-RPC 2.0 §5.1).
pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
/// The code for a server that did not answer, from the range left to implementations.
pub(super) const NO_ANSWER: i32 = -32000;

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// Wants an answer with its id.
    Request,
    /// Wants none.
    Notification,
    /// Answers something the server asked.
    Response,
}

/// A line whose outer shape is that of JSON-RPC.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// As the agent wrote it: the answer to a request carries it back byte for byte.
    pub(super) id: Option<Box<RawValue>>,
    method: Option<String>,
    params: Params,
}

/// Why a line is not relayed.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) code: i32,
    pub(super) reason: &'static str,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// The few parameters that headers repeat.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    name: Value,
    uri: Value,
    #[serde(rename = "taskId")]
    task_id: Value,
    #[serde(rename = "requestId")]
    request_id: Value,
    #[serde(rename = "_meta")]
    meta: Value,
}

/// Keeps `null` apart from nothing.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Message {
    /// Looks at a line.
    pub(super) fn parse(line: &[u8]) -> Result<Message, Refused> {
        let refuse = |code, reason| Refused { code, reason };
        if line.trim_ascii_start().first() == Some(&b'[') {
            return Err(refuse(INVALID_REQUEST, "batches are not relayed: send one message per line"));
        }
        let head: Head = serde_json::from_slice(line).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => refuse(INVALID_REQUEST, "not a JSON-RPC message"),
            _ => refuse(PARSE_ERROR, "not JSON"),
        })?;
        let kind = match (&head.method, head.id) {
            (Some(_), Some(id)) if is_id(id) => Kind::Request,
            (Some(_), Some(_)) => return Err(refuse(INVALID_REQUEST, "the id must be a string or a number")),
            (Some(_), None) => Kind::Notification,
            (None, Some(_)) => Kind::Response,
            (None, None) => return Err(refuse(INVALID_REQUEST, "neither a method nor an id")),
        };
        // Parameters of another shape are the server's to refuse.
        let params = head.params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        Ok(Message { kind, id: head.id.map(RawValue::to_owned), method: head.method.map(Cow::into_owned), params })
    }

    /// Whether the revision is agreed on by this message.
    pub(super) fn is_initialize(&self) -> bool {
        self.kind == Kind::Request && self.method.as_deref() == Some("initialize")
    }

    /// The request that this notification takes back, as a key (see [`key`]).
    pub(super) fn cancels(&self) -> Option<String> {
        let cancels = self.kind == Kind::Notification && self.method.as_deref() == Some("notifications/cancelled");
        cancels.then(|| self.params.request_id.to_string())
    }

    /// The revision of this message: its own word, else what `initialize` has agreed on.
    pub(super) fn revision<'a>(&'a self, agreed: Option<&'a str>) -> Option<&'a str> {
        let own = self.params.meta.get("io.modelcontextprotocol/protocolVersion").and_then(Value::as_str);
        own.or(agreed)
    }

    /// What the transport wants beside the message. `initialize` names no revision: it is what the answer decides.
    pub(super) fn headers(&self, agreed: Option<&str>) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        let mut add = |name, value: &str| headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        let Some(revision) = self.revision(agreed).filter(|_| !self.is_initialize()) else {
            return headers;
        };
        add(PROTOCOL_VERSION, revision);
        if let Some(method) = self.method.as_deref().filter(|_| revision >= NAMED_HEADERS_SINCE) {
            add(METHOD, method);
            if let Some(name) = self.name(method) {
                add(NAME, &header_text(name));
            }
        }
        headers
    }

    /// What `Mcp-Name` repeats for this method.
    fn name(&self, method: &str) -> Option<&str> {
        match method {
            "tools/call" | "prompts/get" => self.params.name.as_str(),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => self.params.uri.as_str(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.params.task_id.as_str(),
            _ => None,
        }
    }
}

fn is_id(id: &RawValue) -> bool {
    matches!(id.get().as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
}

/// An id as a key: two spellings of one id are the same.
pub(super) fn key(id: &RawValue) -> String {
    serde_json::from_str::<Value>(id.get()).map_or_else(|_| id.get().to_owned(), |id| id.to_string())
}

/// A text as a header's value: as it is where that is safe, else in base64 between marks.
fn header_text(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        && text.trim_matches([' ', '\t']) == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    match plain {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("=?base64?{}?=", BASE64.encode(text))),
    }
}

/// The line that answers a request (or, without an id, nobody in particular) with an error.
pub(super) fn error_line(id: Option<&RawValue>, code: i32, message: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Failure<'a> {
        jsonrpc: &'a str,
        id: Option<&'a RawValue>,
        error: Reason<'a>,
    }
    #[derive(Serialize)]
    struct Reason<'a> {
        code: i32,
        message: &'a str,
    }
    let failure = Failure { jsonrpc: "2.0", id, error: Reason { code, message } };
    serde_json::to_vec(&failure).expect("a struct of texts and numbers is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Message {
        Message::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_line_is_a_request_a_notification_or_a_response() {
        for (line, kind) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
            (r#"{"jsonrpc":"2.0","id":"a\n","method":"p\u0069ng","params":[1]}"#, Kind::Request),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Kind::Notification),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#, Kind::Response),
        ] {
            assert_eq!(parse(line).kind, kind, "{line}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_code() {
        for (line, code) in [
            ("", PARSE_ERROR),
            ("hello", PARSE_ERROR),
            (r#"{"id":1"#, PARSE_ERROR),
            (r#"{"id":1,"method":"x"} trailing"#, PARSE_ERROR),
            ("\"\u{0}\"", PARSE_ERROR),
            ("7", INVALID_REQUEST),
            ("{}", INVALID_REQUEST),
            (r#"[{"id":1,"method":"ping"}]"#, INVALID_REQUEST),
            (r#"{"id":null,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"id":{},"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"id":1,"method":7}"#, INVALID_REQUEST),
            (r#"{"id":1,"id":2,"method":"ping"}"#, INVALID_REQUEST),
        ] {
            assert_eq!(Message::parse(line.as_bytes()).unwrap_err().code, code, "{line}");
        }
        assert!(Message::parse(b"{\"method\":\"\xff\"}").is_err());
        assert!(Message::parse(&[b'['; 100_000]).is_err());
        assert!(
            Message::parse(format!("{{\"id\":1,\"method\":\"a\",\"params\":{}", "[".repeat(100_000)).as_bytes())
                .is_err()
        );
    }

    #[test]
    fn headers_are_those_of_the_messages_revision() {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let call = |name: &str| format!(r#"{{"id":1,"method":"tools/call","params":{{"name":"{name}",{meta}}}}}"#);
        let list = format!(r#"{{"id":1,"method":"tools/list","params":{{{meta}}}}}"#);
        let read = format!(r#"{{"id":1,"method":"resources/read","params":{{"uri":"adit://c/p",{meta}}}}}"#);
        let cases: [(&str, Option<&str>, &[&str]); 8] = [
            (r#"{"id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#, Some("2025-06-18"), &[]),
            (r#"{"id":1,"method":"tools/list"}"#, None, &[]),
            (r#"{"id":1,"method":"tools/list"}"#, Some("2025-06-18"), &["2025-06-18"]),
            (&list, Some("2025-06-18"), &["2026-07-28", "tools/list"]),
            (&call("search"), None, &["2026-07-28", "tools/call", "search"]),
            (&call("süß"), None, &["2026-07-28", "tools/call", "=?base64?c8O8w58=?="]),
            (&call(" x"), None, &["2026-07-28", "tools/call", "=?base64?IHg=?="]),
            (&read, None, &["2026-07-28", "resources/read", "adit://c/p"]),
        ];
        for (line, agreed, expected) in cases {
            let headers = parse(line).headers(agreed);
            let values: Vec<&str> = headers.iter().map(|(_, value)| value.to_str().unwrap()).collect();
            assert_eq!(values, expected, "{line}");
        }
        let names: Vec<String> = parse(&call("x")).headers(None).iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["mcp-protocol-version", "mcp-method", "mcp-name"]);
    }

    #[test]
    fn a_cancellation_finds_its_request_however_the_id_is_spelt() {
        let request = parse(r#"{"id":"\u0061","method":"tools/call"}"#);
        let cancel = parse(r#"{"method":"notifications/cancelled","params":{"requestId":"a"}}"#);
        assert_eq!(cancel.cancels(), Some(key(&request.id.unwrap())));
        assert_eq!(parse(r#"{"id":1,"method":"notifications/cancelled"}"#).cancels(), None);
    }

    #[test]
    fn an_error_carries_the_id_as_it_was_written() {
        let request = parse(r#"{"id": 1.50e1 ,"method":"ping"}"#);
        let line = error_line(request.id.as_deref(), NO_ANSWER, "no \"answer\"");
        assert_eq!(line, br#"{"jsonrpc":"2.0","id":1.50e1,"error":{"code":-32000,"message":"no \"answer\""}}"#);
        assert!(error_line(None, PARSE_ERROR, "").starts_with(br#"{"jsonrpc":"2.0","id":null"#));
    }
}
