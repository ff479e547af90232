//! One direction of a path: packets with their time go in, the times of their arrival come out, if they do arrive. A drop-tail queue before
//! a line of fixed rate, then loss, then the time to travel.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::chance::{Chance, Odds};

/// The bottleneck's rate, in bits per second of inner packets: what the tunnel adds to each is left out.
pub const LINE_BITS_PER_SECOND: u64 = 100_000_000;
/// Packets that wait for the line at most; one that finds the queue full is lost.
pub const QUEUE_PACKETS: usize = 256;
/// One step of bursty loss: about the time of a full packet on the line.
const STEP: Duration = Duration::from_micros(125);
/// How many of those a burst lasts, on the average: 1 ms, in which nothing arrives.
const BURST_STEPS: f64 = 8.0;

/// How packets are lost after the queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Each by itself, with this probability.
    Random(f64),
    /// In bursts: the line is good or bad (Gilbert and Elliott), and bad for this share of the time. It changes with time, not with
    /// packets: who comes later meets another line.
    Bursty(f64),
}

impl Loss {
    pub fn mean(self) -> f64 {
        match self {
            Loss::Random(mean) | Loss::Bursty(mean) => mean,
        }
    }
}

/// What happens to the order of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Kept,
    /// One in fifty comes late, by up to this.
    Stragglers(Duration),
    /// Each comes late by up to this, and overtakes or is overtaken.
    Jitter(Duration),
}

/// How a path treats packets, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    pub round_trip: Duration,
    pub loss: Loss,
    pub order: Order,
}

impl Conditions {
    /// Nothing is lost, nothing is late.
    pub fn clean(round_trip_millis: u64) -> Conditions {
        let round_trip = Duration::from_millis(round_trip_millis);
        Conditions { round_trip, loss: Loss::Random(0.0), order: Order::Kept }
    }
}

pub struct Path {
    conditions: Conditions,
    chance: Chance,
    /// When the packets in the queue, and the one on the line, will have left.
    departures: VecDeque<Instant>,
    /// Whether a bursty line is bad, and until when that is known.
    bad: bool,
    known: Instant,
    /// One in fifty.
    straggles: Odds,
}

impl Path {
    pub fn new(now: Instant, conditions: Conditions, seed: u64) -> Path {
        let straggles = Odds::new(0.02);
        Path { conditions, chance: Chance::new(seed), departures: VecDeque::new(), bad: false, known: now, straggles }
    }

    /// When a packet that is sent now arrives at the other end; `None` if it is lost.
    pub fn send(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        while self.departures.front().is_some_and(|departure| *departure <= now) {
            self.departures.pop_front();
        }
        // One more is on the line itself.
        if self.departures.len() > QUEUE_PACKETS {
            return None;
        }
        let start = self.departures.back().map_or(now, |&last| last.max(now));
        let departure = start + Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / LINE_BITS_PER_SECOND);
        self.departures.push_back(departure);
        if self.loses(departure) {
            return None;
        }
        Some(departure + self.conditions.round_trip / 2 + self.lateness())
    }

    fn loses(&mut self, at: Instant) -> bool {
        match self.conditions.loss {
            Loss::Random(mean) => self.chance.happens(Odds::new(mean)),
            Loss::Bursty(mean) => {
                let ends = Odds::new(1.0 / BURST_STEPS);
                let begins = Odds::new(mean / (1.0 - mean) / BURST_STEPS);
                while self.known + STEP <= at {
                    self.known += STEP;
                    self.bad ^= self.chance.happens(if self.bad { ends } else { begins });
                }
                self.bad
            }
        }
    }

    fn lateness(&mut self) -> Duration {
        let most = match self.conditions.order {
            Order::Stragglers(most) if self.chance.happens(self.straggles) => most,
            Order::Jitter(most) => most,
            Order::Kept | Order::Stragglers(_) => return Duration::ZERO,
        };
        Duration::from_nanos(self.chance.below(most.as_nanos() as u64))
    }
}
