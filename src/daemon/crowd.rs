//! The connections of one peer, served by one task: connections come in, and each is polled when it has been woken.
//!
//! A batch of datagrams wakes many connections of a peer. As tasks of their own they would be handed from thread to thread, and each would
//! have its answer sent by itself; like this the peer's task runs them one after the other, and what they answered leaves together. Two
//! peers still use two cores.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::peer::PeerId;

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All connections: a task for each peer that has some.
#[derive(Default)]
pub(super) struct Crowds {
    doors: HashMap<PeerId, Arc<Door>>,
    tasks: JoinSet<PeerId>,
}

impl Crowds {
    /// Serves a connection, in the task of its peer.
    pub(super) fn add(&mut self, peer: PeerId, connection: impl Future<Output = ()> + Send + 'static) {
        let connection: Connection = Box::pin(connection);
        let (doors, tasks) = (&mut self.doors, &mut self.tasks);
        let mut begin = |connection| {
            let door = Arc::new(Door::new(connection));
            let crowd = Crowd::new(Arc::clone(&door));
            tasks.spawn(async move {
                crowd.serve().await;
                peer
            });
            door
        };
        match doors.entry(peer) {
            Entry::Vacant(place) => {
                place.insert(begin(connection));
            }
            Entry::Occupied(mut place) => {
                if let Some(connection) = place.get().enter(connection) {
                    place.insert(begin(connection));
                }
            }
        }
    }

    /// How many peers have connections.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until the last connection of some peer has ended; none where there is no peer.
    pub(super) async fn ended(&mut self) -> Option<()> {
        let ended = self.tasks.join_next().await?;
        if let Ok(peer) = ended
            && self.doors.get(&peer).is_some_and(|door| door.is_closed())
        {
            self.doors.remove(&peer);
        }
        Some(())
    }
}

/// What a peer's task and those who bring or wake connections have in common.
struct Door {
    /// Connections that the task has not seen yet; none once it has ended.
    arrived: Mutex<Option<Vec<Connection>>>,
    /// Places of connections that were woken.
    woken: Mutex<Vec<usize>>,
    task: AtomicWaker,
}

impl Door {
    fn new(first: Connection) -> Door {
        Door { arrived: Mutex::new(Some(vec![first])), woken: Mutex::default(), task: AtomicWaker::new() }
    }

    /// Lets a connection in; gives it back when the task has ended.
    fn enter(&self, connection: Connection) -> Option<Connection> {
        match &mut *self.arrived.lock() {
            Some(arrived) => arrived.push(connection),
            None => return Some(connection),
        }
        self.task.wake();
        None
    }

    fn is_closed(&self) -> bool {
        self.arrived.lock().is_none()
    }

    /// Closes unless somebody has come.
    fn close(&self) -> bool {
        let mut arrived = self.arrived.lock();
        if arrived.as_ref().is_some_and(Vec::is_empty) {
            *arrived = None;
        }
        arrived.is_none()
    }
}

/// Wakes the task for one connection.
struct Bell {
    door: Arc<Door>,
    place: usize,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.door.woken.lock().push(self.place);
            self.door.task.wake();
        }
    }
}

struct Member {
    connection: Connection,
    bell: Arc<Bell>,
    waker: Waker,
}

/// The task's own: the connections at their places.
struct Crowd {
    door: Arc<Door>,
    members: Vec<Option<Member>>,
    free: Vec<usize>,
    /// Memory for the places under work.
    turn: Vec<usize>,
}

impl Crowd {
    fn new(door: Arc<Door>) -> Crowd {
        Crowd { door, members: Vec::new(), free: Vec::new(), turn: Vec::new() }
    }

    /// Serves until no connection is left.
    async fn serve(mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        // Before looking: what is woken from here on wakes the task again.
        self.door.task.register(context.waker());
        self.admit();
        mem::swap(&mut self.turn, &mut *self.door.woken.lock());
        for at in 0..self.turn.len() {
            self.poll_member(self.turn[at]);
        }
        self.turn.clear();
        let is_empty = self.free.len() == self.members.len();
        if is_empty && self.door.close() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Gives places to those who have arrived, and a first turn.
    fn admit(&mut self) {
        let arrived = self.door.arrived.lock().as_mut().map(mem::take).unwrap_or_default();
        for connection in arrived {
            let place = self.free.pop().unwrap_or(self.members.len());
            let bell = Arc::new(Bell { door: Arc::clone(&self.door), place, rung: AtomicBool::new(false) });
            let member = Member { connection, waker: Waker::from(Arc::clone(&bell)), bell };
            member.waker.wake_by_ref();
            match self.members.get_mut(place) {
                Some(empty) => *empty = Some(member),
                None => self.members.push(Some(member)),
            }
        }
    }

    fn poll_member(&mut self, place: usize) {
        // A bell may ring after its connection's end, and then for whoever has the place now: that costs a turn without need.
        let Some(member) = self.members.get_mut(place).and_then(Option::as_mut) else { return };
        member.bell.rung.store(false, Ordering::Release);
        let mut context = Context::from_waker(&member.waker);
        let connection = member.connection.as_mut();
        // Sound: after a panic the connection is not polled again, only dropped; the others know nothing of it.
        let polled = catch_unwind(AssertUnwindSafe(|| connection.poll(&mut context)));
        if polled.is_err() {
            tracing::error!("a connection's task panicked");
        }
        if !matches!(polled, Ok(Poll::Pending)) {
            self.members[place] = None;
            self.free.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    const PHONE: PeerId = PeerId::new(1);

    #[tokio::test]
    async fn connections_run_until_they_end_and_then_the_peers_task_does() {
        let (mut crowds, (done, mut finished)) = (Crowds::default(), mpsc::unbounded_channel());
        let mut ends = Vec::new();
        for number in 0..5 {
            let (end, ended) = oneshot::channel::<()>();
            let done = done.clone();
            crowds.add(PHONE, async move {
                let _ = ended.await;
                let _ = done.send(number);
            });
            ends.push(Some(end));
        }
        crowds.add(PeerId::new(2), async {});
        assert_eq!(crowds.len(), 2, "a task for each peer");
        crowds.ended().await.unwrap();
        for number in [3, 0, 4, 1] {
            ends[number] = None;
            assert_eq!(finished.recv().await, Some(number));
        }
        drop(ends);
        assert_eq!(finished.recv().await, Some(2));
        crowds.ended().await.unwrap();
        assert!(crowds.ended().await.is_none() && crowds.doors.is_empty());
    }

    #[tokio::test]
    async fn a_peer_that_comes_back_is_served_again() {
        let mut crowds = Crowds::default();
        for _ in 0..3 {
            let (done, finished) = oneshot::channel();
            crowds.add(PHONE, async move {
                let _ = done.send(());
            });
            finished.await.unwrap();
            // The task may have ended by now, or not yet.
            tokio::task::yield_now().await;
        }
        while crowds.ended().await.is_some() {}
        assert!(crowds.doors.is_empty());
    }

    #[tokio::test]
    async fn a_connection_that_panics_takes_no_other_along() {
        let mut crowds = Crowds::default();
        let (end, ended) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        crowds.add(PHONE, async move {
            let _ = ended.await;
            let _ = done.send(());
        });
        crowds.add(PHONE, async { panic!("as tests do") });
        tokio::task::yield_now().await;
        end.send(()).unwrap();
        finished.await.unwrap();
        crowds.ended().await.unwrap();
        assert_eq!(crowds.len(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_is_lost_between_threads() {
        const ROUNDS: usize = 2000;
        let mut crowds = Crowds::default();
        let sum = Arc::new(AtomicUsize::new(0));
        let mut senders = Vec::new();
        for _ in 0..8 {
            let (sender, mut receiver) = mpsc::channel::<usize>(1);
            let sum = Arc::clone(&sum);
            crowds.add(PHONE, async move {
                while let Some(number) = receiver.recv().await {
                    sum.fetch_add(number, Ordering::Relaxed);
                }
            });
            senders.push(tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    sender.send(1).await.unwrap();
                }
            }));
        }
        let all = async { while crowds.ended().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("no connection sleeps for ever");
        assert_eq!(sum.load(Ordering::Relaxed), 8 * ROUNDS);
        for sender in senders {
            sender.await.unwrap();
        }
    }
}
