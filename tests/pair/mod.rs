//! Two ends of a tunnel on loopback: what the tests of `link` and `bridge` set up.
#![allow(dead_code)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use adit::key::{PresharedKey, PrivateKey};
use adit::link::{self, Link, OpenError, Stream, clock};
use adit::node::{Node, NodeConfig, NodePeer};
use adit::peer::PeerId;
use tokio::runtime::Handle;

/// Long enough for anything on loopback, short enough to fail a hung test.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const SERVER_KEY: [u8; 32] = [1; 32];
pub const DEVICE_KEY: [u8; 32] = [2; 32];
pub const SHARED_KEY: [u8; 32] = [3; 32];

/// Inner addresses of the server and of the device.
pub const SERVER: [&str; 2] = ["10.94.7.1", "fd7a:5c1e:90ab::1"];
pub const DEVICE: [&str; 2] = ["10.94.7.2", "fd7a:5c1e:90ab::2"];

/// The only peer either end has.
pub fn peer() -> PeerId {
    PeerId::new(1)
}

fn addresses(texts: [&str; 2]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn node(key: [u8; 32], own: [&str; 2], accept_port: Option<u16>, other: NodePeer) -> Arc<Node> {
    let config = NodeConfig {
        key: PrivateKey::from_entropy(key),
        addresses: addresses(own),
        mtu: 1280,
        accept_port,
        connections: 128,
        half_open: 16,
        connections_total: 256,
        buffers_total: 64 << 20,
        handshakes_per_second: 1000,
    };
    let node = Node::new(clock::now(), config, key);
    node.add_peer(clock::now(), other).unwrap();
    Arc::new(node)
}

fn other(key: [u8; 32], addresses_of: [&str; 2], endpoint: Option<SocketAddr>) -> NodePeer {
    NodePeer {
        id: peer(),
        public_key: PrivateKey::from_entropy(key).public(),
        preshared_key: Some(PresharedKey::from_entropy(SHARED_KEY)),
        addresses: addresses(addresses_of),
        endpoint,
        keepalive_secs: None,
        from: Vec::new(),
    }
}

/// A serving end on this address, which accepts streams on port 80.
pub fn server(at: SocketAddr) -> Link {
    let node = node(SERVER_KEY, SERVER, Some(80), other(DEVICE_KEY, DEVICE, None));
    Link::start(&Handle::current(), link::bind(at).unwrap(), node).unwrap()
}

/// A device's end that dials this endpoint.
pub fn device(endpoint: SocketAddr) -> Link {
    let node = node(DEVICE_KEY, DEVICE, None, other(SERVER_KEY, SERVER, Some(endpoint)));
    Link::start(&Handle::current(), link::bind("[::]:0".parse().unwrap()).unwrap(), node).unwrap()
}

/// The server's port 80, over IPv4 or IPv6 inside.
pub fn inside(family: usize) -> SocketAddr {
    SocketAddr::new(SERVER[family].parse().unwrap(), 80)
}

/// Both ends, and the device's address for the server.
pub struct Pair {
    pub server: Link,
    pub device: Link,
    pub endpoint: SocketAddr,
}

impl Pair {
    /// A server on `[::]`, and a device that dials it at this address.
    pub fn new(outer: IpAddr) -> Pair {
        let server = server("[::]:0".parse().unwrap());
        let endpoint = SocketAddr::new(outer, server.local_addr().unwrap().port());
        Pair { device: device(endpoint), server, endpoint }
    }

    /// A stream, as both ends see it.
    pub async fn stream(&self, family: usize) -> (Stream, Stream) {
        let dialled = async { self.device.connect(peer(), inside(family), PATIENCE).await };
        let accepted = async { self.server.accept().await };
        let (dialled, accepted): (Result<Stream, OpenError>, _) = tokio::join!(dialled, accepted);
        (dialled.unwrap(), accepted.unwrap())
    }
}
