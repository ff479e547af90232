//! Datagrams from anybody: strangers who know nothing, strangers who know our public key, peers from where they may not come from,
//! peers; whole, damaged, cut short, repeated. Who has proved nothing is told nothing that is longer than what he sent.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use adit::node::{Node, Outbox, Path};
use adit::peer::PeerId;
use blake2::digest::Mac;
use blake2::digest::consts::U16;
use blake2::{Blake2s256, Blake2sMac, Digest};
use boringtun::noise::{Tunn, TunnResult};

use super::{Story, accepted, check, ended, key, node, outer, peer, rest, start};

/// Handshakes per second above which cookies are asked for.
const CALM: u64 = 4;
/// The bytes of a cookie.
const COOKIE: usize = 64;
/// Senders whose refusals are told apart; those of others are one sum for each of some reasons.
const REFUSALS: usize = adit::limits::NODE_REFUSALS + 8;

/// Who sends: a peer, one that may only come from elsewhere, someone whose key nobody knows, and a peer that has our former key.
const SENDERS: [u8; 4] = [2, 3, 9, 4];
/// The number of the key that we had before.
const FORMER: u8 = 8;

/// A sender.
struct Sender {
    number: u8,
    tunn: Tunn,
}

/// A datagram on its way.
#[derive(Clone)]
struct Sent {
    bytes: Vec<u8>,
    /// Whose it is, if it is as its sender made it.
    from: Option<u8>,
}

impl Sent {
    /// Whether this is the same message. What no key covers may be another: the indices of a handshake message, and its MACs, which
    /// everybody can make.
    fn is(&self, bytes: &[u8]) -> bool {
        let covered = match bytes.first() {
            Some(1) if bytes.len() >= 40 => 8..bytes.len() - 32,
            Some(2) if bytes.len() >= 44 => 12..bytes.len() - 32,
            _ => 0..bytes.len(),
        };
        let is_equal = self.bytes.get(covered.clone()) == Some(&bytes[covered]);
        is_equal && self.bytes.len() == bytes.len() && self.bytes.first() == bytes.first()
    }
}

/// Tells a node the story. Returns how many sessions were made.
pub fn datagrams(bytes: &[u8]) -> u64 {
    let server = node(1, CALM);
    server.add_peer(start(), peer(2, None)).expect("a new peer");
    server.add_peer(start(), peer(4, None)).expect("a new peer");
    let elsewhere = vec!["198.51.100.0/24".parse().expect("a network")];
    server.add_peer(start(), adit::node::NodePeer { from: elsewhere, ..peer(3, None) }).expect("a new peer");
    let mut world = World {
        server,
        senders: SENDERS.map(|number| Sender { number, tunn: tunn(number) }),
        answered: Vec::new(),
        seen: Vec::new(),
        paths: HashSet::new(),
        has_former: false,
        outbox: Outbox::new(),
    };
    let (mut now, mut story) = (start(), Story::new(bytes));
    while story.goes_on() {
        let operation = story.byte();
        match operation {
            0x7f => world.server.answer_under(now, &key(FORMER)),
            0xbf => world.server.forget_former_key(now),
            _ if operation & 0x0f == 0x0f => now += story.time(),
            _ => {}
        }
        world.has_former = (world.has_former || operation == 0x7f) && operation != 0xbf;
        let path = whence(story.byte());
        if let Some(sent) = world.next(operation, &mut story) {
            world.send(now, path, sent);
        }
        let paths = &world.paths;
        rest(&world.server, now, &mut world.outbox, |path, _| {
            assert!(paths.contains(&path), "what a peer is sent goes to where it was heard");
        });
        while let Some(event) = world.server.poll_event() {
            drop(accepted(Some(event)));
        }
        assert!(world.server.take_refusals().len() <= REFUSALS, "refusals are summed");
        check(&world.server);
    }
    let sessions = world.server.counters().value("sessions_established");
    for number in 2..=4 {
        world.server.remove_peer(PeerId::new(number));
    }
    ended(&world.server);
    sessions
}

fn tunn(number: u8) -> Tunn {
    let public = *key(if number == 4 { FORMER } else { 1 }).public().as_bytes();
    Tunn::new(key(number).to_secret(), public.into(), None, None, number.into(), None)
}

/// An outer path: the peer's own, one of two networks', or an IPv6 one.
fn whence(byte: u8) -> Path {
    let ip: IpAddr = match byte >> 6 {
        0 => return outer(2),
        1 => [192, 0, 2, byte].into(),
        2 => [198, 51, 100, byte].into(),
        _ => [0x2001, 0xdb8, 0, u16::from(byte & 3), 0, 0, 0, byte.into()].into(),
    };
    Path { remote: SocketAddr::new(ip, 1000 + u16::from(byte)), local: None }
}

struct World {
    server: Node,
    senders: [Sender; 4],
    /// What the server has answered last, which its sender has not heard.
    answered: Vec<Vec<u8>>,
    /// What was sent before.
    seen: Vec<Sent>,
    /// Where peers have spoken from.
    paths: HashSet<Path>,
    /// Whether the key that we had before is answered.
    has_former: bool,
    outbox: Outbox,
}

impl World {
    /// The next datagram of the story.
    fn next(&mut self, operation: u8, story: &mut Story) -> Option<Sent> {
        let who = usize::from(operation >> 4) % SENDERS.len();
        let Sender { number, tunn } = &mut self.senders[who];
        let from = Some(*number);
        let mut room = [0; 4096];
        match operation & 0x0f {
            0..=3 => match tunn.format_handshake_initiation(&mut room, true) {
                TunnResult::WriteToNetwork(bytes) => Some(Sent { bytes: bytes.to_vec(), from }),
                _ => None,
            },
            4 | 5 => match tunn.decapsulate(None, &self.answered.pop()?, &mut room) {
                TunnResult::WriteToNetwork(bytes) => Some(Sent { bytes: bytes.to_vec(), from }),
                _ => None,
            },
            6 | 7 => {
                let length = usize::from(story.byte()) * 8;
                match tunn.encapsulate(story.bytes(length), &mut room) {
                    TunnResult::WriteToNetwork(bytes) => Some(Sent { bytes: bytes.to_vec(), from }),
                    _ => None,
                }
            }
            8 => self.seen.get(usize::from(story.byte())).cloned(),
            // Something damaged that was sent before, and with a MAC1 made anew the damage goes further.
            9..=11 => {
                let mut bytes = self.seen.get(usize::from(story.byte()))?.bytes.clone();
                let (at, flip, length) = (usize::from(story.byte()), story.byte(), usize::from(story.byte()));
                match bytes.get_mut(at) {
                    Some(byte) if flip != 0 => *byte ^= flip,
                    _ if length % 2 == 0 => bytes.truncate(length),
                    _ => bytes.resize(bytes.len() + length, flip),
                }
                if operation & 0x0f == 11 {
                    sign(&mut bytes, if who == 3 { FORMER } else { 1 });
                }
                Some(Sent { bytes, from: None })
            }
            // Shaped as a message of one of the four kinds, with bytes of the story's in it.
            12 | 13 => {
                let kind = story.byte();
                let length = [148, 92, 64, 32 + usize::from(kind) * 8][usize::from(kind) % 4];
                let mut bytes = vec![kind % 4 + 1, 0, 0, 0];
                bytes.extend(story.bytes(length - 4));
                bytes.resize(length, kind);
                if operation & 1 == 0 {
                    sign(&mut bytes, if who == 3 { FORMER } else { 1 });
                }
                Some(Sent { bytes, from: None })
            }
            14 => {
                let length = usize::from(story.byte()) * 9;
                Some(Sent { bytes: story.bytes(length).to_vec(), from: None })
            }
            _ => None,
        }
    }

    /// Sends it, and looks at what comes back.
    fn send(&mut self, now: Instant, path: Path, sent: Sent) {
        let before = self.server.counters();
        self.server.handle_datagram(now, path, &sent.bytes, &mut self.outbox);
        let after = self.server.counters();
        let grown = |name: &str| after.value(name) - before.value(name);
        assert_eq!((grown("datagrams_received"), grown("bytes_received")), (1, sent.bytes.len() as u64));
        check(&self.server);

        let answers: Vec<Vec<u8>> = self.outbox.runs(1).map(|run| run.bytes.to_vec()).collect();
        let bytes: usize = answers.iter().map(Vec::len).sum();
        assert_eq!((grown("datagrams_sent"), grown("bytes_sent")), (answers.len() as u64, bytes as u64));
        assert!(self.outbox.runs(1).all(|run| run.path == path), "who asks is answered, and nobody else");
        let is_handshake = matches!(sent.bytes.first(), Some(1 | 2));
        if !answers.is_empty() {
            let is_signed = is_signed(&sent.bytes, 1) || self.has_former && is_signed(&sent.bytes, FORMER);
            assert!(!is_handshake || is_signed, "who does not know our key meets silence");
            assert!(!is_handshake || bytes <= sent.bytes.len(), "nobody is sent more than he sent");
        }
        let from = sent.from.or_else(|| self.seen.iter().find(|seen| seen.is(&sent.bytes))?.from);
        let is_welcome = match from {
            Some(2) => true,
            Some(4) => self.has_former,
            Some(3) => path.remote.ip().to_string().starts_with("198.51.100."),
            _ => false,
        };
        let is_cookie = |answer: &Vec<u8>| answer.len() == COOKIE && answer[0] == 3;
        if is_welcome {
            self.paths.insert(path);
        } else {
            assert!(answers.iter().all(is_cookie), "who is no peer, or not from where it comes, is told nothing");
            assert_eq!(grown("sessions_established"), 0, "and has no session");
        }
        self.answered.extend(answers);
        self.answered.drain(..self.answered.len().saturating_sub(8));
        self.outbox.clear();
        if self.seen.len() < 256 {
            self.seen.push(sent);
        }
    }
}

/// MAC1 of a handshake message to whoever has this key, white paper §5.4.4: anybody who knows its public half can make it.
fn mac(message: &[u8], to: u8) -> [u8; 16] {
    let key = Blake2s256::new().chain_update(b"mac1----").chain_update(key(to).public().as_bytes()).finalize();
    let mac = Blake2sMac::<U16>::new_from_slice(&key).expect("a key of 32 bytes");
    mac.chain_update(&message[..message.len() - 32]).finalize().into_bytes().into()
}

fn sign(message: &mut [u8], to: u8) {
    if message.len() >= 32 {
        let (mac, at) = (mac(message, to), message.len() - 32);
        message[at..at + 16].copy_from_slice(&mac);
    }
}

fn is_signed(message: &[u8], to: u8) -> bool {
    message.len() >= 32 && message[message.len() - 32..message.len() - 16] == mac(message, to)
}

/// Stories worth changing: a session, a flood that is asked for cookies and brings them, damage, and nonsense.
pub fn seeds() -> Vec<Vec<u8>> {
    let session = vec![0, 0, 4, 0, 6, 0, 4, 6, 0, 4, 0x45, 0, 0, 20, 8, 0, 0, 9, 0, 0, 20, 0, 0];
    let flood = [[0x20, 0x41].repeat(6), vec![0x24, 0x41, 0x20, 0x41, 0, 0, 4, 0, 0, 0, 4, 0]].concat();
    let damage =
        vec![0, 0, 9, 0, 0, 8, 1, 0, 11, 0, 0, 60, 4, 0, 10, 0, 0, 200, 0, 40, 8, 0, 0, 0x1f, 90, 0, 0x10, 0x80];
    let shaped =
        [vec![12, 0x40, 0], vec![7; 144], vec![13, 0xc1, 3], vec![5; 28], vec![14, 0x80, 4], vec![4; 36]].concat();
    let former = vec![
        0x30, 0, 0x7f, 0, 0x30, 0, 0x34, 0, 0x36, 0, 2, 1, 1, 0, 0, 0xbf, 0, 0x36, 0, 2, 1, 1, 0x30, 0, 0x7f, 0, 0x30,
        0,
    ];
    vec![session, flood, damage, shaped, former]
}
