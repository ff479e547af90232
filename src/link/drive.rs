//! What keeps a node going: datagrams, the activity of streams, time. One task takes datagrams in and sends what they lead to, one serves the
//! handshakes among them, one minds the clock, and a few let ready peers send, so that two peers use two cores. Where nothing happens, nothing
//! runs; where one peer is busy, one thread does: to hand its state from core to core costs more than it gains.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::limits::{
    HANDSHAKES_PAUSE_MILLIS, HANDSHAKES_TURN_MICROS, RECEIVE_ERRORS_IN_A_ROW, RECEIVE_PAUSE_MILLIS, RECEIVER_TURNS,
};
use crate::link::batch::Batch;
use crate::link::clock;
use crate::link::handshakes::Handshakes;
use crate::link::udp::Udp;
use crate::link::wakeups::WakeupCounters;
use crate::node::{Event, Node, Outbox, Path, is_handshake};

/// What the tasks of one link have in common.
#[derive(Debug)]
pub(super) struct Drive {
    pub(super) node: Arc<Node>,
    pub(super) udp: Udp,
    pub(super) wakeups: WakeupCounters,
    pub(super) handshakes: Handshakes,
    senders: Arc<Senders>,
    alarm: Alarm,
    /// True once a task has ended: a link that lost one is of no more use.
    pub(super) ended: watch::Sender<bool>,
}

impl Drive {
    pub(super) fn new(node: Arc<Node>, udp: Udp) -> Arc<Drive> {
        let senders = Arc::new(Senders::default());
        node.set_activity_waker(&Waker::from(Arc::clone(&senders)));
        let alarm = Alarm { epoch: clock::now(), set_to: AtomicU64::new(NEVER), earlier: Notify::new() };
        Arc::new(Drive {
            node,
            udp,
            wakeups: WakeupCounters::default(),
            handshakes: Handshakes::default(),
            senders,
            alarm,
            ended: watch::Sender::new(false),
        })
    }

    /// Starts the tasks that end only by force: one that receives, one for handshakes, and one for the clock.
    pub(super) fn spawn(self: &Arc<Drive>, events: &mpsc::Sender<Event>, runtime: &Handle) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (drive, to) = (Arc::clone(self), events.clone());
        tasks.spawn_on(async move { drive.until_it_ends(drive.receive(to)).await }, runtime);
        let (drive, to) = (Arc::clone(self), events.clone());
        tasks.spawn_on(async move { drive.until_it_ends(drive.serve_handshakes(to)).await }, runtime);
        let (drive, to) = (Arc::clone(self), events.clone());
        tasks.spawn_on(async move { drive.until_it_ends(drive.keep_time(to)).await }, runtime);
        tasks
    }

    /// Starts this many tasks that send; told to stop, they end when nothing is left to be sent.
    pub(super) fn spawn_senders(
        self: &Arc<Drive>,
        count: usize,
        stopping: &watch::Sender<bool>,
        runtime: &Handle,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (drive, stopping) = (Arc::clone(self), stopping.subscribe());
            tasks.spawn_on(async move { drive.until_it_ends(drive.transmit(stopping)).await }, runtime);
        }
        tasks
    }

    /// Runs a task and tells when it is over, even where that is a panic.
    async fn until_it_ends(&self, task: impl Future<Output = ()>) {
        let _ended = Ended(&self.ended);
        task.await;
    }

    async fn receive(&self, events: mpsc::Sender<Event>) {
        let mut batch = Batch::new();
        let mut outbox = Outbox::new();
        let mut errors_in_a_row = 0;
        loop {
            match self.udp.receive(&mut batch).await {
                Ok(()) => errors_in_a_row = 0,
                Err(error) => {
                    errors_in_a_row += 1;
                    self.endure(&error, errors_in_a_row).await;
                    continue;
                }
            }
            self.wakeups.datagrams.fetch_add(1, Relaxed);
            let now = clock::now();
            // Handshakes wait for a task of their own.
            let is_data = |(path, datagram): &(Path, &[u8])| {
                let waits = is_handshake(datagram);
                if waits {
                    self.handshakes.add(*path, datagram);
                }
                !waits
            };
            let mut datagrams = batch.datagrams().filter(is_data).peekable();
            while datagrams.peek().is_some() {
                if outbox.room() == 0 {
                    self.udp.send(&mut outbox).await;
                }
                self.node.handle_datagrams(now, &mut datagrams, &mut outbox);
            }
            self.handshakes.announce();
            self.send_ready(&mut outbox, RECEIVER_TURNS).await;
            self.udp.send(&mut outbox).await;
            self.settle(&events);
            self.share_work();
        }
    }

    /// Lets ready peers send, one after the other and so many times at most. With the datagrams of the last one, what was in the outbox leaves.
    async fn send_ready(&self, outbox: &mut Outbox, turns: usize) {
        for _ in 0..turns {
            if !self.node.poll_transmit(clock::now(), outbox) {
                break;
            }
            self.share_work();
            self.udp.send(outbox).await;
            self.node.flush_wakers();
        }
    }

    /// Serves handshakes for a turn at a time: what they cost must not be taken from those in session.
    async fn serve_handshakes(&self, events: mpsc::Sender<Event>) {
        let mut outbox = Outbox::new();
        let turn = Duration::from_micros(HANDSHAKES_TURN_MICROS);
        loop {
            self.handshakes.announced().await;
            let mut begun = clock::now();
            while let Some(message) = self.handshakes.take() {
                let now = clock::now();
                self.node.handle_datagram(now, message.path, message.bytes(), &mut outbox);
                self.udp.send(&mut outbox).await;
                if now.saturating_duration_since(begun) >= turn {
                    self.settle(&events);
                    self.share_work();
                    self.give_way(now).await;
                    begun = clock::now();
                }
            }
            self.settle(&events);
            self.share_work();
        }
    }

    /// Between two turns of handshakes: a moment for what is ready, and under load for everything else on the machine.
    async fn give_way(&self, now: Instant) {
        match self.node.is_loaded(now) {
            true => tokio::time::sleep(Duration::from_millis(HANDSHAKES_PAUSE_MILLIS)).await,
            false => tokio::task::yield_now().await,
        }
    }

    /// An error in place of a datagram is an answer to something sent (ICMP), or a moment without memory: no reason to stop. Should it
    /// stay, it is asked for again at a walking pace.
    async fn endure(&self, error: &std::io::Error, in_a_row: u32) {
        self.udp.counters.receive_errors.fetch_add(1, Relaxed);
        tracing::debug!(%error, "receiving failed");
        if in_a_row >= RECEIVE_ERRORS_IN_A_ROW {
            tokio::time::sleep(Duration::from_millis(RECEIVE_PAUSE_MILLIS)).await;
        }
    }

    /// Hands out what a batch has brought: events to whoever accepts, wakers to streams, a new time to the clock.
    fn settle(&self, events: &mpsc::Sender<Event>) {
        while let Ok(place) = events.try_reserve() {
            match self.node.poll_event() {
                Some(event) => place.send(event),
                None => break,
            }
        }
        self.node.flush_wakers();
        self.alarm.set_earlier(self.node.poll_timeout().map(|(at, _)| at));
    }

    /// Wakes a sender for a peer that waits its turn; that one does the same, so that as many work as there are peers to serve.
    fn share_work(&self) {
        if self.node.is_ready() {
            self.senders.wanted.notify_one();
        }
    }

    async fn transmit(&self, mut stopping: watch::Receiver<bool>) {
        let mut outbox = Outbox::new();
        loop {
            self.send_ready(&mut outbox, usize::MAX).await;
            self.node.flush_wakers();
            self.alarm.set_earlier(self.node.poll_timeout().map(|(at, _)| at));
            if *stopping.borrow_and_update() {
                return;
            }
            tokio::select! {
                () = self.senders.wanted.notified() => {}
                _ = stopping.changed() => {}
            }
            self.wakeups.activity.fetch_add(1, Relaxed);
        }
    }

    async fn keep_time(&self, events: mpsc::Sender<Event>) {
        loop {
            self.alarm.clear();
            let next = self.node.poll_timeout();
            self.alarm.set(next.map(|(at, _)| at));
            let Some((at, reason)) = next else {
                self.alarm.earlier.notified().await;
                continue;
            };
            tokio::select! {
                () = self.alarm.earlier.notified() => {}
                () = tokio::time::sleep_until(at.into()) => {
                    self.wakeups.count(reason);
                    self.node.handle_timeout(clock::now());
                    self.settle(&events);
                    self.share_work();
                }
            }
        }
    }
}

/// Tells by its drop that a task is over.
struct Ended<'a>(&'a watch::Sender<bool>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// The tasks that send, as streams wake them. Where all are at work, the next one to finish looks again.
#[derive(Debug, Default)]
struct Senders {
    wanted: Notify,
}

impl Wake for Senders {
    fn wake(self: Arc<Self>) {
        self.wanted.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wanted.notify_one();
    }
}

/// No time, in nanoseconds since a link's epoch.
const NEVER: u64 = u64::MAX;

/// The time the clock's task sleeps to, for all who may want it earlier.
///
/// The task clears it before it asks the node and sets it afterwards; the others change the node first and compare afterwards. So
/// whichever way they cross, either the task has seen the change or they see `NEVER` or a time that is too late.
#[derive(Debug)]
struct Alarm {
    epoch: Instant,
    set_to: AtomicU64,
    earlier: Notify,
}

impl Alarm {
    fn clear(&self) {
        self.set_to.store(NEVER, SeqCst);
    }

    fn set(&self, at: Option<Instant>) {
        self.set_to.store(self.nanos(at), SeqCst);
    }

    fn set_earlier(&self, at: Option<Instant>) {
        if self.nanos(at) < self.set_to.load(SeqCst) {
            self.earlier.notify_one();
        }
    }

    fn nanos(&self, at: Option<Instant>) -> u64 {
        at.map_or(NEVER, |at| at.saturating_duration_since(self.epoch).as_nanos().try_into().unwrap_or(NEVER))
    }
}
