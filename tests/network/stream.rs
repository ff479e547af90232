//! One end of a connection and what its program does with it: so many bytes are written, all that comes is read and compared, and an
//! answer is given to each request.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use adit::stack::{ConnectionId, Stack};

use super::chance::Chance;

/// What a program writes with one call at most, in bytes, and what it reads.
const PIECE_BYTES: usize = 64 << 10;
const READ_BYTES: usize = 8 << 10;
/// What is written repeats after this many bytes: a prime number, so that no ring or segment hides a slip.
const PERIOD_BYTES: usize = 65_521;

static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut chance = Chance::new(1);
    let period: Vec<u8> = (0..PERIOD_BYTES).map(|_| chance.number() as u8).collect();
    [&period[..], &period[..], &period[..READ_BYTES]].concat()
});

/// The bytes of every stream from this place on: at least [`PIECE_BYTES`] of them.
fn pattern(place: u64) -> &'static [u8] {
    &PATTERN[(place % PERIOD_BYTES as u64) as usize..]
}

/// A program that waits until it is woken.
#[derive(Debug, Default)]
struct Signal(AtomicBool);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a server does: after so many bytes of request, so many of answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    pub request_bytes: u64,
    pub answer_bytes: u64,
}

/// How an end behaves.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Bytes to be written in all, so far.
    pub write: u64,
    /// Bytes to be read in all, so far.
    pub read: u64,
    /// Whether our direction is ended after what is to be written.
    pub then_shut_down: bool,
    /// Adds to what is to be written.
    pub answers: Option<Exchange>,
}

impl Plan {
    /// Reads what comes, and writes nothing of its own accord.
    pub const SILENT: Plan = Plan { write: 0, read: u64::MAX, then_shut_down: false, answers: None };
    /// Writes for ever.
    pub const ENDLESS: Plan = Plan { write: u64::MAX, ..Plan::SILENT };
}

#[derive(Debug)]
pub struct Stream {
    pub id: ConnectionId,
    pub plan: Plan,
    pub written: u64,
    pub read: u64,
    /// When the other end's end was read.
    pub ended: Option<Instant>,
    pub failure: Option<ErrorKind>,
    /// When the last bytes were read, and the longest time without any.
    pub heard: Instant,
    pub silence: Duration,
    shut_down: bool,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Stream {
    pub fn new(now: Instant, id: ConnectionId, plan: Plan) -> Stream {
        let signal = Arc::new(Signal(AtomicBool::new(true)));
        Stream {
            id,
            plan,
            written: 0,
            read: 0,
            ended: None,
            failure: None,
            heard: now,
            silence: Duration::ZERO,
            shut_down: false,
            waker: signal.clone().into(),
            signal,
        }
    }

    /// Has it looked at, after a change of its plan.
    pub fn wake(&self) {
        self.waker.wake_by_ref();
    }

    pub fn is_awake(&self) -> bool {
        self.signal.0.load(Ordering::Relaxed)
    }

    /// Counts silence from now on.
    pub fn listen_from(&mut self, now: Instant) {
        (self.heard, self.silence) = (now, Duration::ZERO);
    }

    /// Does what can be done now.
    pub fn run(&mut self, now: Instant, stack: &mut Stack) {
        if !self.signal.0.swap(false, Ordering::Relaxed) {
            return;
        }
        self.read_all(now, stack);
        self.write_all(stack);
    }

    fn read_all(&mut self, now: Instant, stack: &mut Stack) {
        let mut buffer = [0; READ_BYTES];
        while self.ended.is_none() && self.failure.is_none() && self.read < self.plan.read {
            let length = (self.plan.read - self.read).min(READ_BYTES as u64) as usize;
            match stack.poll_read(self.id, &mut Context::from_waker(&self.waker), &mut buffer[..length]) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.ended = Some(now),
                Poll::Ready(Err(failure)) => self.failure = Some(failure.kind()),
                Poll::Ready(Ok(length)) => {
                    assert!(buffer[..length] == pattern(self.read)[..length], "other bytes after {}", self.read);
                    self.read += length as u64;
                    self.silence = self.silence.max(now - self.heard);
                    self.heard = now;
                    self.answer(length as u64);
                }
            }
        }
    }

    fn answer(&mut self, length: u64) {
        if let Some(exchange) = self.plan.answers {
            let requests = self.read / exchange.request_bytes - (self.read - length) / exchange.request_bytes;
            self.plan.write += requests * exchange.answer_bytes;
        }
    }

    fn write_all(&mut self, stack: &mut Stack) {
        while self.failure.is_none() && self.written < self.plan.write {
            let length = (self.plan.write - self.written).min(PIECE_BYTES as u64) as usize;
            let piece = &pattern(self.written)[..length];
            match stack.poll_write(self.id, &mut Context::from_waker(&self.waker), piece) {
                Poll::Pending => return,
                Poll::Ready(Err(failure)) => self.failure = Some(failure.kind()),
                Poll::Ready(Ok(length)) => self.written += length as u64,
            }
        }
        if self.plan.then_shut_down && !self.shut_down && self.failure.is_none() {
            self.shut_down = true;
            self.failure = stack.shutdown(self.id).err().map(|failure| failure.kind());
        }
    }
}
