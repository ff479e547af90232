//! How much to send while what was lost is made good: in proportion to what arrives (PRR, RFC 6937), so that a burst of losses is not
//! answered by a burst of retransmissions.

use super::seq::Seq;

/// A recovery under way.
#[derive(Debug)]
pub(super) struct Recovery {
    /// It is over when everything before this is acknowledged: what had been sent when it began.
    pub(super) until: Seq,
    pub(super) kind: Kind,
}

/// What it recovers from.
#[derive(Debug)]
pub(super) enum Kind {
    /// Segments were lost, others arrive.
    Losses(Proportion),
    /// Nothing arrived for a whole timeout: slow start.
    Timeout,
}

/// Proportional rate reduction.
#[derive(Debug)]
pub(super) struct Proportion {
    /// Bytes under way when the recovery began.
    flight: usize,
    delivered: usize,
    sent: usize,
}

impl Proportion {
    pub(super) fn new(flight: usize) -> Proportion {
        Proportion { flight: flight.max(1), delivered: 0, sent: 0 }
    }

    /// Bytes have arrived: the window from now on.
    pub(super) fn delivered(&mut self, bytes: usize, flying: usize, threshold: usize, segment: usize) -> usize {
        self.delivered += bytes;
        let allowed = if flying > threshold {
            (self.delivered * threshold).div_ceil(self.flight).saturating_sub(self.sent)
        } else {
            let owed = self.delivered.saturating_sub(self.sent).max(bytes) + segment;
            owed.min(threshold - flying)
        };
        // The first retransmission goes out at once.
        let allowed = if self.sent == 0 { allowed.max(segment) } else { allowed };
        flying + allowed
    }

    /// Bytes were sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: usize = 1000;

    #[test]
    fn seven_are_sent_for_ten_that_arrive() {
        let mut proportion = Proportion::new(100 * SEGMENT);
        let (mut flying, mut sent) = (99 * SEGMENT, 0);
        for _ in 0..99 {
            flying -= SEGMENT;
            let window = proportion.delivered(SEGMENT, flying, 70 * SEGMENT, SEGMENT);
            while flying + SEGMENT <= window {
                flying += SEGMENT;
                sent += 1;
                proportion.sent(SEGMENT);
            }
        }
        assert_eq!((sent, flying), (70, 70 * SEGMENT));
    }

    #[test]
    fn after_heavy_losses_no_more_is_sent_than_arrives_and_one() {
        let mut proportion = Proportion::new(100 * SEGMENT);
        // Sixty of a hundred are lost: ten arrive at once.
        let window = proportion.delivered(10 * SEGMENT, 30 * SEGMENT, 70 * SEGMENT, SEGMENT);
        assert_eq!(window, 41 * SEGMENT);
    }
}
