//! The server's HTTP answer in, the lines for the agent out. What the server says is relayed byte for byte; only line ends, which in
//! JSON are mere white space, become blanks, and an answer without the request's id gets it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{StatusCode, response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bridge::message::{Kind, Message, NO_ANSWER, error_line, key};
use crate::limits::{BRIDGE_ANSWER_BYTES, BRIDGE_BUSY_SECS};

/// What of an answer is looked at.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    method: Option<serde::de::IgnoredAny>,
}

/// Whether this line is the answer to the request: its id, and no method of the server's own.
pub(super) fn is_answer(line: &[u8], message: &Message) -> bool {
    let Ok(head) = serde_json::from_slice::<Head>(line) else { return false };
    let same_id = match (head.id, &message.id) {
        (Some(id), Some(request)) => key(id) == key(request),
        _ => false,
    };
    same_id && head.method.is_none()
}

/// The revision that an answer to `initialize` agrees on.
pub(super) fn agreed_revision(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Agreed {
        #[serde(rename = "protocolVersion")]
        protocol_version: String,
    }
    let head: Head = serde_json::from_slice(line).ok()?;
    let agreed: Agreed = serde_json::from_str(head.result?.get()).ok()?;
    Some(agreed.protocol_version)
}

/// A JSON text on one line.
pub(super) fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    json
}

/// Whether the answer comes as events.
pub(super) fn is_event_stream(head: &response::Parts) -> bool {
    let of_type =
        |value: &str| value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"));
    head.status.is_success()
        && head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(of_type)
}

/// Seconds after which a busy server wants to be asked again; `None` where it is not busy.
pub(super) fn busy_secs(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    is_busy.then(|| asked.unwrap_or(1).clamp(1, BRIDGE_BUSY_SECS))
}

/// The line that answers a request whose HTTP answer is this single body.
pub(super) fn line_of(status: StatusCode, body: Vec<u8>, message: &Message) -> Vec<u8> {
    if is_answer(&body, message) {
        return one_line(body);
    }
    // An error that the server could not put an id to is still the answer to this request.
    if let Ok(Head { error: Some(error), .. }) = serde_json::from_slice(&body) {
        return one_line(with_id(error, message));
    }
    let said = String::from_utf8_lossy(&body);
    let said: String = said.trim().chars().take(SAID_CHARS).collect();
    let reason = match said.is_empty() {
        true => format!("the server answered with status {status} and nothing else"),
        false => format!("the server answered with status {status}: {said}"),
    };
    error_line(message.id.as_deref(), NO_ANSWER, &reason)
}

/// What is repeated of an answer that is not JSON-RPC, in characters.
const SAID_CHARS: usize = 500;

fn with_id(error: &RawValue, message: &Message) -> Vec<u8> {
    #[derive(Serialize)]
    struct Failure<'a> {
        jsonrpc: &'a str,
        id: Option<&'a RawValue>,
        error: &'a RawValue,
    }
    let failure = Failure { jsonrpc: "2.0", id: message.id.as_deref(), error };
    serde_json::to_vec(&failure).expect("a struct of JSON texts is JSON")
}

/// Why an answer did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    /// The connection ended.
    #[error("the connection to the server ended: {0}")]
    Connection(#[from] hyper::Error),
    /// The events ended without the answer.
    #[error("the server ended the event stream without an answer")]
    Unanswered,
    /// It is larger than [`BRIDGE_ANSWER_BYTES`].
    #[error("the server's answer is larger than {} MiB", BRIDGE_ANSWER_BYTES >> 20)]
    TooLarge,
}

/// The next bytes of a body; `None` at its end.
pub(super) async fn next_bytes(body: &mut Incoming) -> Result<Option<Bytes>, Cut> {
    loop {
        match body.frame().await.transpose()? {
            None => return Ok(None),
            Some(frame) => match frame.into_data() {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(_trailers) => continue,
            },
        }
    }
}

/// Whether a message expects a line back.
pub(super) fn wants_answer(message: &Message) -> bool {
    message.kind == Kind::Request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Message {
        Message::parse(br#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#).unwrap()
    }

    fn check(status: u16, body: &str, expected: &str) {
        let line = line_of(StatusCode::from_u16(status).unwrap(), body.as_bytes().to_vec(), &request());
        assert_eq!(String::from_utf8(line).unwrap(), expected, "{status} {body}");
    }

    #[test]
    fn an_answer_is_relayed_byte_for_byte() {
        let answer = r#"{"result": {"x": 1.0e0, "t": "a\nb\u00e9"},  "id":"\u0061","jsonrpc":"2.0"}"#;
        check(200, answer, answer);
        check(200, "{\n \"id\": \"a\",\r\n \"result\": {}}", r#"{  "id": "a",   "result": {}}"#);
    }

    #[test]
    fn whatever_comes_the_request_is_answered() {
        let error = r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32022,"message":"m","data":{"supported":[1]}}}"#;
        check(400, &error.replace(r#""id":"a""#, r#""id":null"#), error);
        check(400, error, error);
        let plain =
            |reason: &str| format!(r#"{{"jsonrpc":"2.0","id":"a","error":{{"code":-32000,"message":"{reason}"}}}}"#);
        check(403, "", &plain("the server answered with status 403 Forbidden and nothing else"));
        check(
            415,
            "expected \"json\"\n",
            &plain(r#"the server answered with status 415 Unsupported Media Type: expected \"json\""#),
        );
        check(202, "", &plain("the server answered with status 202 Accepted and nothing else"));
        check(
            200,
            r#"{"id":"b","result":1}"#,
            &plain(r#"the server answered with status 200 OK: {\"id\":\"b\",\"result\":1}"#),
        );
    }

    #[test]
    fn the_agreed_revision_is_the_servers_word() {
        assert_eq!(
            agreed_revision(br#"{"id":1,"result":{"protocolVersion":"2025-06-18","x":1}}"#).as_deref(),
            Some("2025-06-18")
        );
        for other in [r#"{"id":1,"error":{}}"#, r#"{"id":1,"result":[]}"#, "x"] {
            assert_eq!(agreed_revision(other.as_bytes()), None);
        }
    }

    #[test]
    fn a_busy_server_says_when_to_ask_again() {
        let headers =
            |value: Option<&str>| value.map(|value| (RETRY_AFTER, value.parse().unwrap())).into_iter().collect();
        for (status, after, expected) in [
            (429, None, Some(1)),
            (429, Some("2"), Some(2)),
            (503, Some("soon"), Some(1)),
            (200, Some("2"), None),
            (429, Some("99999"), Some(BRIDGE_BUSY_SECS)),
        ] {
            assert_eq!(busy_secs(StatusCode::from_u16(status).unwrap(), &headers(after)), expected);
        }
    }
}
