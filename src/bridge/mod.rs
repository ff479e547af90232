//! The client end: a device's configuration in; out comes MCP on stdio, or a loopback port, that reaches the server through a tunnel
//! inside this process. Several bridges of one key share one tunnel.
//!
//! ```text
//! stdin ─► lines ─► message ─► relay ─► pool ─► way ─┬► tunnel (we own it) ─► link ─► the server's port 80
//! stdout ◄─────── answer, events ◄──────┘            └► meeting (another owns it) ─► its share
//! ```
//!
//! Headers that promise a tool's arguments to proxies (`Mcp-Param-*`) are not made: adit's tools ask for none.

mod answer;
mod events;
mod file;
mod lines;
mod listen;
#[cfg(unix)]
mod meeting;
mod message;
mod pool;
mod port;
mod relay;
#[cfg(unix)]
mod share;
mod stdio;
mod talk;
mod trial;
mod tunnel;
mod way;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::HeaderValue;
use tokio::runtime::{Builder, Runtime};

use crate::config::wireguard::DeviceConfig;
use crate::limits::BRIDGE_THREADS;

pub use file::FileError;
pub use port::{ListenAddress, ListenAddressError, LoopbackAddr};
pub use trial::{try_alone, try_file};

/// What `adit bridge` was asked for.
#[derive(Debug, Clone)]
pub struct BridgeOptions {
    /// The device's configuration, as `adit peer add` wrote it.
    pub file: PathBuf,
    /// Where to listen instead of speaking MCP on stdio.
    pub listen: Option<ListenAddress>,
}

/// Why a bridge did not begin. A server that is not to be reached is no reason: each request is answered with it.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The configuration was not taken.
    #[error(transparent)]
    File(#[from] FileError),
    /// The port could not be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The port.
        address: ListenAddress,
        /// The system's reason.
        error: io::Error,
    },
    /// The system gave no threads or signals.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

/// Whether a bridge would take this configuration.
pub fn check(file: &Path) -> Result<(), FileError> {
    file::read(file).map(drop)
}

/// Runs a bridge until its agent leaves or the process is told to stop (SIGTERM, Ctrl-C).
pub fn run(options: BridgeOptions) -> Result<(), BridgeError> {
    let config = file::read(&options.file)?;
    let runtime: Runtime =
        Builder::new_multi_thread().worker_threads(BRIDGE_THREADS).enable_all().build().map_err(BridgeError::Start)?;
    let done = runtime.block_on(serve(config, options.listen));
    // A thread may be waiting in a read of stdin, and that cannot be called off.
    runtime.shutdown_background();
    done
}

async fn serve(config: DeviceConfig, listen: Option<ListenAddress>) -> Result<(), BridgeError> {
    let stop = stop_signal().map_err(BridgeError::Start)?;
    let address = file::server_address(&config).expect("a configuration without one is not read");
    let way = Arc::new(way::Way::new(config));
    let serving = async {
        match listen {
            None => {
                let pool = pool::Pool::new(Arc::clone(&way));
                stdio::serve(pool, host(address), tokio::io::stdin(), tokio::io::stdout()).await;
                Ok(())
            }
            Some(listen) => serve_port(listen, host(address), Arc::clone(&way)).await,
        }
    };
    let done = tokio::select! {
        done = serving => done,
        () = stop => Ok(()),
    };
    way.close().await;
    done
}

async fn serve_port(listen: ListenAddress, server: HeaderValue, way: Arc<way::Way>) -> Result<(), BridgeError> {
    let bound = port::Port::bind(&listen).await.and_then(|port| Ok((port.local_addr()?, port)));
    let ready = bound.and_then(|(address, port)| Ok((address, listen::Names::new(&port, server)?, port)));
    let (address, names, port) = ready.map_err(|error| BridgeError::Listen { address: listen.clone(), error })?;
    match address {
        Some(address) => talk::say(&format!("listening on http://{address}")),
        None => talk::say(&format!("listening on {listen}")),
    }
    talk::say(&format!(
        "warning: every program {} has this device's rights on the server",
        if address.is_some() { "of this machine" } else { "of this user" }
    ));
    listen::serve(port, names, way).await;
    Ok(())
}

/// The server's name in HTTP: its inner address.
fn host(address: IpAddr) -> HeaderValue {
    let text = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    HeaderValue::from_str(&text).expect("an address is a header's value")
}

/// Resolves when the process is told to stop.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves when the process is told to stop.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
