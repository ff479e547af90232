//! `--listen`.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::agent::Agent;
use crate::server;

/// The port that the bridge says it has.
async fn port(agent: &mut Agent) -> String {
    let said = agent.talk().await;
    let (_, address) = said.split_once("listening on http://").unwrap_or_else(|| panic!("{said}"));
    assert!(agent.talk().await.contains("warning: every program of this machine"));
    address.to_owned()
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> (StatusCode, Value) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn request(host: &str, origin: Option<&str>, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post("/api/x?y=1").header("host", host);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

async fn connect(address: &str) -> tokio::net::TcpStream {
    tokio::net::TcpStream::connect(address).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_the_ports_own_name_reaches_the_server_under_the_servers() {
    let (_server, place) = server();
    let mut agent = place.bridge(&["--listen", "127.0.0.1:0"]);
    let address = port(&mut agent).await;
    let body = "x".repeat(300_000);
    let own = format!("http://{address}");
    let (status, seen) = ask(connect(&address).await, request(&address, Some(&own), &body)).await;
    assert_eq!(status, StatusCode::OK);
    let expected =
        json!({ "method": "POST", "target": "/api/x?y=1", "origin": "http://10.94.7.1", "bytes": body.len() });
    assert_eq!(seen, expected);
}

/// A browser opens them all at once, and a server takes a few at a time from one device.
#[tokio::test(flavor = "multi_thread")]
async fn many_connections_at_once_are_opened_as_the_server_takes_them() {
    let (server, place) = server();
    let mut agent = place.bridge(&["--listen", "127.0.0.1:0"]);
    let address = port(&mut agent).await;
    // The tunnel stands: nothing spreads them.
    assert_eq!(ask(connect(&address).await, request(&address, None, "")).await.0, StatusCode::OK);
    for _ in 0..5 {
        let asked = (0..60).map(|_| async { ask(connect(&address).await, request(&address, None, "")).await.0 });
        let answered = futures_util::future::join_all(asked).await;
        assert!(answered.iter().all(|status| *status == StatusCode::OK), "{answered:?}");
    }
    assert_eq!(server.turned_away(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_another_name_is_refused() {
    let (_server, place) = server();
    let mut agent = place.bridge(&["--listen", "127.0.0.1:0"]);
    let address = port(&mut agent).await;
    let cases = [
        ("evil.example", None),
        ("10.94.7.1", None),
        (address.as_str(), Some("http://evil.example")),
        (&address, Some("null")),
    ];
    for (host, origin) in cases {
        let (status, seen) = ask(connect(&address).await, request(host, origin, "")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{host} {origin:?}: {seen}");
        assert!(seen["error"].is_string());
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_serves_its_owner() {
    use std::os::unix::fs::MetadataExt as _;
    let (_server, place) = server();
    let path = place.path().join("adit.sock");
    let mut agent = place.bridge(&["--listen", &format!("unix:{}", path.display())]);
    assert!(agent.talk().await.contains("listening on unix:"));
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let (status, seen) = ask(stream, request("localhost", None, "abc")).await;
    assert_eq!((status, &seen["bytes"]), (StatusCode::OK, &json!(3)));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(ask(stream, request("evil.example", None, "")).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_others_could_reach_is_refused() {
    let (_server, place) = server();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let (code, said) = place.bridge(&["--listen", address]).end().await;
        assert!(code == Some(2) && said.contains("loopback"), "{address}: {code:?} {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_without_a_server_says_so() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = crate::agent::Place::new(silent.local_addr().unwrap());
    let mut agent = place.bridge(&["--listen", "127.0.0.1:0"]);
    let address = port(&mut agent).await;
    let (status, seen) = ask(connect(&address).await, request(&address, None, "")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(seen["error"].as_str().unwrap().starts_with("no handshake answer"), "{seen}");
}
