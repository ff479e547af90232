//! The messages between `adit …` and the running daemon: one JSON object per line over a Unix socket, one [`Request`] per
//! connection, answered by one [`Response`] ([`Request::Watch`]: by many, until either side closes).
//!
//! The daemon admits uid 0 and its own user, as the kernel names them (`SO_PEERCRED`); nothing in a message can claim more.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::documents::confine::Confinement;
use crate::documents::{Format, PassedOver};
use crate::name::{CollectionName, PeerName};
use crate::search::{Answer, CollectionStatus, Documents, Failure};

mod client;

pub use client::{Client, ClientError};

/// Longest line of either side in bytes: a list of 10,000 peers fits.
pub const LINE_BYTES: usize = 16 << 20;

/// What is asked of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// How everything is.
    Status,
    /// The same, and again at every change of progress, once a second at most.
    Watch,
    /// Whether questions would be answered, and the index is kept up to date.
    Check,
    /// Stop serving.
    Stop,
    /// Read the configuration again and apply what can be applied.
    Reload,
    /// Add a device.
    PeerAdd(NewPeer),
    /// All devices.
    PeerList,
    /// One device.
    PeerShow {
        /// Which.
        name: PeerName,
    },
    /// Change a device's grant; never its key or address.
    PeerSet {
        /// Which.
        name: PeerName,
        /// What changes.
        change: Terms,
    },
    /// What a device would gain and lose by such a change.
    PeerRehearse {
        /// Which.
        name: PeerName,
        /// What would change.
        change: Terms,
    },
    /// Give a device another name.
    PeerRename {
        /// Which.
        name: PeerName,
        /// The new name.
        to: PeerName,
    },
    /// Switch a device off for the time being, or on again.
    PeerSwitch {
        /// Which.
        name: PeerName,
        /// On, or off.
        on: bool,
    },
    /// Give a device new keys under the same name, addresses and grant; the old ones are dead at once and never return.
    PeerRotate {
        /// Which.
        name: PeerName,
        /// The new keys.
        keys: DeviceKeys,
    },
    /// Cut a device off for ever: its key never returns.
    PeerRevoke {
        /// Which.
        name: PeerName,
    },
    /// Why a device may or may not see a document.
    PeerExplain {
        /// Which.
        name: PeerName,
        /// As it was typed: `collection/path`, perhaps.
        typed: String,
        /// The absolute paths that it may mean.
        paths: Vec<PathBuf>,
    },
    /// Admit a device until this conversation ends, to try the way that devices go: it may search everything, and nothing of it is kept.
    Trial {
        /// Its keys.
        keys: DeviceKeys,
    },
    /// Cut all devices off at once; nothing is forgotten.
    Lockdown {
        /// But these.
        except: Vec<PeerName>,
    },
    /// End that.
    Unlock,
    /// Answer no longer under the server's former key.
    ForgetFormerKey,
    /// The owner's own search.
    Search(OwnerSearch),
    /// Figures of every collection.
    IndexStatus,
    /// Files that could not be read.
    IndexFailures,
    /// Why a file is or is not found.
    Why {
        /// As it was typed: `collection/path`, perhaps.
        typed: String,
        /// The absolute paths that it may mean.
        paths: Vec<PathBuf>,
    },
    /// All figures, as `/metrics` has them.
    Metrics,
    /// Build indexes again from the documents.
    IndexRebuild {
        /// Which; all if none is named.
        collection: Option<CollectionName>,
    },
}

/// A device to add.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewPeer {
    /// Its name.
    pub name: PeerName,
    /// Its keys.
    pub keys: DeviceKeys,
    /// What it may see and do. Without collections: those that exist now; without scopes: as `[grant]` says.
    pub terms: Terms,
}

/// What the server knows of a device's keys. Its private key stays with whoever made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceKeys {
    /// Its public key, base64.
    pub public_key: String,
    /// Its preshared key, base64.
    pub preshared_key: Option<String>,
}

/// What a device may see and do, and when, and from where: what is not said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Collections and folders.
    pub collections: Option<Vec<String>>,
    /// Scopes.
    pub scopes: Option<Vec<String>>,
    /// Not before this time.
    pub not_before: Option<When>,
    /// Until this time.
    pub expires: Option<When>,
    /// Outer networks; an empty list: any.
    pub from: Option<Vec<String>>,
}

/// A time, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At this time.
    At(Timestamp),
    /// At no time.
    Never,
}

impl When {
    /// The time, if it is one.
    pub fn bound(self) -> Option<Timestamp> {
        match self {
            When::At(time) => Some(time),
            When::Never => None,
        }
    }
}

/// Whether a device is served, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is.
    Served,
    /// The owner has switched it off.
    Disabled,
    /// All are locked out, and it is not excepted.
    LockedOut,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Expired,
}

/// The owner's own search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnerSearch {
    /// What was typed.
    pub query: String,
    /// Results wanted, 1 to 50.
    pub limit: usize,
    /// Only in this collection.
    pub collection: Option<CollectionName>,
    /// Whether each hit is to say what its score is made of.
    #[serde(default)]
    pub explain: bool,
}

/// The owner's scope: made here alone, for whoever the kernel says is at the machine.
pub fn owner_scope() -> Scope {
    Scope::owner()
}

/// What the daemon answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "snake_case")]
pub enum Response {
    /// Done, nothing to tell.
    Done,
    /// It stops as soon as this is said.
    Stopping {
        /// The process that ends.
        pid: u32,
        /// Whether its UDP socket is the service manager's, which starts the service again with the next datagram.
        socket_stays: bool,
        /// Where its process id is written: whoever stops it as root removes what it may not remove itself any more.
        #[serde(default)]
        pid_file: Option<PathBuf>,
    },
    /// A device was added, or asked for.
    Peer(Box<PeerReport>),
    /// All devices.
    Peers {
        /// In order of name.
        peers: Vec<PeerReport>,
    },
    /// How everything is.
    Status(Box<StatusReport>),
    /// All figures.
    Metrics {
        /// In the Prometheus text format.
        text: String,
    },
    /// What keeps it from answering questions, or its index from being up to date, a sentence each; empty: it is well.
    Checked {
        /// The sentences.
        failing: Vec<String>,
    },
    /// What was found.
    Found(Box<Answer>),
    /// Figures of every collection.
    Index(IndexReport),
    /// Files that could not be read.
    Failures {
        /// In order of collection and path.
        failures: Vec<Failure>,
    },
    /// What is known of a path, once for each collection that it lies in.
    Why {
        /// In the order of the configuration; empty: no collection holds it.
        places: Vec<WhyReport>,
        /// All collections and their folders, for whoever looks outside of them.
        collections: Vec<(CollectionName, PathBuf)>,
    },
    /// Whether a device sees a path.
    Explained {
        /// The device.
        peer: Box<PeerReport>,
        /// Once for each collection that the path lies in; empty: no collection holds it.
        places: Vec<Sight>,
        /// All collections and their folders.
        collections: Vec<(CollectionName, PathBuf)>,
    },
    /// What a device would gain and lose.
    Rehearsed(Box<Rehearsal>),
    /// What became of a reload.
    Reloaded {
        /// What changed and what needs a restart, a sentence each.
        notes: Vec<String>,
    },
    /// It was not done.
    Failed(Failed),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The kind, which decides the exit code.
    pub kind: FailedKind,
    /// What failed, why, and what to do.
    pub message: String,
}

/// Kinds of failure that programs tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedKind {
    /// It failed.
    Failed,
    /// The request itself was wrong.
    Usage,
    /// The caller may not speak to this daemon.
    NotAllowed,
    /// No such peer, collection or document.
    NotFound,
    /// It exists already, or may never exist again.
    Exists,
    /// The configuration is bad.
    Configuration,
}

/// A device, as the daemon knows it. Without any secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Its name.
    pub name: PeerName,
    /// Its public key, base64.
    pub public_key: String,
    /// The key's name in logs.
    pub fingerprint: String,
    /// Its inner addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether a preshared key is mixed in.
    pub preshared_key: bool,
    /// Collections it may see.
    pub collections: Vec<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether it is served, or why not.
    pub standing: Standing,
    /// When its grant begins, if it is not in force from the start.
    pub not_before: Option<Timestamp>,
    /// When it ends, if it does.
    pub expires: Option<Timestamp>,
    /// The outer networks that it may come from; none: any.
    pub from: Vec<String>,
    /// When it was added.
    pub created: Timestamp,
    /// Where it was last seen.
    pub endpoint: Option<SocketAddr>,
    /// Seconds since its latest handshake.
    pub latest_handshake_seconds: Option<u64>,
    /// Outer bytes received from it.
    pub received_bytes: u64,
    /// Outer bytes sent to it.
    pub sent_bytes: u64,
    /// Open streams.
    pub streams: usize,
    /// Whether it used the server's former key when it last began a session.
    #[serde(default)]
    pub uses_former_server_key: bool,
}

/// What a device must know of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its public key, base64.
    pub public_key: String,
    /// Until when its former key is answered too, if one is.
    #[serde(default)]
    pub former_key_until: Option<Timestamp>,
    /// What devices dial.
    pub endpoint: String,
    /// Its inner addresses.
    pub addresses: Vec<IpAddr>,
    /// Inner MTU in bytes.
    pub mtu: u16,
    /// The UDP address it listens on.
    pub listen: SocketAddr,
}

/// How everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusReport {
    /// The program's version.
    pub program: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds it has been serving.
    pub uptime_seconds: u64,
    /// The configuration in force.
    pub config: PathBuf,
    /// What devices must know.
    pub server: ServerReport,
    /// Whether devices are locked out.
    pub lockdown: Option<LockdownReport>,
    /// Devices, in order of name.
    pub peers: Vec<PeerReport>,
    /// Collections and what waits.
    pub index: IndexReport,
    /// What this kernel holds the daemon and its workers to.
    pub sandbox: SandboxReport,
    /// Why the tunnel's tasks woke, since the start.
    #[serde(default)]
    pub wakeups: WakeupReport,
    /// Counters by name, in a fixed order.
    pub counters: serde_json::Map<String, serde_json::Value>,
    /// What the owner should look at, a sentence each.
    pub warnings: Vec<String>,
}

/// How often the tunnel's tasks woke, by what woke them. Where nobody asks anything, they should not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeupReport {
    /// Datagrams came: batches of them.
    pub datagrams: u64,
    /// There was something to send: for a stream's user, or as an answer to a batch.
    pub activity: u64,
    /// WireGuard's timers.
    pub session: u64,
    /// TCP's timers.
    pub stream: u64,
}

/// All devices are locked out, but some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockdownReport {
    /// Since when.
    pub since: Timestamp,
    /// But these.
    pub except: Vec<PeerName>,
}

/// What a device would gain and lose by another grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// Its name.
    pub peer: PeerName,
    /// Documents that it does not see now.
    pub gains: Documents,
    /// Documents that it would see no more.
    pub loses: Documents,
    /// Its collections, then.
    pub collections: Vec<String>,
    /// What it might do, then.
    pub scopes: Vec<String>,
    /// What it may do now.
    pub scopes_now: Vec<String>,
    /// Whether it would be served then, or why not.
    pub standing: Standing,
}

/// Whether a device sees a path of one collection, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// Whether its grant covers the path.
    pub admitted: bool,
    /// The rule of its grant that decides; none where no rule covers the path.
    pub rule: Option<String>,
    /// How the path itself stands.
    #[serde(flatten)]
    pub place: WhyReport,
}

/// What is known of a path in one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhyReport {
    /// The collection.
    pub collection: CollectionName,
    /// Path below its root; empty: the root itself.
    pub path: String,
    /// How it stands.
    pub state: WhyState,
    /// More of that, in a sentence; empty where the state says it all.
    pub reason: String,
    /// What to do about it, in a sentence; empty where nothing is to be done.
    pub advice: String,
    /// What it was read as.
    pub format: Option<Format>,
    /// When it was read, or given up.
    pub read: Option<Timestamp>,
    /// Its passages that are searchable.
    pub passages: u64,
}

/// How a path of a collection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyState {
    /// It is found.
    Searchable,
    /// It is a document, and has not been read yet as it is now.
    Waiting,
    /// It could not be read, and is left alone until it changes.
    Unreadable,
    /// A rule keeps it out of the collection.
    Hidden,
    /// It belongs to the collection, but holds no text: a picture, a program, an archive.
    NoDocument,
    /// It is a folder of the collection.
    Folder,
    /// It is not there.
    Missing,
    /// It cannot be looked at.
    Unknown,
}

/// What the kernel enforces on the daemon and on the processes that read documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Version of landlock's interface that the daemon is held by; 0: there is none here.
    pub landlock_abi: u32,
    /// The same of the workers, and whether their system calls are filtered; none before the first has begun.
    pub workers: Option<Confinement>,
    /// Memory of each worker in bytes; as with the other resource limits, every kernel has them.
    pub worker_memory_bytes: u64,
    /// What one document may take, in seconds.
    pub worker_timeout_seconds: u64,
}

/// Collections and what waits to be indexed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct IndexReport {
    /// Per collection.
    pub collections: Vec<CollectionStatus>,
    /// Searchable documents of all.
    pub documents: u64,
    /// Searchable passages of all.
    pub passages: u64,
    /// Files waiting.
    pub pending: u64,
    /// Files that could not be read.
    pub failed: u64,
    /// Seconds since the oldest index last agreed with its folder; none where one never has.
    pub age_seconds: Option<u64>,
    /// What the indexer is doing, in a word or two; empty when idle.
    pub activity: String,
    /// Files done in the present round.
    pub done: u64,
    /// Files of the present round.
    pub round: u64,
    /// What the last walk of each collection passed over, by reason; nothing without a daemon.
    #[serde(default)]
    pub passed_over: Vec<PassedOverReport>,
}

/// What is passed over in one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOverReport {
    /// The collection.
    pub collection: CollectionName,
    /// How much, by reason.
    #[serde(flatten)]
    pub counts: PassedOver,
}
