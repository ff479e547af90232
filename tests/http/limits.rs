//! Sizes, rates and times.

use std::time::Duration;

use adit::access::audit::Verdict;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::serving::{HOST, LAPTOP, READER, Server, get, library};

/// What comes back until the server closes, and after how many seconds it does.
async fn until_closed(server: &Server, stream: &mut DuplexStream) -> (String, f64) {
    let clock = &server.shell.clock;
    let started = clock.now();
    let mut answer = Vec::new();
    let _ = clock.until(stream.read_to_end(&mut answer)).await;
    (String::from_utf8_lossy(&answer).into_owned(), clock.now().duration_since(started).as_secs_f64())
}

/// The beginning of the next answer.
async fn next_answer(server: &Server, stream: &mut DuplexStream) -> String {
    let mut piece = [0; 4096];
    let length = server.shell.clock.until(stream.read(&mut piece)).await.unwrap();
    String::from_utf8_lossy(&piece[..length]).into_owned()
}

#[tokio::test]
async fn a_large_header_is_refused() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let with = |length: usize| format!("GET /metrics HTTP/1.1\r\nhost: {HOST}\r\nx: {}\r\n\r\n", "a".repeat(length));
    assert!(server.raw(LAPTOP, with(16_000)).await.starts_with("HTTP/1.1 200 "));
    let answer = server.raw(LAPTOP, with(17_000)).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("header_too_large"), "{answer}");
    assert!(server.raw(LAPTOP, with(1_000_000)).await.starts_with("HTTP/1.1 431 "));
    let target = format!("GET /{} HTTP/1.1\r\nhost: {HOST}\r\n\r\n", "a".repeat(17_000));
    assert!(server.raw(LAPTOP, target).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET /metrics HTTP/1.1\r\nhost: {HOST}\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert!(server.raw(LAPTOP, many).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\nbody = \"8 KiB\"\n");
    let post = |body: String| {
        Request::post("/mcp")
            .header("host", HOST)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
    };
    let answer = server.send(LAPTOP, post(format!("\"{}\"", "a".repeat(9_000))).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (413, &json!("body_too_large")));
    // Said to be large, and not sent at all.
    let said = format!(
        "POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n"
    );
    assert!(server.raw(LAPTOP, said).await.starts_with("HTTP/1.1 413 "));
    // In chunks, without a length.
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000));
    let chunked = format!(
        "POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(3)
    );
    assert!(server.raw(LAPTOP, chunked).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(server.send(LAPTOP, post("x".repeat(8 * 1024)).unwrap()).await.status, 400);
}

#[tokio::test]
async fn a_slow_header_is_given_up_after_its_time() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\nheader_timeout = \"10s\"\n");
    let mut stream = server.connect(LAPTOP);
    for byte in b"GET /metrics" {
        let _ = stream.write_all(&[*byte]).await;
        server.shell.clock.advance(Duration::from_millis(750)).await;
    }
    let (answer, after) = until_closed(&server, &mut stream).await;
    assert_eq!(answer, "");
    assert_eq!(0.75 * 12.0 + after, 10.0);
}

#[tokio::test]
async fn the_time_for_a_header_begins_anew_with_each_request() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\nheader_timeout = \"10s\"\n");
    let mut stream = server.connect(LAPTOP);
    for _ in 0..5 {
        server.shell.clock.advance(Duration::from_secs(60)).await;
        stream.write_all(b"GET /none HTTP/1.1\r\n").await.unwrap();
        server.shell.clock.advance(Duration::from_secs(9)).await;
        stream.write_all(format!("host: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
        assert!(next_answer(&server, &mut stream).await.starts_with("HTTP/1.1 404 "));
    }
    stream.write_all(b"GET").await.unwrap();
    let (_, after) = until_closed(&server, &mut stream).await;
    assert_eq!(after, 10.0);
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_its_time() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\nidle_timeout = \"5m\"\n");
    let (_, after) = until_closed(&server, &mut server.connect(LAPTOP)).await;
    assert_eq!(after, 300.0);

    let mut stream = server.connect(LAPTOP);
    server.shell.clock.advance(Duration::from_secs(200)).await;
    stream.write_all(format!("GET /none HTTP/1.1\r\nhost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    let (answer, after) = until_closed(&server, &mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 404 "));
    assert_eq!(after, 300.0);
}

#[tokio::test]
async fn a_body_that_stops_is_given_up_after_the_calls_time() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\ncall_timeout = \"30s\"\n");
    let mut stream = server.connect(LAPTOP);
    let begun = format!(
        "POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(begun.as_bytes()).await.unwrap();
    let started = server.shell.clock.now();
    assert!(next_answer(&server, &mut stream).await.starts_with("HTTP/1.1 504 "));
    assert_eq!(server.shell.clock.now().duration_since(started).as_secs_f64(), 30.0);
}

#[tokio::test]
async fn a_peer_above_its_rate_is_told_when_to_come_back_and_another_notices_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\nrequests_per_second = 2\nrequests_burst = 4\n");
    for _ in 0..4 {
        assert_eq!(server.get("/none").await.status, 404);
    }
    let answer = server.get("/none").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"));
    assert_eq!(answer.json()["error"]["code"], "rate");
    assert_eq!(server.send(READER, get("/none")).await.status, 404);
    server.shell.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(server.get("/none").await.status, 404);
}

#[tokio::test]
async fn a_peer_has_so_many_requests_at_once() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[limits]\nrequests_at_once = 2\nrequests_burst = 100\n");
    let begun =
        format!("POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n");
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect(LAPTOP);
        stream.write_all(begun.as_bytes()).await.unwrap();
        server.shell.clock.advance(Duration::from_millis(1)).await;
        held.push(stream);
    }
    let answer = server.get("/none").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (429, &json!("at_once")));
    assert_eq!(server.send(READER, get("/none")).await.status, 404);
    drop(held);
    server.shell.clock.advance(Duration::from_millis(1)).await;
    assert_eq!(server.get("/none").await.status, 404);
}

#[tokio::test]
async fn a_peer_that_ends_its_direction_still_gets_its_answer() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    // `raw` shuts down its direction right after the request.
    assert!(
        server.raw(LAPTOP, format!("GET /none HTTP/1.1\r\nhost: {HOST}\r\n\r\n")).await.starts_with("HTTP/1.1 404 ")
    );
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let one = format!("GET /none HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    let answer = server.raw(LAPTOP, one.repeat(5)).await;
    assert_eq!(answer.matches("HTTP/1.1 404 ").count(), 5, "{answer}");
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_finishes_answers() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let mut idle = server.connect(LAPTOP);
    let mut asking = server.connect(LAPTOP);
    let begun =
        format!("POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n");
    asking.write_all(begun.as_bytes()).await.unwrap();
    server.shell.clock.advance(Duration::from_millis(10)).await;
    server.stop.send_replace(true);
    assert_eq!(until_closed(&server, &mut idle).await.1, 0.0);
    asking.write_all(b"no").await.unwrap();
    assert!(until_closed(&server, &mut asking).await.0.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn both_lengths_in_one_request_are_never_two_requests() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let smuggled = format!(
        "POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: {HOST}\r\n\r\n"
    );
    let answer = server.raw(LAPTOP, smuggled).await;
    assert!(!answer.contains("adit_http_requests_total"), "{answer}");
    let lengths = format!("POST /mcp HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd");
    assert!(server.raw(LAPTOP, lengths).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn random_bytes_harm_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..300 {
        let mut bytes = format!("GET /api/search?q=a HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: a\r\n\r\n").into_bytes();
        for _ in 0..1 + round % 8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 24) as u8;
        }
        server.refill();
        server.raw(LAPTOP, bytes).await;
    }
    server.refill();
    assert_eq!(server.get("/none").await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    for (unrecorded, status) in [(false, 200), (true, 503), (false, 200)] {
        server.shell.unrecorded.store(unrecorded, std::sync::atomic::Ordering::Relaxed);
        let answer = server.get("/api/search?q=kettle").await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        let record = server.records(1).await.remove(0);
        let refused = (answer.json()["error"]["code"] == "unrecorded", record.verdict);
        match unrecorded {
            true => assert_eq!(refused, (true, Verdict::Refused("unrecorded"))),
            false => assert_eq!(refused, (false, Verdict::Served)),
        }
    }
}
