//! The appliance while it serves: what the control socket may ask of it, and how changes reach every part.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use nix::unistd::getpid;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::audit::{Audit, Change};
use super::indexing::Indexer;
use super::peers::{Defaults, Peer, Peers, PeersError, words};
use super::reload;
use super::sandbox::Enforced;
use super::why::{Reader, why};
use crate::config::Config;
use crate::control::{
    Failed, FailedKind, IndexReport, OwnerSearch, PeerReport, Request, Response, SandboxReport, ServerReport,
    StatusReport, owner_scope,
};
use crate::http::Appliance;
use crate::key::PublicKey;
use crate::link::Link;
use crate::name::CollectionName;
use crate::node::{NodePeer, PeerStatus};
use crate::search::{CollectionStatus, Library, LibraryError, SearchRequest};

/// Bytes that the snippets of an owner's search may take together; each has a floor of two lines or so, which ten come down to: a
/// person skims places on a screen, and opens the file.
const OWNER_SNIPPETS: usize = 400;

/// Lines of context around what an owner's search found.
const OWNER_CONTEXT_LINES: usize = 1;

/// How often a device that we call hears from us: the mappings of most routers live for 30 seconds.
const CALLED_KEEPALIVE_SECS: u16 = 25;

/// Everything that serves.
pub struct Running {
    /// When it began.
    pub started: Instant,
    /// The configuration file.
    pub config_path: PathBuf,
    /// What devices must know.
    pub server: ServerReport,
    /// The server's own key.
    pub server_key: PublicKey,
    /// The devices.
    pub peers: Mutex<Peers>,
    /// Their sessions and streams, at work on the socket.
    pub link: Arc<Link>,
    /// What requests reach.
    pub appliance: Arc<Appliance>,
    /// What keeps the index true.
    pub indexer: Indexer,
    /// Where calls and changes are recorded.
    pub audit: Arc<Audit>,
    /// Whether the UDP socket is the service manager's.
    pub inherited: bool,
    /// Where the process id is written, if anywhere.
    pub pid_file: Option<PathBuf>,
    /// What the kernel enforces on this process.
    pub sandbox: Enforced,
    /// What the owner should know since the start.
    pub warnings: Vec<String>,
    /// Becomes true when it is to stop.
    pub stop: watch::Sender<bool>,
}

impl Running {
    /// Begins to stop; the second call changes nothing.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether it is about to end.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Answers one request. May wait for the disk.
    pub fn answer(&self, request: Request) -> Response {
        let answered = match request {
            Request::Status | Request::Watch => Ok(Response::Status(Box::new(self.status()))),
            Request::Stop => {
                let pid_file = self.pid_file.clone();
                Ok(Response::Stopping { pid: own_pid(), socket_stays: self.inherited, pid_file })
            }
            Request::Reload => reload::reload(self).map(|notes| Response::Reloaded { notes }),
            Request::Search(search) => self.search_as_owner(&search),
            Request::IndexStatus => Ok(Response::Index(self.index())),
            Request::IndexFailures => {
                Ok(Response::Failures { failures: self.appliance.library.failures(&owner_scope()) })
            }
            Request::Why { typed, paths } => {
                why(&self.appliance.library, &self.appliance.config.load(), Reader::Running, &typed, &paths)
            }
            Request::IndexRebuild { collection } => self.rebuild(collection),
            peers => self.answer_about_peers(peers),
        };
        answered.unwrap_or_else(Response::Failed)
    }

    fn answer_about_peers(&self, request: Request) -> Result<Response, Failed> {
        let config = self.appliance.config.load();
        let mut peers = self.peers.lock();
        let answer = change_peers(&mut peers, &config, self.server_key, &request)?;
        self.audit.know(peers.iter());
        self.appliance.policy.store(Arc::new(peers.policy()));
        if let Some(change) = answer.as_change() {
            self.audit.change(&change);
        }
        match &answer {
            Changed::Added(peer) => {
                let added = self.link.node().add_peer(Instant::now(), node_peer(peer, &config));
                added.map_err(|error| Failed { kind: FailedKind::Failed, message: error.to_string() })?;
                tracing::info!(peer = %peer.name, key = peer.public_key.fingerprint(), "peer added");
            }
            Changed::Revoked(peer) => {
                self.link.node().remove_peer(peer.id);
                tracing::info!(peer = %peer.name, key = peer.public_key.fingerprint(), "peer revoked");
            }
            Changed::Granted(_) | Changed::Shown(_) | Changed::Listed(_) => {}
        }
        Ok(answer.into_response(|peer| self.link.node().peer_status(Instant::now(), peer.id).unwrap_or_default()))
    }

    /// The owner's own search, recorded as any other.
    fn search_as_owner(&self, search: &OwnerSearch) -> Result<Response, Failed> {
        if !self.audit.admits() {
            let message = self.audit.warning().unwrap_or_else(|| "the audit log is too slow".to_owned());
            return Err(Failed { kind: FailedKind::Failed, message });
        }
        let (at, started) = (Timestamp::now(), Instant::now());
        let answered = search_as_owner(&self.appliance.library, search);
        self.audit.owner_search(at, started.elapsed(), search, &answered);
        answered
    }

    fn rebuild(&self, collection: Option<CollectionName>) -> Result<Response, Failed> {
        let config = self.appliance.config.load();
        let known = |name: &CollectionName| config.collections.iter().any(|it| it.name == *name);
        match &collection {
            Some(name) if !known(name) => Err(no_such_collection(name.as_str(), &config)),
            _ => {
                self.indexer.rebuild(collection);
                Ok(Response::Done)
            }
        }
    }

    /// How everything is.
    pub fn status(&self) -> StatusReport {
        let now = Instant::now();
        let peers = self.peers.lock();
        let report = |peer: &Peer| report(peer, self.link.node().peer_status(now, peer.id).unwrap_or_default());
        let counters = self.link.node().counters().values.into_iter().chain(self.link.counters());
        let counters = counters.chain([("audit_lost", self.audit.lost())]);
        StatusReport {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: own_pid(),
            uptime_seconds: self.started.elapsed().as_secs(),
            config: self.config_path.clone(),
            server: self.server.clone(),
            peers: peers.iter().map(report).collect(),
            index: self.index(),
            sandbox: self.sandbox(),
            counters: counters.map(|(name, value)| (name.to_owned(), value.into())).collect(),
            warnings: self
                .warnings
                .iter()
                .cloned()
                .chain(self.indexer.warnings())
                .chain(self.audit.warning())
                .collect(),
        }
    }

    fn sandbox(&self) -> SandboxReport {
        let workers = self.indexer.workers();
        SandboxReport {
            landlock_abi: self.sandbox.landlock_abi(),
            workers: workers.confinement(),
            worker_memory_bytes: workers.config().memory,
            worker_timeout_seconds: workers.config().timeout.as_secs(),
        }
    }

    fn index(&self) -> IndexReport {
        let progress = self.indexer.progress();
        let mut report = index_report(&self.appliance.library);
        report.pending = progress.pending();
        report.activity = progress.activity();
        report.done = progress.done;
        report.round = progress.total;
        report
    }
}

fn own_pid() -> u32 {
    getpid().as_raw().unsigned_abs()
}

/// Figures of every collection, without those of a running indexer.
pub fn index_report(library: &Library) -> IndexReport {
    let collections = library.status(&owner_scope());
    IndexReport {
        documents: collections.iter().map(|it| it.documents).sum(),
        passages: collections.iter().map(|it| it.passages).sum(),
        failed: collections.iter().map(|it| it.failed).sum(),
        age_seconds: age_seconds(&collections),
        collections,
        ..IndexReport::default()
    }
}

/// Seconds since the oldest index agreed with its folder.
fn age_seconds(collections: &[CollectionStatus]) -> Option<u64> {
    let oldest = collections.iter().map(|it| it.agreed).min().flatten()?;
    Some(Timestamp::now().duration_since(oldest).as_secs().max(0).unsigned_abs())
}

/// The owner's own search.
pub fn search_as_owner(library: &Library, search: &OwnerSearch) -> Result<Response, Failed> {
    let request = SearchRequest {
        query: search.query.clone(),
        collection: search.collection.as_ref().map(|name| name.as_str().to_owned()),
        limit: search.limit,
        context_lines: Some(OWNER_CONTEXT_LINES),
        snippet_budget: OWNER_SNIPPETS,
        explain: search.explain,
        ..SearchRequest::default()
    };
    library.search(&owner_scope(), &request).map(|answer| Response::Found(Box::new(answer))).map_err(
        |error| match error {
            LibraryError::Argument { argument: "collection", problem } => {
                Failed { kind: FailedKind::NotFound, message: problem }
            }
            LibraryError::Argument { .. } => Failed { kind: FailedKind::Usage, message: error.to_string() },
            LibraryError::NotFound => Failed { kind: FailedKind::NotFound, message: error.to_string() },
            _ => Failed { kind: FailedKind::Failed, message: error.to_string() },
        },
    )
}

/// What a request about devices came to.
pub enum Changed {
    /// A device is new.
    Added(Peer),
    /// A device is gone.
    Revoked(Peer),
    /// A device's grant is another.
    Granted(Peer),
    /// One device, as it is now.
    Shown(Peer),
    /// All of them.
    Listed(Vec<Peer>),
}

impl Changed {
    /// The change for the audit log, if it is one.
    pub fn as_change(&self) -> Option<Change> {
        match self {
            Changed::Added(peer) => Some(Change::PeerAdded(peer.into())),
            Changed::Granted(peer) => Some(Change::PeerSet(peer.into())),
            Changed::Revoked(peer) => Some(Change::PeerRevoked(peer.into())),
            Changed::Shown(_) | Changed::Listed(_) => None,
        }
    }

    /// The answer, with each device's figures.
    pub fn into_response(self, status: impl Fn(&Peer) -> PeerStatus) -> Response {
        let report = |peer: &Peer| report(peer, status(peer));
        match self {
            Changed::Added(peer) | Changed::Granted(peer) | Changed::Shown(peer) => {
                Response::Peer(Box::new(report(&peer)))
            }
            Changed::Revoked(_) => Response::Done,
            Changed::Listed(peers) => Response::Peers { peers: peers.iter().map(report).collect() },
        }
    }
}

/// Asks or changes the list of devices: with a daemon and without one.
pub fn change_peers(
    peers: &mut Peers,
    config: &Config,
    server: PublicKey,
    request: &Request,
) -> Result<Changed, Failed> {
    let now = Timestamp::now();
    let changed = match request {
        Request::PeerAdd(new) => {
            check_collections(new.collections.as_deref(), config)?;
            let defaults = Defaults {
                collections: config.collections.iter().map(|it| it.name.as_str().to_owned()).collect(),
                scopes: config.grant.scopes.clone(),
            };
            peers.add(now, new, server, &config.server.tunnel, &defaults).cloned().map(Changed::Added)
        }
        Request::PeerSet { name, change } => {
            check_collections(change.collections.as_deref(), config)?;
            peers.set(name, change).cloned().map(Changed::Granted)
        }
        Request::PeerRevoke { name } => peers.revoke(now, name).map(Changed::Revoked),
        Request::PeerShow { name } => peers.find(name).cloned().map(Changed::Shown),
        Request::PeerList => Ok(Changed::Listed(peers.iter().cloned().collect())),
        other => {
            let message = format!("{other:?} is answered by a running daemon only");
            return Err(Failed { kind: FailedKind::Failed, message });
        }
    };
    changed.map_err(|error| Failed { kind: kind(&error), message: error.to_string() })
}

/// A collection that is named must exist; a glob may wait for those to come.
fn check_collections(patterns: Option<&[String]>, config: &Config) -> Result<(), Failed> {
    let missing = |pattern: &&String| {
        let literal = !pattern.contains(['*', '?', '[', '{']);
        literal && !config.collections.iter().any(|it| it.name.as_str() == pattern.as_str())
    };
    match patterns.unwrap_or_default().iter().find(missing) {
        Some(name) => Err(no_such_collection(name, config)),
        None => Ok(()),
    }
}

fn no_such_collection(name: &str, config: &Config) -> Failed {
    let names: Vec<&str> = config.collections.iter().map(|it| it.name.as_str()).collect();
    let message = format!("there is no collection {name:?}; there are: {}", names.join(", "));
    Failed { kind: FailedKind::NotFound, message }
}

fn kind(error: &PeersError) -> FailedKind {
    match error {
        PeersError::NoSuchPeer(_) => FailedKind::NotFound,
        PeersError::NameTaken(_) | PeersError::KeyTaken(_) | PeersError::KeyRevoked(_) => FailedKind::Exists,
        PeersError::Key(_) | PeersError::KeyIsServers | PeersError::Grant(_) => FailedKind::Usage,
        PeersError::Io { .. } | PeersError::Damaged { .. } | PeersError::NoAddress(_) => FailedKind::Failed,
    }
}

/// A device as the node takes it: one that the configuration says to call is called at once, and held.
pub fn node_peer(peer: &Peer, config: &Config) -> NodePeer {
    let called = config.server.dial.iter().find(|dial| dial.peer == peer.name);
    NodePeer {
        id: peer.id,
        public_key: peer.public_key,
        preshared_key: peer.preshared_key.clone(),
        addresses: peer.addresses.clone(),
        endpoint: called.map(|dial| dial.address),
        keepalive_secs: called.map(|_| CALLED_KEEPALIVE_SECS),
    }
}

fn report(peer: &Peer, status: PeerStatus) -> PeerReport {
    let (collections, scopes) = words(&peer.grant);
    PeerReport {
        name: peer.name.clone(),
        public_key: peer.public_key.to_string(),
        fingerprint: peer.public_key.fingerprint(),
        addresses: peer.addresses.clone(),
        preshared_key: peer.preshared_key.is_some(),
        collections,
        scopes,
        created: peer.created,
        endpoint: status.endpoint,
        latest_handshake_seconds: status.latest_handshake.map(|it| it.as_secs()),
        received_bytes: status.received_bytes,
        sent_bytes: status.sent_bytes,
        streams: status.streams,
    }
}
