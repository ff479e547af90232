//! What the driver of a node and its streams have in common: the queue of ready peers, the timers, the events.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};

use super::chance::Chance;
use super::counters::{Counter, Counts};
use super::directory::Directory;
use super::peer::{Peer, State};
use super::refusals::{Refusals, Refused};
use super::{Event, NodeConfig, WakeReason};
use crate::limits::NODE_EVENTS;
use crate::peer::PeerId;
use crate::stack::{Budget, StackConfig};
use crate::tunnel::Gate;

type Timers = BTreeMap<(Instant, PeerId), (Arc<Peer>, WakeReason)>;

/// What streams need of a node too. Locks are taken in this order: directory, a peer's state, any one of the others.
pub(super) struct Shared {
    pub(super) config: NodeConfig,
    pub(super) gate: Gate,
    pub(super) budget: Arc<Budget>,
    pub(super) counts: Counts,
    pub(super) chance: Mutex<Chance>,
    pub(super) directory: RwLock<Directory>,
    /// Peers with something to send.
    pub(super) ready: Mutex<VecDeque<Arc<Peer>>>,
    /// One entry at most per peer, at the time its state is `armed` for.
    pub(super) timers: Mutex<Timers>,
    pub(super) events: Mutex<VecDeque<Event>>,
    pub(super) refusals: Mutex<Refusals>,
    /// Of streams that have moved.
    pub(super) wakers: Mutex<Vec<Waker>>,
    /// Of whoever drives the node.
    pub(super) driver: Mutex<Option<Waker>>,
}

impl Shared {
    pub(super) fn new(now: Instant, config: NodeConfig, entropy: [u8; 32]) -> Shared {
        Shared {
            gate: Gate::new(now, &config.key, config.handshakes_per_second),
            budget: Arc::new(Budget::new(config.connections_total, config.buffers_total)),
            config,
            counts: Counts::new(),
            chance: Mutex::new(Chance::new(entropy)),
            directory: RwLock::default(),
            ready: Mutex::default(),
            timers: Mutex::default(),
            events: Mutex::default(),
            refusals: Mutex::default(),
            wakers: Mutex::default(),
            driver: Mutex::default(),
        }
    }

    /// Works on a peer's state, then sees to it that the peer gets its turn and its timer; `None` for a removed peer. With the result:
    /// whether a driver that sleeps should know.
    pub(super) fn with_state<T>(&self, peer: &Arc<Peer>, work: impl FnOnce(&mut State) -> T) -> Option<(T, bool)> {
        let mut guard = peer.state.lock();
        let state = guard.as_mut()?;
        let result = work(state);
        let news = self.update(peer, state);
        Some((result, news))
    }

    /// Puts a peer into the queue if it is ready, sets its timer, and takes its wakers along. Whether a driver that sleeps should know.
    pub(super) fn update(&self, peer: &Arc<Peer>, state: &mut State) -> bool {
        if !state.wakers.is_empty() {
            self.wakers.lock().append(&mut state.wakers);
        }
        let ready = state.is_ready() && self.enqueue(peer);
        let Some((due, reason)) = state.poll_timeout() else { return ready };
        // A timer that is set for an earlier time is set anew when that has come.
        if state.armed.is_some_and(|armed| armed <= due) {
            return ready;
        }
        let mut timers = self.timers.lock();
        if let Some(armed) = state.armed.replace(due) {
            timers.remove(&(armed, peer.id));
        }
        timers.insert((due, peer.id), (peer.clone(), reason));
        let first = timers.first_key_value().is_some_and(|(key, _)| *key == (due, peer.id));
        ready || first
    }

    /// Whether it was not in the queue yet.
    pub(super) fn enqueue(&self, peer: &Arc<Peer>) -> bool {
        let new = !peer.queued.swap(true, Ordering::AcqRel);
        if new {
            self.ready.lock().push_back(peer.clone());
        }
        new
    }

    pub(super) fn take_due(&self, now: Instant) -> Option<(Instant, Arc<Peer>)> {
        let mut timers = self.timers.lock();
        let (&(due, _), _) = timers.first_key_value().filter(|((due, _), _)| *due <= now)?;
        timers.pop_first().map(|(_, (peer, _))| (due, peer))
    }

    pub(super) fn wake_driver(&self) {
        let driver = self.driver.lock().clone();
        driver.into_iter().for_each(Waker::wake);
    }

    /// Sums a refusal, and tells of the first.
    pub(super) fn refuse(&self, counter: impl Into<Counter>, who: Refused, from: SocketAddr) {
        let is_first = self.refusals.lock().add(counter.into(), who, from);
        if is_first {
            self.tell(Event::Refused);
        }
    }

    /// Counts something and tells of it, while there is room for it.
    pub(super) fn record(&self, counter: Counter, event: Event) {
        self.counts.add(counter, 1);
        self.tell(event);
    }

    fn tell(&self, event: Event) {
        let mut events = self.events.lock();
        match events.len() < NODE_EVENTS {
            true => events.push_back(event),
            false => self.counts.add(Counter::EventsLost, 1),
        }
    }

    /// Takes everything from a peer that has left the directory.
    pub(super) fn forget(&self, peer: &Peer) {
        let state = peer.state.lock().take();
        let Some(mut state) = state else { return };
        if let Some(armed) = state.armed {
            self.timers.lock().remove(&(armed, peer.id));
        }
        let mut wakers = std::mem::take(&mut state.wakers);
        if let Some(stack) = state.existing_stack() {
            stack.abort_all(std::io::ErrorKind::ConnectionAborted, &mut wakers);
        }
        self.wakers.lock().append(&mut wakers);
    }

    /// An index that is nobody's, and a seed.
    pub(super) fn draw(&self, directory: &Directory) -> (u32, u64) {
        let mut chance = self.chance.lock();
        // Of 16 million: with 65,000 peers the first is free with a chance of 99.6 %.
        loop {
            let drawn = chance.next();
            let index = (drawn >> 40) as u32;
            if directory.is_free(index) {
                return (index, chance.next());
            }
        }
    }

    pub(super) fn stack_config(&self, seed: u64) -> StackConfig {
        StackConfig {
            addresses: self.config.addresses.clone(),
            mtu: self.config.mtu.into(),
            accept_port: self.config.accept_port,
            connections: self.config.connections,
            half_open: self.config.half_open,
            budget: self.budget.clone(),
            seed,
        }
    }
}
