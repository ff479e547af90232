//! The guard's whole matrix: every path × methods × `Host` × `Origin` × content types. What is refused says only that it is, and does nothing.
//! Complete by construction: a path without a row fails.

use std::collections::HashMap;

use adit::http::{ROUTES, metrics};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::serving::{Answer, HOST, LAPTOP, READER, Server, fill, get, library};

/// Words of the one document and of its name: no refusal contains one.
const SECRET: [&str; 3] = ["quince", "marmalade", "recipe"];

const OUR_HOSTS: [&str; 6] =
    [HOST, "10.94.7.1:80", "[fd7a:5c1e:90ab::1]", "[fd7a:5c1e:90ab:0::1]:80", "library.home", "LIBRARY.home:80"];

const FOREIGN_HOSTS: [&str; 30] = [
    // Names that a rebound address has, and what looks like ours.
    "evil.example",
    "evil.example:80",
    "10.94.7.1.evil.example",
    "10.94.7.1.nip.io",
    "library.home.evil.example",
    "evil.library.home",
    "library.home.",
    "library",
    "localhost",
    "*",
    "",
    ":80",
    // Other addresses and ports, other ways to write ours, and the one that means any.
    "10.94.7.2",
    "127.0.0.1",
    "0.0.0.0",
    "10.94.7.1:8080",
    "10.94.7.1:080",
    "10.94.7.1:",
    "10.94.7.1.",
    "10.94.1793",
    "0x0a5e0701",
    "173934337",
    "012.94.7.1",
    "[::1]",
    "[::ffff:10.94.7.1]",
    "[fd7a:5c1e:90ab::1]:81",
    "fd7a:5c1e:90ab::1",
    // Parts of a URL that are no host.
    "evil.example@10.94.7.1",
    "10.94.7.1@evil.example",
    "10.94.7.1/",
];

const OUR_ORIGINS: [&str; 5] =
    ["http://10.94.7.1", "http://10.94.7.1:80", "http://[fd7a:5c1e:90ab::1]", "http://library.home", CONFIGURED];

const CONFIGURED: &str = "https://app.example";

const FOREIGN_ORIGINS: [&str; 32] = [
    "null",
    "NULL",
    "",
    "*",
    "http://evil.example",
    "https://evil.example",
    "http://localhost",
    "http://127.0.0.1",
    "http://[::1]",
    "http://10.94.7.2",
    "file://",
    "chrome-extension://abc",
    "moz-extension://abc",
    // Ours, but for a port, a scheme or a way of writing that no browser has.
    "http://10.94.7.1:8080",
    "http://10.94.7.1:443",
    "https://10.94.7.1",
    "https://library.home",
    "ws://10.94.7.1",
    "HTTP://10.94.7.1",
    "10.94.7.1",
    "//10.94.7.1",
    "http://10.94.7.1/",
    "http://10.94.7.1.",
    "http://012.94.7.1",
    "http://173934337",
    "http://library.home.",
    "http://evil.library.home",
    // Userinfo, suffixes, lists.
    "http://10.94.7.1.evil.example",
    "http://10.94.7.1@evil.example",
    "http://evil.example@10.94.7.1",
    "http://10.94.7.1 http://evil.example",
    "https://app.example.evil.example",
];

/// Content types; the first is none, the second what `/mcp` takes. Forms and `fetch` without a preflight have the next three.
const KINDS: [&str; 6] = [
    "",
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain; application/json",
];

const WITHOUT_BODY: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];
const WITH_BODY: [&str; 5] = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"];

/// Paths that are none. Clients of MCP look for an authorisation server at some of them and take a plain 404 for "there is none".
const NO_PATHS: [&str; 7] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/authorize",
    "/register",
    "/sse",
];

/// One request of the matrix.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    path: &'a str,
    method: &'static str,
    host: &'static str,
    origin: Option<&'static str>,
    kind: &'static str,
}

/// What PRODUCT's guard says of it: the status, and the code where it is refused.
fn expected(case: Case<'_>) -> (u16, &'static str) {
    let is_mcp = case.path == "/mcp";
    let method = if is_mcp { case.method == "POST" } else { matches!(case.method, "GET" | "HEAD") };
    if !OUR_HOSTS.contains(&case.host) {
        (403, "foreign_host")
    } else if case.origin.is_some_and(|origin| !OUR_ORIGINS.contains(&origin)) {
        (403, "foreign_origin")
    } else if NO_PATHS.contains(&case.path) {
        (404, "not_found")
    } else if case.method == "OPTIONS" && case.origin == Some(CONFIGURED) {
        (204, "")
    } else if !method {
        (405, "method")
    } else if is_mcp && case.kind != "application/json" {
        (415, "media_type")
    } else {
        (200, "")
    }
}

/// A connection that is opened anew where the server has closed it: it does so after a refusal that left a body unread.
struct Client<'a> {
    server: &'a Server,
    peer: u32,
    open: Option<SendRequest<Full<bytes::Bytes>>>,
}

impl Client<'_> {
    async fn ask(&mut self, case: Case<'_>) -> Answer {
        let mut request = Request::builder().method(case.method).uri(case.path).header("host", case.host);
        if let Some(origin) = case.origin {
            request = request.header("origin", HeaderValue::from_static(origin));
        }
        if !case.kind.is_empty() {
            request = request.header("content-type", case.kind);
        }
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                          "params": {"name": "search", "arguments": {"query": "quince"}}});
        let body = if WITH_BODY.contains(&case.method) { call.to_string() } else { String::new() };
        let request = request.body(Full::new(body.into())).unwrap();
        let (parts, body) = self.connection().await.send_request(request).await.unwrap().into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    async fn connection(&mut self) -> &mut SendRequest<Full<bytes::Bytes>> {
        let alive = match &mut self.open {
            Some(open) => open.ready().await.is_ok(),
            None => false,
        };
        if !alive {
            let (sender, connection) = handshake(TokioIo::new(self.server.connect(self.peer))).await.unwrap();
            tokio::spawn(connection);
            self.open = Some(sender);
        }
        self.open.as_mut().expect("opened just now")
    }
}

/// Every `Host` with no origin and with a foreign one, and every `Origin` with our own host.
fn callers() -> Vec<(&'static str, Option<&'static str>)> {
    let hosts = OUR_HOSTS.iter().chain(&FOREIGN_HOSTS);
    let with_hosts = hosts.flat_map(|host| [None, Some("http://evil.example")].map(|origin| (*host, origin)));
    let origins = OUR_ORIGINS.iter().chain(&FOREIGN_ORIGINS);
    with_hosts.chain(origins.map(|origin| (HOST, Some(*origin)))).collect()
}

/// Methods with content types: all of these for the one method that reads a body.
fn methods() -> Vec<(&'static str, &'static str)> {
    let bare = WITHOUT_BODY.iter().map(|method| (*method, KINDS[0]));
    let other = WITH_BODY.iter().skip(1).flat_map(|method| [KINDS[1], KINDS[2]].map(|kind| (*method, kind)));
    bare.chain(KINDS.map(|kind| ("POST", kind))).chain(other).collect()
}

async fn served() -> (Server, TempDir) {
    let dir = tempdir().unwrap();
    let library = library(dir.path());
    fill(&library, dir.path(), &[("recipe.txt", "The quince\n\nQuince marmalade wants patience.\n")]);
    let more = format!(
        "[mcp]\norigins = [\"{CONFIGURED}\"]\n[limits]\nrequests_burst = 100000\nrequests_per_second = 100000\n"
    );
    (Server::new(library, &more), dir)
}

/// An address of every path, by its name in the table of routes.
async fn addresses(server: &Server) -> Vec<String> {
    let found = server.get("/api/search?q=quince").await.json();
    let id = found["results"][0]["id"].as_str().unwrap().to_owned();
    let page = server.get("/").await.text();
    let asset = page.split('"').find(|word| word.starts_with("/assets/")).unwrap().to_owned();
    let address = |route: &&str| match *route {
        "/assets/{name}" => asset.clone(),
        "/api/search" => "/api/search?q=quince".to_owned(),
        "/" => "/?q=quince".to_owned(),
        "/mcp" | "/api/recent" | "/_health" | "/metrics" => (*route).to_owned(),
        "/api/documents/{id}" | "/api/documents/{id}/original" => route.replace("{id}", &id),
        new => panic!("{new} has no row here"),
    };
    ROUTES.iter().map(address).collect()
}

/// The refusal without the one thing in it that may differ, and not a word more than it needs.
fn refusal(what: &str, answer: &Answer) -> Value {
    let mut body = answer.json();
    assert_eq!(body["error"]["request_id"].take(), answer.header("x-request-id"), "{what}");
    assert_eq!((body.as_object().unwrap().len(), body["error"].as_object().unwrap().len()), (1, 3), "{what}: {body}");
    let text = body.to_string();
    assert!(text.len() < 200 && SECRET.iter().all(|word| !text.contains(word)), "{what}: {text}");
    body
}

fn check_headers(what: &str, case: Case<'_>, answer: &Answer) {
    let is = |name: &str, value: &str| assert_eq!(answer.header(name), value, "{what}: {name}");
    is("x-content-type-options", "nosniff");
    is("x-frame-options", "DENY");
    is("referrer-policy", "no-referrer");
    is("cross-origin-resource-policy", "same-origin");
    let is_asset = case.path.starts_with("/assets/") && answer.status == 200;
    is("cache-control", if is_asset { "private, max-age=31536000, immutable" } else { "no-store" });
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{what}: {policy}");
    assert!(!answer.header("x-request-id").is_empty() && !answer.headers.contains_key("server"), "{what}");
    let admitted = OUR_HOSTS.contains(&case.host) && case.origin == Some(CONFIGURED);
    is("access-control-allow-origin", if admitted { CONFIGURED } else { "" });
    assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{what}");
    assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("www-authenticate"), "{what}");
}

async fn check(server: &Server, path: &str) {
    let mut client = Client { server, peer: LAPTOP, open: None };
    let mut refusals: HashMap<(&str, String), Value> = HashMap::new();
    let mut asked = 0;
    for (host, origin) in callers() {
        for (method, kind) in methods() {
            let case = Case { path, method, host, origin, kind };
            let what = format!("{case:?}");
            let answer = client.ask(case).await;
            asked += 1;
            let (status, code) = expected(case);
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
            check_headers(&what, case, &answer);
            if !code.is_empty() && method != "HEAD" {
                let said = refusal(&what, &answer);
                assert_eq!(said["error"]["code"], code, "{what}");
                // One refusal has one text, whatever was asked for.
                let key = (code, answer.header("allow").to_owned());
                assert_eq!(*refusals.entry(key).or_insert_with(|| said.clone()), said, "{what}");
            }
            if method == "HEAD" || status == 204 {
                assert!(answer.body.is_empty(), "{what}");
            }
        }
    }
    // Each has its record, and what was refused has done nothing that a record could tell of.
    drop(client);
    let records = server.records(asked).await;
    assert_eq!(records.len(), asked, "{path}");
    for record in records.iter().filter(|record| record.status >= 400) {
        assert_eq!((record.note.tool, &record.note.query, record.note.documents.len()), (None, &None, 0), "{record:?}");
    }
}

#[tokio::test]
async fn every_request_of_the_matrix_is_answered_or_refused_as_it_should_be() {
    let (server, _dir) = served().await;
    let paths = addresses(&server).await;
    server.records(2).await;
    for path in &paths {
        server.refill();
        check(&server, path).await;
    }
    // Whatever was asked, the figures are about paths of the table.
    let figures = metrics(&server.appliance);
    let routes = figures.split("route=\"").skip(1).filter_map(|rest| rest.split('"').next());
    assert!(routes.clone().count() > 20 && routes.into_iter().all(|it| it == "none" || ROUTES.contains(&it)));
}

#[tokio::test]
async fn what_an_authorisation_server_would_serve_is_a_plain_404() {
    let (server, _dir) = served().await;
    for path in NO_PATHS {
        for peer in [LAPTOP, READER] {
            let mut client = Client { server: &server, peer, open: None };
            for (method, kind) in methods() {
                let case = Case { path, method, host: HOST, origin: None, kind };
                let answer = client.ask(case).await;
                let what = format!("{case:?}");
                assert_eq!(answer.status, 404, "{what}");
                check_headers(&what, case, &answer);
                if method != "HEAD" {
                    assert_eq!(refusal(&what, &answer)["error"]["code"], "not_found", "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_parameter_or_path_is_refused_without_a_trace_of_the_server() {
    let (server, _dir) = served().await;
    for path in ["/none", "/api/search?nothing=1", "/..%2f..%2fetc/passwd", "/api/documents/..%2f..%2fetc%2fpasswd"] {
        let answer = server.send(LAPTOP, get(path)).await;
        assert!(answer.status.is_client_error(), "{path}");
        let text = refusal(path, &answer).to_string();
        assert!(!text.contains("src/") && !text.contains("panicked") && !text.contains("/srv"), "{path}: {text}");
    }
    let answer = server
        .send(
            LAPTOP,
            Request::builder()
                .method(Method::POST)
                .uri("/mcp")
                .header("host", HOST)
                .header("content-type", "application/json")
                .body(Full::from("{"))
                .unwrap(),
        )
        .await;
    assert_eq!(answer.status, 400);
}
