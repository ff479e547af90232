//! Which segments are lost, told by time: one is, when something sent after it has arrived and it still has not, a moment later
//! (RACK, RFC 8985 §6). It needs no count of duplicates, and finds lost retransmissions too.

use std::time::{Duration, Instant};

use super::flight::{Flight, Sent};
use super::rtt::Rtt;
use super::seq::Seq;

/// Segments ahead of their time after which the first is lost without a moment's wait (RFC 5681's three).
const DUPLICATES: usize = 3;
/// Recoveries after which a wider window for reordering is tried narrow again (RFC 8985 §6.2 step 4).
const WIDE_FOR: u32 = 16;

/// What the latest arrivals tell of those before.
#[derive(Debug)]
pub(super) struct Rack {
    /// Of the segment sent last among those that arrived: when it was sent, where it ends, how long it took.
    latest: Option<(Instant, Seq, Duration)>,
    /// The furthest that has arrived.
    furthest: Option<Seq>,
    /// Whether segments were seen to overtake each other.
    reorders: bool,
    /// The window for reordering, in quarters of the shortest round trip, and for how many recoveries it holds.
    quarters: u32,
    wide_for: u32,
    /// The window was widened in this round trip, which ends here.
    widened_until: Option<Seq>,
}

impl Rack {
    pub(super) fn new() -> Rack {
        Rack { latest: None, furthest: None, reorders: false, quarters: 1, wide_for: 0, widened_until: None }
    }

    /// A segment has arrived. The round trip it took, if it is a measurement.
    pub(super) fn arrived(&mut self, now: Instant, sent: &Sent, rtt: &Rtt) -> Option<Duration> {
        let took = now.duration_since(sent.at);
        if self.furthest.is_none_or(|furthest| sent.end() > furthest) {
            self.furthest = Some(sent.end());
        } else if !sent.again {
            self.reorders = true;
        }
        // Quicker than any round trip: the answer is to the first sending.
        let is_of_the_first = sent.again && rtt.shortest().is_some_and(|shortest| took < shortest);
        if !is_of_the_first && self.latest.is_none_or(|(at, end, _)| sent.is_after((at, end))) {
            self.latest = Some((sent.at, sent.end(), took));
        }
        (!sent.again).then_some(took)
    }

    /// The other end tells that it got something twice: what was sent again had only been late.
    pub(super) fn duplicate(&mut self, una: Seq, next: Seq) {
        self.reorders = true;
        if self.widened_until.is_none_or(|until| una >= until) {
            self.quarters = (self.quarters + 1).min(16);
            self.wide_for = WIDE_FOR;
            self.widened_until = Some(next);
        }
    }

    /// A recovery is over.
    pub(super) fn recovered(&mut self) {
        self.wide_for = self.wide_for.saturating_sub(1);
        if self.wide_for == 0 {
            self.quarters = 1;
        }
    }

    /// Takes segments for lost, and says whether there were any and when to look again for those that may be only late.
    pub(super) fn detect(
        &self,
        now: Instant,
        flight: &mut Flight,
        rtt: &Rtt,
        recovers: bool,
    ) -> (bool, Option<Instant>) {
        let Some((at, end, took)) = self.latest.filter(|_| flight.is_disordered()) else { return (false, None) };
        let wait = took + self.tolerance(flight, rtt, recovers);
        let mut look_again: Option<Instant> = None;
        let lost = flight.lose(|sent| {
            if sent.is_after((at, end)) || (sent.at, sent.end()) == (at, end) {
                return false;
            }
            let due = sent.at + wait;
            if due > now {
                look_again = Some(look_again.map_or(due, |other| other.max(due)));
            }
            due <= now
        });
        (lost, look_again)
    }

    fn tolerance(&self, flight: &Flight, rtt: &Rtt, recovers: bool) -> Duration {
        if !self.reorders && (recovers || flight.arrived() >= DUPLICATES) {
            return Duration::ZERO;
        }
        let wide = rtt.shortest().unwrap_or_default() * self.quarters / 4;
        wide.min(rtt.smoothed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    fn seq(number: usize) -> Seq {
        Seq::new(7) + number * 100
    }

    /// Ten segments, one a millisecond, of a path whose round trip is known.
    fn sent() -> (Instant, Flight, Rtt, Rack) {
        let (start, mut flight, mut rtt) = (Instant::now(), Flight::default(), Rtt::new());
        rtt.measured(start, RTT);
        for number in 0..10 {
            flight.sent(start + Duration::from_millis(number as u64), seq(number), 100);
        }
        (start, flight, rtt, Rack::new())
    }

    fn arrive(rack: &mut Rack, flight: &mut Flight, rtt: &Rtt, now: Instant, numbers: std::ops::Range<usize>) {
        flight.arrive(seq(numbers.start), seq(numbers.end), |sent| {
            rack.arrived(now, sent, rtt);
        });
    }

    #[test]
    fn what_was_sent_before_the_latest_arrival_is_lost_after_a_moment() {
        let (start, mut flight, rtt, mut rack) = sent();
        let now = start + RTT + Duration::from_millis(1);
        arrive(&mut rack, &mut flight, &rtt, now, 1..2);
        let (lost, again) = rack.detect(now, &mut flight, &rtt, false);
        // It took 40 ms; a quarter of the shortest round trip is waited for segment 0.
        assert_eq!((lost, again), (false, Some(start + RTT + RTT / 4)));
        assert!(rack.detect(start + RTT + RTT / 4, &mut flight, &rtt, false).0);
        assert_eq!(flight.first_lost(), Some((seq(0), 100)));
    }

    #[test]
    fn three_ahead_of_their_time_need_no_wait_unless_segments_overtake() {
        let (start, mut flight, rtt, mut rack) = sent();
        let now = start + RTT + Duration::from_millis(3);
        arrive(&mut rack, &mut flight, &rtt, now, 1..4);
        assert!(rack.detect(now, &mut flight, &rtt, false).0);

        let (start, mut flight, rtt, mut rack) = sent();
        let now = start + RTT + Duration::from_millis(4);
        arrive(&mut rack, &mut flight, &rtt, now, 4..5);
        arrive(&mut rack, &mut flight, &rtt, now, 1..4);
        assert!(!rack.detect(now, &mut flight, &rtt, false).0, "1 to 3 came after 4");
    }

    #[test]
    fn a_lost_retransmission_is_lost_when_later_ones_arrive() {
        let (start, mut flight, rtt, mut rack) = sent();
        let now = start + RTT + Duration::from_millis(5);
        arrive(&mut rack, &mut flight, &rtt, now, 1..5);
        assert!(rack.detect(now, &mut flight, &rtt, false).0);
        flight.resent(now, seq(0));
        assert!(!rack.detect(now, &mut flight, &rtt, true).0);
        flight.sent(now + Duration::from_millis(1), seq(10), 100);
        let later = now + RTT + Duration::from_millis(1);
        arrive(&mut rack, &mut flight, &rtt, later, 10..11);
        assert!(rack.detect(later, &mut flight, &rtt, true).0);
        assert_eq!(flight.first_lost(), Some((seq(0), 100)));
    }
}
