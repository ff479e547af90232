//! What one system call brings: up to [`RECEIVE_BUFFERS`] buffers, each with one datagram or with several of one sender that the
//! kernel has put together (GRO).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};

use crate::limits::{RECEIVE_BUFFER_BYTES, RECEIVE_BUFFERS};
use crate::node::Path;

/// Buffers for one system call. Their memory becomes resident as it is used.
pub(super) struct Batch {
    bytes: Box<[u8]>,
    metas: [RecvMeta; RECEIVE_BUFFERS],
    filled: usize,
}

impl Batch {
    pub(super) fn new() -> Batch {
        let bytes = vec![0; RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES].into();
        Batch { bytes, metas: [RecvMeta::default(); RECEIVE_BUFFERS], filled: 0 }
    }

    /// Takes what the socket has, in place of what was here; answers how many datagrams there are.
    pub(super) fn fill(&mut self, state: &UdpSocketState, socket: UdpSockRef<'_>) -> io::Result<usize> {
        self.filled = 0;
        let mut buffers = self.bytes.chunks_exact_mut(RECEIVE_BUFFER_BYTES);
        let mut slices: [_; RECEIVE_BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        self.filled = state.recv(socket, &mut slices, &mut self.metas)?;
        Ok(self.metas[..self.filled].iter().map(|meta| meta.len.div_ceil(meta.stride.max(1))).sum())
    }

    /// Whether the kernel had no more than this. Known where one system call takes many datagrams: it leaves a buffer empty only when
    /// there is nothing left to fill it with.
    pub(super) fn is_all(&self) -> bool {
        cfg!(target_os = "linux") && self.filled < RECEIVE_BUFFERS.min(BATCH_SIZE)
    }

    /// The datagrams in order, each with its path.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (Path, &[u8])> {
        let buffers = self.bytes.chunks_exact(RECEIVE_BUFFER_BYTES);
        self.metas[..self.filled].iter().zip(buffers).flat_map(|(meta, buffer)| {
            let path = Path { remote: plain_socket(meta.addr), local: meta.dst_ip.map(plain) };
            buffer[..meta.len].chunks(meta.stride.max(1)).map(move |datagram| (path, datagram))
        })
    }
}

/// An IPv4 address that came through an IPv6 socket is an IPv4 address (RFC 4291 §2.5.5.2).
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The same for a socket's address; an IPv6 one keeps its zone.
fn plain_socket(address: SocketAddr) -> SocketAddr {
    match plain(address.ip()) {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_source_is_an_ipv4_address() {
        for (from_kernel, expected) in [
            ("[::ffff:192.0.2.1]:9", "192.0.2.1:9"),
            ("192.0.2.1:9", "192.0.2.1:9"),
            ("[2001:db8::1]:9", "[2001:db8::1]:9"),
            ("[fe80::1%3]:9", "[fe80::1%3]:9"),
        ] {
            assert_eq!(plain_socket(from_kernel.parse().unwrap()), expected.parse::<SocketAddr>().unwrap());
        }
    }

    #[test]
    fn a_buffer_of_several_datagrams_comes_apart_at_its_stride() {
        let mut batch = Batch::new();
        batch.bytes[..25].copy_from_slice(&[[1; 10].as_slice(), &[2; 10], &[3; 5]].concat());
        batch.bytes[RECEIVE_BUFFER_BYTES..][..3].fill(4);
        (batch.metas[0].len, batch.metas[0].stride) = (25, 10);
        (batch.metas[1].len, batch.metas[1].stride) = (3, 3);
        batch.filled = 2;
        let datagrams: Vec<_> = batch.datagrams().map(|(_, datagram)| (datagram[0], datagram.len())).collect();
        assert_eq!(datagrams, [(1, 10), (2, 10), (3, 5), (4, 3)]);
    }

    #[test]
    fn an_empty_datagram_is_none() {
        let mut batch = Batch::new();
        (batch.metas[0].len, batch.metas[0].stride, batch.filled) = (0, 0, 1);
        assert_eq!(batch.datagrams().count(), 0);
    }
}
