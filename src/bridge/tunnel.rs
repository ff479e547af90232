//! The client end of the tunnel: a device's configuration in, streams to its server out. The node is the server's own, dialling.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout_at;

use crate::bridge::file::server_address;
use crate::config::wireguard::DeviceConfig;
use crate::limits::{
    BRIDGE_BUFFER_BYTES, BRIDGE_CONNECTIONS_TOTAL, BRIDGE_DIAL_MILLIS, BRIDGE_ENDPOINTS, BRIDGE_HANDSHAKES_PER_SECOND,
    BRIDGE_OPENING, PARTING_MILLIS, PARTING_STEP_MILLIS,
};
use crate::link::{self, Link, OpenError, Stream, clock};
use crate::node::{ConnectError, Node, NodeConfig, NodePeer};
use crate::peer::PeerId;

/// The port on which every adit serves, inside the tunnel.
const SERVER_PORT: u16 = 80;

/// Why no stream to the server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// The endpoint's name has no address.
    Name { endpoint: String, reason: String },
    /// Nothing answers at the endpoint, or nothing that knows our key.
    Silent { endpoint: String },
    /// The tunnel stands, and the server does not take the connection.
    Refused { reason: String },
    /// Something on this machine is in the way.
    Local { reason: String },
    /// What the bridge that owns the tunnel says of it.
    Told(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Name { endpoint, reason } => write!(f, "the endpoint {endpoint} does not resolve: {reason}"),
            Unreachable::Silent { endpoint } => write!(
                f,
                "no handshake answer from {endpoint}: the server is off, its UDP port is closed on the way, or it does not know this device's key"
            ),
            Unreachable::Refused { reason } => {
                write!(f, "the tunnel stands, but the server takes no connection: {reason}")
            }
            Unreachable::Local { reason } => write!(f, "this machine: {reason}"),
            Unreachable::Told(text) => f.write_str(text),
        }
    }
}

/// One device's tunnel to its server, begun anew when it has fallen silent.
#[derive(Debug)]
pub(super) struct Tunnel {
    config: Arc<DeviceConfig>,
    server: SocketAddr,
    link: Link,
    /// The server as a peer of the node: a new one each time we dial.
    session: Mutex<Session>,
    /// For connections that are being opened: the server leaves a SYN too many without an answer, and the next comes a second later.
    opening: Semaphore,
}

#[derive(Debug, Default)]
struct Session {
    peer: Option<PeerId>,
    dialled: u32,
}

impl Tunnel {
    /// A tunnel that does not stand yet: the first stream dials.
    pub(super) fn new(config: Arc<DeviceConfig>, entropy: [u8; 32]) -> Result<Tunnel, Unreachable> {
        let local = |reason: String| Unreachable::Local { reason };
        let server = server_address(&config).ok_or_else(|| local("no inner address of the server".to_owned()))?;
        let node = NodeConfig {
            key: config.private_key.clone(),
            addresses: one_per_family(&config.addresses),
            mtu: config.mtu,
            accept_port: None,
            connections: BRIDGE_CONNECTIONS_TOTAL,
            half_open: BRIDGE_CONNECTIONS_TOTAL,
            connections_total: BRIDGE_CONNECTIONS_TOTAL,
            buffers_total: BRIDGE_BUFFER_BYTES,
            handshakes_per_second: BRIDGE_HANDSHAKES_PER_SECOND,
        };
        let node = Arc::new(Node::new(clock::now(), node, entropy));
        let socket =
            link::bind(SocketAddr::from(([0u16; 8], 0))).map_err(|error| local(format!("no UDP socket: {error}")))?;
        let link = Link::start(&Handle::current(), socket, node).map_err(|error| local(format!("UDP: {error}")))?;
        Ok(Tunnel {
            config,
            server: (server, SERVER_PORT).into(),
            link,
            session: Mutex::default(),
            opening: Semaphore::new(BRIDGE_OPENING),
        })
    }

    /// Opens a stream to the server's port 80, dialling first where there is no tunnel, or where it has fallen silent.
    pub(super) async fn open(&self, deadline: Instant) -> Result<Stream, Unreachable> {
        let peer = self.session.lock().await.peer;
        let last = match peer {
            Some(peer) => match self.attempt(peer, deadline).await {
                Ok(stream) => return Ok(stream),
                Err(Attempt::Refused(reason)) => return Err(Unreachable::Refused { reason }),
                Err(Attempt::Silent | Attempt::Gone) => Some(peer),
            },
            None => None,
        };
        self.dial(last, deadline).await
    }

    /// Leaves, once the streams' users have let go of them: the server learns that each is over, and keeps none for us.
    pub(super) async fn close(&self) {
        let peer = self.session.lock().await.peer;
        let streams = || self.link.node().peer_status(clock::now(), peer?).map(|status| status.streams);
        for _ in 0..PARTING_MILLIS / PARTING_STEP_MILLIS {
            if streams().unwrap_or(0) == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(PARTING_STEP_MILLIS)).await;
        }
        self.link.stop().await;
    }

    /// Makes a new session unless another caller has done so since `last` was found silent. Each of the endpoint's addresses gets a
    /// turn, and then another, as long as there is time: a fresh handshake begins at once, where a lost one would wait for 5 s.
    async fn dial(&self, last: Option<PeerId>, deadline: Instant) -> Result<Stream, Unreachable> {
        let endpoint = || self.config.endpoint.clone();
        let silent = || Unreachable::Silent { endpoint: endpoint() };
        let mut session = timeout_at(deadline.into(), self.session.lock()).await.map_err(|_| silent())?;
        if let Some(peer) = session.peer.filter(|peer| Some(*peer) != last)
            && let Ok(stream) = self.attempt(peer, deadline).await
        {
            return Ok(stream);
        }
        self.forget(&mut session);
        let addresses = self.resolve(deadline).await?;
        for address in addresses.iter().cycle() {
            if clock::now() >= deadline {
                break;
            }
            let peer = self.introduce(&mut session, *address)?;
            match self.attempt(peer, deadline).await {
                Ok(stream) => return Ok(stream),
                Err(Attempt::Refused(reason)) => return Err(Unreachable::Refused { reason }),
                Err(Attempt::Silent | Attempt::Gone) => self.forget(&mut session),
            }
        }
        Err(silent())
    }

    async fn resolve(&self, deadline: Instant) -> Result<Vec<SocketAddr>, Unreachable> {
        let fail = |reason: String| Unreachable::Name { endpoint: self.config.endpoint.clone(), reason };
        let found = timeout_at(deadline.into(), lookup_host(&self.config.endpoint)).await;
        let found = found.map_err(|_| fail("no answer from the name server".to_owned()))?;
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| fail(error.to_string()))?.take(BRIDGE_ENDPOINTS).collect();
        match addresses.is_empty() {
            true => Err(fail("it has no address".to_owned())),
            false => Ok(addresses),
        }
    }

    fn introduce(&self, session: &mut Session, endpoint: SocketAddr) -> Result<PeerId, Unreachable> {
        session.dialled = session.dialled.wrapping_add(1);
        let id = PeerId::new(session.dialled);
        let peer = NodePeer {
            id,
            public_key: self.config.server_key,
            preshared_key: self.config.preshared_key.clone(),
            addresses: self.config.server_addresses.clone(),
            endpoint: Some(endpoint),
            keepalive_secs: self.config.keepalive_secs,
            from: Vec::new(),
        };
        self.link
            .node()
            .add_peer(clock::now(), peer)
            .map_err(|error| Unreachable::Local { reason: error.to_string() })?;
        session.peer = Some(id);
        Ok(id)
    }

    /// Ends the session and with it its streams: whoever reads from them learns that they are over.
    fn forget(&self, session: &mut Session) {
        if let Some(peer) = session.peer.take() {
            self.link.node().remove_peer(peer);
        }
    }

    /// One attempt at a stream in this session.
    async fn attempt(&self, peer: PeerId, deadline: Instant) -> Result<Stream, Attempt> {
        let _opening = timeout_at(deadline.into(), self.opening.acquire()).await.map_err(|_| Attempt::Silent)?;
        let heard = || self.link.node().peer_status(clock::now(), peer).map(|status| status.received_bytes);
        let before = heard();
        let patience = Duration::from_millis(BRIDGE_DIAL_MILLIS).min(deadline.saturating_duration_since(clock::now()));
        match self.link.connect(peer, self.server, patience).await {
            Ok(stream) => Ok(stream),
            Err(OpenError::Refused(ConnectError::NoPeer)) => Err(Attempt::Gone),
            Err(OpenError::Refused(error)) => Err(Attempt::Refused(error.to_string())),
            Err(_) if heard().is_none() => Err(Attempt::Gone),
            Err(OpenError::Ended(error)) => Err(Attempt::Refused(error.to_string())),
            // The session lives where anything came through it: then only this connection got no answer.
            Err(OpenError::TimedOut(_)) if before.is_some_and(|before| before > 0) && heard() > before => {
                Err(Attempt::Refused("no answer to the connection".to_owned()))
            }
            Err(OpenError::TimedOut(_)) => Err(Attempt::Silent),
        }
    }
}

/// Why an attempt brought no stream.
enum Attempt {
    /// The session has been replaced meanwhile.
    Gone,
    /// Nothing came back.
    Silent,
    /// The other end is there and does not want it.
    Refused(String),
}

/// A node holds one address of each family: the first of each.
fn one_per_family(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let first = |is_ipv4: bool| addresses.iter().find(move |address| address.is_ipv4() == is_ipv4).copied();
    [first(true), first(false)].into_iter().flatten().collect()
}
