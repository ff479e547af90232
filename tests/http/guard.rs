//! Who may ask, by what name, from where, and how.

use adit::access::{Action, Grant, Policy};
use adit::peer::PeerId;
use http::{Method, Request};
use serde_json::Value;
use tempfile::tempdir;

use crate::serving::{HOST, LAPTOP, READER, STRANGER, Server, fill, get, library, policy};

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let cases = [
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        ("GET /metrics HTTP/1.0\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nhost: 10.94.7.1\r\nhost: 10.94.7.1\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nhost: 10.94.7.1\r\nHost: evil.example\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nhost: \u{e9}\r\n\r\n", 400),
        ("GET http://10.94.7.1/metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 200),
        ("GET http://10.94.7.1/metrics HTTP/1.1\r\nhost: evil.example\r\n\r\n", 400),
        ("GET http://evil.example/metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 400),
        ("GET http://evil.example/metrics HTTP/1.1\r\nhost: evil.example\r\n\r\n", 403),
        ("GET https://10.94.7.1/metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 400),
        ("GET http://user@10.94.7.1/metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 400),
        ("CONNECT 10.94.7.1:80 HTTP/1.1\r\nhost: 10.94.7.1:80\r\n\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 404),
        ("GET //metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 404),
        ("GET /../metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 404),
        ("GET /%6detrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 404),
        ("GET /metrics HTTP/1.0\r\nhost: 10.94.7.1\r\n\r\n", 200),
        ("GET metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n\r\n", 400),
        ("GET /metrics HTTP/3.0\r\nhost: 10.94.7.1\r\n\r\n", 400),
        ("GET /metrics\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nhost: 10.94.7.1\r\nno colon\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nhost: 10.94.7.1\r\n folded: a\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}", 400),
    ];
    for (request, status) in cases {
        let answer = server.raw(LAPTOP, request).await;
        // HTTP/1.0 is answered in its own version, as hyper does.
        assert!(answer.get(9..12) == Some(status.to_string().as_str()), "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_has_one_origin_at_most() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let twice = format!(
        "GET /metrics HTTP/1.1\r\nhost: {HOST}\r\norigin: http://{HOST}\r\norigin: http://evil.example\r\n\r\n"
    );
    assert!(server.raw(LAPTOP, twice).await.starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn a_browser_that_calls_a_request_another_sites_is_believed() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[mcp]\norigins = [\"https://app.example\"]\n");
    let cases = [
        // A link or a bookmark, the page's own requests, and those of a configured origin.
        ("GET", "cross-site", "navigate", "document", "", 200),
        ("GET", "none", "navigate", "document", "", 200),
        ("GET", "same-origin", "cors", "empty", "", 200),
        ("GET", "cross-site", "cors", "empty", "https://app.example", 200),
        // An image, a script, a frame; the same of another port of this machine; a form.
        ("GET", "cross-site", "no-cors", "image", "", 403),
        ("GET", "cross-site", "no-cors", "script", "", 403),
        ("GET", "cross-site", "navigate", "iframe", "", 403),
        ("HEAD", "cross-site", "no-cors", "empty", "", 403),
        ("GET", "same-site", "no-cors", "image", "", 403),
        ("GET", "same-site", "", "", "", 403),
        ("POST", "cross-site", "navigate", "document", "", 403),
    ];
    for (method, site, mode, dest, origin, status) in cases {
        let mut request = Request::builder().method(method).uri("/metrics").header("host", HOST);
        let headers =
            [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest), ("origin", origin)];
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        let answer = server.send(LAPTOP, request.body(Default::default()).unwrap()).await;
        assert_eq!(answer.status, status, "{method} {site} {mode} {dest} {origin}");
    }
}

#[tokio::test]
async fn a_configured_origin_is_named_and_no_other() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[mcp]\norigins = [\"https://app.example\"]\n");
    let with = |method: Method, origin: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .header("origin", origin)
            .header("access-control-request-private-network", "true")
            .body(Default::default())
            .unwrap()
    };
    let answer = server.send(LAPTOP, with(Method::OPTIONS, "https://app.example", "/mcp")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("access-control-allow-methods"), "POST");
    assert_eq!(answer.header("access-control-allow-private-network"), "true");
    assert_eq!(answer.header("vary"), "origin");

    let answer = server.send(LAPTOP, with(Method::GET, "https://app.example", "/none")).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (404, "https://app.example"));
    for origin in ["https://app.example.evil", "http://app.example", "https://app.example:444", "null", "*"] {
        let answer = server.send(LAPTOP, with(Method::OPTIONS, origin, "/mcp")).await;
        assert_eq!((answer.status.as_u16(), answer.headers.contains_key("access-control-allow-origin")), (403, false));
    }
    // Without an origin nothing is said of any.
    let answer = server.get("/metrics").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_peer_without_a_grant_gets_one_and_the_same_answer_everywhere() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let mut texts = Vec::new();
    for path in [
        "/",
        "/mcp",
        "/_health",
        "/metrics",
        "/api/search?q=x",
        "/api/documents/x",
        "/none",
        "/.well-known/oauth-protected-resource",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            server.refill();
            let request =
                Request::builder().method(method).uri(path).header("host", HOST).body(Default::default()).unwrap();
            let answer = server.send(STRANGER, request).await;
            assert_eq!(answer.status, 403);
            let mut body = answer.json();
            body["error"]["request_id"].take();
            texts.push(body.to_string());
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn each_path_asks_for_its_own_right() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    for path in ["/_health", "/metrics", "/api/documents/x", "/api/documents/x/original", "/api/recent"] {
        let answer = server.send(READER, get(path)).await;
        assert_eq!((answer.status.as_u16(), code(&answer.json())), (403, "not_allowed"), "{path}");
    }
}

#[tokio::test]
async fn nothing_in_a_request_makes_another_caller_of_it() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let claims = [
        ("authorization", "Bearer laptop"),
        ("authorization", "Basic bGFwdG9wOmxhcHRvcA=="),
        ("cookie", "peer=1"),
        ("x-forwarded-for", "10.94.7.2"),
        ("forwarded", "for=10.94.7.2"),
        ("x-real-ip", "10.94.7.2"),
        ("x-peer", "1"),
        ("x-adit-peer", "1"),
        ("from", "laptop"),
        ("mcp-session-id", "1"),
        ("via", "1.1 laptop"),
    ];
    for (name, value) in claims {
        let request = Request::get("/metrics").header("host", HOST).header(name, value);
        assert_eq!(server.send(STRANGER, request.body(Default::default()).unwrap()).await.status, 403, "{name}");
        let request = Request::get("/metrics").header("host", HOST).header(name, value);
        assert_eq!(server.send(LAPTOP, request.body(Default::default()).unwrap()).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_search_that_is_under_way_when_the_grant_changes_says_nothing() {
    let dir = tempdir().unwrap();
    let library = library(dir.path());
    fill(&library, dir.path(), &[("quince.txt", "The quince tree\n")]);
    let server = Server::new(library, "");
    let all = Grant::new(["*"], Action::ALL).unwrap();
    let same = Policy::new(2, [(PeerId::new(LAPTOP), all.clone())]);
    let narrowed = Grant::new(["*", "!notes/private"], Action::ALL).unwrap();
    let reads_no_more = Grant::new(["*"], [Action::Search]).unwrap();
    for (after, told) in [
        (same, true),
        (Policy::new(3, [(PeerId::new(LAPTOP), narrowed)]), false),
        (Policy::new(4, [(PeerId::new(LAPTOP), reads_no_more)]), false),
        (Policy::default(), false),
    ] {
        let before = Policy::new(1, [(PeerId::new(LAPTOP), all.clone())]);
        server.appliance.policy.store(before.into());
        *server.shell.held.lock() = Some(Vec::new());
        let change = async {
            while server.shell.held.lock().as_ref().is_some_and(Vec::is_empty) {
                tokio::task::yield_now().await;
            }
            server.appliance.policy.store(after.into());
            let held = server.shell.held.lock().take();
            held.into_iter().flatten().for_each(|work| work());
        };
        let (answer, ()) = tokio::join!(server.get("/api/search?q=quince"), change);
        let (status, text) = (answer.status.as_u16(), answer.text());
        assert_eq!((status == 200, text.contains("tree")), (told, told), "{text}");
    }
}

#[tokio::test]
async fn a_changed_grant_holds_from_the_next_request_on() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    assert_eq!(server.get("/metrics").await.status, 200);
    server.appliance.policy.store(Default::default());
    assert_eq!(server.get("/metrics").await.status, 403);
    server.appliance.policy.store(policy(3).into());
    assert_eq!(server.get("/metrics").await.status, 200);
}
