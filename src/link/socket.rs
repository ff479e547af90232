//! A UDP socket in tokio's hands, for system calls that somebody else knows how to make.
//!
//! On Unix it is watched for what can be read alone. A socket that is watched for room to write wakes its watcher whenever the kernel is done
//! with a datagram that was sent, and an answer would cost a second wake-up; room is waited for only when there was none.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use quinn_udp::UdpSockRef;
use tokio::io::Interest;
#[cfg(unix)]
use tokio::io::unix::AsyncFd;

#[cfg(unix)]
type Watched = AsyncFd<UdpSocket>;
#[cfg(not(unix))]
type Watched = tokio::net::UdpSocket;

/// A socket that does not block.
#[derive(Debug)]
pub(super) struct WatchedSocket(Watched);

#[cfg(unix)]
#[expect(
    deprecated,
    reason = "unsound only for types whose descriptor is not their own or changes; a UdpSocket owns its one"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<Watched> {
    AsyncFd::with_interest(socket, interest)
}

#[cfg(unix)]
impl WatchedSocket {
    /// Takes over a socket. To be called within a tokio runtime.
    pub(super) fn new(socket: UdpSocket) -> io::Result<WatchedSocket> {
        socket.set_nonblocking(true)?;
        watch(socket, Interest::READABLE).map(WatchedSocket)
    }

    /// Where it is bound.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    /// Waits until there may be something to read, then tries. Where `read` says `WouldBlock`, the next call waits for news.
    pub(super) async fn read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        let mut ready = self.0.readable().await?;
        let tried = ready.try_io(|socket| read(socket.get_ref().into()));
        tried.unwrap_or_else(|_| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Tries until there was room.
    pub(super) async fn write<T>(&self, mut write: impl FnMut(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        loop {
            match write(self.0.get_ref().into()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.room().await?,
                tried => return tried,
            }
        }
    }

    async fn room(&self) -> io::Result<()> {
        // A descriptor of its own: one is watched in one way.
        let other = watch(self.0.get_ref().try_clone()?, Interest::WRITABLE)?;
        other.writable().await?.retain_ready();
        Ok(())
    }
}

#[cfg(not(unix))]
impl WatchedSocket {
    /// Takes over a socket. To be called within a tokio runtime.
    pub(super) fn new(socket: UdpSocket) -> io::Result<WatchedSocket> {
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket).map(WatchedSocket)
    }

    /// Where it is bound.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits until there may be something to read, then tries. Where `read` says `WouldBlock`, the next call waits for news.
    pub(super) async fn read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.readable().await?;
        self.0.try_io(Interest::READABLE, || read((&self.0).into()))
    }

    /// Tries until there was room.
    pub(super) async fn write<T>(&self, mut write: impl FnMut(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.async_io(Interest::WRITABLE, || write((&self.0).into())).await
    }
}
