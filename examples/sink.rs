//! Takes uploads and throws them away, behind adit's tunnel or on the kernel's TCP: what `benches/figures.py` measures the way up with. adit
//! itself takes none.
//!
//!     sink tunnel ADDRESS:PORT SERVER_KEY DEVICE_PUBLIC_KEY SERVER_INNER DEVICE_INNER MTU
//!     sink kernel ADDRESS:PORT

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use adit::key::PrivateKey;
use adit::link::{self, Link, clock};
use adit::node::{Node, NodeConfig, NodePeer};
use adit::peer::PeerId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

/// Reads a body to its end and says how long it was.
async fn swallow(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (mut body, mut bytes) = (request.into_body(), 0);
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(Response::new(Full::from(format!("{bytes}\n"))))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<(), Infallible> {
    // What goes wrong on a connection is told by its client.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(swallow)).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tunnel", listen, key, device, inner, device_inner, mtu] => {
            let link = tunnel(listen, key, device, (inner, device_inner), mtu)?;
            while let Some(stream) = link.accept().await {
                tokio::spawn(serve(stream));
            }
            Ok(())
        }
        ["kernel", listen] => kernel(listen).await,
        _ => Err("usage: sink tunnel … | sink kernel ADDRESS:PORT".into()),
    }
}

fn tunnel(
    listen: &str,
    key: &str,
    device: &str,
    (inner, device_inner): (&str, &str),
    mtu: &str,
) -> Result<Link, Box<dyn Error>> {
    let key: [u8; 32] = STANDARD.decode(key)?.try_into().map_err(|_| "a key has 32 bytes")?;
    let inner: IpAddr = inner.parse()?;
    let config = NodeConfig {
        key: PrivateKey::from_entropy(key),
        addresses: vec![inner],
        mtu: mtu.parse()?,
        accept_port: Some(80),
        connections: 64,
        half_open: 16,
        connections_total: 64,
        buffers_total: 64 << 20,
        handshakes_per_second: 100,
    };
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let node = Node::new(clock::now(), config, entropy);
    node.add_peer(
        clock::now(),
        NodePeer {
            id: PeerId::new(1),
            public_key: device.parse()?,
            preshared_key: None,
            addresses: vec![device_inner.parse()?],
            endpoint: None,
            keepalive_secs: None,
            from: Vec::new(),
        },
    )?;
    Ok(Link::start(&Handle::current(), link::bind(listen.parse()?)?, Arc::new(node))?)
}

#[allow(clippy::disallowed_types, reason = "the kernel's TCP is what the tunnel is measured against")]
async fn kernel(listen: &str) -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}
