//! Where `--listen` listens: a loopback port or a private Unix socket in, connections of this machine's programs out.
//!
//! This file is the one exception to "no TCP listener" (`clippy.toml`): it belongs to the client's end, and takes nothing but
//! loopback addresses.
#![allow(clippy::disallowed_types)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::bridge::way::Duplex;

/// Where the bridge listens, in `--listen`'s words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A port of a loopback address; 0 lets the system choose.
    Tcp(LoopbackAddr),
    /// A Unix socket that only its owner may use.
    Unix(PathBuf),
}

/// A socket address that no other machine can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopbackAddr(SocketAddr);

/// Why a text is no place to listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// Other machines could reach it.
    #[error(
        "{0} is not a loopback address: the bridge serves programs of this machine alone (127.0.0.1:PORT or [::1]:PORT)"
    )]
    NotLoopback(SocketAddr),
    /// Neither form.
    #[error("expected 127.0.0.1:PORT, [::1]:PORT or unix:PATH")]
    Malformed,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.is_empty() || cfg!(not(unix)) {
                true => Err(ListenAddressError::Malformed),
                false => Ok(ListenAddress::Unix(path.into())),
            };
        }
        let address: SocketAddr = text.parse().map_err(|_| ListenAddressError::Malformed)?;
        match address.ip().is_loopback() {
            true => Ok(ListenAddress::Tcp(LoopbackAddr(address))),
            false => Err(ListenAddressError::NotLoopback(address)),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(LoopbackAddr(address)) => address.fmt(f),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A bound listener.
#[derive(Debug)]
pub(super) enum Port {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

impl Port {
    pub(super) async fn bind(address: &ListenAddress) -> io::Result<Port> {
        match address {
            ListenAddress::Tcp(LoopbackAddr(address)) => tokio::net::TcpListener::bind(address).await.map(Port::Tcp),
            #[cfg(unix)]
            ListenAddress::Unix(path) => bind_private(path).map(Port::Unix),
            #[cfg(not(unix))]
            ListenAddress::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// `HOST:PORT` as this port's own clients write it, as far as it has one.
    pub(super) fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Port::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            Port::Unix(_) => Ok(None),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Port::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Port::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Binds a socket of mode 0600 at a path where nothing is, or a socket that nobody serves any more.
#[cfg(unix)]
fn bind_private(path: &std::path::Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    // Bound under another name and moved: at no moment can others connect.
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let bound = std::os::unix::net::UnixListener::bind(&temporary).and_then(|listener| {
        std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o600))?;
        std::fs::hard_link(&temporary, path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let removed = std::fs::remove_file(&temporary);
    let listener = bound?;
    removed?;
    tokio::net::UnixListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_loopback_is_taken() {
        for good in ["127.0.0.1:8080", "127.9.9.9:0", "[::1]:8080", "unix:/run/a.sock"] {
            assert_eq!(good.parse::<ListenAddress>().unwrap().to_string(), good);
        }
        for bad in [
            "0.0.0.0:8080",
            "[::]:8080",
            "192.168.1.2:80",
            "[::ffff:127.0.0.1]:80",
            "8080",
            "localhost:8080",
            "unix:",
            "",
        ] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_unix_port_is_its_owners_alone_and_takes_no_place_that_is_taken() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.sock");
        let address = ListenAddress::Unix(path.clone());
        let port = Port::bind(&address).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Port::bind(&address).await.is_err());
        drop(port);
        Port::bind(&address).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "a file").unwrap();
        assert!(Port::bind(&address).await.is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
