//! Nodes and the network between them, with one clock and one seed: what a host sends arrives late, twice, out of order or not at all.
//!
//! The clock is tokio's, paused: it jumps to the next thing that is due, so that an hour passes in as long as its work takes.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use adit::key::{PresharedKey, PrivateKey};
use adit::link::Stream;
use adit::node::{Event, Node, NodeConfig, NodePeer, Outbox, Path};
use adit::peer::PeerId;
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;

/// The server is host 1, clients are hosts 2 and up; each knows the others by this handle.
pub fn id(host: u8) -> PeerId {
    PeerId::new(host.into())
}

/// A host's inner addresses.
pub fn inner(host: u8) -> Vec<IpAddr> {
    vec![[10, 0, 0, host].into(), format!("fd00::{host}").parse().expect("an address")]
}

/// Where a host is unless it has moved.
pub fn outer(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 51820).into()
}

/// A host's key.
pub fn key(host: u8) -> PrivateKey {
    PrivateKey::from_entropy([host; 32])
}

/// A node's configuration, generous enough for a host.
pub fn config(host: u8) -> NodeConfig {
    NodeConfig {
        key: key(host),
        addresses: inner(host),
        mtu: 1280,
        accept_port: (host == 1).then_some(80),
        connections: 64,
        half_open: 16,
        connections_total: 4096,
        buffers_total: 256 << 20,
        handshakes_per_second: 2000,
    }
}

/// A peer as another host knows it.
pub fn peer(host: u8, endpoint: Option<SocketAddr>) -> NodePeer {
    NodePeer {
        id: id(host),
        public_key: key(host).public(),
        preshared_key: None,
        addresses: inner(host),
        endpoint,
        keepalive_secs: None,
        from: Vec::new(),
    }
}

/// Chance, from one seed (splitmix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// What the network does to datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// Least time on the way, in milliseconds.
    pub latency_millis: u64,
    /// What chance adds to it, in milliseconds: datagrams overtake each other.
    pub jitter_millis: u64,
    /// Of a thousand datagrams, how many are lost.
    pub lost_per_thousand: u64,
    /// Of a thousand datagrams, how many arrive twice.
    pub doubled_per_thousand: u64,
}

/// A good line.
pub const FAIR: Weather =
    Weather { latency_millis: 10, jitter_millis: 0, lost_per_thousand: 0, doubled_per_thousand: 0 };

/// A bad one.
pub const FOUL: Weather =
    Weather { latency_millis: 20, jitter_millis: 15, lost_per_thousand: 20, doubled_per_thousand: 20 };

/// A datagram on its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    arrives: Instant,
    number: u64,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// A datagram that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

struct Host {
    node: Rc<Node>,
    address: SocketAddr,
    outbox: Outbox,
    accepted: mpsc::UnboundedSender<Stream>,
}

struct Inner {
    chance: Chance,
    weather: Weather,
    hosts: Vec<Option<Host>>,
    flights: BinaryHeap<Reverse<Flight>>,
    flown: u64,
    /// Hosts whose datagrams do not arrive.
    muted: HashSet<u8>,
    sent: Option<Vec<Sent>>,
    roamed: Vec<(PeerId, SocketAddr)>,
    established: Vec<PeerId>,
}

/// Nodes and the network between them. A handle: copies are the same world.
#[derive(Clone)]
pub struct World {
    inner: Rc<RefCell<Inner>>,
    activity: Arc<Activity>,
    wakeups: Rc<Cell<u64>>,
}

#[derive(Default)]
struct Activity(Notify);

impl Wake for Activity {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// The present of the world.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Lets this much of the world's time pass.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Runs a story once for each seed: `ADIT_SEED` alone, or `ADIT_SEEDS` of them (100). The seed of one that fails is printed.
pub fn each_seed<F: Future<Output = ()>>(story: impl Fn(World) -> F) {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().expect("a number"));
    let seeds = match number("ADIT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ADIT_SEEDS").unwrap_or(100),
    };
    for seed in seeds {
        let _witness = Witness(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime of one thread");
        LocalSet::new().block_on(&runtime, async {
            let world = World::new(seed);
            let driven = world.clone();
            let driver = tokio::task::spawn_local(async move { driven.drive().await });
            story(world).await;
            driver.abort();
        });
    }
}

struct Witness(u64);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: ADIT_SEED={} runs it alone", self.0, self.0);
        }
    }
}

impl World {
    fn new(seed: u64) -> World {
        let inner = Inner {
            chance: Chance::new(seed),
            weather: FAIR,
            hosts: Vec::new(),
            flights: BinaryHeap::new(),
            flown: 0,
            muted: HashSet::new(),
            sent: None,
            roamed: Vec::new(),
            established: Vec::new(),
        };
        World { inner: Rc::new(RefCell::new(inner)), activity: Arc::default(), wakeups: Rc::default() }
    }

    /// A server, and so many clients that know it and that it knows.
    pub fn populate(&self, clients: u8) -> (Server, Vec<Client>) {
        let server = self.add_server(config(1));
        let clients = (2..2 + clients)
            .map(|host| {
                server.node.add_peer(now(), peer(host, None)).expect("a new peer");
                self.add_client(config(host), peer(1, Some(outer(1))))
            })
            .collect();
        (server, clients)
    }

    /// A server without peers.
    pub fn add_server(&self, config: NodeConfig) -> Server {
        let (node, accepted) = self.add_host(1, config);
        Server { node, accepted }
    }

    /// A client of this server. Its host is the last octet of its address.
    pub fn add_client(&self, config: NodeConfig, server: NodePeer) -> Client {
        let IpAddr::V4(address) = config.addresses[0] else { panic!("a client has an IPv4 address first") };
        let host = address.octets()[3];
        let (node, _) = self.add_host(host, config);
        node.add_peer(now(), server).expect("a new peer");
        Client { node }
    }

    /// Puts a host where it belongs, in place of one that may be there.
    pub fn add_host(&self, host: u8, config: NodeConfig) -> (Rc<Node>, mpsc::UnboundedReceiver<Stream>) {
        let mut inner = self.inner.borrow_mut();
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&inner.chance.next().to_le_bytes());
        let node = Rc::new(Node::new(now(), config, entropy));
        node.set_activity_waker(&Waker::from(self.activity.clone()));
        let (accepted, receiver) = mpsc::unbounded_channel();
        let slot = usize::from(host);
        if inner.hosts.len() <= slot {
            inner.hosts.resize_with(slot + 1, || None);
        }
        inner.hosts[slot] = Some(Host { node: node.clone(), address: outer(host), outbox: Outbox::new(), accepted });
        (node, receiver)
    }

    pub fn set_weather(&self, weather: Weather) {
        self.inner.borrow_mut().weather = weather;
    }

    /// Whether what a host sends is lost.
    pub fn set_muted(&self, host: u8, muted: bool) {
        let mut inner = self.inner.borrow_mut();
        match muted {
            true => inner.muted.insert(host),
            false => inner.muted.remove(&host),
        };
    }

    /// Moves a host to another outer address.
    pub fn roam(&self, host: u8, address: SocketAddr) {
        let mut inner = self.inner.borrow_mut();
        inner.hosts[usize::from(host)].as_mut().expect("a host").address = address;
    }

    /// Remembers what is sent from now on.
    pub fn watch(&self) {
        self.inner.borrow_mut().sent = Some(Vec::new());
    }

    /// What was sent since `watch` or the last look.
    pub fn sent(&self) -> Vec<Sent> {
        self.inner.borrow_mut().sent.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Puts a datagram on the wire that no host has made. It arrives at once.
    pub fn inject(&self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let mut inner = self.inner.borrow_mut();
        inner.flown += 1;
        let flight = Flight { arrives: now(), number: inner.flown, from, to, bytes };
        inner.flights.push(Reverse(flight));
        drop(inner);
        self.activity.0.notify_one();
    }

    pub fn roamed(&self) -> Vec<(PeerId, SocketAddr)> {
        std::mem::take(&mut self.inner.borrow_mut().roamed)
    }

    pub fn established(&self) -> Vec<PeerId> {
        std::mem::take(&mut self.inner.borrow_mut().established)
    }

    /// How often hosts were woken by their timers.
    pub fn wakeups(&self) -> u64 {
        self.wakeups.get()
    }

    pub fn below(&self, end: u64) -> u64 {
        self.inner.borrow_mut().chance.below(end)
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        self.inner.borrow_mut().chance.bytes(length)
    }

    async fn drive(&self) {
        loop {
            let next = self.step();
            let due = async {
                match next {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.activity.0.notified() => {}
            }
        }
    }

    /// Does all that is due; the time of the next thing.
    fn step(&self) -> Option<Instant> {
        let mut guard = self.inner.borrow_mut();
        let inner = &mut *guard;
        while inner.deliver() | inner.run_hosts(&self.wakeups) {}
        let arrival = inner.flights.peek().map(|Reverse(flight)| flight.arrives);
        let timers = inner.hosts.iter().flatten().filter_map(|host| host.node.poll_timeout().map(|(due, _)| due));
        timers.chain(arrival).min()
    }
}

impl Inner {
    /// Delivers what has arrived.
    fn deliver(&mut self) -> bool {
        let now = now();
        let mut moved = false;
        while self.flights.peek().is_some_and(|Reverse(flight)| flight.arrives <= now) {
            let Some(Reverse(flight)) = self.flights.pop() else { break };
            moved = true;
            let at = |host: &Host| host.address == flight.to;
            let Some(slot) = self.hosts.iter().position(|host| host.as_ref().is_some_and(at)) else { continue };
            let host = self.hosts[slot].as_mut().expect("found above");
            let path = Path { remote: flight.from, local: None };
            host.node.handle_datagram(now, path, &flight.bytes, &mut host.outbox);
            self.collect(slot);
        }
        moved
    }

    /// Lets all hosts do what is due, and send.
    fn run_hosts(&mut self, wakeups: &Cell<u64>) -> bool {
        let now = now();
        let mut moved = false;
        for slot in 0..self.hosts.len() {
            let Some(node) = self.hosts[slot].as_ref().map(|host| host.node.clone()) else { continue };
            if node.poll_timeout().is_some_and(|(due, _)| due <= now) {
                wakeups.set(wakeups.get() + 1);
                node.handle_timeout(now);
            }
            while self.hosts[slot].as_mut().is_some_and(|host| node.poll_transmit(now, &mut host.outbox)) {
                moved |= self.collect(slot);
            }
            node.flush_wakers();
            while let Some(event) = node.poll_event() {
                match event {
                    Event::Accepted(stream) => {
                        let host = self.hosts[slot].as_ref().expect("found above");
                        // A test that does not accept has its streams reset.
                        let _ = host.accepted.send(stream.into());
                    }
                    Event::Roamed(peer, to) => self.roamed.push((peer, to)),
                    Event::Established(peer) => self.established.push(peer),
                    Event::Refused => drop(node.take_refusals()),
                }
            }
        }
        moved
    }

    /// Sends what is in a host's outbox on its way.
    fn collect(&mut self, slot: usize) -> bool {
        let host = self.hosts[slot].as_mut().expect("the caller found it");
        let from = host.address;
        let mut leaving = Vec::new();
        for run in host.outbox.runs(64) {
            leaving.extend(run.bytes.chunks(run.segment_bytes).map(|bytes| (run.path.remote, bytes.to_vec())));
        }
        host.outbox.clear();
        let any = !leaving.is_empty();
        for (to, bytes) in leaving {
            if let Some(sent) = &mut self.sent {
                sent.push(Sent { from, to, bytes: bytes.clone() });
            }
            if !self.muted.contains(&(slot as u8)) {
                self.fly(from, to, bytes);
            }
        }
        any
    }

    fn fly(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let weather = self.weather;
        if self.chance.below(1000) < weather.lost_per_thousand {
            return;
        }
        let copies = 1 + u64::from(self.chance.below(1000) < weather.doubled_per_thousand);
        for _ in 0..copies {
            let millis = weather.latency_millis + self.chance.below(weather.jitter_millis + 1);
            self.flown += 1;
            let arrives = now() + Duration::from_millis(millis);
            self.flights.push(Reverse(Flight { arrives, number: self.flown, from, to, bytes: bytes.clone() }));
        }
    }
}

/// Host 1, which accepts.
pub struct Server {
    pub node: Rc<Node>,
    pub accepted: mpsc::UnboundedReceiver<Stream>,
}

impl Server {
    pub async fn accept(&mut self) -> Stream {
        self.accepted.recv().await.expect("the world drives the server")
    }

    pub fn count(&self, counter: &str) -> u64 {
        self.node.counters().value(counter)
    }
}

/// A host that dials.
pub struct Client {
    pub node: Rc<Node>,
}

impl Client {
    /// A stream to a port of the server's.
    pub fn dial(&self, port: u16) -> Stream {
        self.dial_to((inner(1)[0], port).into())
    }

    pub fn dial_to(&self, to: SocketAddr) -> Stream {
        self.node.connect(now(), id(1), to).expect("a stream to the server").into()
    }
}

/// A preshared key of its own for each number.
pub fn preshared(number: u8) -> Option<PresharedKey> {
    Some(PresharedKey::from_entropy([number; 32]))
}
