//! adit's HTTP service on the kernel's TCP: the peer that `benches/figures.py` measures the tunnel against. Not a product: it gives whoever
//! connects the rights of an owner's device.
//!
//!     kernel_tcp CONFIG ADDRESS:PORT
//!
//! The index must be there (a daemon of the same configuration has made it); it is only read.

use std::env;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use adit::access::audit::Record;
use adit::access::{Action, Grant, Policy};
use adit::config::{Config, TunnelNetwork};
use adit::http::{self, Appliance, Health, Metric, Shell, Traffic};
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig};
use arc_swap::ArcSwap;
use jiff::Timestamp;

struct Kernel;

impl Shell for Kernel {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("entropy");
    }

    fn blocking(&self, _: PeerId, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn health(&self) -> Health {
        Health { indexer: true, watcher: true, pending: 0 }
    }

    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    fn admits(&self) -> bool {
        true
    }

    fn record(&self, _: Record) {}
}

#[tokio::main]
#[allow(clippy::disallowed_types, reason = "the kernel's TCP is what is measured here")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [config, address] = arguments.as_slice() else { return Err("usage: kernel_tcp CONFIG ADDRESS:PORT".into()) };
    let mut config = Config::load(Path::new(config))?;
    let bound: SocketAddr = address.parse()?;
    // The guard knows the appliance by its tunnel address: here that is where we listen.
    config.server.tunnel = vec![TunnelNetwork { address: bound.ip(), prefix: 24 }];
    let collection = |it: &adit::config::CollectionConfig| Collection { name: it.name.clone(), root: it.path.clone() };
    let library = Library::open(LibraryConfig {
        index_dir: config.server.state_dir.join("index"),
        collections: config.collections.iter().map(collection).collect(),
        memory: usize::try_from(config.index.memory)?,
        threads: config.index.threads,
    })?;
    let everybody = PeerId::new(0);
    let grant = Grant::new(["*"], [Action::Search, Action::Read, Action::Browse, Action::Health])?;
    let appliance = Arc::new(Appliance {
        library: Arc::new(library),
        policy: ArcSwap::from_pointee(Policy::new(0, [(everybody, grant)])),
        config: ArcSwap::from_pointee(config),
        cursor_key: [0; 32],
        shell: Arc::new(Kernel),
        traffic: Traffic::default(),
    });
    let listener = tokio::net::TcpListener::bind(bound).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http::serve(stream, everybody, appliance.clone(), std::future::pending()));
    }
}
