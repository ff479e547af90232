//! The appliance while it serves: what the control socket may ask of it, and how changes reach every part.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use nix::unistd::getpid;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::audit::{Audit, Change};
use super::calendar::Calendar;
use super::devices::{
    change_peers, check_collections, explain, failed, lockdown, no_such_collection, node_peer, report,
};
use super::indexing::Indexer;
use super::lookout::REVOKED;
use super::metrics::RefusalTotals;
use super::peers::{Peer, Peers, PeersError};
use super::rehearsal;
use super::reload;
use super::sandbox::Enforced;
use super::usage::Usage;
use super::why::{Reader, why};
use crate::control::{
    DeviceKeys, Failed, FailedKind, IndexReport, OwnerSearch, PassedOverReport, PeerReport, Request, Response,
    SandboxReport, ServerReport, StatusReport, Terms, WakeupReport, owner_scope,
};
use crate::http::{Appliance, metrics};
use crate::key::PublicKey;
use crate::link::{Link, Wakeups};
use crate::name::{CollectionName, PeerName};
use crate::peer::PeerId;
use crate::search::{CollectionStatus, Library, LibraryError, SearchRequest};

/// Bytes that the snippets of an owner's search may take together; each has a floor of two lines or so, which ten come down to: a
/// person skims places on a screen, and opens the file.
const OWNER_SNIPPETS: usize = 400;

/// Lines of context around what an owner's search found.
const OWNER_CONTEXT_LINES: usize = 1;

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
    /// Until when its former key is answered too, if one is.
    pub(super) former_key_until: Mutex<Option<Timestamp>>,
    /// The devices.
    pub peers: Mutex<Peers>,
    /// Those of them that the node knows, because they are served at this time.
    pub(super) admitted: Mutex<HashSet<PeerId>>,
    /// Who was refused at the tunnel so far.
    pub(super) refusals: Mutex<RefusalTotals>,
    /// The time for their grants.
    pub(super) calendar: Calendar,
    /// That the list of devices has changed, and with it what the calendar holds.
    pub(super) changed: Notify,
    /// Their sessions and streams, at work on the socket.
    pub link: Arc<Link>,
    /// What requests reach.
    pub appliance: Arc<Appliance>,
    /// What keeps the index true.
    pub indexer: Indexer,
    /// Where calls and changes are recorded.
    pub audit: Arc<Audit>,
    /// What devices have used of their bytes per day.
    pub(super) usage: Usage,
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

/// A device that is admitted as long as this value lives.
pub(super) struct Trial(Arc<Running>);

impl Drop for Trial {
    fn drop(&mut self) {
        let mut peers = self.0.peers.lock();
        peers.end_trial();
        self.0.admit(&peers, self.0.calendar.now());
    }
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
            Request::Check => Ok(Response::Checked { failing: self.failing() }),
            Request::Stop => {
                let pid_file = self.pid_file.clone();
                Ok(Response::Stopping { pid: own_pid(), socket_stays: self.inherited, pid_file })
            }
            Request::Reload => reload::reload(self).map(|notes| Response::Reloaded { notes }),
            Request::Search(search) => self.search_as_owner(&search),
            Request::IndexStatus => Ok(Response::Index(self.index())),
            Request::Metrics => Ok(Response::Metrics { text: metrics(&self.appliance) }),
            Request::IndexFailures => {
                Ok(Response::Failures { failures: self.appliance.library.failures(&owner_scope()) })
            }
            Request::Why { typed, paths } => {
                why(&self.appliance.library, &self.appliance.config.load(), Reader::Running, &typed, &paths)
                    .map(|(places, collections)| Response::Why { places, collections })
            }
            Request::PeerExplain { name, typed, paths } => self.explain(&name, (&typed, &paths)),
            Request::PeerRehearse { name, change } => self.rehearse(&name, &change),
            Request::IndexRebuild { collection } => self.rebuild(collection),
            Request::ForgetFormerKey => {
                self.forget_former_key();
                Ok(Response::Done)
            }
            peers => self.answer_about_peers(peers),
        };
        answered.unwrap_or_else(Response::Failed)
    }

    fn answer_about_peers(&self, request: Request) -> Result<Response, Failed> {
        let config = self.appliance.config.load();
        let mut peers = self.peers.lock();
        let now = self.calendar.now();
        let changed = change_peers(&mut peers, &config, self.server_key, now, &request)?;
        if let Some(change) = changed.as_change() {
            self.audit.know_all(peers.iter());
            self.audit.change(change);
            self.admit(&peers, now);
            self.changed.notify_one();
            tracing::info!("{change}");
        }
        Ok(changed.into_response(|peer| self.report(&peers, peer, now)))
    }

    /// Admits a device for a moment, until the second value is dropped.
    pub(super) fn begin_trial(self: &Arc<Self>, keys: &DeviceKeys) -> Result<(Response, Trial), Failed> {
        let config = self.appliance.config.load();
        let mut peers = self.peers.lock();
        let now = self.calendar.now();
        let peer = peers.begin_trial(now, keys, self.server_key, &config.server.tunnel).map_err(failed)?.clone();
        self.audit.know(&peer);
        self.admit(&peers, now);
        let report = self.report(&peers, &peer, now);
        Ok((Response::Peer(Box::new(report)), Trial(Arc::clone(self))))
    }

    fn rehearse(&self, name: &PeerName, change: &Terms) -> Result<Response, Failed> {
        check_collections(change.collections.as_deref(), &self.appliance.config.load())?;
        // The list is free again while documents are looked through.
        let sides = rehearsal::sides(&self.peers.lock(), self.calendar.now(), name, change)?;
        rehearsal::report(&sides, &self.appliance.library).map(|report| Response::Rehearsed(Box::new(report)))
    }

    fn explain(&self, name: &PeerName, asked: (&str, &[PathBuf])) -> Result<Response, Failed> {
        let (peer, report) = {
            let peers = self.peers.lock();
            let no_such = |error: PeersError| Failed { kind: FailedKind::NotFound, message: error.to_string() };
            let peer = peers.find(name).map_err(no_such)?.clone();
            let report = self.report(&peers, &peer, self.calendar.now());
            (peer, report)
        };
        let config = self.appliance.config.load();
        explain((&peer, report), &self.appliance.library, &config, Reader::Running, asked)
    }

    fn report(&self, peers: &Peers, peer: &Peer, now: Timestamp) -> PeerReport {
        report(peers, peer, now, self.link.node().peer_status(Instant::now(), peer.id).unwrap_or_default())
    }

    /// Admits those devices that are served at this time, and cuts off all others. Of one whose rights are others now, what is under way
    /// ends: it began under the old ones.
    fn admit(&self, peers: &Peers, now: Timestamp) {
        let config = self.appliance.config.load();
        let node = self.link.node();
        let policy = Arc::new(peers.policy(now));
        let before = self.appliance.policy.swap(Arc::clone(&policy));
        let mut admitted = self.admitted.lock();
        let served: HashSet<PeerId> = peers.served(now).map(|peer| peer.id).collect();
        // First those who go: another may come under their address.
        admitted.retain(|id| {
            let stays = served.contains(id);
            match stays {
                true if before.scope(*id) != policy.scope(*id) => drop(node.reset_streams(*id)),
                true => {}
                false => drop(node.remove_peer(*id)),
            }
            stays
        });
        for peer in peers.served(now).filter(|peer| !admitted.contains(&peer.id)).collect::<Vec<_>>() {
            match node.add_peer(Instant::now(), node_peer(peer, &config)) {
                Ok(()) => drop(admitted.insert(peer.id)),
                Err(error) => tracing::error!(peer = %peer.name, %error, "peer left out"),
            }
        }
    }

    /// Admits those whose time it is; says when that changes next.
    pub(super) fn admit_now(&self) -> Option<Timestamp> {
        let (peers, now) = (self.peers.lock(), self.calendar.now());
        self.admit(&peers, now);
        peers.next_change(now)
    }

    /// Answers no longer under the former key, if there is one.
    fn forget_former_key(&self) {
        if self.former_key_until.lock().take().is_some() {
            self.link.node().forget_former_key(Instant::now());
            self.audit.change(&Change::FormerServerKeyEnded);
            tracing::info!("{}", Change::FormerServerKeyEnded);
        }
    }

    /// Until when the former key is answered, if it is; its time may have come just now.
    fn heed_former_key(&self) -> Option<Timestamp> {
        let until = (*self.former_key_until.lock())?;
        if until > self.calendar.now() {
            return Some(until);
        }
        self.forget_former_key();
        None
    }

    /// Admits and cuts off devices, and ends the former key, as their time comes.
    pub(super) async fn keep_calendar(&self) {
        loop {
            let next = self.admit_now().into_iter().chain(self.heed_former_key()).min();
            tokio::select! {
                () = self.calendar.wait_for(next) => {}
                () = self.changed.notified() => {}
            }
        }
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
        let now = self.calendar.now();
        let peers = self.peers.lock();
        let counters = self.link.node().counters().values.into_iter().chain(self.link.counters());
        let knocks = self.refusals.lock().of(REVOKED);
        let counters = counters.chain([("knocks_of_revoked_keys", knocks), ("audit_lost", self.audit.lost())]);
        StatusReport {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: own_pid(),
            uptime_seconds: self.started.elapsed().as_secs(),
            config: self.config_path.clone(),
            server: ServerReport { former_key_until: *self.former_key_until.lock(), ..self.server.clone() },
            lockdown: lockdown(&peers),
            peers: peers.iter().map(|peer| self.report(&peers, peer, now)).collect(),
            index: self.index(),
            sandbox: self.sandbox(),
            wakeups: self.wakeups(),
            counters: counters.map(|(name, value)| (name.to_owned(), value.into())).collect(),
            warnings: self
                .warnings
                .iter()
                .cloned()
                .chain(self.indexer.warnings())
                .chain(self.audit.warning())
                .chain(self.calendar.warning())
                .collect(),
        }
    }

    /// What keeps it from answering questions, or its index from being up to date.
    fn failing(&self) -> Vec<String> {
        let mut failing = Vec::new();
        let question = SearchRequest { query: "adit".to_owned(), limit: 1, ..SearchRequest::default() };
        if let Err(error) = self.appliance.library.search(&owner_scope(), &question) {
            failing.push(format!("the index does not answer: {error}"));
        }
        if !self.appliance.shell.health().indexer {
            failing.push("nothing keeps the index up to date: what did has ended; start adit again".to_owned());
        }
        if !self.audit.admits() {
            let why = self.audit.warning().unwrap_or_else(|| "the audit log is too slow".to_owned());
            failing.push(format!("calls are refused: {why}"));
        }
        failing
    }

    fn wakeups(&self) -> WakeupReport {
        let Wakeups { datagrams, activity, session, stream } = self.link.wakeups();
        WakeupReport { datagrams, activity, session, stream }
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
        let passed_over = progress.passed_over.into_iter();
        report.passed_over = passed_over.map(|(collection, counts)| PassedOverReport { collection, counts }).collect();
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
