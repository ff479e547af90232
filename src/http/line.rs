//! A stream as hyper takes it, watched: bytes in and out, and besides, whether the line has moved, whether a header is on its way, and whether
//! the peer has hung up while it was being answered.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at a time. Requests are small; a larger piece would only have to be cleared each time.
const READ_BYTES: usize = 8 * 1024;

/// Header and body of an answer up to this size, in bytes, are put together and written at once, so that they leave in the same
/// segments; a larger body is written from where it lies.
const ONE_WRITE_BYTES: usize = 16 * 1024;

/// Where a connection stands between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing asked, nothing being answered.
    Idle,
    /// Part of a header is here. The number tells one header from the next.
    Header(u64),
    /// A request is being answered.
    Answering,
}

#[derive(Debug)]
struct State<S> {
    stream: S,
    /// Bytes read by the watcher and not yet by hyper; empty almost always.
    ahead: Vec<u8>,
    /// Whether the peer has ended its direction.
    ended: bool,
    /// Whether a byte has moved since the watcher last looked.
    moved: bool,
    phase: Phase,
    headers: u64,
}

impl<S: AsyncRead + Unpin> State<S> {
    fn poll_stream(&mut self, context: &mut Context<'_>, piece: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let length = buffer.filled().len();
        self.ended |= length == 0;
        self.moved |= length > 0;
        if length > 0 && self.phase == Phase::Idle {
            self.headers += 1;
            self.phase = Phase::Header(self.headers);
        }
        Poll::Ready(Ok(length))
    }
}

/// Both ends of the watch hold one: hyper reads and writes, the connection looks on. They are polled by one task, so the lock is free.
#[derive(Debug)]
pub(super) struct Line<S>(Arc<Mutex<State<S>>>);

impl<S> Clone for Line<S> {
    fn clone(&self) -> Self {
        Line(Arc::clone(&self.0))
    }
}

impl<S> Line<S> {
    pub(super) fn new(stream: S) -> Self {
        let state = State { stream, ahead: Vec::new(), ended: false, moved: false, phase: Phase::Idle, headers: 0 };
        Line(Arc::new(Mutex::new(state)))
    }

    pub(super) fn phase(&self) -> Phase {
        self.0.lock().phase
    }

    /// A whole header was read, or an answer's last byte was handed over.
    pub(super) fn set_phase(&self, phase: Phase) {
        self.0.lock().phase = phase;
    }

    /// Whether a byte has moved since the last call.
    pub(super) fn take_moved(&self) -> bool {
        std::mem::take(&mut self.0.lock().moved)
    }
}

impl<S: AsyncRead + Unpin> Line<S> {
    /// Resolves when the stream fails while a request is being answered. hyper doesn't look, because it lets a peer end its own direction
    /// and still get its answer.
    pub(super) fn poll_hangup(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.phase != Phase::Answering || state.ended || !state.ahead.is_empty() {
            return Poll::Pending;
        }
        let mut piece = [0; READ_BYTES];
        match ready!(state.poll_stream(context, &mut piece)) {
            Ok(length) => {
                state.ahead.extend_from_slice(&piece[..length]);
                Poll::Pending
            }
            Err(_) => Poll::Ready(()),
        }
    }
}

impl<S: AsyncRead + Unpin> hyper::rt::Read for Line<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if !state.ahead.is_empty() {
            let length = state.ahead.len().min(buffer.remaining());
            buffer.put_slice(&state.ahead[..length]);
            state.ahead.drain(..length);
            return Poll::Ready(Ok(()));
        }
        if state.ended {
            return Poll::Ready(Ok(()));
        }
        let mut piece = [0; READ_BYTES];
        let room = piece.len().min(buffer.remaining());
        let length = ready!(state.poll_stream(context, &mut piece[..room]))?;
        buffer.put_slice(&piece[..length]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Line<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        let length = ready!(Pin::new(&mut state.stream).poll_write(context, bytes))?;
        state.moved |= length > 0;
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        if total <= ONE_WRITE_BYTES {
            let mut whole = Vec::with_capacity(total);
            pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
            return self.poll_write(context, &whole);
        }
        let mut state = self.0.lock();
        let mut written = 0;
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let length = match Pin::new(&mut state.stream).poll_write(context, piece) {
                Poll::Ready(Ok(length)) => length,
                // What went wrong, or that it has to wait, the next write learns.
                _ if written > 0 => break,
                nothing => return nothing,
            };
            written += length;
            if length < piece.len() {
                break;
            }
        }
        state.moved |= written > 0;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_shutdown(context)
    }
}
