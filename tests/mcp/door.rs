//! What is not MCP, and what clients send that others would refuse.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::serving::{LAPTOP, Server, library, post};

#[tokio::test]
async fn what_is_not_a_message_gets_a_json_rpc_error() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let deep = "[".repeat(100_000);
    let cases: Vec<(&str, i64, Value)> = vec![
        ("", -32700, Value::Null),
        ("{", -32700, Value::Null),
        ("not json", -32700, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} trailing", -32700, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\u{0}\"}", -32700, Value::Null),
        (&deep, -32700, Value::Null),
        ("null", -32600, Value::Null),
        ("7", -32600, Value::Null),
        ("\"ping\"", -32600, Value::Null),
        ("{}", -32600, Value::Null),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600, json!(1)),
        ("{\"id\":1,\"method\":\"ping\"}", -32600, json!(1)),
        ("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", -32600, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1}", -32600, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":18446744073709551615,\"method\":\"ping\"}", -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", -32600, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}", -32602, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", -32602, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":7}}", -32602, json!(1)),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"search\",\"arguments\":[]}}",
            -32602,
            json!(1),
        ),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":7}}", -32602, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}", -32602, json!(1)),
    ];
    for (body, code, id) in cases {
        server.refill();
        let answer = server.send(LAPTOP, post(&[], body.to_owned())).await;
        let text: String = body.chars().take(80).collect();
        assert_eq!(answer.status, 400, "{text}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        let message = answer.json();
        assert_eq!(
            (&message["error"]["code"], &message["id"], &message["jsonrpc"]),
            (&json!(code), &id, &json!("2.0")),
            "{text}"
        );
        assert!(message["error"]["message"].is_string());
    }
    let not_utf8 = server.send(LAPTOP, post(&[], vec![b'"', 0xff, b'"'])).await;
    assert_eq!((not_utf8.status.as_u16(), &not_utf8.json()["error"]["code"]), (400, &json!(-32700)));
}

#[tokio::test]
async fn what_adit_does_not_do_is_method_not_found() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    for method in [
        "nonsense",
        "tools/delete",
        "logging/setLevel",
        "prompts/get",
        "resources/read",
        "tasks/get",
        "skills/list",
        "",
    ] {
        let params = json!({"name": "x", "uri": "adit://x", "level": "debug", "taskId": "1"});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = server.post(LAPTOP, &[], &message).await.json();
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
    for method in ["notifications/cancelled", "notifications/progress", "notifications/nonsense"] {
        let message =
            json!({"jsonrpc": "2.0", "method": method, "params": {"requestId": 1, "progressToken": 1, "progress": 1}});
        assert_eq!(server.post(LAPTOP, &[], &message).await.status, 202, "{method}");
    }
}

#[tokio::test]
async fn any_accept_that_admits_json_is_served() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let cases = [
        (None, 200),
        (Some("*/*"), 200),
        (Some("application/json"), 200),
        (Some("application/*;q=0.5"), 200),
        (Some("application/json, text/event-stream"), 200),
        (Some("text/event-stream, application/json;q=0.1"), 200),
        (Some("text/event-stream"), 406),
        (Some("text/html"), 406),
        (Some("application/json;q=0, text/html"), 406),
    ];
    for (accept, status) in cases {
        let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
        let answer = server.send(LAPTOP, post(&headers, ping.clone())).await;
        assert_eq!(answer.status.as_u16(), status, "{accept:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let with = |kind: Option<&'static str>| {
        let mut request = post(&[], ping.clone());
        request.headers_mut().remove("content-type");
        if let Some(kind) = kind {
            request.headers_mut().insert("content-type", kind.parse().unwrap());
        }
        request
    };
    for kind in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
        assert_eq!(server.send(LAPTOP, with(Some(kind))).await.status, 200, "{kind}");
    }
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("application/jsonx"),
        Some(""),
    ] {
        let answer = server.send(LAPTOP, with(kind)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (415, &json!("media_type")), "{kind:?}");
    }
}
