//! How long a round trip takes, and how long to wait for an answer before it is given up (RFC 6298).

use std::time::{Duration, Instant};

/// Least time to wait: what Linux, the BSDs and RFC 8985 live well with; RFC 6298 asks for a second, from days of coarse clocks.
const RTO_MIN: Duration = Duration::from_millis(200);
/// Most time to wait (RFC 6298 §2.5).
const RTO_MAX: Duration = Duration::from_secs(60);
/// Before anything was measured (RFC 6298 §2.1).
const RTO_INITIAL: Duration = Duration::from_secs(1);
/// How long the shortest round trip is believed in: paths change.
const SHORTEST_HOLDS: Duration = Duration::from_secs(30);

/// Estimates of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rtt {
    /// Smoothed, and its mean deviation.
    smoothed: Option<(Duration, Duration)>,
    shortest: Option<(Duration, Instant)>,
    /// Times the wait was doubled since the last answer.
    backoff: u32,
}

impl Rtt {
    pub(super) fn new() -> Rtt {
        Rtt { smoothed: None, shortest: None, backoff: 0 }
    }

    /// A round trip was measured, on something that was sent once.
    pub(super) fn measured(&mut self, now: Instant, rtt: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((smoothed, deviation)) => ((7 * smoothed + rtt) / 8, (3 * deviation + smoothed.abs_diff(rtt)) / 4),
        });
        if !self.shortest.is_some_and(|(shortest, at)| shortest < rtt && now.duration_since(at) < SHORTEST_HOLDS) {
            self.shortest = Some((rtt, now));
        }
    }

    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|(smoothed, _)| smoothed)
    }

    /// The shortest round trip of late.
    pub(super) fn shortest(&self) -> Option<Duration> {
        self.shortest.map(|(shortest, _)| shortest)
    }

    /// How long to wait for an answer.
    pub(super) fn rto(&self) -> Duration {
        let base = match self.smoothed {
            None => RTO_INITIAL,
            Some((smoothed, deviation)) => smoothed + (4 * deviation).max(RTO_MIN),
        };
        base.saturating_mul(1 << self.backoff.min(10)).min(RTO_MAX)
    }

    /// The wait was for nothing: the next one is twice as long.
    pub(super) fn back_off(&mut self) {
        self.backoff += 1;
    }

    /// Whether it was doubled since the last answer.
    pub(super) fn is_backed_off(&self) -> bool {
        self.backoff > 0
    }

    /// An answer came.
    pub(super) fn answered(&mut self) {
        self.backoff = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_what_is_measured_and_doubles() {
        let (now, mut rtt) = (Instant::now(), Rtt::new());
        assert_eq!(rtt.rto(), Duration::from_secs(1));
        rtt.measured(now, Duration::from_millis(100));
        assert_eq!(rtt.rto(), Duration::from_millis(300));
        for _ in 0..100 {
            rtt.measured(now, Duration::from_millis(40));
        }
        assert!(rtt.rto() < Duration::from_millis(242), "{:?}", rtt.rto());
        rtt.back_off();
        rtt.back_off();
        assert!(rtt.rto() > Duration::from_millis(950));
        (0..100).for_each(|_| rtt.back_off());
        assert_eq!(rtt.rto(), Duration::from_secs(60));
        rtt.answered();
        assert!(rtt.rto() < Duration::from_millis(242));
    }

    #[test]
    fn the_shortest_round_trip_is_forgotten_in_time() {
        let (now, mut rtt) = (Instant::now(), Rtt::new());
        rtt.measured(now, Duration::from_millis(5));
        rtt.measured(now, Duration::from_millis(50));
        assert_eq!(rtt.shortest(), Some(Duration::from_millis(5)));
        rtt.measured(now + SHORTEST_HOLDS, Duration::from_millis(50));
        assert_eq!(rtt.shortest(), Some(Duration::from_millis(50)));
    }
}
