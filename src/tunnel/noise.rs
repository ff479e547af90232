//! All of boringtun: message bytes and time go in; packets, answers and verdicts come out.
//!
//! boringtun reads the clock itself. With the feature `simulation` that clock is a variable of the thread, which `observe` sets
//! from the caller's `now`; without it boringtun's clock and the caller's run side by side.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use boringtun::noise::errors::WireGuardError;
use boringtun::noise::handshake::parse_handshake_anon;
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Packet, Tunn, TunnResult};
use x25519_dalek::StaticSecret;

use super::Refusal;
use super::keys::{Keys, index_in};
use crate::key::{PresharedKey, PrivateKey, PublicKey, is_of_small_order};

/// The first byte of a message, white paper §5.4.
pub(super) const INITIATION: u8 = 1;
/// See [`INITIATION`].
pub(super) const RESPONSE: u8 = 2;
/// See [`INITIATION`].
pub(super) const COOKIE: u8 = 3;
/// See [`INITIATION`].
pub(super) const DATA: u8 = 4;

/// A data message without data, a keepalive: header and tag (white paper §5.4.6).
pub(super) const DATA_LEAST_BYTES: usize = 32;

/// A message whose shape is right and, if it is of a handshake, whose MAC1 proves that the sender knows our public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// A handshake initiation: [`Identity::initiator`] says whose it claims to be.
    Initiation,
    /// A handshake response to our initiation with this index.
    Response(u32),
    /// A cookie for our handshake message with this index.
    Cookie(u32),
    /// Data for the session with this index.
    Data(u32),
}

/// Why a message goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It is refused in silence.
    Refused(Refusal),
    /// We are under load: the sender is to prove its address with the cookie of this many bytes.
    Cookie(usize),
}

/// Our identity, and what decides on a message before any peer is known.
pub(super) struct Identity {
    secret: StaticSecret,
    public: x25519_dalek::PublicKey,
    limiter: RateLimiter,
    /// Checks MAC1 and never load: what a peer's state machine asks again has been counted once already.
    unlimited: Arc<RateLimiter>,
}

impl Identity {
    /// `handshakes_per_second`: above that many, cookies are asked for.
    pub(super) fn new(now: Instant, key: &PrivateKey, handshakes_per_second: u64) -> Identity {
        observe(now);
        let secret = key.to_secret();
        let public = x25519_dalek::PublicKey::from(&secret);
        Identity {
            limiter: RateLimiter::new(&public, handshakes_per_second),
            unlimited: Arc::new(RateLimiter::new(&public, u64::MAX)),
            secret,
            public,
        }
    }

    /// Says what a datagram is, checking MAC1 and load; a cookie is written into `answer` (64 bytes). `is_calm` is asked of handshake messages:
    /// whether the count that the load is told by may begin anew with a new second.
    pub(super) fn verify(
        &self,
        now: Instant,
        source: IpAddr,
        datagram: &[u8],
        answer: &mut [u8],
        is_calm: impl FnOnce() -> bool,
    ) -> Result<Message, Stopped> {
        // By far the most datagrams are data, which is neither counted nor has a MAC1.
        match Tunn::parse_incoming_packet(datagram) {
            Ok(Packet::PacketData(data)) => return Ok(Message::Data(data.receiver_idx)),
            Ok(Packet::PacketCookieReply(cookie)) => return Ok(Message::Cookie(cookie.receiver_idx)),
            Ok(_) => {}
            Err(_) => return Err(Stopped::Refused(Refusal::Malformed)),
        }
        observe(now);
        if is_calm() {
            self.limiter.reset_count();
        }
        match self.limiter.verify_packet(Some(source), datagram, answer) {
            // Such keys the kernel refuses too; boringtun does not look.
            Ok(_) if ephemeral_in(datagram).is_none_or(is_of_small_order) => {
                Err(Stopped::Refused(Refusal::Unauthenticated))
            }
            Ok(Packet::HandshakeInit(_)) => Ok(Message::Initiation),
            Ok(Packet::HandshakeResponse(response)) => Ok(Message::Response(response.receiver_idx)),
            Err(TunnResult::WriteToNetwork(cookie)) => Err(Stopped::Cookie(cookie.len())),
            Err(TunnResult::Err(WireGuardError::InvalidMac)) => Err(Stopped::Refused(Refusal::BadMac)),
            // The shape was right, and verify_packet gives nothing else back.
            _ => Err(Stopped::Refused(Refusal::Malformed)),
        }
    }

    /// Whether a handshake message's MAC1 was made with our public key.
    pub(super) fn is_addressed(&self, message: &[u8]) -> bool {
        self.unlimited.verify_packet(None, message, &mut []).is_ok()
    }

    /// The key that a handshake initiation claims to come from, for the price of a Diffie-Hellman. Whether the claim is true,
    /// the peer's own state machine finds out.
    pub(super) fn initiator(&self, datagram: &[u8]) -> Option<PublicKey> {
        let Ok(Packet::HandshakeInit(initiation)) = Tunn::parse_incoming_packet(datagram) else { return None };
        let half = parse_handshake_anon(&self.secret, &self.public, &initiation).ok()?;
        Some(PublicKey::from(half.peer_static_public))
    }
}

/// What an authentic message brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing for the stack: a keepalive, or a cookie.
    Nothing,
    /// An inner packet of this length, from this inner source.
    Packet(usize, IpAddr),
    /// An answer of this length, to be sent: a handshake response, or the first data of a session we began.
    Answer(usize),
}

/// The result of the passing of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticked {
    /// Nothing is to be done.
    Nothing,
    /// A message of this length is to be sent.
    Send(usize),
    /// The handshake had no answer for 90 seconds, or the session has ended long ago.
    Expired,
}

/// The handshake and the session keys of one peer.
pub(super) struct Noise {
    tunn: Tunn,
    keys: Keys,
}

impl Noise {
    /// `index`: 24 random bits, the upper part of all receiver indices of this peer.
    pub(super) fn new(
        now: Instant,
        identity: &Identity,
        peer: &PublicKey,
        preshared: Option<&PresharedKey>,
        index: u32,
    ) -> Noise {
        observe(now);
        let peer = x25519_dalek::PublicKey::from(*peer.as_bytes());
        let preshared = preshared.map(|key| *key.as_bytes());
        let unlimited = Some(identity.unlimited.clone());
        let tunn = Tunn::new(identity.secret.clone(), peer, preshared, None, index, unlimited);
        Noise { tunn, keys: Keys::default() }
    }

    /// Takes a verified message. `out` gets the packet or the answer: at least as long as the datagram, and 148 bytes.
    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut [u8]) -> Result<Said, Refusal> {
        observe(now);
        if datagram.first() == Some(&DATA) && !self.keys.admit(now, datagram) {
            return Err(Refusal::Unauthenticated);
        }
        match self.tunn.decapsulate(None, datagram, out) {
            TunnResult::Done => Ok(Said::Nothing),
            TunnResult::WriteToNetwork(answer) => {
                // Our index of the session that this has made: we gave it in our answer, or are given it back in theirs.
                let index = if datagram.first() == Some(&INITIATION) { &answer[4..] } else { &datagram[8..] };
                index_in(index).into_iter().for_each(|index| self.keys.make(now, index));
                Ok(Said::Answer(answer.len()))
            }
            TunnResult::WriteToTunnelV4(packet, source) => Ok(Said::Packet(packet.len(), source.into())),
            TunnResult::WriteToTunnelV6(packet, source) => Ok(Said::Packet(packet.len(), source.into())),
            TunnResult::Err(error) => Err(refusal(error)),
        }
    }

    /// Encrypts a packet into `out` (32 bytes longer, and 148 at least). An empty packet is a keepalive. The caller knows that there is
    /// a session: without one boringtun would queue the packet, which is what the streams' rings are for.
    pub(super) fn send(&mut self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        match self.tunn.encapsulate(packet, out) {
            TunnResult::WriteToNetwork(datagram) => Some(datagram.len()),
            _ => None,
        }
    }

    /// Begins a handshake, unless one is under way.
    pub(super) fn initiate(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        observe(now);
        match self.tunn.format_handshake_initiation(out, false) {
            TunnResult::WriteToNetwork(datagram) => Some(datagram.len()),
            _ => None,
        }
    }

    /// Lets time pass: sessions end, unanswered handshakes are repeated.
    pub(super) fn tick(&mut self, now: Instant, out: &mut [u8]) -> Ticked {
        observe(now);
        match self.tunn.update_timers(out) {
            TunnResult::WriteToNetwork(datagram) => Ticked::Send(datagram.len()),
            TunnResult::Err(_) => Ticked::Expired,
            _ => Ticked::Nothing,
        }
    }

    /// Which of its sessions may be used.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether there are keys to send with.
    pub(super) fn has_session(&self, now: Instant) -> bool {
        observe(now);
        self.tunn.time_since_last_handshake().is_some()
    }
}

/// The ephemeral key of a handshake message, white paper §5.4.2 and §5.4.3.
fn ephemeral_in(message: &[u8]) -> Option<&[u8; 32]> {
    let at = if message.first() == Some(&INITIATION) { 8 } else { 12 };
    message.get(at..)?.first_chunk()
}

fn refusal(error: WireGuardError) -> Refusal {
    match error {
        WireGuardError::DuplicateCounter | WireGuardError::InvalidCounter | WireGuardError::WrongTai64nTimestamp => {
            Refusal::Replayed
        }
        // The outer shape was checked by `verify`: this is what was encrypted.
        WireGuardError::InvalidPacket => Refusal::InnerMalformed,
        _ => Refusal::Unauthenticated,
    }
}

/// Sets boringtun's clock to the caller's.
#[cfg(feature = "simulation")]
fn observe(now: Instant) {
    use std::cell::OnceCell;
    use std::time::Duration;

    thread_local! {
        static EPOCH: OnceCell<Instant> = const { OnceCell::new() };
    }
    // An hour ahead of the first moment seen, so that a world which begins a little earlier has a clock too.
    let since =
        EPOCH.with(|epoch| (now + Duration::from_secs(3600)).saturating_duration_since(*epoch.get_or_init(|| now)));
    mock_instant::MockClock::set_time(since);
}

/// Does nothing: boringtun reads the machine's clock.
#[cfg(not(feature = "simulation"))]
fn observe(_: Instant) {}
