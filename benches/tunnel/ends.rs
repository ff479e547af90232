//! Two kinds of ends: nodes that are handed each other's datagrams, and keys for many.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use adit::key::PrivateKey;
use adit::node::{Event, Node, NodeConfig, NodePeer, Outbox, Path, Stream};
use adit::peer::PeerId;

use crate::timed;

/// The server's number; devices have others.
pub const SERVER: u32 = 0;

/// A node and what it wants sent.
pub struct End {
    pub node: Node,
    pub outbox: Outbox,
    path: Path,
}

pub fn key(number: u32) -> PrivateKey {
    let mut entropy = [7; 32];
    // Not the first ones: clamping takes bits of them.
    entropy[4..8].copy_from_slice(&number.to_le_bytes());
    PrivateKey::from_entropy(entropy)
}

pub fn inner(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a5e_0001 + number).into()
}

pub fn path(number: u32) -> Path {
    Path { remote: SocketAddr::new(Ipv4Addr::from(0xc633_0000 + number).into(), 51820), local: None }
}

pub fn peer(number: u32) -> NodePeer {
    NodePeer {
        id: PeerId::new(number),
        public_key: key(number).public(),
        preshared_key: None,
        addresses: vec![inner(number)],
        endpoint: (number == SERVER).then_some(path(SERVER).remote),
        keepalive_secs: None,
        from: Vec::new(),
    }
}

impl End {
    pub fn new(number: u32) -> End {
        let config = NodeConfig {
            key: key(number),
            addresses: vec![inner(number)],
            mtu: 1420,
            accept_port: (number == SERVER).then_some(80),
            connections: 256,
            half_open: 256,
            connections_total: 20_000,
            buffers_total: 4 << 30,
            handshakes_per_second: u64::MAX,
        };
        let node = Node::new(Instant::now(), config, [number as u8; 32]);
        End { node, outbox: Outbox::new(), path: path(number) }
    }

    pub fn device(number: u32) -> End {
        let end = End::new(number);
        end.node.add_peer(Instant::now(), peer(SERVER)).expect("its only peer");
        end
    }
}

/// Hands over what both ends want sent, until there is nothing; the time that the server's part takes is added.
pub fn exchange(server: &mut End, device: &mut End, took: &mut Duration) {
    loop {
        let ours = hand_over(server, device, took, true);
        let theirs = hand_over(device, server, took, false);
        if !ours && !theirs {
            break;
        }
    }
}

fn hand_over(from: &mut End, to: &mut End, took: &mut Duration, is_servers: bool) -> bool {
    let mut moved = false;
    loop {
        let now = Instant::now();
        let mut other = Duration::ZERO;
        let (ours, theirs) = if is_servers { (&mut *took, &mut other) } else { (&mut other, &mut *took) };
        timed(ours, || {
            while from.outbox.room() > 0 && from.node.poll_transmit(now, &mut from.outbox) {}
            from.node.flush_wakers();
        });
        if from.outbox.is_empty() {
            return moved;
        }
        moved = true;
        timed(theirs, || {
            for run in from.outbox.runs(64) {
                for datagram in run.bytes.chunks(run.segment_bytes) {
                    to.node.handle_datagram(now, from.path, datagram, &mut to.outbox);
                }
            }
            to.node.flush_wakers();
        });
        timed(ours, || from.outbox.clear());
    }
}

/// Opens a stream from a device; both of its ends.
pub fn open(server: &mut End, device: &mut End) -> (Stream, Stream) {
    let to = SocketAddr::new(inner(SERVER), 80);
    let theirs = device.node.connect(Instant::now(), PeerId::new(SERVER), to).expect("a stream");
    exchange(server, device, &mut Duration::default());
    let accepted = std::iter::from_fn(|| server.node.poll_event()).find_map(|event| match event {
        Event::Accepted(stream) => Some(stream),
        _ => None,
    });
    (accepted.expect("it is accepted"), theirs)
}

/// Sends so many bytes from one stream to the other; what the server's part took.
pub fn send(server: &mut End, device: &mut End, (ours, theirs): &mut (Stream, Stream), bytes: usize) -> Duration {
    let mut context = Context::from_waker(Waker::noop());
    let (block, mut sink) = (vec![b'x'; 256 << 10], vec![0; 256 << 10]);
    let (mut sent, mut received, mut took) = (0, 0, Duration::ZERO);
    while received < bytes {
        timed(&mut took, || {
            while sent < bytes {
                match ours.poll_write(&mut context, &block[..block.len().min(bytes - sent)]) {
                    Poll::Ready(written) => sent += written.expect("the stream stands"),
                    Poll::Pending => break,
                }
            }
        });
        exchange(server, device, &mut took);
        while let Poll::Ready(read) = theirs.poll_read(&mut context, &mut sink) {
            received += read.expect("the stream stands");
        }
    }
    took
}
