//! Servers and clients, each a stack, joined in pairs by one simulated path: a plan and a seed go in, and what each stream wrote and read
//! comes out, at which time. One clock, which jumps from event to event; nothing waits and nothing is encrypted.
#![allow(dead_code)]

pub mod chance;
pub mod path;
pub mod stream;
pub mod tap;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use adit::stack::{Budget, Stack, StackConfig};

use path::{Conditions, Path};
use stream::{Plan, Stream};
use tap::{Fate, Segment, Tap};

/// Packets at one instant beyond which a stack is taken to turn in a circle.
const PACKETS_AT_ONCE: usize = 100_000;

/// Which end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Server,
    Client,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Server => Side::Client,
            Side::Client => Side::Server,
        }
    }
}

/// A stack and its programs.
pub struct Host {
    pub stack: Stack,
    pub streams: Vec<Stream>,
    /// What is done with connections that the other end opens.
    pub plan: Plan,
}

/// A server and its client.
pub struct Pair {
    pub server: Host,
    pub client: Host,
}

impl Pair {
    pub fn host(&mut self, side: Side) -> &mut Host {
        match side {
            Side::Server => &mut self.server,
            Side::Client => &mut self.client,
        }
    }
}

/// A packet under way. Ordered by time, then by when it was sent.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Instant,
    serial: u64,
    pair: usize,
    to: Side,
    packet: Vec<u8>,
}

pub struct Network {
    pub now: Instant,
    pub pairs: Vec<Pair>,
    /// Inner MTU of servers and of clients, in bytes.
    mtus: [usize; 2],
    /// Where clients connect to: servers have an address of each family.
    pub server: IpAddr,
    tap: Option<Tap>,
    /// To the client, and to the server.
    down: Path,
    up: Path,
    flying: BinaryHeap<Reverse<Flight>>,
    serial: u64,
    wakers: Vec<Waker>,
    /// Where packets are written.
    out: Vec<u8>,
    /// Packets that have arrived: their memory is used again.
    spent: Vec<Vec<u8>>,
}

impl Network {
    pub fn new(conditions: Conditions, mtu: usize, seed: u64) -> Network {
        let now = Instant::now();
        Network {
            now,
            pairs: vec![],
            mtus: [mtu; 2],
            server: [10, 0, 0, 1].into(),
            tap: None,
            down: Path::new(now, conditions, seed * 2),
            up: Path::new(now, conditions, seed * 2 + 1),
            flying: BinaryHeap::new(),
            serial: 0,
            wakers: vec![],
            out: vec![0; mtu],
            spent: vec![],
        }
    }

    /// A network whose clients have another MTU than its servers.
    pub fn with_client_mtu(mut self, mtu: usize) -> Network {
        self.mtus[1] = mtu;
        self.out.resize(self.mtus[0].max(mtu), 0);
        self
    }

    /// A network in which segments are read as they pass, from the first on.
    pub fn with_tap(mut self) -> Network {
        self.tap = Some(Tap::new());
        self
    }

    /// From now on this decides about every segment.
    pub fn meddle(&mut self, rule: impl FnMut(&Segment) -> Fate + 'static) {
        self.tap.as_mut().expect("a network with a tap").rule = Box::new(rule);
    }

    /// One more server and client; the server does `plan` with each connection.
    pub fn add_pair(&mut self, plan: Plan) -> usize {
        let seed = self.pairs.len() as u64 * 2;
        let server = Host { stack: self.stack(1, Some(80), seed), streams: vec![], plan };
        let client = Host { stack: self.stack(2, None, seed + 1), streams: vec![], plan: Plan::SILENT };
        self.pairs.push(Pair { server, client });
        self.pairs.len() - 1
    }

    fn stack(&self, host: u8, accept_port: Option<u16>, seed: u64) -> Stack {
        let second = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)]);
        let config = StackConfig {
            addresses: vec![[10, 0, 0, host].into(), second],
            mtu: self.mtus[usize::from(host - 1)],
            accept_port,
            connections: 64,
            half_open: 16,
            budget: Arc::new(Budget::new(1000, 256 << 20)),
            seed,
        };
        Stack::new(self.now, config)
    }

    /// A connection from a pair's client, which does `plan` with it. Says its number among the client's streams.
    pub fn connect(&mut self, pair: usize, plan: Plan) -> usize {
        let server = SocketAddr::new(self.server, 80);
        let client = &mut self.pairs[pair].client;
        let (id, _) = client.stack.connect(self.now, server).expect("a port and buffers");
        client.streams.push(Stream::new(self.now, id, plan));
        let number = client.streams.len() - 1;
        self.serve(pair, Side::Client);
        number
    }

    /// Changes the plan of a stream and has it looked at.
    pub fn change(&mut self, pair: usize, side: Side, stream: usize, change: impl FnOnce(&mut Stream)) {
        let now = self.now;
        let stream = &mut self.pairs[pair].host(side).streams[stream];
        change(stream);
        stream.wake();
        debug_assert!(stream.heard <= now);
        self.serve(pair, side);
    }

    /// Lets go of a stream, as a program does that drops it.
    pub fn release(&mut self, pair: usize, side: Side, stream: usize) {
        let host = self.pairs[pair].host(side);
        let id = host.streams[stream].id;
        host.stack.release(id);
        self.serve(pair, side);
    }

    /// A stream, to be looked at.
    pub fn stream(&self, pair: usize, side: Side, stream: usize) -> &Stream {
        match side {
            Side::Server => &self.pairs[pair].server.streams[stream],
            Side::Client => &self.pairs[pair].client.streams[stream],
        }
    }

    /// Goes on for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Goes on until `done`, and says whether that came to pass within `most`.
    pub fn run_until(&mut self, most: Duration, mut done: impl FnMut(&mut Network) -> bool) -> bool {
        let end = self.now + most;
        loop {
            if done(self) {
                return true;
            }
            match self.next_event().filter(|at| *at <= end) {
                Some(at) => self.advance(at),
                None => {
                    self.now = end;
                    return false;
                }
            }
        }
    }

    fn next_event(&self) -> Option<Instant> {
        let stacks = self.pairs.iter().flat_map(|pair| [&pair.server.stack, &pair.client.stack]);
        let timers = stacks.filter_map(Stack::poll_timeout).min();
        let arrival = self.flying.peek().map(|Reverse(flight)| flight.at);
        [timers, arrival].into_iter().flatten().min()
    }

    /// Lets happen what happens at this instant.
    fn advance(&mut self, at: Instant) {
        self.now = self.now.max(at);
        while self.flying.peek().is_some_and(|Reverse(flight)| flight.at <= self.now) {
            let Some(Reverse(flight)) = self.flying.pop() else { break };
            self.arrive(flight);
        }
        for pair in 0..self.pairs.len() {
            for side in [Side::Server, Side::Client] {
                let stack = &mut self.pairs[pair].host(side).stack;
                if stack.poll_timeout().is_some_and(|due| due <= self.now) {
                    stack.handle_timeout(self.now);
                    self.serve(pair, side);
                }
            }
        }
    }

    fn arrive(&mut self, Flight { pair, to, packet, .. }: Flight) {
        let host = self.pairs[pair].host(to);
        let handled = host.stack.handle_packet(self.now, &packet, &mut self.out, &mut self.wakers);
        self.spent.push(packet);
        while let Some((id, ..)) = host.stack.poll_accept() {
            host.streams.push(Stream::new(self.now, id, host.plan));
        }
        if handled.reply > 0 {
            self.send(pair, to, handled.reply);
        }
        self.serve(pair, to);
    }

    /// Lets the programs of a host run that were woken, and sends what its stack has to send.
    fn serve(&mut self, pair: usize, side: Side) {
        for _ in 0..PACKETS_AT_ONCE {
            self.wakers.drain(..).for_each(Waker::wake);
            let host = self.pairs[pair].host(side);
            for stream in &mut host.streams {
                stream.run(self.now, &mut host.stack);
            }
            match host.stack.poll_transmit(self.now, &mut self.out, &mut self.wakers) {
                Some(length) => self.send(pair, side, length),
                None if self.wakers.is_empty() && !host.streams.iter().any(Stream::is_awake) => return,
                None => {}
            }
        }
        panic!("a stack sends without end");
    }

    /// Puts what was just written on its way.
    fn send(&mut self, pair: usize, from: Side, length: usize) {
        let packet = &self.out[..length];
        let fate = self.tap.as_mut().map_or(Fate::Arrives, |tap| tap.decide(pair, from, packet));
        let (copies, late) = match fate {
            Fate::IsLost => return,
            Fate::Arrives => (1, Duration::ZERO),
            Fate::IsLate(late) => (1, late),
            Fate::ArrivesTwice => (2, Duration::ZERO),
        };
        let path = match from {
            Side::Server => &mut self.down,
            Side::Client => &mut self.up,
        };
        let Some(at) = path.send(self.now, length) else { return };
        for _ in 0..copies {
            let mut packet = self.spent.pop().unwrap_or_default();
            packet.clear();
            packet.extend_from_slice(&self.out[..length]);
            self.serial += 1;
            let flight = Flight { at: at + late, serial: self.serial, pair, to: from.other(), packet };
            self.flying.push(Reverse(flight));
        }
    }
}
