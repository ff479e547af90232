//! A stream of the node as tokio and hyper take it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::peer::PeerId;

/// A [`node::Stream`](crate::node::Stream) as `AsyncRead + AsyncWrite`, without a buffer of its own.
#[derive(Debug)]
pub struct Stream(crate::node::Stream);

impl Stream {
    /// The peer whose key decrypted every byte of it.
    pub fn peer(&self) -> PeerId {
        self.0.peer()
    }

    /// Our own inner address and port on it.
    pub fn local(&self) -> SocketAddr {
        self.0.local()
    }

    /// The peer's inner address and port.
    pub fn remote(&self) -> SocketAddr {
        self.0.remote()
    }

    /// Waits until the connection stands: nothing is written, but a write has to wait for that.
    pub(super) async fn established(&mut self) -> io::Result<()> {
        poll_fn(|context| self.0.poll_write(context, &[])).await.map(drop)
    }
}

impl From<crate::node::Stream> for Stream {
    fn from(stream: crate::node::Stream) -> Self {
        Stream(stream)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_with(context, buffer.remaining(), |bytes| buffer.put_slice(bytes)).map_ok(drop)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(context, bytes)
    }

    /// Written bytes are on their way already: the rings are the only buffer.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(context)
    }
}
