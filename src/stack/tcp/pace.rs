//! How fast a window may leave: a burst of a whole window, after a pause or at the end of a recovery, would overflow the queue of a slow
//! line. Where acknowledgements set the pace, this never holds anything up.

use std::time::{Duration, Instant};

/// What may always leave at once, in segments: more than what is sent on one acknowledgement.
const BURST_SEGMENTS: usize = 16;
/// And in time: timers are no finer than a millisecond.
const BURST_TIME: Duration = Duration::from_millis(4);
/// How long a pause is at least: it costs a timer.
const PAUSE: Duration = Duration::from_millis(1);

/// A bucket of bytes that may leave.
#[derive(Debug)]
pub(super) struct Pace {
    bytes: f64,
    filled: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        Pace { bytes: f64::INFINITY, filled: now }
    }

    /// When the next segment may leave, if not now; `rate` in bytes per second.
    pub(super) fn held_until(&mut self, now: Instant, rate: f64, segment: usize) -> Option<Instant> {
        let most = (BURST_SEGMENTS * segment) as f64 + rate * BURST_TIME.as_secs_f64();
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.bytes = (self.bytes + rate * elapsed).min(most);
        self.filled = now;
        if self.bytes >= 0.0 {
            return None;
        }
        Some(now + PAUSE.max(Duration::from_secs_f64(-self.bytes / rate)))
    }

    /// So many bytes leave.
    pub(super) fn leave(&mut self, bytes: usize) {
        self.bytes -= bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_its_rate() {
        let (segment, rate) = (1000, 1e6);
        let start = Instant::now();
        let mut pace = Pace::new(start);
        // 16 segments and 4 ms, and the one that empties the bucket.
        let (mut now, mut sent) = (start, Vec::new());
        while sent.len() < 120 {
            match pace.held_until(now, rate, segment) {
                Some(until) => now = until,
                None => {
                    pace.leave(segment);
                    sent.push((now - start).as_millis());
                }
            }
        }
        assert_eq!(sent.iter().filter(|at| **at == 0).count(), 21);
        assert!((95..=100).contains(&sent[119]), "{}", sent[119]);
    }
}
