//! The way to the server: byte streams to its port 80, through our own tunnel or through that of another bridge of the same key.
//! Only one of them may hold the tunnel, for two ends with one key would take it from each other at every handshake.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use crate::bridge::talk;
use crate::bridge::tunnel::{Tunnel, Unreachable};
use crate::config::wireguard::DeviceConfig;

#[cfg(unix)]
use crate::bridge::{meeting, share};

/// A stream to the server, whichever way it goes.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens streams to the server.
#[derive(Debug)]
pub(super) struct Way {
    config: Arc<DeviceConfig>,
    #[cfg(unix)]
    meeting: Option<meeting::Meeting>,
    owned: Mutex<Option<Owned>>,
}

/// What the owner of the tunnel has.
#[derive(Debug)]
struct Owned {
    tunnel: Arc<Tunnel>,
    /// Serves the other bridges, and holds the lock, as long as this value lives.
    #[cfg(unix)]
    shared: Option<share::Shared>,
}

impl Way {
    /// A way that nobody has gone yet.
    pub(super) fn new(config: DeviceConfig) -> Way {
        #[cfg(unix)]
        let meeting = meeting::Meeting::new(&config)
            .inspect_err(|error| {
                talk::say(&format!("no place to meet other bridges of this key ({error}): run only one"))
            })
            .ok();
        Way {
            config: Arc::new(config),
            #[cfg(unix)]
            meeting,
            owned: Mutex::default(),
        }
    }

    /// A way of a key that nobody else has: nobody is to be met on it.
    pub(super) fn alone(config: DeviceConfig) -> Way {
        Way {
            config: Arc::new(config),
            #[cfg(unix)]
            meeting: None,
            owned: Mutex::default(),
        }
    }

    /// Opens a stream to the server's port 80, until the deadline.
    pub(super) async fn open(&self, deadline: Instant) -> Result<Box<dyn Duplex>, Unreachable> {
        let opened = tokio::time::timeout_at(deadline.into(), self.open_somehow(deadline)).await;
        opened.unwrap_or_else(|_| Err(Unreachable::Silent { endpoint: self.config.endpoint.clone() }))
    }

    #[cfg(unix)]
    async fn open_somehow(&self, deadline: Instant) -> Result<Box<dyn Duplex>, Unreachable> {
        use crate::limits::BRIDGE_TAKEOVER_MILLIS;
        loop {
            if let Some(tunnel) = self.tunnel().await? {
                return Ok(Box::new(tunnel.open(deadline).await?));
            }
            let meeting = self.meeting.as_ref().expect("without a meeting point every bridge owns its tunnel");
            match meeting.attach().await {
                Ok(stream) => return Ok(Box::new(stream)),
                Err(meeting::AttachError::Told(reason)) => return Err(Unreachable::Told(reason)),
                // The owner is beginning or ending: in a moment there is its socket, or its lock is free.
                Err(meeting::AttachError::Nobody) => {
                    tokio::time::sleep(Duration::from_millis(BRIDGE_TAKEOVER_MILLIS)).await
                }
            }
        }
    }

    /// Our own tunnel, where we own it or can now.
    #[cfg(unix)]
    async fn tunnel(&self) -> Result<Option<Arc<Tunnel>>, Unreachable> {
        let mut owned = self.owned.lock().await;
        if let Some(owned) = &*owned {
            return Ok(Some(Arc::clone(&owned.tunnel)));
        }
        let local = |error: std::io::Error| Unreachable::Local { reason: error.to_string() };
        let ownership = match &self.meeting {
            Some(meeting) => match meeting.own().map_err(local)? {
                Some(ownership) => Some(ownership),
                None => return Ok(None),
            },
            None => None,
        };
        let tunnel = Arc::new(Tunnel::new(Arc::clone(&self.config), entropy()?)?);
        let shared = ownership.map(|ownership| share::Shared::start(ownership, Arc::clone(&tunnel)));
        *owned = Some(Owned { tunnel: Arc::clone(&tunnel), shared });
        Ok(Some(tunnel))
    }

    /// Where there are no private sockets, each bridge has a tunnel of its own.
    #[cfg(not(unix))]
    async fn open_somehow(&self, deadline: Instant) -> Result<Box<dyn Duplex>, Unreachable> {
        let tunnel = {
            let mut owned = self.owned.lock().await;
            match &*owned {
                Some(owned) => Arc::clone(&owned.tunnel),
                None => {
                    let tunnel = Arc::new(Tunnel::new(Arc::clone(&self.config), entropy()?)?);
                    *owned = Some(Owned { tunnel: Arc::clone(&tunnel) });
                    tunnel
                }
            }
        };
        Ok(Box::new(tunnel.open(deadline).await?))
    }

    /// Leaves: the server learns that our streams are over, and the next bridge of this key takes the tunnel over.
    pub(super) async fn close(&self) {
        let mut owned = self.owned.lock().await;
        if let Some(owned) = &mut *owned {
            #[cfg(unix)]
            owned.shared.iter_mut().for_each(share::Shared::end);
            owned.tunnel.close().await;
        }
        *owned = None;
    }
}

fn entropy() -> Result<[u8; 32], Unreachable> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Unreachable::Local { reason: format!("no random numbers: {error}") })?;
    Ok(bytes)
}
