//! The one UDP socket: batches of datagrams out of the kernel with one system call, and runs of them into it. IPv4 and IPv6 share
//! the socket; on our side of it addresses are plain IPv4 or IPv6, however the kernel writes them.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::{OFFLOAD_SEGMENTS, SOCKET_BUFFER_BYTES};
use crate::link::batch::Batch;
use crate::link::socket::WatchedSocket;
use crate::node::{Outbox, Path, Run};

/// Binds a socket, for both families where the address is `[::]` (for IPv4 alone on a machine without IPv6).
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    match bind_one(address) {
        Ok(socket) => Ok(socket),
        Err(error) if address.ip() != Ipv6Addr::UNSPECIFIED || error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // The first error is the one to tell: the second attempt was nobody's wish.
        Err(error) => bind_one(SocketAddr::from(([0, 0, 0, 0], address.port()))).map_err(|_| error),
    }
}

fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A socket, with the kernel's offloads in use.
#[derive(Debug)]
pub(super) struct Udp {
    socket: WatchedSocket,
    state: UdpSocketState,
    is_ipv6: bool,
    /// Segments of fewer bytes than this leave in runs, others one by one; 0 where runs are not to be had.
    offload_below_bytes: AtomicUsize,
    pub(super) counters: UdpCounters,
}

/// What happened on the socket since the start.
#[derive(Debug, Default)]
pub(super) struct UdpCounters {
    /// Datagrams the kernel took.
    pub(super) sent: AtomicU64,
    /// Datagrams the kernel refused: no route, a firewall, full queues.
    pub(super) unsent: AtomicU64,
    /// Datagrams taken from the kernel.
    pub(super) received: AtomicU64,
    /// Errors in place of datagrams.
    pub(super) receive_errors: AtomicU64,
    /// Times the kernel's send buffer was full and a sender waited.
    pub(super) send_waits: AtomicU64,
}

impl Udp {
    /// Takes over a bound socket, ours or one that the service manager handed us. To be called within a tokio runtime.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Udp> {
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // As much as the system grants; where it refuses, what it gave by itself has to do.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        #[cfg(target_os = "linux")]
        {
            allow_fragments(&socket, is_ipv6)?;
            decline_unread(&socket, is_ipv6);
        }
        let offload_below_bytes = if state.max_gso_segments() > 1 { usize::MAX } else { 0 };
        Ok(Udp {
            socket: WatchedSocket::new(socket)?,
            state,
            is_ipv6,
            offload_below_bytes: offload_below_bytes.into(),
            counters: UdpCounters::default(),
        })
    }

    /// Where the socket is bound.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for datagrams and takes all that are there, as far as the batch has room.
    pub(super) async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        loop {
            let mut taken = 0;
            let fill = |socket: UdpSockRef<'_>| {
                taken = batch.fill(&self.state, socket)?;
                // After all that was there, the next call would only say so: the socket may wait for news at once.
                if batch.is_all() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            };
            let received = self.socket.read(fill).await;
            self.counters.received.fetch_add(taken as u64, Relaxed);
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken == 0 => continue,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => return Ok(()),
            }
        }
    }

    /// Gives all of an outbox to the kernel, waiting where its buffer is full. What it refuses is counted and gone: the
    /// network may lose datagrams anyway, and whoever needs them sends them again.
    pub(super) async fn send(&self, outbox: &mut Outbox) {
        for run in outbox.runs(OFFLOAD_SEGMENTS) {
            self.send_run(run).await;
        }
        outbox.clear();
    }

    async fn send_run(&self, run: Run<'_>) {
        let segments = run.segments();
        if segments > 1 && run.segment_bytes < self.offload_below_bytes.load(Relaxed) {
            let sent = self.transmit(run.path, Some(run.segment_bytes), run.bytes).await;
            let Some(below) = sent.as_ref().err().and_then(|error| offload_refused(error, run.segment_bytes)) else {
                return self.count(&sent, segments);
            };
            tracing::debug!(below, "segmentation offload refused");
            self.offload_below_bytes.fetch_min(below, Relaxed);
        }
        for datagram in run.bytes.chunks(run.segment_bytes) {
            let sent = self.transmit(run.path, None, datagram).await;
            self.count(&sent, 1);
        }
    }

    fn count(&self, sent: &io::Result<()>, datagrams: usize) {
        let counter = match sent {
            Ok(()) => &self.counters.sent,
            Err(error) => {
                tracing::debug!(%error, datagrams, "datagrams were not sent");
                &self.counters.unsent
            }
        };
        counter.fetch_add(datagrams as u64, Relaxed);
    }

    async fn transmit(&self, path: Path, segment_size: Option<usize>, contents: &[u8]) -> io::Result<()> {
        let destination = SocketAddr::new(self.to_kernel(path.remote.ip()), path.remote.port());
        // A link-local address means nothing without its zone.
        let destination = if path.remote.is_ipv6() { path.remote } else { destination };
        let src_ip = path.local.map(|local| self.to_kernel(local)).filter(|_| cfg!(target_os = "linux"));
        let mut transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
        match self.try_transmit(&transmit).await {
            Err(error) if transmit.src_ip.is_some() && is_source_gone(&error) => {
                transmit.src_ip = None;
                self.try_transmit(&transmit).await
            }
            sent => sent,
        }
    }

    async fn try_transmit(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let send = |socket: UdpSockRef<'_>| {
            let sent = self.state.try_send(socket, transmit);
            if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                self.counters.send_waits.fetch_add(1, Relaxed);
            }
            sent
        };
        self.socket.write(send).await
    }

    /// An address as this socket's family writes it.
    fn to_kernel(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) if self.is_ipv6 => v4.to_ipv6_mapped().into(),
            address => address,
        }
    }
}

/// Undoes quinn-udp's "don't fragment": QUIC looks for the path's MTU itself, whereas WireGuard's datagrams may be fragmented, so
/// that a path narrower than a peer's MTU slows it down instead of swallowing its full-size packets.
#[cfg(target_os = "linux")]
fn allow_fragments(socket: &UdpSocket, is_ipv6: bool) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::Ipv6DontFrag};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DONT)?;
    if is_ipv6 {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DONT)?;
        setsockopt(socket, Ipv6DontFrag, &false)?;
    }
    Ok(())
}

/// Undoes what quinn-udp asks the kernel to tell of each datagram and nobody here reads: its congestion bits and the time it came. Where the
/// kernel refuses, it tells them, which costs time alone.
#[cfg(target_os = "linux")]
fn decline_unread(socket: &UdpSocket, is_ipv6: bool) {
    use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
    use rustix::net::sockopt::{set_ip_recvtos, set_ipv6_recvtclass};
    let _ = setsockopt(socket, ReceiveTimestampns, &false);
    let _ = set_ip_recvtos(socket, false);
    if is_ipv6 {
        let _ = set_ipv6_recvtclass(socket, false);
    }
}

/// Where the error says that a run cannot be sent as one: the size of segments below which it is still worth trying. Some drivers
/// cannot segment at all (EIO); a segment that does not fit the interface is refused although a single datagram would be
/// fragmented (EMSGSIZE, EINVAL in older kernels).
fn offload_refused(error: &io::Error, segment_bytes: usize) -> Option<usize> {
    match error {
        error if quinn_udp::is_msg_size_err(error) || is_invalid(error) => Some(segment_bytes),
        #[cfg(unix)]
        error if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Some(0),
        _ => None,
    }
}

/// Our own address on the path may have been taken off its interface since.
fn is_source_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || is_invalid(error)
}

fn is_invalid(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}
