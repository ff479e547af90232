//! A server end that does what its methods are called: enough MCP for a bridge to be tested against.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use adit::link::{Link, Stream};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use crate::pair;

/// What the server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls that were begun and dropped before they were answered.
    pub cancelled: AtomicUsize,
    /// Calls of `wait` that are under way or were.
    pub waiting: AtomicUsize,
    /// Notifications taken.
    pub notified: AtomicUsize,
    /// Ids of calls that were refused or cut off once already.
    once: parking_lot::Mutex<HashSet<String>>,
}

pub struct Server {
    pub endpoint: SocketAddr,
    pub seen: Arc<Seen>,
    link: Arc<Link>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// A server on this address of the machine, within a runtime.
    pub fn start(at: &str) -> Server {
        let link = Arc::new(pair::server(at.parse().unwrap()));
        let seen = Arc::new(Seen::default());
        let accepting = tokio::spawn(accept(Arc::clone(&link), Arc::clone(&seen)));
        Server { endpoint: link.local_addr().unwrap(), seen, link, accepting }
    }

    /// Streams of the device that are open.
    pub fn streams(&self) -> usize {
        self.link.node().peer_status(adit::link::clock::now(), pair::peer()).unwrap().streams
    }

    /// SYNs that were left without an answer because too many connections were being opened.
    pub fn turned_away(&self) -> u64 {
        self.link.node().counters().value("streams_refused_half_open")
    }

    /// Ends as a killed process does: without a word to anyone, and its port is free.
    pub async fn kill(self) {
        // Nothing can be sent for a peer that is forgotten.
        self.link.node().remove_peer(pair::peer());
        self.accepting.abort();
        let _ = self.accepting.await;
        self.link.stop().await;
    }
}

async fn accept(link: Arc<Link>, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    while let Some(stream) = link.accept().await {
        connections.spawn(serve(stream, Arc::clone(&seen)));
    }
}

async fn serve(stream: Stream, seen: Arc<Seen>) {
    let answer = service_fn(move |request| {
        let seen = Arc::clone(&seen);
        // An error ends the connection in the middle.
        async move { answer(request, &seen).await.ok_or("cut") }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

type Answer = Response<Full<Bytes>>;

async fn answer(request: Request<Incoming>, seen: &Seen) -> Option<Answer> {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    if host.as_deref() != Some(pair::SERVER[0]) {
        return Some(reply(StatusCode::FORBIDDEN, "text/plain", format!("host {host:?}")));
    }
    let body = body.collect().await.ok()?.to_bytes();
    if head.uri.path() != "/mcp" {
        let origin = head.headers.get("origin").map(|origin| origin.to_str().unwrap());
        let seen = json!({ "method": head.method.as_str(), "target": head.uri.to_string(), "origin": origin, "bytes": body.len() });
        return Some(reply(StatusCode::OK, "application/json", seen.to_string()));
    }
    let message: Value = serde_json::from_slice(&body).ok()?;
    let Some(id) = message.get("id") else {
        seen.notified.fetch_add(1, SeqCst);
        return Some(reply(StatusCode::ACCEPTED, "text/plain", String::new()));
    };
    let result = |result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
    let is_second_time = || !seen.once.lock().insert(id.to_string());
    let json = |text: String| Some(reply(StatusCode::OK, "application/json; charset=utf-8", text));
    match message["method"].as_str()? {
        "initialize" => json(result(json!({ "protocolVersion": message["params"]["protocolVersion"] }))),
        "echo" => json(result(message["params"].clone())),
        "headers" => {
            let headers = head.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())));
            json(result(Value::Object(headers.collect())))
        }
        "events" => {
            let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progress": 1 } });
            let text =
                format!(": hello\r\n\r\nevent: message\r\ndata: {progress}\r\n\r\ndata: {}\r\n\r\n", result(json!({})));
            Some(reply(StatusCode::OK, "text/event-stream", text))
        }
        "wait" => {
            seen.waiting.fetch_add(1, SeqCst);
            let dropped = Dropped(&seen.cancelled);
            std::future::pending::<()>().await;
            drop(dropped);
            None
        }
        "later" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            json(result(json!({})))
        }
        "busy-once" if !is_second_time() => {
            let mut busy =
                reply(StatusCode::TOO_MANY_REQUESTS, "application/json", r#"{"error":"slow down"}"#.to_owned());
            busy.headers_mut().insert("retry-after", "1".parse().unwrap());
            Some(busy)
        }
        "cut-once" if !is_second_time() => None,
        "cut" => None,
        "forbidden" => Some(reply(StatusCode::FORBIDDEN, "text/plain", "not yours".to_owned())),
        "without-id" => {
            let error =
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32020, "message": "m", "data": [1] } });
            Some(reply(StatusCode::BAD_REQUEST, "application/json", error.to_string()))
        }
        _ => json(result(json!("done"))),
    }
}

struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn reply(status: StatusCode, kind: &str, body: String) -> Answer {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", kind.parse().unwrap());
    response
}

/// Waits for a count to be reached, for as long as a test may take.
pub async fn reach(count: &AtomicUsize, least: usize) {
    let reached = async {
        while count.load(SeqCst) < least {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(pair::PATIENCE, reached).await.expect("the count is reached");
}

/// Waits for a figure to fall to nothing.
pub async fn reach_none(figure: impl Fn() -> usize) {
    let reached = async {
        while figure() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(pair::PATIENCE, reached).await.expect("the figure falls to nothing");
}
