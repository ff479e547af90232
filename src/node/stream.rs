//! One end of a TCP stream of one peer: bytes to and from the rings of its connection, without a buffer or a channel between.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::peer::{Peer, State};
use super::shared::Shared;
use crate::peer::PeerId;
use crate::stack::{ConnectionId, Stack};

/// One end of a TCP stream of one peer: reads and writes its rings directly. Dropping it without a shutdown resets the connection. When its
/// peer is removed, everything fails with `ConnectionAborted`.
pub struct Stream {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    id: ConnectionId,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Stream {
    pub(super) fn new(
        shared: Arc<Shared>,
        peer: Arc<Peer>,
        (id, local, remote): (ConnectionId, SocketAddr, SocketAddr),
    ) -> Stream {
        Stream { shared, peer, id, local, remote }
    }

    /// The peer whose key decrypted every byte of it.
    pub fn peer(&self) -> PeerId {
        self.peer.id
    }

    /// Our own inner address and port on it.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The peer's inner address and port.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Bytes received into `buffer`; `Ok(0)` at the end of the stream.
    pub fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.with(|stack| stack.poll_read(self.id, context, buffer)).unwrap_or_else(|error| Poll::Ready(Err(error)))
    }

    /// The same, handed over in one piece or two of `room` bytes at most, for buffers that are not initialised.
    pub fn poll_read_with(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        self.with(|stack| stack.poll_read_with(self.id, context, room, take))
            .unwrap_or_else(|error| Poll::Ready(Err(error)))
    }

    /// Takes as many bytes as the send ring has room for.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stack| stack.poll_write(self.id, context, bytes)).unwrap_or_else(|error| Poll::Ready(Err(error)))
    }

    /// Ends our direction: the other end reads to the end of what has been written. Does not wait for that.
    pub fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.with(|stack| stack.shutdown(self.id)).and_then(|result| result))
    }

    /// Lets the peer's stack do something, and whoever drives the node know of it.
    fn with<T>(&self, act: impl FnOnce(&mut Stack) -> T) -> io::Result<T> {
        let aborted = || io::Error::from(ErrorKind::ConnectionAborted);
        // A removed peer has no state, and whoever has a stream has a stack.
        let act = |state: &mut State| Some(act(state.existing_stack()?));
        let (result, news) = self.shared.with_state(&self.peer, act).ok_or_else(aborted)?;
        if news {
            self.shared.wake_driver();
        }
        result.ok_or_else(aborted)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Without a peer there is nothing left to release.
        let _ = self.with(|stack| stack.release(self.id));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("peer", &self.peer.id)
            .field("local", &self.local)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
