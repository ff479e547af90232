//! A clock that stands still until a test moves it. Whoever sleeps on it is woken in the order of the alarms.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// How often other tasks get their turn before a test takes them to be waiting.
const TURNS: usize = 100;

/// The clock.
#[derive(Clone)]
pub struct Clock(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    alarms: Vec<(Timestamp, Waker)>,
}

impl Clock {
    pub fn new() -> Clock {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        Clock(Arc::new(Mutex::new(State { now, alarms: Vec::new() })))
    }

    pub fn now(&self) -> Timestamp {
        self.0.lock().now
    }

    /// Sets the clock without waking anyone, as an owner might.
    pub fn set_by(&self, by: SignedDuration) {
        self.0.lock().now += by;
    }

    pub fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.clone();
        let at = self.now() + duration;
        Box::pin(std::future::poll_fn(move |context| clock.poll(context, at)))
    }

    fn poll(&self, context: &mut Context<'_>, at: Timestamp) -> Poll<()> {
        let mut state = self.0.lock();
        if state.now >= at {
            return Poll::Ready(());
        }
        state.alarms.push((at, context.waker().clone()));
        Poll::Pending
    }

    /// Lets all tasks run until they wait.
    pub async fn settle(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    /// Moves the clock, stopping at every alarm on the way.
    pub async fn advance(&self, duration: Duration) {
        self.settle().await;
        let end = self.now() + duration;
        while self.ring(end) {
            self.settle().await;
        }
        self.0.lock().now = end;
        self.settle().await;
    }

    /// Moves the clock from alarm to alarm until the future is ready.
    pub async fn until<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            for _ in 0..TURNS {
                tokio::select! {
                    biased;
                    value = &mut future => return value,
                    () = tokio::task::yield_now() => {}
                }
            }
            assert!(self.ring(Timestamp::MAX), "nothing will ever happen");
        }
    }

    /// Moves the clock to the next alarm up to `end` and rings it; false when there is none.
    fn ring(&self, end: Timestamp) -> bool {
        let mut state = self.0.lock();
        let Some(next) = state.alarms.iter().map(|(at, _)| *at).min().filter(|at| *at <= end) else { return false };
        state.now = state.now.max(next);
        let (due, later) = std::mem::take(&mut state.alarms).into_iter().partition(|(at, _)| *at <= next);
        state.alarms = later;
        drop(state);
        let due: Vec<(Timestamp, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
        true
    }
}
