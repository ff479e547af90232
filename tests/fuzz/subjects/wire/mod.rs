//! What comes by the wire: bytes are read as a story, and told to a node or to a stack. Time and keys are the story's own.

mod datagrams;
mod end;
mod operations;
mod packets;
mod pattern;
mod segments;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use adit::key::PrivateKey;
use adit::node::{Event, Node, NodeConfig, NodePeer, Outbox, Path};
use adit::peer::PeerId;
use smoltcp::wire::{IpAddress, Ipv4Packet, Ipv6Packet, TcpPacket};

pub use datagrams::{datagrams, seeds as datagram_seeds};
pub use operations::{operations, seeds as operation_seeds};
pub use packets::{packets, seeds as packet_seeds};
pub use segments::{seeds as segment_seeds, segments};

/// Connections that a device may have.
const CONNECTIONS: usize = 8;
/// Buffers of all connections, in bytes.
const BUFFERS: u64 = 4 << 20;
/// Bytes of an inner packet.
const MTU: u16 = 1420;
/// The port that a server takes streams on.
const PORT: u16 = 80;
/// Turns after which a node that has nothing new to do must have come to rest.
const TURNS: usize = 4096;

/// Steps of a story that are told: a longer one finds little that two short ones don't.
const STEPS: usize = 256;

/// Bytes, taken one after the other; none left is zero.
struct Story<'a> {
    rest: &'a [u8],
    steps: usize,
}

impl<'a> Story<'a> {
    fn new(bytes: &'a [u8]) -> Story<'a> {
        Story { rest: bytes, steps: 0 }
    }

    /// Whether there is a next step.
    fn goes_on(&mut self) -> bool {
        self.steps += 1;
        self.steps <= STEPS && !self.rest.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Up to four minutes, the smaller the likelier: sessions end within.
    fn time(&mut self) -> Duration {
        let byte = u64::from(self.byte());
        Duration::from_millis(byte * byte * byte / 64 + 1)
    }
}

/// When every story begins: the same story is the same.
fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_entropy([number; 32])
}

/// Where this one is on the outer network.
fn outer(number: u8) -> Path {
    Path { remote: SocketAddr::from(([192, 0, 2, number], 51820)), local: None }
}

/// The inner addresses of this one: the server is 1.
fn inner(number: u8) -> [IpAddr; 2] {
    [Ipv4Addr::new(10, 94, 0, number).into(), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into()]
}

fn node(own: u8, handshakes_per_second: u64) -> Node {
    let config = NodeConfig {
        key: key(own),
        addresses: inner(own).into(),
        mtu: MTU,
        accept_port: Some(PORT),
        connections: CONNECTIONS,
        half_open: CONNECTIONS / 2,
        connections_total: CONNECTIONS,
        buffers_total: BUFFERS,
        handshakes_per_second,
    };
    Node::new(start(), config, [own; 32])
}

fn peer(number: u8, endpoint: Option<SocketAddr>) -> NodePeer {
    NodePeer {
        id: PeerId::new(number.into()),
        public_key: key(number).public(),
        preshared_key: None,
        addresses: inner(number).into(),
        endpoint,
        keepalive_secs: None,
        from: Vec::new(),
    }
}

/// What holds of a node whatever was sent to it.
fn check(node: &Node) {
    let counters = node.counters();
    assert_eq!(counters.outcomes(), counters.value("datagrams_received"), "every datagram has one outcome");
    assert!(counters.value("connections_now") <= CONNECTIONS as u64, "no more connections than may be");
    assert!(counters.value("buffer_bytes_now") <= BUFFERS, "no more buffers than may be");
    assert_eq!(counters.value("events_lost"), 0, "there was room for all events");
}

/// Lets a node do all that it has to do at this time, giving what it sends to `take`; it must come to rest.
fn rest(node: &Node, now: Instant, outbox: &mut Outbox, mut take: impl FnMut(Path, &[u8])) {
    let mut turns = 0;
    loop {
        node.handle_timeout(now);
        let mut is_more = true;
        while is_more {
            for run in outbox.runs(usize::MAX) {
                run.bytes.chunks(run.segment_bytes).for_each(|datagram| take(run.path, datagram));
            }
            outbox.clear();
            is_more = node.poll_transmit(now, outbox);
            turns += 1;
        }
        node.flush_wakers();
        assert!(!node.is_ready(), "what is ready has had its turn");
        if node.poll_timeout().is_none_or(|(due, _)| due > now) {
            return;
        }
        assert!(turns < TURNS, "a node that nobody speaks to comes to rest");
    }
}

/// What holds when all peers are gone, even of a node whose streams somebody still holds.
fn ended(node: &Node) {
    while node.poll_event().is_some() {}
    check(node);
    let counters = node.counters();
    assert_eq!(counters.value("buffer_bytes_now"), 0, "nothing is left of a device that is gone");
    assert_eq!(counters.value("connections_now"), 0, "no connection is left of a device that is gone");
    assert_eq!(node.poll_timeout(), None, "no timer is left of a device that is gone");
}

/// Whom a stream belongs to is whose inner address it comes from.
fn accepted(event: Option<Event>) -> Option<adit::node::Stream> {
    let Event::Accepted(stream) = event? else { return None };
    let number = stream.peer().number() as u8;
    assert!(inner(number).contains(&stream.remote().ip()), "a stream is the peer's whose address it comes from");
    assert!(
        inner(1).contains(&stream.local().ip()) && stream.local().port() == PORT,
        "it came to where streams are taken"
    );
    Some(stream)
}

/// A packet that we have sent is in order, and goes from the server to this device. Returns it without its padding.
fn sent_to(number: u8, packet: &[u8]) -> &[u8] {
    let (length, header, protocol, from, to) = match packet[0] >> 4 {
        4 => {
            let packet = Ipv4Packet::new_checked(packet).expect("a whole packet");
            assert!(packet.verify_checksum() && !packet.more_frags() && packet.frag_offset() == 0);
            let length = usize::from(packet.total_len());
            let header = usize::from(packet.header_len());
            let ends: (IpAddr, IpAddr) = (packet.src_addr().into(), packet.dst_addr().into());
            (length, header, packet.next_header(), ends.0, ends.1)
        }
        _ => {
            let packet = Ipv6Packet::new_checked(packet).expect("a whole packet");
            let ends: (IpAddr, IpAddr) = (packet.src_addr().into(), packet.dst_addr().into());
            (packet.total_len(), packet.header_len(), packet.next_header(), ends.0, ends.1)
        }
    };
    assert!(inner(1).contains(&from), "nobody else speaks for us");
    assert!(inner(number).contains(&to), "nobody else is spoken to inside");
    assert!(length <= MTU.into(), "a packet fits the MTU");
    if protocol == smoltcp::wire::IpProtocol::Tcp {
        let segment = TcpPacket::new_checked(&packet[header..length]).expect("a whole segment");
        assert!(segment.verify_checksum(&IpAddress::from(from), &IpAddress::from(to)), "a segment's checksum is right");
    }
    &packet[..length]
}
