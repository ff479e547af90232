//! The owner's side of a shared tunnel: each connection on the private socket becomes a stream to the server, byte for byte.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bridge::meeting::{GREETING, Ownership};
use crate::bridge::tunnel::Tunnel;
use crate::limits::{BRIDGE_ATTACHED, BRIDGE_OPEN_MILLIS, RECEIVE_PAUSE_MILLIS};
use crate::link::clock;

/// Serves the other bridges of this key until it is dropped.
#[derive(Debug)]
pub(super) struct Shared {
    tasks: JoinSet<()>,
    /// Held to the very end: there are never two owners.
    _lock: File,
}

impl Shared {
    pub(super) fn start(ownership: Ownership, tunnel: Arc<Tunnel>) -> Shared {
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(ownership.listener, tunnel));
        Shared { tasks, _lock: ownership.lock }
    }

    /// Lets go of the other bridges: they find another owner.
    pub(super) fn end(&mut self) {
        self.tasks.abort_all();
    }
}

async fn serve(listener: UnixListener, tunnel: Arc<Tunnel>) {
    let places = Arc::new(Semaphore::new(BRIDGE_ATTACHED));
    let mut attached = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        while attached.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let tunnel = Arc::clone(&tunnel);
                attached.spawn(async move {
                    // Either end may leave in the middle; what it had to say is said.
                    let _ = splice(stream, &tunnel).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: some are given back soon.
            Err(error) => {
                tracing::debug!(%error, "accepting another bridge failed");
                tokio::time::sleep(Duration::from_millis(RECEIVE_PAUSE_MILLIS)).await;
            }
        }
    }
}

async fn splice(mut attached: UnixStream, tunnel: &Tunnel) -> std::io::Result<()> {
    match tunnel.open(clock::now() + Duration::from_millis(BRIDGE_OPEN_MILLIS)).await {
        Ok(mut stream) => {
            attached.write_all(format!("{GREETING}\n").as_bytes()).await?;
            copy_bidirectional(&mut attached, &mut stream).await.map(drop)
        }
        Err(reason) => attached.write_all(format!("{}\n", reason.to_string().replace('\n', " ")).as_bytes()).await,
    }
}
