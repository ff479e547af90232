//! WireGuard's session with one peer: handshakes, keys, the path to it, and the times when something is due.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::noise::{Noise, Said, Ticked};
use super::{Gate, Path, Refusal};
use crate::key::{PresharedKey, PublicKey};
use crate::limits::INITIATION_INTERVAL_MILLIS;

/// The first byte of a message, white paper §5.4.
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
const COOKIE: u8 = 3;

/// White paper §6.1: a session is used no longer.
const REJECT_AFTER: Duration = Duration::from_secs(180);
/// White paper §6.1: an unanswered initiation is repeated.
const REKEY_TIMEOUT: Duration = Duration::from_secs(5);
/// White paper §6.5: who only received answers with a keepalive.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How exact boringtun's own timers are: the least time between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// boringtun dates what happens with its last tick: a silence longer than this is told to it before anything else.
const STALE: Duration = Duration::from_secs(20);

/// What a session needs to know of its peer.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Its key.
    pub public_key: PublicKey,
    /// The key mixed into the handshakes.
    pub preshared_key: Option<PresharedKey>,
    /// The inner addresses it may send from.
    pub addresses: Vec<IpAddr>,
    /// Where it is to be found.
    pub path: Option<Path>,
    /// Persistent keepalive.
    pub keepalive: Option<Duration>,
    /// 24 random bits, nobody else's: the upper part of the indices of its sessions.
    pub index: u32,
}

/// What a datagram brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A packet of this many bytes, for the stack.
    Packet(usize),
    /// An authentic message for the session alone: a keepalive or a cookie.
    Nothing,
    /// A handshake message; an answer of this many bytes is to be sent.
    Answer(usize),
}

/// What a datagram was, and what it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// What it brought, or why it was dropped.
    pub heard: Result<Heard, Refusal>,
    /// A new session stands: both sides have proved their keys.
    pub established: bool,
    /// The peer is now at another address than before.
    pub roamed: bool,
}

/// What the passing of time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Nothing more at this time.
    Nothing,
    /// A message of this many bytes is to be sent; ask again.
    Send(usize),
    /// The peer did not answer our handshake for 90 seconds.
    GaveUp,
}

/// The session with one peer. Dropping it drops the keys.
pub struct Session {
    config: SessionConfig,
    /// Made when the peer first speaks or is spoken to, and kept: it remembers the timestamps of handshakes (white paper §5.1).
    noise: Option<Noise>,
    /// Whether there are keys to send with.
    live: bool,
    /// The index of the session that we send with.
    current: Option<u32>,
    /// When boringtun last looked at the clock.
    ticked: Instant,
    handshake_at: Option<Instant>,
    /// Our answer's index: the session it made counts from the first data for it.
    unconfirmed: Option<u32>,
    initiation_served_at: Option<Instant>,
    due: Due,
}

/// When something is due if nothing happens before.
#[derive(Debug, Default)]
struct Due {
    /// Repeat our initiation.
    retry: Option<Instant>,
    /// Send a keepalive: data came, and we have sent nothing since.
    answer: Option<Instant>,
    /// Begin a new handshake: we have sent data and heard nothing since.
    hear: Option<Instant>,
    /// Drop the session's keys (white paper §6.1).
    expire: Option<Instant>,
    /// Drop everything of it (white paper §6.3).
    wipe: Option<Instant>,
    /// Persistent keepalive.
    keepalive: Option<Instant>,
}

impl Session {
    /// A session that costs nothing yet.
    pub fn new(now: Instant, config: SessionConfig) -> Session {
        let keepalive = config.keepalive.and(config.path).map(|_| now);
        Session {
            config,
            noise: None,
            live: false,
            current: None,
            ticked: now,
            handshake_at: None,
            unconfirmed: None,
            initiation_served_at: None,
            due: Due { keepalive, ..Due::default() },
        }
    }

    /// Where the peer is to be found: where its last authentic message came from.
    pub fn path(&self) -> Option<Path> {
        self.config.path
    }

    /// The peer's inner addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.config.addresses
    }

    /// Whether packets can be sent now.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether something waiting to be sent can be sent now, or a handshake begun for it.
    pub fn can_progress(&self) -> bool {
        self.live || (self.config.path.is_some() && self.due.retry.is_none())
    }

    /// Since when the present session stands.
    pub fn handshake_at(&self) -> Option<Instant> {
        self.handshake_at
    }

    /// Takes a datagram that the gate has admitted to this peer. A packet is written into `packet` (as long as the datagram at least),
    /// an answer into `answer` (148 bytes at least).
    pub fn handle(
        &mut self,
        now: Instant,
        gate: &Gate,
        path: Path,
        datagram: &[u8],
        packet: &mut [u8],
        answer: &mut [u8],
    ) -> Reception {
        let mut reception = Reception { heard: Err(Refusal::Unauthenticated), established: false, roamed: false };
        reception.heard = match datagram.first() {
            Some(&INITIATION) => self.handle_initiation(now, gate, datagram, answer),
            Some(&RESPONSE) => {
                let heard = self.handle_response(now, datagram, answer);
                reception.established = heard.is_ok();
                heard
            }
            // Proves nothing of where the peer is: its key is not in it.
            Some(&COOKIE) => {
                reception.heard = self.receive(now, datagram, answer).map(|_| Heard::Nothing);
                return reception;
            }
            _ => {
                let said = self.receive(now, datagram, packet);
                if said.is_ok() {
                    reception.established = self.confirm(now, datagram);
                }
                said.and_then(|said| self.take_data(now, said, packet))
            }
        };
        if reception.heard.is_ok() {
            reception.roamed = self.config.path.is_none_or(|known| known.remote != path.remote);
            self.config.path = Some(path);
        }
        reception
    }

    /// Encrypts the first `length` bytes of `packet` into `out` (32 bytes longer than that padded), padded as far as the MTU allows
    /// (white paper §5.4.6). `None` without a session.
    pub fn encrypt(
        &mut self,
        now: Instant,
        packet: &mut [u8],
        length: usize,
        mtu: usize,
        out: &mut [u8],
    ) -> Option<usize> {
        if !self.live {
            return None;
        }
        let padded = length.next_multiple_of(16).min(mtu.max(length));
        packet[length..padded].fill(0);
        let sent = self.noise.as_mut()?.send(&packet[..padded], out)?;
        self.mark_sent(now);
        self.due.hear.get_or_insert(now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT);
        Some(sent)
    }

    /// Begins a handshake, unless one is under way or it is not known where the peer is. `out` holds 148 bytes at least.
    pub fn begin(&mut self, now: Instant, gate: &Gate, out: &mut [u8]) -> Option<usize> {
        self.config.path?;
        if self.due.retry.is_some() {
            return None;
        }
        self.make_noise(now, gate);
        // boringtun dates the attempt with its last tick.
        if let Passed::Send(length) = self.tick(now, out) {
            return Some(length);
        }
        let length = self.noise.as_mut()?.initiate(now, out);
        self.due.retry = Some(now + REKEY_TIMEOUT);
        if length.is_some() {
            self.mark_sent(now);
        }
        length
    }

    /// Whether `tick` is to be called before anything else that concerns this peer.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.noise.is_some() && now.saturating_duration_since(self.ticked) >= STALE
    }

    /// Whether `tick` should be called after datagrams were taken, or before packets are sent.
    pub fn wants_tick(&self, now: Instant) -> bool {
        // Between data sent after a long silence and the answer to it, boringtun would take the silence for a dead peer.
        let listening = self.due.hear.is_some_and(|until| now < until);
        self.noise.is_some() && !listening && now.saturating_duration_since(self.ticked) >= TICK
    }

    /// Lets boringtun see the time: keys expire, and what it then wants sent is written into `out` (148 bytes at least).
    pub fn tick(&mut self, now: Instant, out: &mut [u8]) -> Passed {
        let Some(noise) = self.noise.as_mut() else { return Passed::Nothing };
        self.ticked = now;
        let ticked = noise.tick(now, out);
        self.live = self.current.is_some() && noise.has_session(now);
        match ticked {
            Ticked::Nothing => Passed::Nothing,
            Ticked::Send(length) => {
                if out[0] == INITIATION {
                    self.due.retry = Some(now + REKEY_TIMEOUT);
                }
                self.mark_sent(now);
                Passed::Send(length)
            }
            Ticked::Expired => match self.due.retry.take() {
                Some(_) => Passed::GaveUp,
                None => Passed::Nothing,
            },
        }
    }

    /// When `handle_timeout` is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = &self.due;
        [due.retry, due.answer, due.hear, due.expire, due.wipe, due.keepalive].into_iter().flatten().min()
    }

    /// Does what is due. Call it until there is nothing.
    pub fn handle_timeout(&mut self, now: Instant, gate: &Gate, out: &mut [u8]) -> Passed {
        let expired = fired(&mut self.due.expire, now) | fired(&mut self.due.wipe, now);
        let retry = self.due.retry.is_some_and(|due| due <= now);
        if expired || retry {
            let passed = self.tick(now, out);
            // An attempt that boringtun has ended in the meantime is not repeated, nor waited for.
            fired(&mut self.due.retry, now);
            if passed != Passed::Nothing {
                return passed;
            }
        }
        if fired(&mut self.due.hear, now)
            && let Some(length) = self.begin(now, gate, out)
        {
            return Passed::Send(length);
        }
        let keepalive = fired(&mut self.due.keepalive, now);
        if fired(&mut self.due.answer, now) || keepalive {
            if keepalive {
                self.mark_traffic(now);
            }
            let length = match (self.live, self.noise.as_mut()) {
                (true, Some(noise)) => noise.send(&[], out),
                _ if keepalive => return self.begin(now, gate, out).map_or(Passed::Nothing, Passed::Send),
                _ => None,
            };
            if let Some(length) = length {
                self.mark_sent(now);
                return Passed::Send(length);
            }
        }
        Passed::Nothing
    }

    fn handle_initiation(
        &mut self,
        now: Instant,
        gate: &Gate,
        datagram: &[u8],
        answer: &mut [u8],
    ) -> Result<Heard, Refusal> {
        let interval = Duration::from_millis(INITIATION_INTERVAL_MILLIS);
        if self.initiation_served_at.is_some_and(|served| now < served + interval) {
            return Err(Refusal::TooMany);
        }
        self.make_noise(now, gate);
        let Said::Answer(length) = self.receive(now, datagram, answer)? else { return Err(Refusal::Unauthenticated) };
        self.initiation_served_at = Some(now);
        self.unconfirmed = index_in(&answer[4..]);
        if self.unconfirmed.map(place_of) == self.current.map(place_of) {
            // So many answers of ours were lost that this one has taken the place of the session in use.
            self.current = None;
            self.live = false;
        }
        // boringtun forgets an attempt of ours when the peer makes one.
        self.due.retry = None;
        self.due.expire = Some(now + REJECT_AFTER + TICK);
        self.mark_heard(now);
        self.mark_sent(now);
        Ok(Heard::Answer(length))
    }

    fn handle_response(&mut self, now: Instant, datagram: &[u8], answer: &mut [u8]) -> Result<Heard, Refusal> {
        let Said::Answer(length) = self.receive(now, datagram, answer)? else { return Err(Refusal::Unauthenticated) };
        self.due.retry = None;
        self.current = index_in(&datagram[8..]);
        self.mark_established(now);
        self.mark_heard(now);
        self.mark_sent(now);
        Ok(Heard::Answer(length))
    }

    /// Whether this data is the first of the session that our answer made.
    fn confirm(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let index = index_in(&datagram[4..]);
        let confirmed = self.unconfirmed.is_some() && self.unconfirmed == index;
        if confirmed || self.current.is_none() {
            self.current = index;
        }
        self.live = true;
        if confirmed {
            self.unconfirmed = None;
            self.mark_established(now);
        }
        confirmed
    }

    fn take_data(&mut self, now: Instant, said: Said, packet: &[u8]) -> Result<Heard, Refusal> {
        self.mark_heard(now);
        match said {
            // boringtun takes an IPv4 packet at its word when it says that it has no bytes.
            Said::Packet(0, _) => Err(Refusal::InnerMalformed),
            Said::Packet(_, source) if !self.config.addresses.contains(&source) => Err(Refusal::SpoofedSource),
            Said::Packet(length, _) => {
                debug_assert!(length <= packet.len());
                self.due.answer.get_or_insert(now + KEEPALIVE_TIMEOUT);
                Ok(Heard::Packet(length))
            }
            Said::Nothing | Said::Answer(_) => Ok(Heard::Nothing),
        }
    }

    fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut [u8]) -> Result<Said, Refusal> {
        self.noise.as_mut().ok_or(Refusal::Unauthenticated)?.receive(now, datagram, out)
    }

    fn make_noise(&mut self, now: Instant, gate: &Gate) {
        let SessionConfig { public_key, preshared_key, index, .. } = &self.config;
        self.noise.get_or_insert_with(|| {
            self.ticked = now;
            Noise::new(now, &gate.identity, public_key, preshared_key.as_ref(), *index)
        });
    }

    fn mark_established(&mut self, now: Instant) {
        self.live = true;
        self.handshake_at = Some(now);
        self.due.expire = Some(now + REJECT_AFTER + TICK);
        self.due.wipe = Some(now + 3 * REJECT_AFTER + TICK);
    }

    fn mark_heard(&mut self, now: Instant) {
        self.due.hear = None;
        self.mark_traffic(now);
    }

    fn mark_sent(&mut self, now: Instant) {
        self.due.answer = None;
        self.mark_traffic(now);
    }

    fn mark_traffic(&mut self, now: Instant) {
        self.due.keepalive = self.config.keepalive.map(|interval| now + interval);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.config.public_key)
            .field("path", &self.config.path)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

/// Where boringtun keeps a session: it has eight places, and gives them out in turn.
fn place_of(index: u32) -> u32 {
    index % 8
}

/// Takes a due time that has come.
fn fired(due: &mut Option<Instant>, now: Instant) -> bool {
    due.take_if(|due| *due <= now).is_some()
}

/// The little-endian index that `bytes` begin with.
fn index_in(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PrivateKey;
    use crate::tunnel::Admission;

    const MTU: usize = 1420;

    /// One end: its gate, and its session with the other.
    struct End {
        gate: Gate,
        session: Session,
        path: Path,
    }

    fn key(host: u8) -> PrivateKey {
        PrivateKey::from_entropy([host; 32])
    }

    fn path(host: u8) -> Path {
        Path { remote: ([192, 0, 2, host], 51820).into(), local: None }
    }

    fn end(now: Instant, host: u8, other: u8) -> End {
        let config = SessionConfig {
            public_key: key(other).public(),
            preshared_key: None,
            addresses: vec![[10, 0, 0, other].into()],
            path: Some(path(other)),
            keepalive: None,
            index: host.into(),
        };
        End { gate: Gate::new(now, &key(host), 100), session: Session::new(now, config), path: path(host) }
    }

    impl End {
        /// Takes a datagram; what it brought, and the bytes that came with it.
        fn handle(&mut self, now: Instant, from: Path, datagram: &[u8]) -> (Reception, Vec<u8>) {
            let (mut packet, mut answer) = ([0; 2048], [0; 2048]);
            let admission = self.gate.admit(now, from.remote.ip(), datagram, &mut answer);
            assert!(matches!(admission, Admission::Handshake(_) | Admission::Index(_)), "{admission:?}");
            let reception = self.session.handle(now, &self.gate, from, datagram, &mut packet, &mut answer);
            let bytes = match reception.heard {
                Ok(Heard::Packet(length)) => packet[..length].to_vec(),
                Ok(Heard::Answer(length)) => answer[..length].to_vec(),
                _ => Vec::new(),
            };
            (reception, bytes)
        }

        fn begin(&mut self, now: Instant) -> Vec<u8> {
            let mut out = [0; 2048];
            let length = self.session.begin(now, &self.gate, &mut out).expect("an initiation");
            out[..length].to_vec()
        }

        fn encrypt(&mut self, now: Instant, packet: &[u8]) -> Vec<u8> {
            let (mut padded, mut out) = ([0xff; 2048], [0; 2048]);
            padded[..packet.len()].copy_from_slice(packet);
            let length = self.session.encrypt(now, &mut padded, packet.len(), MTU, &mut out).expect("a session");
            out[..length].to_vec()
        }
    }

    /// A session between hosts 1 and 2, begun by 2.
    fn pair(now: Instant) -> (End, End) {
        let (mut server, mut client) = (end(now, 1, 2), end(now, 2, 1));
        let (from_server, from_client) = (server.path, client.path);
        let (reception, answer) = server.handle(now, from_client, &client.begin(now));
        assert!(!reception.established && !server.session.is_live(), "the client has not proved its key yet");
        let (reception, first) = client.handle(now, from_server, &answer);
        assert!(reception.established && client.session.is_live());
        let (reception, _) = server.handle(now, from_client, &first);
        assert_eq!(reception, Reception { heard: Ok(Heard::Nothing), established: true, roamed: false });
        assert!(server.session.is_live());
        (server, client)
    }

    /// An IPv4 packet of this length from host 2.
    fn packet(length: usize) -> Vec<u8> {
        let mut packet = vec![0; length];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        packet[12..16].copy_from_slice(&[10, 0, 0, 2]);
        packet
    }

    #[test]
    fn packets_are_padded_to_sixteen_bytes_within_the_mtu() {
        let now = Instant::now();
        let (mut server, mut client) = pair(now);
        for (length, padded) in [(20, 32), (32, 32), (61, 64), (1408, 1408), (1409, 1420), (1420, 1420)] {
            let datagram = client.encrypt(now, &packet(length));
            assert_eq!(datagram.len(), padded + 32, "a packet of {length} bytes");
            let (reception, received) = server.handle(now, client.path, &datagram);
            assert_eq!(reception.heard, Ok(Heard::Packet(length)));
            assert_eq!(received, packet(length));
        }
    }

    #[test]
    fn only_the_peers_addresses_are_sources() {
        let now = Instant::now();
        let (mut server, mut client) = pair(now);
        let check = |server: &mut End, client: &mut End, change: &dyn Fn(&mut Vec<u8>), refusal| {
            let mut packet = packet(60);
            change(&mut packet);
            let datagram = client.encrypt(now, &packet);
            // From elsewhere at that: what is refused moves nobody.
            let (reception, _) = server.handle(now, path(9), &datagram);
            assert_eq!(reception, Reception { heard: Err(refusal), established: false, roamed: false });
            assert_eq!(server.session.path(), Some(path(2)));
        };
        check(&mut server, &mut client, &|packet| packet[15] = 3, Refusal::SpoofedSource);
        check(&mut server, &mut client, &|packet| packet[12..16].fill(0), Refusal::SpoofedSource);
        check(&mut server, &mut client, &|packet| packet[2..4].fill(0), Refusal::InnerMalformed);
        check(&mut server, &mut client, &|packet| packet[2] = 1, Refusal::InnerMalformed);
        check(&mut server, &mut client, &|packet| packet[0] = 0x15, Refusal::InnerMalformed);
        check(&mut server, &mut client, &|packet| packet[0] = 0x65, Refusal::SpoofedSource);
    }

    #[test]
    fn only_what_is_authentic_and_new_moves_a_peer() {
        let now = Instant::now();
        let (mut server, mut client) = pair(now);
        let datagram = client.encrypt(now, &packet(60));
        let mut forged = datagram.clone();
        *forged.last_mut().expect("a datagram") ^= 1;
        assert_eq!(server.handle(now, path(9), &forged).0.heard, Err(Refusal::Unauthenticated));
        assert!(!server.handle(now, path(2), &datagram).0.roamed);
        assert_eq!(server.handle(now, path(9), &datagram).0.heard, Err(Refusal::Replayed));
        assert_eq!(server.session.path(), Some(path(2)));
        let datagram = client.encrypt(now, &packet(60));
        assert!(server.handle(now, path(7), &datagram).0.roamed);
        assert_eq!(server.session.path(), Some(path(7)));
    }

    #[test]
    fn a_peer_gets_one_handshake_in_twenty_milliseconds() {
        let now = Instant::now();
        let mut server = end(now, 1, 2);
        let first = end(now, 2, 1).begin(now);
        let second = end(now, 2, 1).begin(now);
        let later = now + Duration::from_millis(INITIATION_INTERVAL_MILLIS);
        assert!(server.handle(now, path(2), &first).0.heard.is_ok());
        assert_eq!(server.handle(now, path(2), &second).0.heard, Err(Refusal::TooMany));
        assert_eq!(server.handle(later, path(9), &first).0.heard, Err(Refusal::Replayed));
        assert!(server.handle(later, path(2), &second).0.heard.is_ok());
    }

    #[test]
    fn what_is_due_is_due_once() {
        let now = Instant::now();
        let (mut server, mut client) = pair(now);
        let datagram = client.encrypt(now, &packet(60));
        server.handle(now, path(2), &datagram);
        // A keepalive after ten seconds of silence.
        let due = now + KEEPALIVE_TIMEOUT;
        assert_eq!(server.session.poll_timeout(), Some(due));
        let mut out = [0; 2048];
        assert_eq!(server.session.handle_timeout(due, &server.gate, &mut out), Passed::Send(32));
        assert_eq!(server.session.handle_timeout(due, &server.gate, &mut out), Passed::Nothing);
        assert_eq!(server.session.poll_timeout(), Some(now + REJECT_AFTER + TICK));
        // The client waits for an answer to its data, then begins anew.
        let due = now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT;
        assert_eq!(client.session.poll_timeout(), Some(due));
        assert_eq!(client.session.handle_timeout(due, &client.gate, &mut out), Passed::Send(148));
        assert_eq!(client.session.handle_timeout(due, &client.gate, &mut out), Passed::Nothing);
        assert_eq!(client.session.poll_timeout(), Some(due + REKEY_TIMEOUT));
    }
}
