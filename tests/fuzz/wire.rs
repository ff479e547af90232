//! What a device that holds a key may send, and what may happen to it on its way: bytes are read as a story, and told to a node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use adit::key::PrivateKey;
use adit::node::{Event, Node, NodeConfig, NodePeer, Outbox, Path, Stream};
use adit::peer::PeerId;
use boringtun::noise::{Tunn, TunnResult};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 94, 0, 1);
const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 94, 0, 2);
/// Connections that a device may have.
const CONNECTIONS: usize = 8;
/// Buffers of all connections, in bytes.
const BUFFERS: u64 = 4 << 20;
/// Longest inner packet, in bytes.
const PACKET: usize = 1400;

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_entropy([number; 32])
}

fn outer(number: u8) -> Path {
    Path { remote: SocketAddr::from(([192, 0, 2, number], 51820)), local: None }
}

fn node(own: u8, inner: Ipv4Addr) -> Node {
    let config = NodeConfig {
        key: key(own),
        addresses: vec![inner.into()],
        mtu: 1420,
        accept_port: Some(80),
        connections: CONNECTIONS,
        half_open: CONNECTIONS / 2,
        connections_total: CONNECTIONS,
        buffers_total: BUFFERS,
        handshakes_per_second: 1000,
    };
    Node::new(Instant::now(), config, [own; 32])
}

fn peer(number: u8, inner: Ipv4Addr, endpoint: Option<SocketAddr>) -> NodePeer {
    NodePeer {
        id: PeerId::new(number.into()),
        public_key: key(number).public(),
        preshared_key: None,
        addresses: vec![inner.into()],
        endpoint,
        keepalive_secs: None,
        from: Vec::new(),
    }
}

/// What holds whatever was sent.
fn check(node: &Node) {
    let counters = node.counters();
    assert_eq!(counters.outcomes(), counters.value("datagrams_received"), "every datagram has one outcome");
    assert!(counters.value("connections_now") <= CONNECTIONS as u64);
    assert!(counters.value("buffer_bytes_now") <= BUFFERS);
}

/// Bytes, taken one after the other; none left is zero.
struct Story<'a>(&'a [u8]);

impl<'a> Story<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Inner packets of any kind from a device in session. The first byte of each says what is put right in it, so that it comes further.
/// Returns how many connections the server took.
pub fn packets(bytes: &[u8]) -> u64 {
    let server = node(1, SERVER);
    let now = Instant::now();
    server.add_peer(now, peer(2, DEVICE, None)).expect("a new peer");
    let (mut outbox, mut datagram, mut packet) = (Outbox::new(), [0; 2048], [0; 2048]);
    let public = *key(1).public().as_bytes();
    let mut device = Tunn::new(key(2).to_secret(), public.into(), None, None, 7, None);
    let TunnResult::WriteToNetwork(initiation) = device.format_handshake_initiation(&mut datagram, false) else {
        panic!("no initiation");
    };
    server.handle_datagram(now, outer(2), initiation, &mut outbox);
    let response = outbox.runs(1).next().expect("an answer").bytes.to_owned();
    outbox.clear();
    let TunnResult::WriteToNetwork(confirmation) = device.decapsulate(None, &response, &mut packet) else {
        panic!("the answer is not taken");
    };
    server.handle_datagram(now, outer(2), confirmation, &mut outbox);

    let (mut story, mut now, mut last) = (Story(bytes), now, None);
    let mut streams = Vec::new();
    while !story.0.is_empty() {
        let (how, length) = (story.byte(), usize::from(story.byte()) * 6);
        let mut inner = story.bytes(length.min(PACKET)).to_vec();
        put_right(&mut inner, how, last);
        if let TunnResult::WriteToNetwork(datagram) = device.encapsulate(&inner, &mut datagram) {
            server.handle_datagram(now, outer(2), datagram, &mut outbox);
        }
        now += Duration::from_millis(u64::from(how) * 8);
        server.handle_timeout(now);
        while outbox.room() > 0 && server.poll_transmit(now, &mut outbox) {}
        for run in outbox.runs(1) {
            assert_eq!(run.path.remote, outer(2).remote, "nobody else is spoken to");
            if let TunnResult::WriteToTunnelV4(answer, _) = device.decapsulate(None, run.bytes, &mut packet) {
                assert_eq!(&answer[16..20], &DEVICE.octets(), "nobody else is spoken to inside");
                last = sequence_numbers(answer).or(last);
            }
        }
        outbox.clear();
        server.flush_wakers();
        while let Some(event) = server.poll_event() {
            if let Event::Accepted(mut stream) = event {
                let _ = write(&mut stream, b"welcome");
                streams.push(stream);
            }
        }
        check(&server);
    }
    drop(streams);
    server.remove_peer(PeerId::new(2));
    ended(&server)
}

/// What holds when all devices are gone. Returns how many connections the server took.
fn ended(server: &Node) -> u64 {
    let counters = server.counters();
    assert_eq!(counters.value("buffer_bytes_now"), 0, "nothing is left of a device that is gone");
    counters.value("streams_accepted")
}

/// Makes of any bytes what a sender in good faith would: bit 0 the IPv4 header, bit 1 its addresses and TCP's port, bit 2 what acknowledges
/// the last answer, and where any of them is set the checksums.
fn put_right(packet: &mut Vec<u8>, how: u8, last: Option<(u32, u32)>) {
    if how & 7 == 0 {
        return;
    }
    packet.resize(packet.len().max(40), 0);
    let length = packet.len() as u16;
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet[6] &= 0x40;
    packet[7] = 0;
    if how & 2 != 0 {
        packet[9] = 6;
        packet[12..16].copy_from_slice(&DEVICE.octets());
        packet[16..20].copy_from_slice(&SERVER.octets());
        packet[22..24].copy_from_slice(&80u16.to_be_bytes());
        packet[32] = packet[32].max(0x50);
    }
    if let (true, Some((sequence, acknowledged))) = (how & 4 != 0, last) {
        packet[24..28].copy_from_slice(&acknowledged.to_be_bytes());
        packet[28..32].copy_from_slice(&sequence.to_be_bytes());
        packet[33] |= 0x10;
    }
    packet[10..12].fill(0);
    let header = checksum(0, &packet[..20]);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    packet[36..38].fill(0);
    let pseudo = sum(0, &packet[12..20]) + 6 + u32::from(length - 20);
    let segment = checksum(pseudo, &packet[20..]);
    packet[36..38].copy_from_slice(&segment.to_be_bytes());
}

/// What comes next in both directions, as a TCP segment of the server's tells: its own, and what it has heard.
fn sequence_numbers(packet: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
    let is_syn = packet.get(33)? & 2 != 0;
    (*packet.get(9)? == 6).then_some((word(24)?.wrapping_add(is_syn.into()), word(28)?))
}

/// The Internet checksum, RFC 1071.
fn checksum(begun: u32, bytes: &[u8]) -> u16 {
    let mut total = sum(begun, bytes);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

fn sum(begun: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum::<u32>() + begun
}

fn write(stream: &mut Stream, bytes: &[u8]) -> usize {
    match stream.poll_write(&mut Context::from_waker(Waker::noop()), bytes) {
        Poll::Ready(Ok(written)) => written,
        _ => 0,
    }
}

/// A server and a device, and everything that may be done with them and on the wire between, in any order. Returns
/// how many connections the server took.
pub fn operations(bytes: &[u8]) -> u64 {
    let (server, device) = (node(1, SERVER), node(2, DEVICE));
    let mut now = Instant::now();
    server.add_peer(now, peer(2, DEVICE, None)).expect("a new peer");
    device.add_peer(now, peer(1, SERVER, Some(outer(1).remote))).expect("a new peer");
    let mut world =
        World { ends: [server, device], wire: [Vec::new(), Vec::new()], seen: Vec::new(), streams: Vec::new() };
    let mut story = Story(bytes);
    while !story.0.is_empty() {
        let operation = story.byte();
        world.operate(operation, &mut story, &mut now);
        world.ends.iter().for_each(check);
    }
    drop(world.streams);
    world.ends[0].remove_peer(PeerId::new(2));
    ended(&world.ends[0])
}

struct World {
    /// The server and the device.
    ends: [Node; 2],
    /// What each has sent and the other has not received.
    wire: [Vec<Vec<u8>>; 2],
    /// What was on the wire before.
    seen: Vec<Vec<u8>>,
    streams: Vec<Stream>,
}

/// Datagrams on the wire at most, and remembered ones.
const WIRE: usize = 256;

impl World {
    fn operate(&mut self, operation: u8, story: &mut Story, now: &mut Instant) {
        let end = usize::from(operation >> 7);
        match operation & 0x0f {
            0..=2 => self.carry(end, *now, |_| true),
            3 => drop(self.wire[end].pop()),
            4 => self.wire[end].reverse(),
            5 => {
                let (at, bit) = (usize::from(story.byte()), story.byte());
                if let Some(datagram) = self.wire[end].first_mut().filter(|datagram| !datagram.is_empty()) {
                    let at = at % datagram.len();
                    datagram[at] ^= 1 << (bit & 7);
                }
            }
            6 => {
                let seen = self.seen.get(usize::from(story.byte())).cloned();
                self.receive(end, *now, 9, &seen.unwrap_or_default());
            }
            7 => {
                let length = story.byte().into();
                let bytes = story.bytes(length).to_vec();
                self.receive(end, *now, 9, &bytes);
            }
            8 => {
                let to = SocketAddr::new(IpAddr::from(SERVER), if story.byte() > 200 { 81 } else { 80 });
                self.streams.extend(self.ends[1].connect(*now, PeerId::new(1), to));
                self.streams.truncate(2 * CONNECTIONS);
            }
            9 | 10 => {
                let (which, length) = (usize::from(story.byte()), usize::from(story.byte()) * 257);
                if let Some(stream) = self.streams.get_mut(which) {
                    write(stream, &vec![operation; length]);
                }
            }
            11 => {
                let (which, length) = (usize::from(story.byte()), usize::from(story.byte()) * 257);
                if let Some(stream) = self.streams.get_mut(which) {
                    let _ = stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut vec![0; length]);
                }
            }
            12 => {
                if let Some(stream) = self.streams.get_mut(usize::from(story.byte())) {
                    let _ = stream.poll_shutdown(&mut Context::from_waker(Waker::noop()));
                }
            }
            13 => {
                let which = usize::from(story.byte());
                if which < self.streams.len() {
                    self.streams.swap_remove(which);
                }
            }
            14 => {
                // Up to four minutes, the smaller the likelier: sessions end within.
                let byte = u64::from(story.byte());
                *now += Duration::from_millis(byte * byte * byte / 64 + 1);
                self.ends.iter().for_each(|end| end.handle_timeout(*now));
            }
            _ => {
                let (id, again) = match end {
                    0 => (2, peer(2, DEVICE, None)),
                    _ => (1, peer(1, SERVER, Some(outer(1).remote))),
                };
                self.ends[end].remove_peer(PeerId::new(id));
                if story.byte() < 240 {
                    self.ends[end].add_peer(*now, again).expect("there is none");
                }
            }
        }
        for from in 0..2 {
            self.fetch(from, *now);
        }
    }

    /// Brings what an end has sent to the other.
    fn carry(&mut self, from: usize, now: Instant, mut is_carried: impl FnMut(&[u8]) -> bool) {
        for datagram in std::mem::take(&mut self.wire[from]) {
            if is_carried(&datagram) {
                self.receive(1 - from, now, from as u8 + 1, &datagram);
            }
            if self.seen.len() < WIRE {
                self.seen.push(datagram);
            }
        }
    }

    fn receive(&mut self, end: usize, now: Instant, from: u8, datagram: &[u8]) {
        let mut outbox = Outbox::new();
        self.ends[end].handle_datagram(now, outer(from), datagram, &mut outbox);
        self.take(end, &outbox);
    }

    /// Puts what an end wants sent on the wire.
    fn fetch(&mut self, end: usize, now: Instant) {
        let mut outbox = Outbox::new();
        for _ in 0..8 {
            if !self.ends[end].poll_transmit(now, &mut outbox) {
                break;
            }
            self.take(end, &outbox);
            outbox.clear();
        }
        drop(outbox);
        self.ends[end].flush_wakers();
        while let Some(event) = self.ends[end].poll_event() {
            if let Event::Accepted(stream) = event {
                self.streams.push(stream);
            }
        }
        self.streams.truncate(2 * CONNECTIONS);
    }

    fn take(&mut self, end: usize, outbox: &Outbox) {
        for run in outbox.runs(64) {
            let datagrams = run.bytes.chunks(run.segment_bytes).map(<[u8]>::to_vec);
            let room = WIRE.saturating_sub(self.wire[end].len());
            self.wire[end].extend(datagrams.take(room));
        }
    }
}

/// Stories worth changing: a connection with a question and its end; a session that roams, is replayed, and ends.
pub fn seeds(is_packets: bool) -> Vec<Vec<u8>> {
    match is_packets {
        true => {
            let segment = |flags: u8, data: &[u8]| {
                let mut packet = vec![0; 40];
                packet[20..22].copy_from_slice(&4000u16.to_be_bytes());
                packet[32..34].copy_from_slice(&[0x50, flags]);
                packet[34..36].copy_from_slice(&0x4000u16.to_be_bytes());
                packet.extend(data);
                packet.resize(packet.len().next_multiple_of(6), 0);
                [vec![0, (packet.len() / 6) as u8], packet].concat()
            };
            let as_said = |how: u8, mut segment: Vec<u8>| {
                segment[0] = how;
                segment
            };
            let connection = [
                as_said(3, segment(0x02, b"")),
                as_said(7, segment(0x10, b"")),
                as_said(7, segment(0x18, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
                as_said(7, segment(0x11, b"")),
                as_said(7, segment(0x10, b"")),
            ];
            let mut echo = vec![0; 48];
            (echo[0], echo[3], echo[8], echo[9], echo[20]) = (0x45, 48, 64, 1, 8);
            vec![connection.concat(), [vec![2 << 3, 8], echo].concat(), as_said(3, segment(0x04, b""))]
        }
        false => vec![
            vec![8, 0, 0x80, 0, 0x80, 0, 0x80, 0, 9, 0, 9, 0x80, 0, 11, 1, 9, 12, 0, 0x80, 0, 0x80, 13, 0, 0x80, 0],
            vec![
                8, 0, 0x80, 0, 0x80, 0x84, 5, 1, 1, 6, 0, 0x86, 1, 14, 200, 0x80, 0, 15, 0, 8, 0, 0x80, 0, 0x80, 14,
                255,
            ],
            vec![
                7, 4, 1, 0, 0, 0, 0x8f, 0, 8, 0, 0x80, 3, 14, 90, 0x80, 0, 0x80, 9, 0, 255, 0x80, 0x83, 14, 60, 0x80, 0,
            ],
        ],
    }
}
