//! A device without a bridge: the client end of a tunnel in this process, whose streams a test reads as slowly as it likes, and sees every
//! byte of.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adit::config::wireguard::DeviceConfig;
use adit::link::{self, Link, Stream, clock};
use adit::node::{Node, NodeConfig, NodePeer};
use adit::peer::PeerId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

/// Long enough for anything on loopback.
const PATIENCE: Duration = Duration::from_secs(20);

/// The only peer of a device: the server.
const SERVER: PeerId = PeerId::new(1);

/// A device at work.
pub struct Device {
    link: Link,
    config: DeviceConfig,
}

impl Device {
    /// The device of this configuration, on a socket of its own.
    pub fn new(conf: &Path) -> Device {
        let config: DeviceConfig = fs::read_to_string(conf).unwrap().parse().unwrap();
        let node = NodeConfig {
            key: config.private_key.clone(),
            addresses: config.addresses.clone(),
            mtu: config.mtu,
            accept_port: None,
            connections: 256,
            half_open: 64,
            connections_total: 256,
            buffers_total: 64 << 20,
            handshakes_per_second: 1000,
        };
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).unwrap();
        let node = Node::new(clock::now(), node, entropy);
        let server = NodePeer {
            id: SERVER,
            public_key: config.server_key,
            preshared_key: config.preshared_key.clone(),
            addresses: config.server_addresses.clone(),
            endpoint: Some(config.endpoint.parse().unwrap()),
            keepalive_secs: None,
            from: Vec::new(),
        };
        node.add_peer(clock::now(), server).unwrap();
        let socket = link::bind("[::]:0".parse().unwrap()).unwrap();
        let link = Link::start(&Handle::current(), socket, Arc::new(node)).unwrap();
        Device { link, config }
    }

    /// A stream to the server; none where it does not come about in this time.
    pub async fn connect_within(&self, patience: Duration) -> Option<Stream> {
        let to = (self.config.server_addresses[0], 80).into();
        self.link.connect(SERVER, to, patience).await.ok()
    }

    /// A stream to the server.
    pub async fn connect(&self) -> Stream {
        self.connect_within(PATIENCE).await.expect("the server is there")
    }

    /// A request, but for its last line end.
    pub fn request(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.config.server_addresses[0])
    }

    /// Sends a request on a stream of its own and reads the whole answer.
    pub async fn get(&self, path: &str) -> String {
        self.send(&format!("{}connection: close\r\n\r\n", self.request(path))).await
    }

    /// Sends this on a stream of its own and reads to the end.
    pub async fn send(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}
