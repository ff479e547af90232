//! A server, two devices, and everything that may be done with them and on the wire between, in any order. Whatever happens to the
//! datagrams, every stream brings the bytes that were written, in their order; and when the wire is good again, it brings all of them.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use adit::node::{Node, Outbox, Stream};
use adit::peer::PeerId;

use super::{CONNECTIONS, PORT, Story, accepted, check, ended, inner, node, outer, pattern, peer, rest, start};

/// The numbers of the devices. The server is 1.
const DEVICES: [u8; 2] = [2, 3];
/// Datagrams on a wire at most, and remembered ones.
const WIRE: usize = 256;
/// Streams that a story holds at most; further ones are let go.
const STREAMS: usize = 4 * CONNECTIONS;
/// After so long on a good wire a stream has brought what was written, or failed: longer than any of our own waits.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Tells the nodes the story. Returns how many connections the server took.
pub fn operations(bytes: &[u8]) -> u64 {
    let nodes = [node(1, 1000), node(DEVICES[0], 1000), node(DEVICES[1], 1000)];
    for (node, number) in nodes[1..].iter().zip(DEVICES) {
        nodes[0].add_peer(start(), peer(number, None)).expect("a new peer");
        node.add_peer(start(), peer(1, Some(outer(1).remote))).expect("a new peer");
    }
    let mut world = World {
        nodes,
        now: start(),
        wires: Default::default(),
        seen: Vec::new(),
        streams: Vec::new(),
        written: HashMap::new(),
        outbox: Outbox::new(),
    };
    let mut story = Story::new(bytes);
    while story.goes_on() {
        let operation = story.byte();
        world.operate(operation, &mut story);
        world.settle();
    }
    if cfg!(feature = "simulation") {
        world.deliver_all();
    }
    world.end()
}

/// What was written into one direction of a stream: how much, and whether it was ended.
#[derive(Clone, Copy, Default)]
struct Written {
    bytes: u64,
    is_ended: bool,
}

/// One end of a stream.
struct End {
    stream: Stream,
    /// Which direction it reads, and which it writes.
    reads: Direction,
    writes: Direction,
    read: u64,
    /// It can no longer bring anything.
    is_over: bool,
}

/// A direction of a stream: its device, its port there, and whether it goes to the server.
type Direction = (u8, u16, bool);

impl End {
    fn new(stream: Stream, device: u8, is_device: bool) -> End {
        let port = if is_device { stream.local().port() } else { stream.remote().port() };
        let (reads, writes) = ((device, port, !is_device), (device, port, is_device));
        End { stream, reads, writes, read: 0, is_over: false }
    }
}

/// The pattern of a direction.
fn pattern_of((device, port, to_server): Direction) -> u16 {
    port ^ u16::from(device) << 3 ^ if to_server { 0x8000 } else { 0 }
}

struct World {
    /// The server and the devices.
    nodes: [Node; 3],
    now: Instant,
    /// What was sent on the wire of each device and has not been received: by the server, by the device.
    wires: [[Vec<Vec<u8>>; 2]; 2],
    /// What was on the wires before.
    seen: Vec<Vec<u8>>,
    streams: Vec<End>,
    written: HashMap<Direction, Written>,
    outbox: Outbox,
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl World {
    /// Bit 7 says whether the device's side is meant, bit 6 which device.
    fn operate(&mut self, operation: u8, story: &mut Story) {
        let (side, which) = (usize::from(operation >> 7), usize::from(operation >> 6 & 1));
        match operation & 0x0f {
            0 | 1 => self.carry(which, side),
            2 => self.carry_together(which, side),
            3 => drop(self.wires[which][side].pop()),
            4 => self.wires[which][side].reverse(),
            5 => {
                let (at, bit) = (usize::from(story.byte()), story.byte());
                if let Some(datagram) = self.wires[which][side].first_mut().filter(|datagram| !datagram.is_empty()) {
                    let at = at % datagram.len();
                    datagram[at] ^= 1 << (bit & 7);
                }
            }
            6 => {
                let seen = self.seen.get(usize::from(story.byte())).cloned();
                self.receive(if side == 0 { which + 1 } else { 0 }, 9, &seen.unwrap_or_default());
            }
            7 => {
                let length = story.byte().into();
                let bytes = story.bytes(length).to_vec();
                self.receive(if side == 0 { which + 1 } else { 0 }, 9, &bytes);
            }
            8 => self.connect(which, story.byte()),
            9 | 10 => {
                let (stream, length) = (usize::from(story.byte()), usize::from(story.byte()) * 257);
                self.write(stream, length);
            }
            11 => {
                let (stream, length) = (usize::from(story.byte()), usize::from(story.byte()) * 257);
                self.read(stream, length);
            }
            12 => self.shut_down(usize::from(story.byte())),
            13 => {
                let stream = usize::from(story.byte());
                if stream < self.streams.len() {
                    self.streams.swap_remove(stream);
                }
            }
            14 => {
                // Some of the time is passed with nobody looking at the clock.
                self.now += story.time();
                if operation & 0x20 == 0 {
                    self.nodes.iter().for_each(|node| node.handle_timeout(self.now));
                }
            }
            _ => {
                let (node, again) = match side {
                    0 => (0, peer(DEVICES[which], None)),
                    _ => (which + 1, peer(1, Some(outer(1).remote))),
                };
                match story.byte() {
                    200.. => drop(self.nodes[node].reset_streams(again.id)),
                    how => {
                        self.nodes[node].remove_peer(again.id);
                        if how < 180 {
                            let keepalive_secs = (how & 1 != 0).then_some(u16::from(how));
                            let again = adit::node::NodePeer { keepalive_secs, ..again };
                            self.nodes[node].add_peer(self.now, again.clone()).expect("there is none");
                            assert!(self.nodes[node].add_peer(self.now, again).is_err(), "there is one");
                        }
                    }
                }
            }
        }
    }

    /// A device asks for a stream to the server, or for what it cannot have.
    fn connect(&mut self, which: usize, how: u8) {
        let port = if how > 200 { PORT + 1 } else { PORT };
        let to = SocketAddr::new(inner(1)[usize::from(how & 1)], port);
        let device = &self.nodes[which + 1];
        let elsewhere = SocketAddr::new(inner(DEVICES[1 - which])[0], PORT);
        assert!(device.connect(self.now, PeerId::new(1), elsewhere).is_err(), "a peer's addresses are its own");
        if let Ok(stream) = device.connect(self.now, PeerId::new(1), to) {
            let end = End::new(stream, DEVICES[which], true);
            // Whoever had this port before is no longer looked at.
            self.streams.retain(|old| old.reads != end.reads && old.writes != end.reads);
            self.written.remove(&end.reads);
            self.written.remove(&end.writes);
            self.hold(end);
        }
    }

    fn hold(&mut self, end: End) {
        if self.streams.len() < STREAMS {
            self.streams.push(end);
        }
    }

    fn write(&mut self, stream: usize, length: usize) {
        let Some(end) = self.streams.get_mut(stream) else { return };
        let written = self.written.entry(end.writes).or_default();
        let bytes = pattern::bytes(pattern_of(end.writes), written.bytes, length);
        match end.stream.poll_write(&mut context(), &bytes) {
            Poll::Ready(Ok(length)) => written.bytes += length as u64,
            Poll::Ready(Err(_)) if !written.is_ended => end.is_over = true,
            _ => {}
        }
    }

    fn read(&mut self, stream: usize, length: usize) {
        let Some(end) = self.streams.get_mut(stream) else { return };
        let written = self.written.get(&end.reads).copied().unwrap_or_default();
        let mut bytes = vec![0; length];
        match end.stream.poll_read(&mut context(), &mut bytes) {
            Poll::Ready(Ok(0)) if length > 0 => {
                assert!(written.is_ended && end.read == written.bytes, "a stream ends where it was ended");
            }
            Poll::Ready(Ok(length)) => {
                pattern::check(pattern_of(end.reads), end.read, &bytes[..length]);
                end.read += length as u64;
                assert!(end.read <= written.bytes, "nothing is read that was not written");
            }
            Poll::Ready(Err(_)) => end.is_over = true,
            Poll::Pending => {}
        }
    }

    fn shut_down(&mut self, stream: usize) {
        let Some(end) = self.streams.get_mut(stream) else { return };
        if let Poll::Ready(Ok(())) = end.stream.poll_shutdown(&mut context()) {
            self.written.entry(end.writes).or_default().is_ended = true;
        }
    }

    /// Brings what one side of a wire has sent to the other.
    fn carry(&mut self, which: usize, side: usize) {
        let (to, from) = if side == 0 { (which + 1, 1) } else { (0, DEVICES[which]) };
        for datagram in std::mem::take(&mut self.wires[which][side]) {
            self.receive(to, from, &datagram);
            if self.seen.len() < WIRE {
                self.seen.push(datagram);
            }
        }
    }

    /// The same, as one batch.
    fn carry_together(&mut self, which: usize, side: usize) {
        let (to, from) = if side == 0 { (which + 1, 1) } else { (0, DEVICES[which]) };
        let datagrams = std::mem::take(&mut self.wires[which][side]);
        let mut batch = datagrams.iter().map(|datagram| (outer(from), datagram.as_slice())).peekable();
        while batch.peek().is_some() {
            self.nodes[to].handle_datagrams(self.now, &mut batch, &mut self.outbox);
            self.settle_one(to);
        }
        let room = WIRE.saturating_sub(self.seen.len());
        self.seen.extend(datagrams.into_iter().take(room));
    }

    fn receive(&mut self, to: usize, from: u8, datagram: &[u8]) {
        self.nodes[to].handle_datagram(self.now, outer(from), datagram, &mut self.outbox);
        self.settle_one(to);
    }

    fn settle(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.settle_one(node));
    }

    /// Lets a node come to rest, puts what it sends on the wire, and takes its new streams.
    fn settle_one(&mut self, from: usize) {
        let wires = &mut self.wires;
        rest(&self.nodes[from], self.now, &mut self.outbox, |path, datagram| {
            let which = DEVICES.iter().position(|device| path == outer(*device));
            let wire = match (from, which) {
                (0, Some(which)) => &mut wires[which][0],
                // Whoever repeats a datagram that was lost is taken for its sender.
                (0, None) => return assert_eq!(path, outer(9), "nobody else is spoken to"),
                _ => &mut wires[from - 1][1],
            };
            if wire.len() < WIRE {
                wire.push(datagram.to_vec());
            }
        });
        check(&self.nodes[from]);
        while let Some(event) = self.nodes[from].poll_event() {
            if let Some(stream) = accepted(Some(event)) {
                let device = stream.peer().number() as u8;
                self.hold(End::new(stream, device, false));
            }
        }
    }

    /// From now on nothing is lost, and everybody reads: in the end all that was written has come, or its stream has failed.
    fn deliver_all(&mut self) {
        let end = self.now + PATIENCE;
        loop {
            (0..self.streams.len()).for_each(|stream| self.read(stream, 1 << 16));
            for end in &mut self.streams {
                let failed = end.stream.poll_write(&mut context(), &[]);
                end.is_over |= matches!(failed, Poll::Ready(Err(error)) if error.kind() != ErrorKind::BrokenPipe);
            }
            self.settle();
            let is_quiet = self.wires.iter().flatten().all(Vec::is_empty);
            for (which, side) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                self.carry(which, side);
            }
            if !is_quiet {
                continue;
            }
            let Some(waits) = self.streams.iter().find(|end| self.is_waiting(end)) else { return };
            let due = self.nodes.iter().filter_map(|node| node.poll_timeout()).map(|(due, _)| due).min();
            match due.filter(|due| *due < end) {
                Some(due) => self.now = self.now.max(due),
                None => panic!("{:?} waits for ever for what was written", waits.reads),
            }
        }
    }

    /// Whether an end has not all of what the other, which is there too, has written.
    fn is_waiting(&self, end: &End) -> bool {
        let written = self.written.get(&end.reads).map_or(0, |written| written.bytes);
        let is_held = self.streams.iter().any(|other| other.writes == end.reads && !other.is_over);
        is_held && !end.is_over && end.read < written
    }

    /// Everybody is removed. Returns how many connections the server took.
    fn end(mut self) -> u64 {
        let taken = self.nodes[0].counters().value("streams_accepted");
        for (node, others) in self.nodes.iter().zip([&DEVICES[..], &[1], &[1]]) {
            for other in others {
                node.remove_peer(PeerId::new((*other).into()));
            }
            ended(node);
        }
        for end in &mut self.streams {
            let read = end.stream.poll_read(&mut context(), &mut [0; 16]);
            assert!(matches!(read, Poll::Ready(Err(_))), "a stream ends with its peer");
        }
        taken
    }
}

/// Stories worth changing: a connection with a question and its end; sessions that roam, are replayed, and end; a bad wire.
pub fn seeds() -> Vec<Vec<u8>> {
    let session = [8, 0, 0x80, 0, 0x80, 0, 0x80];
    let talk =
        [&session[..], &[0, 9, 0, 9, 0x80, 0, 11, 1, 9, 9, 1, 20, 12, 0, 0x80, 0, 0x80, 13, 0, 0x80, 0]].concat();
    let roaming =
        [&session[..], &[0x84, 5, 1, 1, 6, 0, 0x86, 1, 14, 200, 0x80, 0, 15, 0, 8, 0, 0x80, 0, 0x80, 14, 255]].concat();
    let nonsense =
        vec![7, 4, 1, 0, 0, 0, 0x8f, 0, 8, 0, 0x80, 3, 14, 90, 0x80, 0, 0x80, 9, 0, 255, 0x80, 0x83, 14, 60, 0x80, 0];
    let two = [
        &session[..],
        &[0x48, 1, 0xc0, 0x40, 0xc0, 0x40, 9, 0, 99, 9, 2, 50, 0x80, 0xc0, 0, 0x40, 11, 1, 255, 0x4f, 3, 9, 2, 9],
    ]
    .concat();
    let losses = [
        &session[..],
        &[
            0, 9, 0, 255, 0x83, 0x83, 0x84, 0x80, 0, 14, 60, 0x80, 9, 0, 255, 0x83, 0, 14, 90, 0x80, 0, 11, 1, 255, 14,
            255, 0x8f, 250,
        ],
    ]
    .concat();
    vec![talk, roaming, nonsense, two, losses]
}
