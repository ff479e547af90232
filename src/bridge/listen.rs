//! `--listen`: HTTP requests of this machine's programs in, the same requests to the server out, under its name. Bodies stream both
//! ways. Whoever asks under another name than this port's own is refused: a web page may have sent it (DNS rebinding).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::bridge::pool::Connection;
use crate::bridge::port::Port;
use crate::bridge::tunnel::Unreachable;
use crate::bridge::way::{Duplex, Way};
use crate::limits::{
    BRIDGE_LISTEN_CLIENTS, BRIDGE_LISTEN_HEAD_BYTES, BRIDGE_LISTEN_HEAD_SECS, BRIDGE_OPEN_MILLIS, RECEIVE_PAUSE_MILLIS,
};
use crate::link::clock;

/// What a client may call this port, and what the server is called.
#[derive(Debug)]
pub(super) struct Names {
    own: Vec<String>,
    server: HeaderValue,
    server_origin: HeaderValue,
}

impl Names {
    /// The names of a port, before a server of this `Host`.
    pub(super) fn new(port: &Port, server: HeaderValue) -> std::io::Result<Names> {
        let own = match port.local_addr()? {
            Some(address) => vec![address.to_string(), format!("localhost:{}", address.port())],
            None => vec!["localhost".to_owned()],
        };
        let origin = [b"http://", server.as_bytes()].concat();
        let server_origin = HeaderValue::from_bytes(&origin).expect("an address is a header's value");
        Ok(Names { own, server, server_origin })
    }

    /// Puts the server's names in the place of ours; false where a name is not ours.
    fn translate(&self, uri: &Uri, headers: &mut HeaderMap) -> bool {
        let is_own = |name: &str| self.own.iter().any(|own| own.eq_ignore_ascii_case(name));
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let mut hosts = headers.get_all(header::HOST).iter().map(text);
        let host_fits = hosts.next().is_some_and(|host| is_own(&host)) && hosts.next().is_none();
        let target_fits = uri.authority().is_none_or(|authority| is_own(authority.as_str()));
        let origins: Vec<String> = headers.get_all(header::ORIGIN).iter().map(text).collect();
        let origins_fit = origins.iter().all(|origin| origin.strip_prefix("http://").is_some_and(is_own));
        headers.insert(header::HOST, self.server.clone());
        if !origins.is_empty() {
            headers.insert(header::ORIGIN, self.server_origin.clone());
        }
        host_fits && target_fits && origins_fit
    }
}

/// Serves the port for ever.
pub(super) async fn serve(port: Port, names: Names, way: Arc<Way>) {
    let (names, places) = (Arc::new(names), Arc::new(Semaphore::new(BRIDGE_LISTEN_CLIENTS)));
    let mut clients = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        while clients.try_join_next().is_some() {}
        match port.accept().await {
            Ok(stream) => {
                let client = Client { names: Arc::clone(&names), way: Arc::clone(&way), server: Mutex::default() };
                clients.spawn(async move {
                    client.serve(stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "accepting a client failed");
                tokio::time::sleep(Duration::from_millis(RECEIVE_PAUSE_MILLIS)).await;
            }
        }
    }
}

/// One client's connection, and beside it one to the server: requests on it follow one another.
struct Client {
    names: Arc<Names>,
    way: Arc<Way>,
    server: Mutex<Option<Connection<Incoming>>>,
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

impl Client {
    async fn serve(self, stream: Box<dyn Duplex>) {
        let client = Arc::new(self);
        let answer = service_fn(move |request| {
            let client = Arc::clone(&client);
            async move { Ok::<Answer, Infallible>(client.answer(request).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(BRIDGE_LISTEN_HEAD_SECS));
        http.max_buf_size(BRIDGE_LISTEN_HEAD_BYTES);
        if let Err(error) = http.serve_connection(TokioIo::new(stream), answer).await {
            tracing::debug!(%error, "a client's connection ended");
        }
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let uri = request.uri().clone();
        if !self.names.translate(&uri, request.headers_mut()) {
            return refuse(StatusCode::FORBIDDEN, "this port answers to its own address alone, as Host and as Origin");
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
        end_to_end(request.headers_mut());
        match self.ask(request).await {
            Ok(mut response) => {
                end_to_end(response.headers_mut());
                response.map(|body| body.boxed())
            }
            Err(reason) => refuse(StatusCode::BAD_GATEWAY, &reason),
        }
    }

    /// Sends a request over the connection there is, or over a new one where that was closed before it took the request.
    async fn ask(&self, mut request: Request<Incoming>) -> Result<Response<Incoming>, String> {
        let mut server = self.server.lock().await;
        if let Some(Connection { sender, .. }) = server.as_mut()
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut error) => request = error.take_message().ok_or_else(|| error.error().to_string())?,
            }
        }
        let connection = server.insert(self.connect().await.map_err(|reason| reason.to_string())?);
        connection.sender.send_request(request).await.map_err(|error| error.to_string())
    }

    async fn connect(&self) -> Result<Connection<Incoming>, Unreachable> {
        let deadline = clock::now() + Duration::from_millis(BRIDGE_OPEN_MILLIS);
        Connection::begin(self.way.open(deadline).await?).await
    }
}

/// Leaves out what belongs to one connection alone (RFC 9110 §7.6.1).
fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_owned()))
        .collect();
    for name in named.iter().map(String::as_str).chain([
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ]) {
        headers.remove(name);
    }
}

fn refuse(status: StatusCode, reason: &str) -> Answer {
    let body = serde_json::json!({ "error": reason }).to_string();
    let mut response = Response::new(Full::from(body).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            own: vec!["127.0.0.1:8080".to_owned(), "localhost:8080".to_owned()],
            server: HeaderValue::from_static("10.94.7.1"),
            server_origin: HeaderValue::from_static("http://10.94.7.1"),
        }
    }

    fn check(uri: &str, pairs: &[(&str, &str)], admitted: bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        assert_eq!(names().translate(&uri.parse().unwrap(), &mut headers), admitted, "{uri} {pairs:?}");
        assert_eq!(headers[header::HOST], "10.94.7.1");
        assert!(headers.get_all(header::ORIGIN).iter().all(|origin| origin == "http://10.94.7.1"));
    }

    #[test]
    fn only_this_ports_own_names_are_admitted() {
        let own = ("host", "127.0.0.1:8080");
        check("/mcp", &[own], true);
        check("/mcp", &[("host", "LOCALHOST:8080"), ("origin", "http://localhost:8080")], true);
        check("http://127.0.0.1:8080/mcp", &[own], true);
        check("/mcp", &[], false);
        check("/mcp", &[("host", "evil.example:8080")], false);
        check("/mcp", &[("host", "127.0.0.1")], false);
        check("/mcp", &[("host", "127.0.0.1:80")], false);
        check("/mcp", &[own, own], false);
        check("http://evil.example/mcp", &[own], false);
        for origin in ["http://evil.example", "https://127.0.0.1:8080", "null", ""] {
            check("/mcp", &[own, ("origin", origin)], false);
            check("/mcp", &[own, ("origin", "http://127.0.0.1:8080"), ("origin", origin)], false);
        }
    }

    #[test]
    fn headers_of_one_connection_stay_on_it() {
        let pairs = [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("x-other", "1"),
        ];
        let mut headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        end_to_end(&mut headers);
        assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["x-other"]);
    }
}
