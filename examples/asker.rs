//! A client that does as little as can be done: a tunnel of its own on one thread, and one question after the other on one connection. With
//! it `benches/figures.py` measures how long a server takes to answer; a WireGuard client on a TUN device takes longer for itself than that.
//!
//!     asker FILE.conf PATH SECONDS
//!
//! FILE.conf is a device's configuration, PATH what is asked for. Prints a line of JSON: how many answers there were, and the milliseconds that half
//! of them and 99 in 100 took at most.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adit::config::wireguard::DeviceConfig;
use adit::link::{self, Link, Stream, clock};
use adit::node::{Node, NodeConfig, NodePeer};
use adit::peer::PeerId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

const SERVER: PeerId = PeerId::new(1);
/// For a connection to stand, and for each answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Room for an answer of a few kilobytes.
const ANSWER_BYTES: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, path, seconds] = arguments.as_slice() else { return Err("usage: asker FILE.conf PATH SECONDS".into()) };
    let config: DeviceConfig = std::fs::read_to_string(file)?.parse()?;
    let host = *config.server_addresses.first().ok_or("AllowedIPs names no server")?;
    let link = tunnel(&config)?;
    let mut stream = link.connect(SERVER, SocketAddr::new(host, 80), PATIENCE).await?;
    let question = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let (mut buffer, mut took) = (vec![0; ANSWER_BYTES], Vec::new());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds.parse()?) {
        let asked = Instant::now();
        stream.write_all(question.as_bytes()).await?;
        tokio::time::timeout(PATIENCE, read_answer(&mut stream, &mut buffer)).await??;
        took.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    println!("{}", serde_json::json!({ "answers": took.len(), "p50 ms": at(50), "p99 ms": at(99) }));
    Ok(())
}

fn tunnel(config: &DeviceConfig) -> Result<Link, Box<dyn Error>> {
    let node = NodeConfig {
        key: config.private_key.clone(),
        addresses: config.addresses.clone(),
        mtu: config.mtu,
        accept_port: None,
        connections: 1,
        half_open: 1,
        connections_total: 1,
        buffers_total: 1 << 20,
        handshakes_per_second: 100,
    };
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let node = Node::new(clock::now(), node, entropy);
    node.add_peer(
        clock::now(),
        NodePeer {
            id: SERVER,
            public_key: config.server_key,
            preshared_key: config.preshared_key.clone(),
            addresses: config.server_addresses.clone(),
            endpoint: Some(config.endpoint.parse()?),
            keepalive_secs: None,
            from: Vec::new(),
        },
    )?;
    Ok(Link::start(&Handle::current(), link::bind(SocketAddr::from(([0; 8], 0)))?, Arc::new(node))?)
}

/// Reads a header that tells its body's length, and that body.
async fn read_answer(stream: &mut Stream, buffer: &mut [u8]) -> Result<(), Box<dyn Error>> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err("the answer ended early, or is too long".into());
        }
        filled += read;
        let text = &buffer[..filled];
        let Some(header) = text.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        if !text.starts_with(b"HTTP/1.1 200 ") {
            return Err(String::from_utf8_lossy(&text[..header]).into());
        }
        let length = length_of_body(&text[..header]).ok_or("no Content-Length")?;
        if filled >= header + 4 + length {
            return Ok(());
        }
    }
}

fn length_of_body(header: &[u8]) -> Option<usize> {
    let header = std::str::from_utf8(header).ok()?;
    let mut fields = header.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.trim().parse().ok()
}
