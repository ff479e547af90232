//! The one UDP socket: inherited from the service manager, or bound by us.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use listenfd::ListenFd;

use crate::link;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody else has the port.
    #[error("UDP port {0} is in use; is another adit or WireGuard running? Stop it, or change `listen` in adit.toml")]
    InUse(u16),
    /// Ports below 1024 are not for everybody.
    #[error("UDP port {0} needs a privilege; use a port above 1023, or the socket unit (see README, As a service)")]
    Privileged(u16),
    /// Anything else.
    #[error("UDP socket on {address}: {source}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// What was handed over is not one UDP socket.
    #[error("the service manager handed over something else than one UDP socket: {0}")]
    Inherited(io::Error),
}

/// The socket and whether it was handed over.
pub fn open(listen: SocketAddr) -> Result<(UdpSocket, bool), SocketError> {
    match ListenFd::from_env().take_udp_socket(0).map_err(SocketError::Inherited)? {
        Some(socket) => Ok((socket, true)),
        None => Ok((bind(listen)?, false)),
    }
}

fn bind(address: SocketAddr) -> Result<UdpSocket, SocketError> {
    link::bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => SocketError::InUse(address.port()),
        io::ErrorKind::PermissionDenied if address.port() < 1024 => SocketError::Privileged(address.port()),
        _ => SocketError::Io { address, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named() {
        let (first, _) = open("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        assert!(matches!(open(address), Err(SocketError::InUse(port)) if port == address.port()));
    }
}
