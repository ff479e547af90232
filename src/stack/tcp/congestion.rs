//! How much may be on its way: CUBIC (RFC 9438) with HyStart++ (RFC 9406), which ends slow start before the queue overflows. Sizes are in
//! bytes, as floating-point numbers where they grow by fractions.

use std::time::{Duration, Instant};

use super::seq::Seq;

/// CUBIC's multiplicative decrease (RFC 9438 §4.6).
const BETA: f64 = 0.7;
/// Its aggressiveness (§5), in segments per second cubed.
const C: f64 = 0.4;
/// Growth of the Reno it wants to be as fast as, per round trip (§4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// Segments to begin with (RFC 6928).
const INITIAL_SEGMENTS: usize = 10;
/// Segments that are always allowed.
const LEAST_SEGMENTS: usize = 2;

/// The congestion window of one connection.
#[derive(Debug)]
pub(super) struct Congestion {
    segment: f64,
    window: f64,
    threshold: f64,
    /// Where the window stood when it was last too large.
    largest: f64,
    /// The same three before the last loss, should it turn out to be none.
    before: (f64, f64, f64),
    epoch: Option<Epoch>,
    start: SlowStart,
}

/// The time since the last congestion.
#[derive(Debug)]
struct Epoch {
    began: Instant,
    /// Seconds until the window is where it was.
    until_plateau: f64,
    origin: f64,
    /// What Reno would have by now.
    reno: f64,
}

/// An acknowledgement, as seen from here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acked {
    /// Bytes that have arrived.
    pub(super) bytes: usize,
    /// The first unacknowledged byte, and the next to be sent.
    pub(super) una: Seq,
    pub(super) next: Seq,
    /// The round trip it measured.
    pub(super) rtt: Option<Duration>,
    /// The smoothed one.
    pub(super) smoothed: Duration,
    /// Whether the window was in the way of sending more.
    pub(super) is_limited: bool,
}

impl Congestion {
    pub(super) fn new(segment: usize) -> Congestion {
        Congestion {
            segment: segment as f64,
            window: (INITIAL_SEGMENTS * segment) as f64,
            threshold: f64::INFINITY,
            largest: 0.0,
            before: (0.0, f64::INFINITY, 0.0),
            epoch: None,
            start: SlowStart::new(),
        }
    }

    /// Bytes that may be on their way.
    pub(super) fn window(&self) -> usize {
        self.window as usize
    }

    /// What the window is to come down to in recovery.
    pub(super) fn threshold(&self) -> usize {
        self.threshold as usize
    }

    /// Bytes per second at which the window may leave: faster than it is acknowledged, so that only bursts are held up (Linux's factors).
    pub(super) fn rate(&self, round_trip: Duration) -> f64 {
        let factor = if self.window < self.threshold / 2.0 { 2.0 } else { 1.25 };
        factor * self.window / round_trip.as_secs_f64().max(1e-6)
    }

    pub(super) fn is_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    /// Something has arrived, and nothing is known to be lost.
    pub(super) fn acknowledged(&mut self, now: Instant, acked: Acked) {
        let bytes = acked.bytes as f64;
        if self.is_slow_start() {
            let verdict = self.start.acknowledged(&acked);
            if !acked.is_limited {
                return;
            }
            self.window = (self.window + bytes / verdict.divisor).min(self.threshold.max(self.window));
            if verdict.is_over {
                self.threshold = self.window;
                self.largest = self.window;
            }
        } else if acked.is_limited {
            self.grow(now, bytes, acked.smoothed);
        } else {
            // CUBIC's time stands still while nobody wants more (RFC 9438 §5.8).
            self.epoch = None;
        }
    }

    fn grow(&mut self, now: Instant, bytes: f64, smoothed: Duration) {
        let (window, segment) = (self.window, self.segment);
        let largest = self.largest;
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            began: now,
            until_plateau: cube_root((largest - window).max(0.0) / segment / C),
            origin: largest.max(window),
            reno: window,
        });
        let cubic_after = |seconds: f64| {
            let from_plateau = seconds - epoch.until_plateau;
            epoch.origin + C * from_plateau * from_plateau * from_plateau * segment
        };
        let elapsed = now.duration_since(epoch.began).as_secs_f64();
        let target = cubic_after(elapsed + smoothed.as_secs_f64()).clamp(window, 1.5 * window);
        let by_cubic = window + (target - window) * (bytes / window).min(1.0);
        let alpha = if epoch.reno < largest { ALPHA } else { 1.0 };
        epoch.reno += alpha * segment * bytes / window;
        self.window = by_cubic.max(epoch.reno);
    }

    /// Something was lost: the window is to come down to the threshold.
    pub(super) fn lost(&mut self) {
        self.before = (self.window, self.threshold, self.largest);
        // Fast convergence: where the window did not get as far as last time, others want a share (RFC 9438 §4.7).
        self.largest = if self.window < self.largest { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.threshold = (self.window * BETA).max(LEAST_SEGMENTS as f64 * self.segment);
        self.epoch = None;
    }

    /// Nothing was lost after all: all is as it was.
    pub(super) fn undo(&mut self) {
        let (window, threshold, largest) = self.before;
        (self.window, self.threshold, self.largest) = (window.max(self.window), threshold, largest);
        self.epoch = None;
    }

    /// During recovery, the window is what recovery says.
    pub(super) fn set_window(&mut self, bytes: usize) {
        self.window = bytes as f64;
    }

    /// Recovery is over.
    pub(super) fn recovered(&mut self) {
        self.window = self.threshold;
        self.start = SlowStart::new();
    }

    /// Nothing was heard for a whole timeout: begins anew with one segment.
    pub(super) fn timed_out(&mut self, is_first: bool) {
        if is_first {
            self.lost();
        }
        self.window = self.segment;
        self.start = SlowStart::new();
    }

    /// Nothing was sent for longer than a timeout: what is known of the path is old (RFC 5681 §4.1).
    pub(super) fn rested(&mut self) {
        let initial = INITIAL_SEGMENTS as f64 * self.segment;
        if self.window > initial {
            self.threshold = self.threshold.max(0.75 * self.window);
            self.window = initial;
        }
        self.epoch = None;
        self.start = SlowStart::new();
    }
}

/// Newton's method in plain arithmetic: the C library's differ in the last digit from one system to the next.
fn cube_root(number: f64) -> f64 {
    if number <= 0.0 {
        return 0.0;
    }
    // From above, it comes down by a third each time at first: sixty-four steps are enough for what a window is.
    (0..64).fold(number.max(1.0), |root, _| (2.0 * root + number / (root * root)) / 3.0)
}

/// Round trips that grow are a queue that fills: then slow start goes on slowly, and ends (RFC 9406).
#[derive(Debug)]
struct SlowStart {
    /// The round ends when this is acknowledged.
    round_end: Option<Seq>,
    samples: u32,
    shortest: Duration,
    shortest_before: Duration,
    /// In conservative slow start: its shortest round trip when it began, and its rounds.
    cautious: Option<(Duration, u32)>,
}

struct Verdict {
    divisor: f64,
    is_over: bool,
}

/// The constants of RFC 9406 §4.3.
const SAMPLES: u32 = 8;
const LEAST_GROWTH: Duration = Duration::from_millis(4);
const MOST_GROWTH: Duration = Duration::from_millis(16);
const CAUTIOUS_DIVISOR: f64 = 4.0;
const CAUTIOUS_ROUNDS: u32 = 5;

impl SlowStart {
    fn new() -> SlowStart {
        SlowStart {
            round_end: None,
            samples: 0,
            shortest: Duration::MAX,
            shortest_before: Duration::MAX,
            cautious: None,
        }
    }

    fn acknowledged(&mut self, acked: &Acked) -> Verdict {
        if let Some(rtt) = acked.rtt {
            self.shortest = self.shortest.min(rtt);
            self.samples += 1;
        }
        let enough = self.samples >= SAMPLES && self.shortest_before < Duration::MAX;
        match self.cautious {
            None if enough && self.shortest >= self.shortest_before + self.tolerance() => {
                self.cautious = Some((self.shortest, 0));
            }
            // It was a hiccup.
            Some((baseline, _)) if self.samples >= SAMPLES && self.shortest < baseline => self.cautious = None,
            _ => {}
        }
        if self.round_end.is_none_or(|end| acked.una >= end) {
            self.round_end = Some(acked.next);
            if self.samples > 0 {
                (self.shortest_before, self.shortest, self.samples) = (self.shortest, Duration::MAX, 0);
            }
            if let Some((_, rounds)) = &mut self.cautious {
                *rounds += 1;
            }
        }
        match self.cautious {
            Some((_, rounds)) => Verdict { divisor: CAUTIOUS_DIVISOR, is_over: rounds >= CAUTIOUS_ROUNDS },
            None => Verdict { divisor: 1.0, is_over: false },
        }
    }

    fn tolerance(&self) -> Duration {
        (self.shortest_before / 8).clamp(LEAST_GROWTH, MOST_GROWTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: usize = 1000;
    const RTT: Duration = Duration::from_millis(100);

    /// A connection that always has something to send: rounds of a window each, with this round trip.
    fn rounds(congestion: &mut Congestion, now: &mut Instant, count: u32, rtt: Duration) {
        let mut next = Seq::new(0);
        for _ in 0..count {
            *now += rtt;
            let (mut left, una) = (congestion.window(), next);
            next = next + left;
            while left > 0 {
                let bytes = left.min(2 * SEGMENT);
                left -= bytes;
                let una = if left == 0 { next } else { una };
                let acked = Acked { bytes, una, next, rtt: Some(rtt), smoothed: rtt, is_limited: true };
                congestion.acknowledged(*now, acked);
            }
        }
    }

    #[test]
    fn slow_start_doubles_and_ends_when_round_trips_grow() {
        let (mut congestion, mut now) = (Congestion::new(SEGMENT), Instant::now());
        rounds(&mut congestion, &mut now, 4, RTT);
        assert_eq!(congestion.window(), 160 * SEGMENT);
        rounds(&mut congestion, &mut now, 7, RTT + Duration::from_millis(20));
        assert!(!congestion.is_slow_start());
        assert!(congestion.window() < 1000 * SEGMENT, "{}", congestion.window());
    }

    #[test]
    fn after_a_loss_the_window_comes_back_as_a_cubic_does() {
        let (mut congestion, mut now) = (Congestion::new(SEGMENT), Instant::now());
        congestion.set_window(1000 * SEGMENT);
        congestion.lost();
        assert_eq!(congestion.threshold(), 700 * SEGMENT);
        congestion.recovered();
        // K = ∛(300 / 0.4) = 9.1 s, 91 rounds.
        rounds(&mut congestion, &mut now, 45, RTT);
        let halfway = congestion.window() / SEGMENT;
        assert!((940..980).contains(&halfway), "{halfway}");
        rounds(&mut congestion, &mut now, 45, RTT);
        let plateau = congestion.window() / SEGMENT;
        assert!((990..=1005).contains(&plateau), "{plateau}");
        rounds(&mut congestion, &mut now, 90, RTT);
        assert!(congestion.window() > 1200 * SEGMENT);
    }

    #[test]
    fn a_small_window_grows_at_least_as_reno_does() {
        let (mut congestion, mut now) = (Congestion::new(SEGMENT), Instant::now());
        congestion.set_window(10 * SEGMENT);
        congestion.lost();
        congestion.recovered();
        rounds(&mut congestion, &mut now, 10, RTT / 10);
        let window = congestion.window() / SEGMENT;
        assert!((11..=14).contains(&window), "{window}");
    }

    #[test]
    fn the_cube_root_is_one() {
        for number in [1e-6_f64, 0.5, 1.0, 8.0, 750.0, 1e10] {
            assert!((cube_root(number).powi(3) / number - 1.0).abs() < 1e-9, "{number}");
        }
        assert_eq!(cube_root(0.0), 0.0);
    }

    #[test]
    fn a_window_that_nobody_uses_does_not_grow() {
        let (mut congestion, now) = (Congestion::new(SEGMENT), Instant::now());
        let (una, next) = (Seq::new(0), Seq::new(1));
        let acked = Acked { bytes: SEGMENT, una, next, rtt: Some(RTT), smoothed: RTT, is_limited: false };
        (0..100).for_each(|_| congestion.acknowledged(now, acked));
        assert_eq!(congestion.window(), INITIAL_SEGMENTS * SEGMENT);
        congestion.timed_out(true);
        assert_eq!((congestion.window(), congestion.threshold()), (SEGMENT, 7 * SEGMENT));
    }
}
