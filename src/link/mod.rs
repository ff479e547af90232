//! A node on a real socket, for both ends: batches of datagrams in and out, the clock, the drive loop, and streams as
//! `AsyncRead + AsyncWrite`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::peer::PeerId;

/// A [`node::Stream`](crate::node::Stream) as tokio and hyper take it.
#[derive(Debug)]
pub struct Stream(crate::node::Stream);

impl Stream {
    /// The peer whose key decrypted every byte of it.
    pub fn peer(&self) -> PeerId {
        self.0.peer()
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
        let length = ready!(self.0.poll_read(context, buffer.initialize_unfilled()))?;
        buffer.advance(length);
        Poll::Ready(Ok(()))
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
