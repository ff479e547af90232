//! Takes uploads and throws them away, behind adit's tunnel or on the kernel's TCP: what `benches/figures.py` measures the way up with. adit
//! itself takes none.
//!
//!     sink tunnel ADDRESS:PORT SERVER_KEY DEVICE_PUBLIC_KEY SERVER_INNER DEVICE_INNER MTU
//!     sink kernel ADDRESS:PORT

use std::env;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use adit::key::PrivateKey;
use adit::link::{self, Link, clock};
use adit::node::{Node, NodeConfig, NodePeer};
use adit::peer::PeerId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;

/// Room for a header, and for what is read of a body at a time, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Answers uploads with how long they were, until the client has no more. It knows as much of HTTP as curl asks for: what is measured is the way
/// to here.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let (mut buffer, mut filled) = (vec![0; BUFFER_BYTES], 0);
    loop {
        let header = loop {
            if let Some(end) = buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") {
                break String::from_utf8_lossy(&buffer[..end + 4]).to_ascii_lowercase();
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        let length: usize = field(&header, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if field(&header, "expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut left = length - (filled - header.len()).min(length);
        filled = 0;
        while left > 0 {
            match stream.read(&mut buffer).await? {
                0 => return Ok(()),
                read => left -= read.min(left),
            }
        }
        let body = format!("{length}\n");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// The value of a header's field, by its name in small letters.
fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = header.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| *field == name).map(|(_, value)| value.trim())
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
