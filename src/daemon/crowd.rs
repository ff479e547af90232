//! The connections of one peer, served by one task: connections come in, and each is polled when it has been woken.
//!
//! A batch of datagrams wakes many connections of a peer. As tasks of their own they would be handed from thread to thread, and each would
//! have its answer sent by itself; like this the peer's task runs them one after the other, and what they answered leaves together. Two
//! peers still use two cores.

use std::collections::HashMap;
use std::future::{self, Future};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::peer::PeerId;

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All connections: a task for each peer that has some.
#[derive(Default)]
pub(super) struct Crowds {
    doors: HashMap<PeerId, mpsc::UnboundedSender<Connection>>,
    tasks: JoinSet<PeerId>,
}

impl Crowds {
    /// Serves a connection, in the task of its peer.
    pub(super) fn add(&mut self, peer: PeerId, connection: impl Future<Output = ()> + Send + 'static) {
        // Sound: after a panic a connection is not polled again, only dropped; the others know nothing of it.
        let connection = AssertUnwindSafe(connection).catch_unwind().map(|ended| {
            if ended.is_err() {
                tracing::error!("a connection's task panicked");
            }
        });
        let connection: Connection = Box::pin(connection);
        let refused = match self.doors.get(&peer) {
            Some(door) => door.send(connection).err().map(|refused| refused.0),
            None => Some(connection),
        };
        if let Some(first) = refused {
            // As many wait in it as the limits on connections allow.
            let (door, arriving) = mpsc::unbounded_channel();
            self.doors.insert(peer, door);
            self.tasks.spawn(async move {
                serve(first, arriving).await;
                peer
            });
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

/// Serves until no connection is left.
async fn serve(first: Connection, mut arriving: mpsc::UnboundedReceiver<Connection>) {
    // A set that has polled as many futures as it holds wakes its task once more, lest it starve others: with one busy connection that
    // would be every time, and another thread would be woken to take the task over. The one that never ends is never polled again.
    let never: Connection = Box::pin(future::pending());
    let mut connections = FuturesUnordered::from_iter([never, first]);
    loop {
        tokio::select! {
            Some(connection) = arriving.recv() => connections.push(connection),
            Some(()) = connections.next() => {}
        }
        if connections.len() == 1 {
            // Who has come meanwhile is let in; who comes later, with a task of its own.
            arriving.close();
            match arriving.recv().await {
                Some(connection) => connections.push(connection),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use tokio::sync::oneshot;

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

    #[test]
    fn a_crowd_of_one_is_polled_as_often_as_it_is_woken() {
        #[derive(Default)]
        struct Wakes(AtomicUsize);
        impl Wake for Wakes {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        let (requests, mut requested) = mpsc::channel::<()>(1);
        let (_door, arriving) = mpsc::unbounded_channel();
        let connection: Connection = Box::pin(async move { while requested.recv().await.is_some() {} });
        let mut crowd = pin!(serve(connection, arriving));
        assert!(crowd.as_mut().poll(&mut context).is_pending());
        let begun = wakes.0.load(Ordering::Relaxed);
        for round in 1..=100 {
            requests.try_send(()).unwrap();
            assert!(crowd.as_mut().poll(&mut context).is_pending());
            assert_eq!(wakes.0.load(Ordering::Relaxed), begun + round);
        }
        drop(requests);
        assert!(crowd.as_mut().poll(&mut context).is_ready());
    }

    #[tokio::test]
    async fn connections_that_keep_each_other_busy_let_others_run() {
        const ROUNDS: usize = 10_000;
        let mut crowds = Crowds::default();
        let count = Arc::new(AtomicUsize::new(0));
        // Of a library without tokio's budget, as the streams of connections are.
        let (to_one, mut one) = futures_channel::mpsc::unbounded();
        let (to_other, mut other) = futures_channel::mpsc::unbounded();
        to_one.unbounded_send(()).unwrap();
        let rounds = Arc::clone(&count);
        crowds.add(PHONE, async move {
            while rounds.fetch_add(1, Ordering::Relaxed) < ROUNDS && one.next().await.is_some() {
                let _ = to_other.unbounded_send(());
            }
        });
        crowds.add(PHONE, async move {
            while other.next().await.is_some() {
                let _ = to_one.unbounded_send(());
            }
        });
        while count.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(count.load(Ordering::Relaxed) < ROUNDS / 10, "this task had to wait for all of them");
        while crowds.ended().await.is_some() {}
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
