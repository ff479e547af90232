//! One TCP connection: a smoltcp socket in a set of its own, who uses it, and who waits for it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::Duration;

use super::budget::Reservation;
use super::packet::Tuple;
use crate::limits::{CONNECTION_TIMEOUT_SECS, HALF_OPEN_SECS, KEEP_ALIVE_SECS, ORPHAN_DISCARD_BYTES};

/// Sizes of the two rings, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rings {
    pub(super) receive: usize,
    pub(super) send: usize,
}

impl Rings {
    pub(super) fn bytes(&self) -> usize {
        self.receive + self.send
    }
}

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

/// What made a connection's state change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A segment came.
    Segment,
    /// Time passed.
    Time,
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
    pub(super) sockets: SocketSet<'static>,
    handle: SocketHandle,
    opened: bool,
    /// The other end has sent its FIN.
    finished: bool,
    failure: Option<ErrorKind>,
    /// What was received and not read when the connection came to its end in good order: smoltcp would forget it.
    unread: VecDeque<u8>,
    discarded: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
    _reservation: Reservation,
}

impl Connection {
    /// A connection whose SYN has come, or is to be sent: the caller has the socket listen or connect.
    pub(super) fn new(tuple: Tuple, user: User, rings: Rings, reservation: Reservation) -> Connection {
        let receive = SocketBuffer::new(vec![0; rings.receive]);
        let mut socket = Socket::new(receive, SocketBuffer::new(vec![0; rings.send]));
        socket.set_congestion_control(CongestionControl::Cubic);
        // Whoever writes writes whole answers; their tails must not wait for a delayed acknowledgement.
        socket.set_nagle_enabled(false);
        socket.set_timeout(Some(Duration::from_secs(HALF_OPEN_SECS)));
        socket.set_keep_alive(Some(Duration::from_secs(KEEP_ALIVE_SECS)));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Connection {
            tuple,
            user,
            queued: false,
            turn: 0,
            armed: None,
            ended: false,
            sockets,
            handle,
            opened: false,
            finished: false,
            failure: None,
            unread: VecDeque::new(),
            discarded: 0,
            reader: None,
            writer: None,
            _reservation: reservation,
        }
    }

    pub(super) fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    pub(super) fn state(&self) -> State {
        self.sockets.get::<Socket>(self.handle).state()
    }

    /// Bytes received into `buffer`.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.opened && self.socket().can_recv() {
            // Reads across the ring's wrap.
            return Poll::Ready(self.socket().recv_slice(buffer).map_err(|_| ErrorKind::NotConnected.into()));
        }
        if self.finished {
            // `VecDeque` reads without fail, and nothing when it is empty: the end of the stream.
            return Poll::Ready(self.unread.read(buffer));
        }
        if let Some(failure) = self.failure {
            return Poll::Ready(Err(failure.into()));
        }
        register(&mut self.reader, context);
        Poll::Pending
    }

    /// As many of `bytes` as the send ring has room for.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(failure) = self.failure {
            return Poll::Ready(Err(failure.into()));
        }
        if self.opened && !self.socket().may_send() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        // Writing nothing waits for the connection, and for nothing else.
        if self.opened && bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.opened && self.socket().can_send() {
            return Poll::Ready(self.socket().send_slice(bytes).map_err(|_| ErrorKind::BrokenPipe.into()));
        }
        register(&mut self.writer, context);
        Poll::Pending
    }

    /// Ends our direction after what is in the ring.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        match self.failure {
            Some(failure) => Err(failure.into()),
            None => {
                self.socket().close();
                Ok(())
            }
        }
    }

    /// Whether our direction has been ended.
    pub(super) fn is_shut_down(&self) -> bool {
        !matches!(self.state(), State::SynSent | State::SynReceived | State::Established | State::CloseWait)
    }

    /// Fails everything its stream does from now on.
    pub(super) fn fail(&mut self, failure: ErrorKind, wakers: &mut Vec<Waker>) {
        self.failure.get_or_insert(failure);
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }

    /// Draws the conclusions after smoltcp has changed the socket: who is to be woken, and whether it is over.
    pub(super) fn settle(&mut self, cause: Cause, wakers: &mut Vec<Waker>) -> Fate {
        let state = self.state();
        let mut fate = Fate::Lives;
        match state {
            State::Listen | State::SynSent | State::SynReceived | State::Closed => {}
            _ if !self.opened => {
                self.opened = true;
                fate = Fate::Opened;
                self.socket().set_timeout(Some(Duration::from_secs(CONNECTION_TIMEOUT_SECS)));
            }
            _ => {}
        }
        if state == State::TimeWait && self.user == User::Stream {
            self.keep_unread();
        }
        self.finished |= matches!(state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        // A reset in the middle of a handshake puts smoltcp's socket back to listening.
        let reset = state == State::Listen;
        if reset || (state == State::Closed && self.socket().remote_endpoint().is_none()) {
            if !self.is_in_good_order() {
                self.failure.get_or_insert(match (cause, self.opened) {
                    (Cause::Segment, true) => ErrorKind::ConnectionReset,
                    (Cause::Segment, false) => ErrorKind::ConnectionRefused,
                    (Cause::Time, _) => ErrorKind::TimedOut,
                });
            }
            self.ended = true;
            fate = Fate::Ended;
        }
        if matches!(self.user, User::Gone { .. }) && self.opened {
            self.discard();
        }
        self.wake(wakers);
        fate
    }

    /// Whether a closed connection has delivered all that was to be delivered, both ways.
    fn is_in_good_order(&mut self) -> bool {
        self.finished && self.socket().send_queue() == 0
    }

    /// Takes what is in the receive ring out of smoltcp's reach: at most the ring's size, once in the life of a connection.
    fn keep_unread(&mut self) {
        let mut unread = std::mem::take(&mut self.unread);
        while self.socket().can_recv() {
            let Ok(()) = self.socket().recv(|bytes| (bytes.len(), unread.extend(&*bytes))) else { break };
        }
        self.unread = unread;
    }

    /// Reads on for nobody, so that an answer sent early is not lost in a reset; but not for ever.
    fn discard(&mut self) {
        let discarded = self.socket().recv(|bytes| (bytes.len(), bytes.len())).unwrap_or(0);
        self.discarded += discarded;
        if self.discarded > ORPHAN_DISCARD_BYTES {
            self.socket().abort();
        }
    }

    fn wake(&mut self, wakers: &mut Vec<Waker>) {
        let over = self.failure.is_some() || self.ended;
        if self.reader.is_some() && (over || self.finished || (self.opened && self.socket().can_recv())) {
            wakers.extend(self.reader.take());
        }
        if self.writer.is_some() && (over || (self.opened && (self.socket().can_send() || !self.socket().may_send()))) {
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
