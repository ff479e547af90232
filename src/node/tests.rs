//! A node and its peers joined by memory, on the machine's clock: what needs no simulated time.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use parking_lot::Mutex;

use super::*;

const SERVER: PeerId = PeerId::new(1);

/// A server with clients, and what passes between them.
struct World {
    now: Instant,
    server: Node,
    clients: Vec<Node>,
    outbox: Outbox,
}

fn config(key: PrivateKey, addresses: Vec<IpAddr>, accept_port: Option<u16>) -> NodeConfig {
    NodeConfig {
        key,
        addresses,
        mtu: 1280,
        accept_port,
        connections: 64,
        half_open: 16,
        connections_total: 4096,
        buffers_total: 256 << 20,
        handshakes_per_second: 2000,
    }
}

fn inner(host: u8) -> Vec<IpAddr> {
    vec![[10, 0, 0, host].into(), format!("fd00::{host}").parse().expect("an address")]
}

fn outer(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 51820).into()
}

fn key(host: u8) -> PrivateKey {
    PrivateKey::from_entropy([host; 32])
}

impl World {
    /// Host 1 is the server, the clients are hosts 2 and up.
    fn new(clients: u8) -> World {
        let now = Instant::now();
        let server = Node::new(now, config(key(1), inner(1), Some(80)), [1; 32]);
        let client = |host: u8| {
            let id = PeerId::new(host.into());
            let peer = |id, of: u8, endpoint| NodePeer {
                id,
                public_key: key(of).public(),
                preshared_key: None,
                addresses: inner(of),
                endpoint,
                keepalive_secs: None,
                from: Vec::new(),
            };
            server.add_peer(now, peer(id, host, None)).expect("a new peer");
            let client = Node::new(now, config(key(host), inner(host), None), [host; 32]);
            client.add_peer(now, peer(SERVER, 1, Some(outer(1)))).expect("a new peer");
            client
        };
        let clients = (2..2 + clients).map(client).collect();
        World { now, server, clients, outbox: Outbox::new() }
    }

    /// Lets everything pass that wants to, and says how many datagrams that were.
    fn run(&mut self) -> usize {
        let mut passed = 0;
        loop {
            let mut moved = 0;
            for index in 0..self.clients.len() {
                let host = index as u8 + 2;
                moved += pass(&self.clients[index], &self.server, outer(host), self.now, &mut self.outbox);
                self.clients[index].flush_wakers();
            }
            let mut replies = Vec::new();
            drain(&self.server, self.now, &mut self.outbox, &mut replies);
            self.server.flush_wakers();
            moved += replies.len();
            for (path, datagram) in replies {
                let IpAddr::V4(to) = path.remote.ip() else { panic!("a strange address") };
                let client = &self.clients[usize::from(to.octets()[3]) - 2];
                let mut answers = Outbox::new();
                client.handle_datagram(self.now, Path { remote: outer(1), local: None }, &datagram, &mut answers);
                deliver(&answers, &self.server, path.remote, self.now, &mut self.outbox);
            }
            passed += moved;
            if moved == 0 {
                return passed;
            }
        }
    }
}

fn drain(node: &Node, now: Instant, outbox: &mut Outbox, into: &mut Vec<(Path, Vec<u8>)>) {
    loop {
        for run in outbox.runs(64) {
            into.extend(run.bytes.chunks(run.segment_bytes).map(|datagram| (run.path, datagram.to_vec())));
        }
        outbox.clear();
        if !node.poll_transmit(now, outbox) {
            return;
        }
    }
}

/// Gives `to` what is in `from`; answers stay in `outbox`.
fn deliver(from: &Outbox, to: &Node, source: SocketAddr, now: Instant, outbox: &mut Outbox) {
    for run in from.runs(64) {
        for datagram in run.bytes.chunks(run.segment_bytes) {
            to.handle_datagram(now, Path { remote: source, local: None }, datagram, outbox);
        }
    }
}

fn pass(from: &Node, to: &Node, source: SocketAddr, now: Instant, outbox: &mut Outbox) -> usize {
    let mut moved = 0;
    let mut sent = Outbox::new();
    while from.poll_transmit(now, &mut sent) {
        moved += sent.len();
        deliver(&sent, to, source, now, outbox);
        sent.clear();
    }
    moved
}

fn accepted(node: &Node) -> Option<Stream> {
    std::iter::from_fn(|| node.poll_event()).find_map(|event| match event {
        Event::Accepted(stream) => Some(stream),
        _ => None,
    })
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn a_stream_carries_bytes_both_ways_over_both_families() {
    for address in inner(1) {
        let mut world = World::new(1);
        let mut client = world.clients[0].connect(world.now, SERVER, (address, 80).into()).expect("a stream");
        assert!(client.poll_write(&mut context(), b"too early").is_pending());
        world.run();
        let mut server = accepted(&world.server).expect("a stream");
        assert_eq!(server.peer(), PeerId::new(2));
        assert_eq!((server.local(), server.remote()), (client.remote(), client.local()));
        for (from, to) in [(&mut client, &mut server)] {
            let sent: Vec<u8> = (0..300_000u32).map(|number| (number / 7) as u8).collect();
            let (mut written, mut read) = (0, Vec::new());
            while read.len() < sent.len() {
                if let Poll::Ready(length) = from.poll_write(&mut context(), &sent[written..]) {
                    written += length.expect("an open stream");
                }
                world.run();
                let mut buffer = [0; 5000];
                while let Poll::Ready(length) = to.poll_read(&mut context(), &mut buffer) {
                    read.extend_from_slice(&buffer[..length.expect("an open stream")]);
                }
                world.now += Duration::from_millis(1);
            }
            assert!(read == sent, "{address}: other bytes than sent");
        }
    }
}

#[test]
fn a_removed_peer_leaves_nothing_behind() {
    let mut world = World::new(2);
    let streams: Vec<_> = (0..2)
        .map(|index| world.clients[index].connect(world.now, SERVER, ([10, 0, 0, 1], 80).into()).expect("a stream"))
        .collect();
    world.run();
    let (mut first, mut second) = (accepted(&world.server).unwrap(), accepted(&world.server).unwrap());
    assert!(first.poll_read(&mut context(), &mut [0; 10]).is_pending());
    assert!(world.server.remove_peer(PeerId::new(2)));
    assert!(!world.server.remove_peer(PeerId::new(2)));
    let failure = |result: Poll<std::io::Result<usize>>| match result {
        Poll::Ready(Err(error)) => Some(error.kind()),
        _ => None,
    };
    assert_eq!(failure(first.poll_read(&mut context(), &mut [0; 10])), Some(ErrorKind::ConnectionAborted));
    assert_eq!(failure(first.poll_write(&mut context(), b"x")), Some(ErrorKind::ConnectionAborted));
    assert_eq!(failure(second.poll_read(&mut context(), &mut [0; 10])), None, "the other peer goes on");
    assert_eq!(world.server.counters().value("connections_now"), 1);
    drop((first, streams));
    drop(world.server);
    assert_eq!(failure(second.poll_write(&mut context(), b"x")), Some(ErrorKind::ConnectionAborted));
}

/// What follows a datagram in its session is not looked up again: that must show in nothing but time.
#[test]
fn datagrams_are_taken_together_as_they_are_one_by_one() {
    let mut world = World::new(2);
    let connect = |client: &Node| client.connect(world.now, SERVER, ([10, 0, 0, 1], 80).into()).expect("a stream");
    let mut theirs: Vec<_> = world.clients.iter().map(connect).collect();
    world.run();
    let mut ours: Vec<_> = std::iter::from_fn(|| accepted(&world.server)).collect();
    ours.sort_by_key(|stream| stream.peer());
    let mut sent = Vec::new();
    for (host, stream) in (2..).zip(&mut theirs) {
        let Poll::Ready(Ok(12_000)) = stream.poll_write(&mut context(), &[host; 12_000]) else { panic!("no room") };
        let mut datagrams = Vec::new();
        drain(&world.clients[usize::from(host) - 2], world.now, &mut world.outbox, &mut datagrams);
        assert!(datagrams.len() > 5);
        sent.extend(datagrams.into_iter().map(|(_, datagram)| (Path { remote: outer(host), local: None }, datagram)));
    }
    let unknown = |mut datagram: Vec<u8>| {
        datagram[5] ^= 1;
        datagram
    };
    // In the middle of a session: damaged, cut short, too long, of another session, from elsewhere, and again.
    let (path, whole) = sent[2].clone();
    let mut damaged = sent[3].1.clone();
    damaged[20] ^= 1;
    let odd = [damaged, whole[..31].to_vec(), vec![4; 4000], unknown(whole.clone()), whole.clone()];
    sent.splice(3..3, odd.into_iter().map(|datagram| (path, datagram)));
    sent.insert(5, (Path { remote: outer(9), local: None }, sent[4].1.clone()));

    let before = world.server.counters();
    let mut datagrams = sent.iter().map(|(path, datagram)| (*path, datagram.as_slice())).peekable();
    world.server.handle_datagrams(world.now, &mut datagrams, &mut world.outbox);
    assert!(datagrams.peek().is_none());
    let after = world.server.counters();
    let counted = |name| after.value(name) - before.value(name);
    assert_eq!(counted("datagrams_received"), sent.len() as u64);
    assert_eq!(counted("bytes_received"), sent.iter().map(|(_, datagram)| datagram.len() as u64).sum::<u64>());
    assert_eq!(after.outcomes(), after.value("datagrams_received"));
    assert_eq!(
        ["dropped_unauthenticated", "dropped_malformed", "dropped_unknown_index", "dropped_replayed"].map(counted),
        [1, 3, 1, 1]
    );
    for (host, stream) in (2..).zip(&mut ours) {
        let mut buffer = [0; 20_000];
        let Poll::Ready(Ok(12_000)) = stream.poll_read(&mut context(), &mut buffer) else { panic!("not all is there") };
        assert!(buffer[..12_000].iter().all(|byte| *byte == host));
    }
    assert_eq!(counted("endpoints_changed"), 0);

    // Without room for an answer none is taken, and none is lost.
    let mut full = Outbox::new();
    while let Some(place) = full.place() {
        place.datagram[..32].fill(0);
        full.commit(path, 32);
    }
    let mut again = sent.iter().map(|(path, datagram)| (*path, datagram.as_slice())).peekable();
    world.server.handle_datagrams(world.now, &mut again, &mut full);
    assert_eq!(again.count(), sent.len());
    assert_eq!(world.server.counters(), after);
}

#[test]
fn several_threads_serve_several_peers() {
    const BYTES: usize = 400_000;
    let world = World::new(3);
    let (server, clients, now) = (&world.server, &world.clients, world.now);
    let streams: Vec<_> = clients
        .iter()
        .map(|client| client.connect(now, SERVER, ([10, 0, 0, 1], 80).into()).expect("a stream"))
        .collect();
    let accepting = Mutex::new(Vec::new());
    let total = std::sync::atomic::AtomicUsize::new(0);
    let forward = |from: &mut Outbox, now| {
        for run in from.runs(64) {
            let IpAddr::V4(to) = run.path.remote.ip() else { panic!("a strange address") };
            let mut back = Outbox::new();
            for datagram in run.bytes.chunks(run.segment_bytes) {
                let path = Path { remote: outer(1), local: None };
                clients[usize::from(to.octets()[3]) - 2].handle_datagram(now, path, datagram, &mut back);
            }
            deliver(&back, server, run.path.remote, now, &mut Outbox::new());
        }
        from.clear();
    };
    // Each thread drives its client and, like the others, whatever peer of the server is ready.
    let serve = |index: usize, mut stream: Stream| {
        let (mut outbox, mut answers, mut read) = (Outbox::new(), Outbox::new(), 0);
        let deadline = now + Duration::from_secs(60);
        while total.load(Ordering::Relaxed) < clients.len() * BYTES && Instant::now() < deadline {
            let now = Instant::now();
            pass(&clients[index], server, outer(index as u8 + 2), now, &mut answers);
            forward(&mut answers, now);
            accepting.lock().extend(accepted(server));
            accepting.lock().iter_mut().for_each(|stream: &mut Stream| {
                let _ = stream.poll_write(&mut context(), &[stream.peer().number() as u8; 10_000]);
            });
            server.handle_timeout(now);
            while server.poll_transmit(now, &mut outbox) {
                forward(&mut outbox, now);
            }
            let mut buffer = [0; 20_000];
            while let Poll::Ready(Ok(length)) = stream.poll_read(&mut context(), &mut buffer) {
                assert!(buffer[..length].iter().all(|byte| *byte == index as u8 + 2), "another peer's bytes");
                let counted = length.min(BYTES - read);
                read += counted;
                total.fetch_add(counted, Ordering::Relaxed);
            }
            clients[index].handle_timeout(now);
        }
    };
    std::thread::scope(|scope| {
        for (index, stream) in streams.into_iter().enumerate() {
            let serve = &serve;
            scope.spawn(move || serve(index, stream));
        }
    });
    assert_eq!(total.load(Ordering::Relaxed), clients.len() * BYTES);
}
