//! One TCP connection of a stack: the state machine, who uses it, and who waits for it.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::packet::Tuple;
use super::tcp::{Ending, Tcb};
use crate::limits::ORPHAN_DISCARD_BYTES;

/// Who uses a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// Nobody yet: the other end began it, and the handshake is not done.
    Awaited,
    /// A stream.
    Stream,
    /// Nobody any more. What is in the ring goes out until then (from the next look at the clock on).
    Gone { until: Option<Instant> },
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Lives,
    /// It has just been established.
    Opened,
    /// Its 4-tuple is free again, its stream may still read what came.
    Ended,
}

pub(super) struct Connection {
    pub(super) tuple: Tuple,
    pub(super) user: User,
    /// Whether it waits for its turn to send.
    pub(super) queued: bool,
    /// Segments sent in this turn.
    pub(super) turn: usize,
    /// When its timer is set for.
    pub(super) armed: Option<Instant>,
    /// Whether its 4-tuple is free again.
    pub(super) ended: bool,
    pub(super) tcb: Tcb,
    opened: bool,
    shut_down: bool,
    failure: Option<ErrorKind>,
    discarded: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Connection {
    pub(super) fn new(tuple: Tuple, user: User, tcb: Tcb) -> Connection {
        Connection {
            tuple,
            user,
            queued: false,
            turn: 0,
            armed: None,
            ended: false,
            tcb,
            opened: false,
            shut_down: false,
            failure: None,
            discarded: 0,
            reader: None,
            writer: None,
        }
    }

    /// Hands over up to `room` bytes received.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.tcb.readable() > 0 {
            return Poll::Ready(Ok(self.tcb.read(room, take)));
        }
        if self.tcb.is_received() {
            return Poll::Ready(Ok(0));
        }
        if let Some(failure) = self.failure {
            return Poll::Ready(Err(failure.into()));
        }
        register(&mut self.reader, context);
        Poll::Pending
    }

    /// As many of `bytes` as there is room for.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(failure) = self.failure {
            return Poll::Ready(Err(failure.into()));
        }
        if self.shut_down || self.ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        // Writing nothing waits for the connection, and for nothing else.
        if self.opened && bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = self.tcb.write(bytes);
        if written > 0 {
            return Poll::Ready(Ok(written));
        }
        register(&mut self.writer, context);
        Poll::Pending
    }

    /// Ends our direction after what was written.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        match self.failure {
            Some(failure) => Err(failure.into()),
            None => {
                self.shut_down = true;
                self.tcb.close();
                Ok(())
            }
        }
    }

    /// Whether our direction has been ended.
    pub(super) fn is_shut_down(&self) -> bool {
        self.shut_down
    }

    /// Fails everything its stream does from now on.
    pub(super) fn fail(&mut self, failure: ErrorKind, wakers: &mut Vec<Waker>) {
        self.failure.get_or_insert(failure);
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }

    /// Draws the conclusions after the state machine has moved: who is to be woken, and whether it is over.
    pub(super) fn settle(&mut self, wakers: &mut Vec<Waker>) -> Fate {
        let mut fate = Fate::Lives;
        if self.tcb.is_open() && !self.opened {
            self.opened = true;
            fate = Fate::Opened;
        }
        if let Some(ending) = self.tcb.ending() {
            let is_in_good_order = self.tcb.is_received() && self.tcb.is_delivered();
            if ending != Ending::Finished && !is_in_good_order {
                self.failure.get_or_insert(match ending {
                    Ending::Reset if !self.opened => ErrorKind::ConnectionRefused,
                    Ending::Reset => ErrorKind::ConnectionReset,
                    Ending::TimedOut => ErrorKind::TimedOut,
                    Ending::Aborted | Ending::Finished => ErrorKind::ConnectionAborted,
                });
            }
            self.ended = true;
            fate = Fate::Ended;
        }
        if matches!(self.user, User::Gone { .. }) {
            self.discard();
        }
        self.wake(wakers);
        fate
    }

    /// Reads on for nobody, so that an answer sent early is not lost in a reset; but not for ever.
    fn discard(&mut self) {
        self.discarded += self.tcb.discard();
        if self.discarded > ORPHAN_DISCARD_BYTES {
            self.tcb.abort();
        }
    }

    fn wake(&mut self, wakers: &mut Vec<Waker>) {
        let over = self.failure.is_some() || self.ended;
        if self.reader.is_some() && (over || self.tcb.is_received() || self.tcb.readable() > 0) {
            wakers.extend(self.reader.take());
        }
        if self.writer.is_some() && (over || self.tcb.has_ample_room()) {
            wakers.extend(self.writer.take());
        }
    }
}

fn register(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}
