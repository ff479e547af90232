//! One TCP connection as a state machine: segments, time and the user's bytes go in; segments and the other end's bytes come out
//! (RFC 9293). It knows neither addresses nor packets, and reads no clock.
//!
//! smoltcp's sockets wait a second for whatever is lost and send one segment for it; a phone on a bad network crawls with them. This
//! one finds losses by time (RACK-TLP, RFC 8985) and from selective acknowledgements (RFC 2018, 2883), repairs them in proportion to
//! what arrives (RFC 6937) under CUBIC (RFC 9438, 9406), and has rings that grow with what is under way and are given back.
//!
//! There are no timestamps: WireGuard's window against replay drops what is late by thousands of packets, which is what they would be
//! there for. A simultaneous open is not answered: of two ends of a tunnel one serves.

mod acks;
mod congestion;
mod flight;
mod input;
mod memory;
mod output;
mod pace;
mod rack;
mod receive;
mod recovery;
mod ring;
mod rtt;
mod send;
mod seq;

use std::time::{Duration, Instant};

use smoltcp::wire::TcpRepr;

pub(super) use memory::Memory;
pub(super) use seq::Seq;

use crate::limits::{CONNECTION_TIMEOUT_SECS, HALF_OPEN_SECS, KEEP_ALIVE_SECS, RING_REST_SECS};
use receive::Receiver;
use send::Sender;

/// Our window scale (RFC 7323 §2): windows up to 8 MiB in steps of 128 bytes.
const SCALE: u8 = 7;

/// What a connection knows from its birth on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Largest number of bytes in a segment of ours, and what we tell the other end of its: what fits the MTU.
    pub(super) segment: usize,
    /// What the other end takes unless it says otherwise (RFC 9293 §3.7.1).
    pub(super) segment_unsaid: usize,
    /// Our first sequence number.
    pub(super) first: Seq,
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Both streams were delivered.
    Finished,
    /// The other end reset it.
    Reset,
    /// We reset it.
    Aborted,
    /// Nothing was heard for too long.
    TimedOut,
}

/// RFC 9293 §3.3.2; which of our and their streams have ended, the halves know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    SynSent,
    SynReceived,
    Open,
    /// Both streams have ended, ours first; until then the 4-tuple is not used again.
    TimeWait {
        until: Instant,
    },
    /// A reset is to be sent.
    Aborting(Ending),
    Closed(Ending),
}

/// The SYN, ours: it is no part of the stream.
#[derive(Debug)]
struct Syn {
    /// When it is to be sent (again).
    due: Instant,
    sent_at: Option<Instant>,
    times: u32,
}

/// What an incoming segment asks for beside what the connection does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// It belongs to no connection: a reset is the answer.
    Stray,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Tcb {
    phase: Phase,
    settings: Settings,
    syn: Syn,
    send: Sender,
    receive: Receiver,
    /// How much the other end's window field counts for.
    their_scale: u8,
    scales: bool,
    selective: bool,
    /// Their first sequence number.
    their_first: Seq,
    /// Our stream ended before theirs had.
    ended_first: bool,
    began: Instant,
    heard: Instant,
    /// When we last did anything; and whether the other end is to be asked whether it is still there.
    active: Instant,
    asks: bool,
    asked: Instant,
    /// When a segment that brought nothing was last answered.
    challenged: Option<Instant>,
    /// When rings that are empty are given back.
    rests_at: Option<Instant>,
    memory: Memory,
}

impl Tcb {
    /// A connection that we open: a SYN is to be sent.
    pub(super) fn connect(now: Instant, settings: Settings, memory: Memory) -> Tcb {
        Tcb::new(now, settings, memory, Phase::SynSent, Seq::new(0))
    }

    /// A connection whose SYN has come: the answer to it is to be sent.
    pub(super) fn accept(now: Instant, settings: Settings, syn: &TcpRepr<'_>, memory: Memory) -> Tcb {
        let first = Seq::from(syn.seq_number);
        let mut tcb = Tcb::new(now, settings, memory, Phase::SynReceived, first);
        tcb.learn(syn);
        tcb
    }

    fn new(now: Instant, settings: Settings, memory: Memory, phase: Phase, their_first: Seq) -> Tcb {
        Tcb {
            phase,
            settings,
            syn: Syn { due: now, sent_at: None, times: 0 },
            send: Sender::new(now, settings.first + 1, settings.segment),
            receive: Receiver::new(now, their_first + 1, SCALE, &memory),
            their_scale: 0,
            scales: true,
            selective: true,
            their_first,
            ended_first: false,
            began: now,
            heard: now,
            active: now,
            asks: false,
            asked: now,
            challenged: None,
            rests_at: None,
            memory,
        }
    }

    /// Whether the handshake is done, or was.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::TimeWait { .. })
    }

    pub(super) fn is_time_wait(&self) -> bool {
        matches!(self.phase, Phase::TimeWait { .. })
    }

    /// How it came to its end, if it did.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.phase {
            Phase::Closed(ending) => Some(ending),
            _ => None,
        }
    }

    /// Whether the other end's stream has ended: what can be read is all there will be.
    pub(super) fn is_received(&self) -> bool {
        self.receive.is_finished()
    }

    /// Whether all that was written has arrived.
    pub(super) fn is_delivered(&self) -> bool {
        self.send.queued() == 0
    }

    pub(super) fn readable(&self) -> usize {
        self.receive.readable()
    }

    /// Hands over up to `room` bytes; how many that are.
    pub(super) fn read(&mut self, room: usize, take: impl FnMut(&[u8])) -> usize {
        self.receive.read(room, take)
    }

    /// Drops what can be read; how many bytes.
    pub(super) fn discard(&mut self) -> usize {
        self.receive.discard()
    }

    /// Whether a writer that found no room should try again.
    pub(super) fn has_ample_room(&self) -> bool {
        self.phase == Phase::Open && self.send.has_ample_room()
    }

    /// Takes bytes to be sent; how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        match self.phase {
            Phase::Open => self.send.write(bytes, &mut self.memory),
            _ => 0,
        }
    }

    /// Ends our stream after what was written.
    pub(super) fn close(&mut self) {
        match self.phase {
            Phase::SynSent => self.phase = Phase::Closed(Ending::Aborted),
            _ => self.send.close(),
        }
    }

    /// Ends the connection with a reset.
    pub(super) fn abort(&mut self) {
        self.end(Ending::Aborted);
    }

    fn end(&mut self, ending: Ending) {
        self.phase = match self.phase {
            Phase::SynReceived | Phase::Open => Phase::Aborting(ending),
            Phase::SynSent | Phase::TimeWait { .. } => Phase::Closed(ending),
            over => over,
        };
    }

    /// Whether `poll` may have something.
    pub(super) fn has_work(&self, now: Instant) -> bool {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => now >= self.syn.due,
            Phase::Open => self.asks || self.receive.acks().owes_now(now) || self.send.has_work(),
            Phase::TimeWait { .. } => self.receive.acks().owes_now(now),
            Phase::Aborting(_) => true,
            Phase::Closed(_) => false,
        }
    }

    /// When `handle_timeout` is wanted.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => Some(self.syn.due.min(self.gives_up_at())),
            Phase::Open => {
                let keep_alive = self.asked.max(self.heard) + Duration::from_secs(KEEP_ALIVE_SECS);
                let timers = [self.send.poll_timeout(), self.receive.acks().owes_at(), self.rests_at];
                timers.into_iter().flatten().chain([keep_alive, self.gives_up_at()]).min()
            }
            Phase::TimeWait { until } => Some(until),
            Phase::Aborting(_) | Phase::Closed(_) => None,
        }
    }

    fn gives_up_at(&self) -> Instant {
        match self.phase {
            Phase::SynReceived => self.began + Duration::from_secs(HALF_OPEN_SECS),
            _ => self.heard + Duration::from_secs(CONNECTION_TIMEOUT_SECS),
        }
    }

    /// Time passed: what is to be sent because of it, `poll` gives.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::SynSent | Phase::SynReceived | Phase::Open if self.gives_up_at() <= now => {
                self.end(Ending::TimedOut)
            }
            Phase::Open => {
                self.send.handle_timeout(now);
                self.receive.acks_mut().handle_timeout(now);
                if self.asked.max(self.heard) + Duration::from_secs(KEEP_ALIVE_SECS) <= now {
                    (self.asks, self.asked) = (true, now);
                }
                if self.rests_at.is_some_and(|at| at <= now) {
                    self.rest(now);
                }
            }
            Phase::TimeWait { until } if until <= now => self.phase = Phase::Closed(Ending::Finished),
            _ => {}
        }
    }

    /// The other end can be reached again: what waits longer and longer for an answer is sent again at once.
    pub(super) fn nudge(&mut self, now: Instant) {
        match self.phase {
            Phase::SynSent | Phase::SynReceived if self.syn.times > 1 => self.syn.due = now,
            Phase::Open => self.send.nudge(now),
            _ => {}
        }
    }

    fn arm_rest(&mut self, now: Instant) {
        self.rests_at.get_or_insert(now + Duration::from_secs(RING_REST_SECS));
    }

    /// Gives back what an idle connection does not need; one that is busy is asked again later.
    fn rest(&mut self, now: Instant) {
        let rests_at = self.active + Duration::from_secs(RING_REST_SECS);
        self.rests_at = Some(rests_at).filter(|at| *at > now);
        if self.rests_at.is_none() {
            self.send.rest(&mut self.memory);
            self.receive.rest(&mut self.memory);
        }
    }
}

#[cfg(test)]
mod tests;
