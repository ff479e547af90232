//! What every datagram passes before a peer is troubled with it: shape, MAC1, and under load a cookie and a share per source.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::Refusal;
use super::noise::{Identity, Message, Stopped};
use crate::key::{PrivateKey, PublicKey};
use crate::limits::{DATAGRAM_BYTES, SOURCE_HANDSHAKES_BURST, SOURCE_HANDSHAKES_PER_SECOND, SOURCES_UNDER_LOAD};

/// What is to become of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It begins a handshake, and claims to be from the peer with this key.
    Handshake(PublicKey),
    /// It belongs to whoever was given these 24 bits of index.
    Index(u32),
    /// Under load: send this many bytes back, which ask the sender to prove its address.
    Cookie(usize),
    /// It is dropped.
    Refused(Refusal),
}

/// Which of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKey {
    /// The one we have.
    Current,
    /// The one we had before, which is still answered.
    Former,
}

/// Our identity on the wire. Shared by all peers.
pub struct Gate {
    current: Arc<Identity>,
    former: RwLock<Option<Arc<Identity>>>,
    handshakes_per_second: u64,
    load: Mutex<Load>,
}

impl Gate {
    /// `handshakes_per_second`: above that many, only sources that prove their address are served, each its share.
    pub fn new(now: Instant, key: &PrivateKey, handshakes_per_second: u64) -> Gate {
        Gate {
            current: Arc::new(Identity::new(now, key, handshakes_per_second)),
            former: RwLock::default(),
            handshakes_per_second,
            load: Mutex::new(Load::new(now, handshakes_per_second)),
        }
    }

    /// Answers under the key that we had before too, or no longer.
    pub fn set_former(&self, now: Instant, key: Option<&PrivateKey>) {
        *self.former.write() = key.map(|key| Arc::new(Identity::new(now, key, self.handshakes_per_second)));
    }

    /// Whether more handshakes come, or came a moment ago, than are served without a cookie.
    pub fn is_loaded(&self, now: Instant) -> bool {
        self.load.lock().is_loaded(now)
    }

    /// To which of our keys a handshake message is addressed that was admitted: the MAC1 tells.
    pub(super) fn addressed(&self, message: &[u8]) -> OwnKey {
        match &*self.former.read() {
            Some(former) if former.is_addressed(message) => OwnKey::Former,
            _ => OwnKey::Current,
        }
    }

    /// Who we are under this key, if we still have it.
    pub(super) fn identity(&self, own: OwnKey) -> Option<Arc<Identity>> {
        match own {
            OwnKey::Current => Some(self.current.clone()),
            OwnKey::Former => self.former.read().clone(),
        }
    }

    /// Decides on a datagram. A cookie is written into `answer`, which holds 64 bytes at least.
    pub fn admit(&self, now: Instant, source: IpAddr, datagram: &[u8], answer: &mut [u8]) -> Admission {
        if datagram.len() > DATAGRAM_BYTES {
            return Admission::Refused(Refusal::Malformed);
        }
        let (former, verified) = self.verify(now, source, datagram, answer);
        let message = match verified {
            Ok(message) => message,
            Err(Stopped::Refused(refusal)) => return Admission::Refused(refusal),
            Err(Stopped::Cookie(length)) => {
                self.load.lock().count(now);
                return Admission::Cookie(length);
            }
        };
        match message {
            Message::Data(index) | Message::Cookie(index) => Admission::Index(index >> 8),
            Message::Response(_) | Message::Initiation if !self.load.lock().admits(now, source) => {
                Admission::Refused(Refusal::TooMany)
            }
            Message::Response(index) => Admission::Index(index >> 8),
            Message::Initiation => match former.as_deref().unwrap_or(&self.current).initiator(datagram) {
                Some(key) => Admission::Handshake(key),
                None => Admission::Refused(Refusal::Unauthenticated),
            },
        }
    }

    /// What a datagram is; and who we were, if it is a handshake message to the key that we had before.
    fn verify(
        &self,
        now: Instant,
        source: IpAddr,
        datagram: &[u8],
        answer: &mut [u8],
    ) -> (Option<Arc<Identity>>, Result<Message, Stopped>) {
        let is_calm = || !self.is_loaded(now);
        let verified = self.current.verify(now, source, datagram, answer, is_calm);
        if verified != Err(Stopped::Refused(Refusal::BadMac)) {
            return (None, verified);
        }
        let former = self.identity(OwnKey::Former);
        let verified = former.as_ref().map_or(verified, |it| it.verify(now, source, datagram, answer, is_calm));
        (former, verified)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate(…)")
    }
}

/// How many handshake messages this second saw, and what each source took of it.
struct Load {
    limit: u64,
    since: Instant,
    count: u64,
    /// Whether the second before was one of load: then this one is from its beginning, or each would begin with as many Diffie-Hellmans
    /// as the limit has, one after the other.
    was_loaded: bool,
    /// Per source, until when its share is used up (a generic cell rate algorithm: one time per source is all it needs).
    sources: HashMap<IpAddr, Instant>,
}

impl Load {
    fn new(now: Instant, limit: u64) -> Load {
        Load { limit, since: now, count: 0, was_loaded: false, sources: HashMap::new() }
    }

    /// Begins a new second, where it is time.
    fn roll(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= Duration::from_secs(1) {
            self.was_loaded = self.count > self.limit && elapsed < Duration::from_secs(2);
            self.since = now;
            self.count = 0;
        }
    }

    /// Whether more handshakes come, or came a moment ago, than are served without a cookie.
    fn is_loaded(&mut self, now: Instant) -> bool {
        self.roll(now);
        self.was_loaded || self.count > self.limit
    }

    fn count(&mut self, now: Instant) {
        self.roll(now);
        self.count += 1;
    }

    /// Counts a handshake message. Under load its source has proved its address by a cookie, and gets no more than its share: what
    /// is left of the processor belongs to the others.
    fn admits(&mut self, now: Instant, source: IpAddr) -> bool {
        self.count(now);
        if !self.is_loaded(now) {
            return true;
        }
        let interval = Duration::from_secs(1) / SOURCE_HANDSHAKES_PER_SECOND;
        let source = share_of(source);
        if self.sources.len() >= SOURCES_UNDER_LOAD {
            self.sources.retain(|_, used_until| *used_until > now);
        }
        if self.sources.len() >= SOURCES_UNDER_LOAD && !self.sources.contains_key(&source) {
            return false;
        }
        let used_until = self.sources.entry(source).or_insert(now);
        let next = (*used_until).max(now) + interval;
        if next > now + interval * SOURCE_HANDSHAKES_BURST {
            return false;
        }
        *used_until = next;
        true
    }
}

/// Who shares a share: one IPv4 address, one IPv6 network of 64 bits (which is what one host is given).
fn share_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_load_each_source_gets_its_share() {
        let mut now = Instant::now();
        let mut load = Load::new(now, 3);
        let source = |last: u8| IpAddr::from([192, 0, 2, last]);
        let served = |load: &mut Load, now, last| (0..100).filter(|_| load.admits(now, source(last))).count();
        // The first three are before the load, then comes the share.
        assert_eq!(served(&mut load, now, 1), 3 + SOURCE_HANDSHAKES_BURST as usize);
        assert_eq!(served(&mut load, now, 2), SOURCE_HANDSHAKES_BURST as usize);
        now += Duration::from_millis(500);
        assert_eq!(served(&mut load, now, 1), SOURCE_HANDSHAKES_BURST as usize);
        // The next second is one of load from its beginning, and what is left of a calm one is not.
        now += Duration::from_millis(600);
        assert_eq!(served(&mut load, now, 3), SOURCE_HANDSHAKES_BURST as usize);
        now += Duration::from_millis(1100);
        assert!(load.admits(now, source(3)));
        now += Duration::from_millis(1100);
        assert_eq!(served(&mut load, now, 4), 3 + SOURCE_HANDSHAKES_BURST as usize);
        // After a silence nothing is left of it.
        now += Duration::from_secs(3);
        assert_eq!(served(&mut load, now, 5), 3 + SOURCE_HANDSHAKES_BURST as usize);
    }

    #[test]
    fn the_table_of_sources_is_bounded() {
        let mut now = Instant::now();
        let mut load = Load::new(now, 0);
        let source = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..2 * SOURCES_UNDER_LOAD as u32 {
            assert_eq!(load.admits(now, source(number)), number < SOURCES_UNDER_LOAD as u32);
        }
        now += Duration::from_millis(500);
        assert!(load.admits(now, source(u32::MAX)), "shares that are free again make room");
        assert_eq!(load.sources.len(), 1);
    }

    #[test]
    fn what_is_not_wireguard_is_refused() {
        let now = Instant::now();
        let gate = Gate::new(now, &PrivateKey::from_entropy([1; 32]), 100);
        let source = IpAddr::from([192, 0, 2, 1]);
        let mut answer = [0; 148];
        let mut initiation = [0; 148];
        initiation[0] = 1;
        for (datagram, refusal) in [
            (&[][..], Refusal::Malformed),
            (&[1, 0, 0, 0], Refusal::Malformed),
            (&[4; 32], Refusal::Malformed),
            (&[0; DATAGRAM_BYTES + 1], Refusal::Malformed),
            (&initiation, Refusal::BadMac),
        ] {
            assert_eq!(gate.admit(now, source, datagram, &mut answer), Admission::Refused(refusal));
        }
        assert_eq!(answer, [0; 148]);
    }

    #[test]
    fn an_ephemeral_key_that_agrees_on_nothing_is_refused() {
        use blake2::digest::Mac;
        use blake2::digest::consts::U16;
        use blake2::{Blake2s256, Blake2sMac, Digest};

        let now = Instant::now();
        let key = PrivateKey::from_entropy([1; 32]);
        let gate = Gate::new(now, &key, 100);
        let mac_key = Blake2s256::new().chain_update(b"mac1----").chain_update(key.public().as_bytes()).finalize();
        for (ephemeral, admission) in
            [([9; 32], Admission::Index(0x010203)), ([0; 32], Admission::Refused(Refusal::Unauthenticated))]
        {
            let mut response = [0; 92];
            response[0] = 2;
            response[8..12].copy_from_slice(&0x0102_0304u32.to_le_bytes());
            response[12..44].copy_from_slice(&ephemeral);
            let mac = Blake2sMac::<U16>::new_from_slice(&mac_key).expect("a key of 32 bytes");
            let mac = mac.chain_update(&response[..60]).finalize().into_bytes();
            response[60..76].copy_from_slice(&mac);
            assert_eq!(gate.admit(now, [192, 0, 2, 1].into(), &response, &mut [0; 148]), admission);
        }
    }
}
