//! The real `adit bridge` against a small server end in this process.

#[path = "bridge/agent.rs"]
mod agent;
mod pair;
#[path = "bridge/server.rs"]
mod server;

#[path = "bridge/listen.rs"]
mod listen;
#[path = "bridge/sharing.rs"]
mod sharing;
#[path = "bridge/trouble.rs"]
mod trouble;

use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};

use agent::Place;
use server::{Server, reach};

/// A server, and the place of a device that knows it.
fn server() -> (Server, Place) {
    let server = Server::start("127.0.0.1:0");
    let place = Place::new(server.endpoint);
    (server, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_with_its_own_id_whatever_it_looks_like() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    for id in ["1", "0", "-7", "\"a\"", "\"\\u00e4 \\\"\\n\"", "18446744073709551615"] {
        agent.say(&format!(r#" {{"method":"echo", "params":{{"a":[1, 2.50]}},"id":{id},"jsonrpc":"2.0"}} "#)).await;
        let answer: Value = serde_json::from_str(&agent.hear().await.unwrap()).unwrap();
        assert_eq!(answer["id"], serde_json::from_str::<Value>(id).unwrap());
        assert_eq!(answer["result"], json!({ "a": [1, 2.50] }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_gets_an_error_and_not_silence() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    for (line, code) in [("hello", -32700), (r#"[{"jsonrpc":"2.0","id":1,"method":"echo"}]"#, -32600), ("{}", -32600)] {
        agent.say(line).await;
        let answer: Value = serde_json::from_str(&agent.hear().await.unwrap()).unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(code)), "{line}");
    }
    agent.say("\n\n").await;
    assert_eq!(agent.ask(1, "echo", json!({})).await["result"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_becomes_lines() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    agent.say(r#"{"jsonrpc":"2.0","id":1,"method":"events"}"#).await;
    let lines = [agent.hear().await.unwrap(), agent.hear().await.unwrap()].map(|line| line.parse::<Value>().unwrap());
    assert_eq!(lines[0]["method"], "notifications/progress");
    assert_eq!(lines[1], json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_follow_the_revision() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    let before = agent.ask(1, "headers", json!({})).await["result"].clone();
    assert_eq!(before["accept"], "application/json, text/event-stream");
    assert_eq!(before["content-type"], "application/json");
    assert!(before.get("mcp-protocol-version").is_none());
    agent.ask(2, "initialize", json!({ "protocolVersion": "2025-06-18" })).await;
    let older = agent.ask(3, "headers", json!({})).await["result"].clone();
    assert_eq!(older["mcp-protocol-version"], "2025-06-18");
    assert!(older.get("mcp-method").is_none());
    let meta = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } });
    let newest = agent.ask(4, "headers", meta).await["result"].clone();
    assert_eq!((&newest["mcp-protocol-version"], &newest["mcp-method"]), (&json!("2026-07-28"), &json!("headers")));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_run_side_by_side_and_a_cancelled_one_ends_at_the_server() {
    let (server, place) = server();
    let mut agent = place.bridge(&[]);
    agent.say(r#"{"jsonrpc":"2.0","id":"w","method":"wait"}"#).await;
    reach(&server.seen.waiting, 1).await;
    assert_eq!(agent.ask(2, "echo", json!({})).await["id"], 2);
    assert_eq!(server.seen.cancelled.load(SeqCst), 0);
    agent.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}"#).await;
    reach(&server.seen.cancelled, 1).await;
    reach(&server.seen.notified, 1).await;
    // Neither the notification nor the cancelled request is answered.
    assert_eq!(agent.ask(3, "echo", json!({})).await["id"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_server_says_the_request_is_answered() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    let error = agent.ask(1, "without-id", json!({})).await["error"].clone();
    assert_eq!(error, json!({ "code": -32020, "message": "m", "data": [1] }));
    let error = agent.ask(2, "forbidden", json!({})).await["error"].clone();
    assert_eq!(error["message"], "the server answered with status 403 Forbidden: not yours");
    assert_eq!(agent.ask(3, "busy-once", json!({})).await["result"], "done");
    assert_eq!(agent.ask(4, "cut-once", json!({})).await["result"], "done");
    let error = agent.ask(5, "cut", json!({})).await["error"].clone();
    assert!(error["message"].as_str().unwrap().starts_with("the connection to the server ended"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_comes_whole() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    let text = "0123456789abcdef".repeat(50_000);
    let answer = agent.ask(1, "echo", json!({ "text": text })).await;
    assert!(answer["result"]["text"] == text);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_agent_has_said_all_what_is_under_way_is_finished() {
    let (_server, place) = server();
    let mut agent = place.bridge(&[]);
    for id in 0..6 {
        agent.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "later" }).to_string()).await;
    }
    agent.hang_up();
    let mut answered = Vec::new();
    while let Some(line) = agent.hear().await {
        answered.push(line.parse::<Value>().unwrap()["id"].as_u64().unwrap());
    }
    answered.sort();
    assert_eq!(answered, [0, 1, 2, 3, 4, 5]);
    assert_eq!(agent.end().await, (Some(0), String::new()));
}
