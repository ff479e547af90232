//! WireGuard's session with one peer: handshakes, keys, the path to it, and the times when something is due.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::keys::{REJECT_AFTER, index_in};
use super::noise::{COOKIE, INITIATION, Noise, RESPONSE, Said, Ticked};
use super::{Gate, OwnKey, Path, Refusal};
use crate::key::{PresharedKey, PublicKey};
use crate::limits::INITIATION_INTERVAL_MILLIS;

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
    noise: Option<Box<Noise>>,
    /// Which of our keys the peer spoke to last: `noise` is made with it.
    own: OwnKey,
    /// The same for the other of our keys, if the peer ever spoke to that.
    other: Option<Box<Noise>>,
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
    /// Begin a handshake of our own again, if need be: the peer has begun one, and did not finish it.
    yields: Option<Instant>,
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
            own: OwnKey::Current,
            other: None,
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
    pub fn is_live(&mut self, now: Instant) -> bool {
        let keys = self.noise.as_ref().map(|noise| noise.keys());
        let are_good = keys.zip(self.current).is_some_and(|(keys, index)| keys.are_good(now, index));
        self.live = self.live && are_good;
        self.live
    }

    /// Whether something waiting to be sent can be sent now, or a handshake begun for it.
    pub fn can_progress(&self) -> bool {
        self.live || (self.config.path.is_some() && self.due.retry.is_none() && self.due.yields.is_none())
    }

    /// Which of our keys the peer spoke to last.
    pub fn own_key(&self) -> OwnKey {
        self.own
    }

    /// Drops everything that was agreed under the key that we had before. A peer that still used it is spoken to when it begins anew: until then
    /// it would not understand us. Whether it did.
    pub fn forget_former(&mut self, now: Instant) -> bool {
        let used = self.own == OwnKey::Former;
        if used {
            self.swap_keys(now);
            self.config.path = None;
            self.due = Due::default();
        }
        self.other = None;
        used
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
        if !self.is_live(now) {
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
        if self.due.retry.is_some() || self.due.yields.is_some_and(|until| now < until) {
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
        let all = [due.retry, due.yields, due.answer, due.hear, due.expire, due.wipe, due.keepalive];
        all.into_iter().flatten().min()
    }

    /// Does what is due. Call it until there is nothing.
    pub fn handle_timeout(&mut self, now: Instant, gate: &Gate, out: &mut [u8]) -> Passed {
        let expired = fired(&mut self.due.expire, now) | fired(&mut self.due.wipe, now);
        let retry = self.due.retry.is_some_and(|due| due <= now);
        fired(&mut self.due.yields, now);
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
            let length = match (self.is_live(now), self.noise.as_mut()) {
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
        let own = gate.addressed(datagram);
        let said = if own == self.own {
            self.make_noise(now, gate);
            self.receive(now, datagram, answer)?
        } else {
            self.turn_to(own, now, gate, datagram, answer)?
        };
        let Said::Answer(length) = said else { return Err(Refusal::Unauthenticated) };
        self.initiation_served_at = Some(now);
        self.unconfirmed = index_in(&answer[4..]);
        if !self.is_live(now) {
            // So many answers of ours were lost that this one has taken the place of the session in use; or that one is too old.
            self.current = None;
        }
        // boringtun still takes the answer to an attempt of ours, unless we make another: of two ends that both have something to send, each
        // would forget its own for the other's again and again.
        self.due.retry = None;
        self.due.yields = Some(now + REKEY_TIMEOUT);
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
        if self.noise.is_none() {
            self.ticked = now;
            self.noise = self.new_noise(now, gate, self.own);
        }
    }

    /// `None` under a key that we no longer have.
    fn new_noise(&self, now: Instant, gate: &Gate, own: OwnKey) -> Option<Box<Noise>> {
        let SessionConfig { public_key, preshared_key, index, .. } = &self.config;
        let identity = gate.identity(own)?;
        Some(Box::new(Noise::new(now, &identity, public_key, preshared_key.as_ref(), *index)))
    }

    /// Takes an initiation that is addressed to the other of our keys. If it is authentic, that key is the one from now on, and the session
    /// under the first has ended: the peer's configuration is another.
    fn turn_to(
        &mut self,
        own: OwnKey,
        now: Instant,
        gate: &Gate,
        datagram: &[u8],
        answer: &mut [u8],
    ) -> Result<Said, Refusal> {
        let mut noise = match self.other.take() {
            Some(mut noise) => {
                // It has not been told the time for as long as the peer spoke to the first. What it may want sent nobody waits for.
                noise.tick(now, answer);
                noise
            }
            None => self.new_noise(now, gate, own).ok_or(Refusal::BadMac)?,
        };
        let said = noise.receive(now, datagram, answer);
        self.other = Some(noise);
        if matches!(said, Ok(Said::Answer(_))) {
            self.swap_keys(now);
        }
        said
    }

    /// Speaks under the other of our keys, without a session yet.
    fn swap_keys(&mut self, now: Instant) {
        std::mem::swap(&mut self.noise, &mut self.other);
        self.own = match self.own {
            OwnKey::Current => OwnKey::Former,
            OwnKey::Former => OwnKey::Current,
        };
        self.due = Due { keepalive: self.due.keepalive, ..Due::default() };
        (self.live, self.current, self.unconfirmed) = (false, None, None);
        (self.handshake_at, self.ticked) = (None, now);
    }

    fn mark_established(&mut self, now: Instant) {
        self.live = true;
        self.due.yields = None;
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

/// Takes a due time that has come.
fn fired(due: &mut Option<Instant>, now: Instant) -> bool {
    due.take_if(|due| *due <= now).is_some()
}

#[cfg(test)]
mod tests;
