//! Who may ask, by what name, from where, and how.

use http::{Method, Request};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::serving::{HOST, LAPTOP, READER, STRANGER, Server, get, library, policy};

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn only_our_own_names_are_answered() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let ours = [
        "10.94.7.1",
        "10.94.7.1:80",
        "[fd7a:5c1e:90ab::1]",
        "[fd7a:5c1e:90ab::1]:80",
        "library.home",
        "LIBRARY.home:80",
    ];
    for host in ours {
        let answer = server.raw(LAPTOP, format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{host}: {answer}");
    }
    let foreign = [
        "evil.example",
        "10.94.7.2",
        "10.94.7.1:8080",
        "10.94.7.1.evil.example",
        "10.94.7.1.",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[fd7a:5c1e:90ab::1]:81",
        "[fd7a:5c1e:90ab::1",
        "fd7a:5c1e:90ab::1",
        "user@10.94.7.1",
        "10.94.7.1:80:80",
        "0x0a5e0701",
        "012.94.7.1",
        "10.94.1793",
        "",
        ":80",
        "library.home.",
        "*",
        "10.94.7.1/",
        "[::ffff:10.94.7.1]",
    ];
    for host in foreign {
        let answer = server.raw(LAPTOP, format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert!(
            answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && answer.contains("foreign_host"),
            "{host}: {answer}"
        );
    }
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
async fn pages_of_other_sites_may_not_ask() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let paths = [
        "/mcp",
        "/",
        "/api/search?q=x",
        "/api/documents/x",
        "/api/documents/x/original",
        "/_health",
        "/metrics",
        "/none",
    ];
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
    let foreign = [
        "https://evil.example",
        "http://evil.example",
        "null",
        "https://10.94.7.1",
        "http://10.94.7.1:8080",
        "http://10.94.7.2",
        "http://10.94.7.1.evil.example",
        "file://",
        "",
        "chrome-extension://abc",
        "http://10.94.7.1/",
    ];
    for path in paths {
        for method in methods {
            for origin in foreign {
                for kind in
                    ["", "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
                {
                    let request = format!(
                        "{method} {path} HTTP/1.1\r\nhost: {HOST}\r\norigin: {origin}\r\ncontent-type: {kind}\r\n\r\n"
                    );
                    server.refill();
                    let answer = server.raw(LAPTOP, &request).await;
                    assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
                    assert!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
                }
            }
        }
    }
    for origin in ["http://10.94.7.1", "http://10.94.7.1:80", "http://[fd7a:5c1e:90ab::1]", "http://library.home"] {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {HOST}\r\norigin: {origin}\r\n\r\n");
        assert!(server.raw(LAPTOP, &request).await.starts_with("HTTP/1.1 200 "), "{origin}");
    }
    let twice = format!(
        "GET /metrics HTTP/1.1\r\nhost: {HOST}\r\norigin: http://{HOST}\r\norigin: http://evil.example\r\n\r\n"
    );
    assert!(server.raw(LAPTOP, twice).await.starts_with("HTTP/1.1 403 "));
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
async fn each_path_takes_its_methods() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    let cases = [
        ("/mcp", "POST"),
        ("/metrics", "GET, HEAD"),
        ("/_health", "GET, HEAD"),
        ("/api/search", "GET, HEAD"),
        ("/api/recent", "GET, HEAD"),
        ("/api/documents/x", "GET, HEAD"),
        ("/api/documents/x/original", "GET, HEAD"),
    ];
    for (path, allowed) in cases {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if allowed.split(", ").any(|one| one == method) {
                continue;
            }
            server.refill();
            let answer = server.raw(LAPTOP, format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method} {path}: {answer}");
            assert!(answer.contains(&format!("allow: {allowed}\r\n")), "{method} {path}: {answer}");
        }
    }
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
async fn a_changed_grant_holds_from_the_next_request_on() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    assert_eq!(server.get("/metrics").await.status, 200);
    server.appliance.policy.store(Default::default());
    assert_eq!(server.get("/metrics").await.status, 403);
    server.appliance.policy.store(policy(3).into());
    assert_eq!(server.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    for path in ["/metrics", "/_health", "/none", "/api/search", "/mcp", "/.well-known/oauth-authorization-server"] {
        let answer = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!answer.header("x-request-id").is_empty() && !answer.header("date").is_empty(), "{path}");
        assert!(!answer.headers.contains_key("server"), "{path}");
    }
}

#[tokio::test]
async fn refusals_are_short_json_with_the_request_id_and_nothing_else() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "");
    for path in
        ["/none", "/.well-known/oauth-protected-resource", "/api/search?nothing=1", "/mcp", "/..%2f..%2fetc/passwd"]
    {
        let answer = server.get(path).await;
        let body = answer.json();
        assert_eq!(body["error"]["request_id"], json!(answer.header("x-request-id")), "{path}");
        assert_eq!(body.as_object().unwrap().len(), 1);
        let text = answer.text();
        assert!(
            text.len() < 300 && !text.contains("src/") && !text.contains("panicked") && !text.contains("/srv"),
            "{text}"
        );
    }
}
