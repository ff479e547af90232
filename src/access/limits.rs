//! How much one peer may ask at a time: a request with its time in, a [`Permit`] or what was exceeded out. Pure: the clock is an
//! argument, and nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::peer::PeerId;

/// Peers whose use is remembered before those at rest are forgotten. Only peers that were ever admitted are held, so this is a
/// matter of tidiness: a peer that was removed leaves 64 bytes until then.
const PEERS_BEFORE_SWEEP: usize = 1024;

/// Seconds in a day, for the daily allowance.
const DAY_SECS: i64 = 86_400;

/// What one peer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests per second, sustained.
    pub per_second: u32,
    /// Requests at once above that rate: the size of the bucket.
    pub burst: u32,
    /// Requests being answered at the same time.
    pub at_once: u32,
    /// Answer bytes per day (UTC); 0: no limit.
    pub bytes_per_day: u64,
}

/// What a peer has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// The rate: there will be room after this time.
    Rate(Duration),
    /// The number of requests at the same time: there will be room when one of them has been answered.
    AtOnce,
    /// The bytes of this day: there will be room after this time.
    Bytes(Duration),
}

/// What one peer is using.
#[derive(Debug)]
struct Usage {
    /// Requests that may still be made now; a fraction while it fills.
    tokens: f64,
    /// When `tokens` was last brought up to date.
    filled: Timestamp,
    /// Requests being answered.
    at_once: u32,
    /// The day that `bytes` belongs to, counted from 1970.
    day: i64,
    /// Answer bytes of that day.
    bytes: u64,
}

/// The use that all peers make, each counted by itself.
#[derive(Debug, Default)]
pub struct Limiter {
    peers: Mutex<HashMap<PeerId, Usage>>,
}

impl Limiter {
    /// Admits `requests` of a peer (more than one in a batch) as one piece of work, or says what is exceeded.
    pub fn admit(
        self: &Arc<Self>,
        now: Timestamp,
        peer: PeerId,
        allowance: Allowance,
        requests: u32,
    ) -> Result<Permit, Exceeded> {
        let mut peers = self.peers.lock();
        if peers.len() >= PEERS_BEFORE_SWEEP && !peers.contains_key(&peer) {
            peers.retain(|_, usage| !usage.is_at_rest(now, allowance));
        }
        let usage = peers.entry(peer).or_insert_with(|| Usage::new(now, allowance));
        usage.admit(now, allowance, requests)?;
        usage.at_once += 1;
        Ok(Permit { limiter: Arc::clone(self), peer })
    }

    /// Takes further requests from the bucket of a peer that holds a permit already.
    pub fn admit_more(
        &self,
        now: Timestamp,
        peer: PeerId,
        allowance: Allowance,
        requests: u32,
    ) -> Result<(), Exceeded> {
        let mut peers = self.peers.lock();
        let usage = peers.entry(peer).or_insert_with(|| Usage::new(now, allowance));
        usage.take(now, allowance, requests)
    }

    /// The bytes that peers have had on this day.
    pub fn used(&self, now: Timestamp) -> Vec<(PeerId, u64)> {
        let peers = self.peers.lock();
        let of_today = peers.iter().filter(|(_, usage)| usage.day == day(now) && usage.bytes > 0);
        of_today.map(|(peer, usage)| (*peer, usage.bytes)).collect()
    }

    /// Goes on counting where it was left at a time before: of another day it will count nothing.
    pub fn restore(&self, at: Timestamp, peer: PeerId, bytes: u64) {
        // Its bucket is full, however large it is.
        let usage = Usage { tokens: f64::MAX, filled: at, at_once: 0, day: day(at), bytes };
        self.peers.lock().insert(peer, usage);
    }

    /// Counts answer bytes towards the peer's day.
    pub fn charge(&self, now: Timestamp, peer: PeerId, bytes: u64) {
        if let Some(usage) = self.peers.lock().get_mut(&peer) {
            usage.turn_day(now);
            usage.bytes = usage.bytes.saturating_add(bytes);
        }
    }
}

impl Usage {
    fn new(now: Timestamp, allowance: Allowance) -> Usage {
        Usage { tokens: f64::from(allowance.burst), filled: now, at_once: 0, day: day(now), bytes: 0 }
    }

    fn admit(&mut self, now: Timestamp, allowance: Allowance, requests: u32) -> Result<(), Exceeded> {
        self.turn_day(now);
        if allowance.bytes_per_day > 0 && self.bytes >= allowance.bytes_per_day {
            return Err(Exceeded::Bytes(until_tomorrow(now)));
        }
        if self.at_once >= allowance.at_once {
            return Err(Exceeded::AtOnce);
        }
        self.take(now, allowance, requests)
    }

    fn take(&mut self, now: Timestamp, allowance: Allowance, requests: u32) -> Result<(), Exceeded> {
        self.fill(now, allowance);
        let wanted = f64::from(requests);
        if self.tokens < wanted {
            let seconds = (wanted - self.tokens) / f64::from(allowance.per_second.max(1));
            return Err(Exceeded::Rate(Duration::from_secs_f64(seconds)));
        }
        self.tokens -= wanted;
        Ok(())
    }

    /// A clock that was set back gives nothing and takes nothing: counting goes on from the new time.
    fn fill(&mut self, now: Timestamp, allowance: Allowance) {
        let elapsed = now.duration_since(self.filled).as_secs_f64().max(0.0);
        self.filled = now;
        let full = f64::from(allowance.burst);
        self.tokens = (self.tokens + elapsed * f64::from(allowance.per_second)).min(full);
    }

    fn turn_day(&mut self, now: Timestamp) {
        let today = day(now);
        if self.day != today {
            self.day = today;
            self.bytes = 0;
        }
    }

    /// Whether forgetting this peer would change nothing.
    fn is_at_rest(&mut self, now: Timestamp, allowance: Allowance) -> bool {
        self.fill(now, allowance);
        self.turn_day(now);
        self.at_once == 0 && self.bytes == 0 && self.tokens >= f64::from(allowance.burst)
    }
}

fn day(now: Timestamp) -> i64 {
    now.as_second().div_euclid(DAY_SECS)
}

fn until_tomorrow(now: Timestamp) -> Duration {
    let seconds = DAY_SECS - now.as_second().rem_euclid(DAY_SECS);
    Duration::from_secs(seconds.unsigned_abs())
}

/// A request being answered. It counts as such until this is dropped, so it goes along with the work and with the answer's bytes.
#[derive(Debug)]
pub struct Permit {
    limiter: Arc<Limiter>,
    peer: PeerId,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(usage) = self.limiter.peers.lock().get_mut(&self.peer) {
            usage.at_once = usage.at_once.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance { per_second: 2, burst: 4, at_once: 3, bytes_per_day: 0 };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).unwrap()
    }

    fn phone() -> PeerId {
        PeerId::new(1)
    }

    #[test]
    fn a_burst_is_served_and_then_the_rate_holds() {
        let limiter = Arc::new(Limiter::default());
        for _ in 0..4 {
            drop(limiter.admit(at(0), phone(), ALLOWANCE, 1).unwrap());
        }
        let refused = limiter.admit(at(0), phone(), ALLOWANCE, 1).unwrap_err();
        assert_eq!(refused, Exceeded::Rate(Duration::from_millis(500)));
        assert!(limiter.admit(at(499), phone(), ALLOWANCE, 1).is_err());
        assert!(limiter.admit(at(500), phone(), ALLOWANCE, 1).is_ok());
        assert!(limiter.admit(at(500), phone(), ALLOWANCE, 1).is_err());
    }

    #[test]
    fn the_bucket_never_holds_more_than_its_burst() {
        let limiter = Arc::new(Limiter::default());
        drop(limiter.admit(at(0), phone(), ALLOWANCE, 1).unwrap());
        assert!(limiter.admit(at(3_600_000), phone(), ALLOWANCE, 4).is_ok());
        assert!(limiter.admit(at(3_600_000), phone(), ALLOWANCE, 1).is_err());
    }

    #[test]
    fn another_peer_notices_nothing() {
        let limiter = Arc::new(Limiter::default());
        assert!(limiter.admit(at(0), phone(), ALLOWANCE, 4).is_ok());
        assert!(limiter.admit(at(0), phone(), ALLOWANCE, 1).is_err());
        assert!(limiter.admit(at(0), PeerId::new(2), ALLOWANCE, 4).is_ok());
    }

    #[test]
    fn requests_count_until_their_permit_is_dropped() {
        let limiter = Arc::new(Limiter::default());
        let held: Vec<_> = (0..3).map(|_| limiter.admit(at(0), phone(), ALLOWANCE, 1).unwrap()).collect();
        assert_eq!(limiter.admit(at(0), phone(), ALLOWANCE, 1).unwrap_err(), Exceeded::AtOnce);
        drop(held);
        assert!(limiter.admit(at(0), phone(), ALLOWANCE, 1).is_ok());
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let limiter = Arc::new(Limiter::default());
        assert!(limiter.admit(at(0), phone(), ALLOWANCE, 4).is_ok());
        assert!(limiter.admit(at(-86_400_000), phone(), ALLOWANCE, 1).is_err());
        assert!(limiter.admit(at(-86_399_500), phone(), ALLOWANCE, 1).is_ok());
    }

    #[test]
    fn the_bytes_of_a_day_are_given_back_at_midnight() {
        let limiter = Arc::new(Limiter::default());
        let allowance = Allowance { bytes_per_day: 1000, ..ALLOWANCE };
        drop(limiter.admit(at(0), phone(), allowance, 1).unwrap());
        limiter.charge(at(0), phone(), 1000);
        let Err(Exceeded::Bytes(wait)) = limiter.admit(at(0), phone(), allowance, 1) else { panic!("admitted") };
        assert!(limiter.admit(at(wait.as_millis() as i64), phone(), allowance, 1).is_ok());
    }

    #[test]
    fn counting_goes_on_where_it_was_left() {
        let allowance = Allowance { bytes_per_day: 1000, ..ALLOWANCE };
        let before = Arc::new(Limiter::default());
        drop(before.admit(at(0), phone(), allowance, 1).unwrap());
        before.charge(at(0), phone(), 999);
        assert_eq!(before.used(at(0)), [(phone(), 999)]);
        let after = Arc::new(Limiter::default());
        for (peer, bytes) in before.used(at(0)) {
            after.restore(at(0), peer, bytes);
        }
        drop(after.admit(at(0), phone(), allowance, allowance.burst).unwrap());
        assert!(after.admit(at(0), phone(), allowance, 1).is_err(), "its bucket is as large as any");
        after.charge(at(1000), phone(), 1);
        assert!(matches!(after.admit(at(1000), phone(), allowance, 1), Err(Exceeded::Bytes(_))));
        let tomorrow = at(DAY_SECS * 1000);
        assert!(after.used(tomorrow).is_empty() && after.admit(tomorrow, phone(), allowance, 1).is_ok());
    }

    #[test]
    fn peers_at_rest_are_forgotten() {
        let limiter = Arc::new(Limiter::default());
        for number in 0..3 * PEERS_BEFORE_SWEEP as u32 {
            let now = at(i64::from(number) * 60_000);
            drop(limiter.admit(now, PeerId::new(number), ALLOWANCE, 1).unwrap());
        }
        assert!(limiter.peers.lock().len() <= PEERS_BEFORE_SWEEP);
    }
}
