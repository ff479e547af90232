//! `peers.toml`: the devices, their grants, and the keys that may never return. Belongs to the daemon; whoever changes it
//! without one holds the lock of the state folder. Every change is on disk before it is acknowledged.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::audit::OWNER;
use crate::access::{Action, Grant, Policy, Season, Window};
use crate::config::{TunnelNetwork, write_atomically};
use crate::control::{DeviceKeys, NewPeer, Standing, Terms};
use crate::key::{KeyError, PresharedKey, PublicKey};
use crate::name::PeerName;
use crate::peer::PeerId;

mod addresses;
mod file;
#[cfg(test)]
mod tests;

use file::{Lockdown, Revoked};

/// The file's name in the state folder.
pub(super) const FILE: &str = "peers.toml";

/// What the audit log calls the device of `adit doctor`'s trial.
const TRIAL: &str = "adit-doctor";

/// Most outer networks of one device: more than a person types.
const NETWORKS: usize = 64;

/// Why the list of devices was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// The file could not be read or written; nothing has changed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what the daemon writes.
    #[error("{path} is damaged: {problem}; restore it from a backup, or move it away to begin without devices")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is no such device.
    #[error("there is no peer \"{0}\"; `adit peer list` shows all")]
    NoSuchPeer(PeerName),
    /// The name is taken.
    #[error("a peer \"{0}\" exists already; choose another name")]
    NameTaken(PeerName),
    /// The name is somebody else's in the audit log.
    #[error(
        "\"{0}\" is somebody else's name in the audit log: whoever is at the server is \"{OWNER}\" there, or \"{TRIAL}\"; choose another"
    )]
    NameReserved(PeerName),
    /// Another device is tried out.
    #[error("a trial is under way already; it ends in a moment")]
    TrialUnderWay,
    /// The key is a peer's.
    #[error("this key is already that of peer \"{0}\"; every device needs a key of its own")]
    KeyTaken(PeerName),
    /// The key was revoked.
    #[error("this key was revoked on {0} and can never return; make a new one")]
    KeyRevoked(Timestamp),
    /// The key is the server's own.
    #[error("this is the server's own key; a device needs one of its own")]
    KeyIsServers,
    /// A key cannot be used.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A scope's name, a collection's, a network's or a time is wrong.
    #[error("{0}")]
    Grant(String),
    /// All addresses are given out.
    #[error("all addresses of {0} are given out; revoke peers that are gone, or make the network wider in adit.toml")]
    NoAddress(String),
}

/// A device.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its handle in this process.
    pub id: PeerId,
    /// Its name.
    pub name: PeerName,
    /// Its key.
    pub public_key: PublicKey,
    /// The key mixed into its handshakes.
    pub preshared_key: Option<PresharedKey>,
    /// Its inner addresses.
    pub addresses: Vec<IpAddr>,
    /// What it may see and do.
    pub grant: Grant,
    /// When that holds.
    pub window: Window,
    /// The outer networks that it may come from; none: any.
    pub from: Vec<IpNet>,
    /// Whether the owner has switched it off for the time being.
    pub disabled: bool,
    /// When it was added.
    pub created: Timestamp,
}

/// All devices.
#[derive(Debug)]
pub struct Peers {
    path: PathBuf,
    peers: Vec<Peer>,
    /// One that is admitted for a moment, and never written down.
    trial: Option<Peer>,
    revoked: Vec<Revoked>,
    lockdown: Option<Lockdown>,
    next_id: u32,
    generation: u64,
}

/// What a change works on; all of it is on disk before any of it holds.
struct Draft<'a> {
    peers: &'a mut Vec<Peer>,
    revoked: &'a mut Vec<Revoked>,
    lockdown: &'a mut Option<Lockdown>,
}

/// What a device without flags is given: the collections that exist now, and what `[grant]` says.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Names of collections.
    pub collections: Vec<String>,
    /// Names of scopes.
    pub scopes: Vec<String>,
}

impl Peers {
    /// Reads the list in a state folder; none yet is an empty one.
    pub fn load(state_dir: &Path) -> Result<Peers, PeersError> {
        let path = state_dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Zeroizing::default(),
            Err(source) => return Err(PeersError::Io { path, source }),
        };
        let mut peers = Peers {
            path,
            peers: Vec::new(),
            trial: None,
            revoked: Vec::new(),
            lockdown: None,
            next_id: 0,
            generation: 0,
        };
        if !text.is_empty() {
            peers.read(&text).map_err(|problem| PeersError::Damaged { path: peers.path.clone(), problem })?;
        }
        Ok(peers)
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let stored = file::parse(text)?;
        (self.revoked, self.lockdown) = (stored.revoked, stored.lockdown);
        let (mut names, mut keys, mut addresses) = (HashSet::new(), HashSet::new(), HashSet::new());
        for stored in stored.peer {
            let peer = stored.parse(self.take_id())?;
            let unique = names.insert(peer.name.clone())
                && keys.insert(peer.public_key)
                && peer.addresses.iter().all(|address| addresses.insert(*address));
            if !unique {
                return Err(format!("the name, key or address of peer {:?} stands twice", peer.name.as_str()));
            }
            self.peers.push(peer);
        }
        Ok(())
    }

    /// All devices, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter()
    }

    /// One device.
    pub fn find(&self, name: &PeerName) -> Result<&Peer, PeersError> {
        self.peers.iter().find(|peer| peer.name == *name).ok_or_else(|| PeersError::NoSuchPeer(name.clone()))
    }

    /// The name of the device whose key this was before it was revoked.
    pub fn revoked(&self, key: &PublicKey) -> Option<&PeerName> {
        let text = key.to_string();
        self.revoked.iter().find(|revoked| revoked.public_key == text).map(|revoked| &revoked.name)
    }

    /// Whether a device is served at this time, or why not.
    pub fn standing(&self, peer: &Peer, now: Timestamp) -> Standing {
        let locked_out = self.lockdown.as_ref().is_some_and(|lockdown| !lockdown.except.contains(&peer.name));
        match peer.window.season(now) {
            _ if peer.disabled => Standing::Disabled,
            _ if locked_out => Standing::LockedOut,
            Season::Over => Standing::Expired,
            Season::Early => Standing::NotYet,
            Season::Open => Standing::Served,
        }
    }

    /// The devices that are served at this time.
    pub fn served(&self, now: Timestamp) -> impl Iterator<Item = &Peer> {
        self.peers.iter().chain(&self.trial).filter(move |peer| self.standing(peer, now) == Standing::Served)
    }

    /// When the next device begins or ceases to be served by itself.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.peers.iter().filter_map(|peer| peer.window.next_change(now)).min()
    }

    /// Since when all devices are locked out, and but which.
    pub fn lockdown(&self) -> Option<(Timestamp, &[PeerName])> {
        self.lockdown.as_ref().map(|lockdown| (lockdown.since, lockdown.except.as_slice()))
    }

    /// The grants of those that are served. Two policies of one generation may differ by what time has brought.
    pub fn policy(&self, now: Timestamp) -> Policy {
        Policy::new(self.generation, self.served(now).map(|peer| (peer.id, peer.grant.clone())))
            .with_keys(self.peers.iter().chain(&self.trial).map(|peer| (peer.id, *peer.public_key.as_bytes())))
    }

    /// Adds a device under the lowest free addresses.
    pub fn add(
        &mut self,
        now: Timestamp,
        new: &NewPeer,
        server: PublicKey,
        networks: &[TunnelNetwork],
        defaults: &Defaults,
    ) -> Result<&Peer, PeersError> {
        self.check_name(&new.name)?;
        let (public_key, preshared_key) = self.unused(&new.keys, server)?;
        let terms = Terms {
            collections: Some(new.terms.collections.clone().unwrap_or_else(|| defaults.collections.clone())),
            scopes: Some(new.terms.scopes.clone().unwrap_or_else(|| defaults.scopes.clone())),
            ..new.terms.clone()
        };
        let mut peer = Peer {
            id: self.take_id(),
            name: new.name.clone(),
            public_key,
            preshared_key,
            addresses: self.free_addresses(networks)?,
            grant: Grant::default(),
            window: Window::default(),
            from: Vec::new(),
            disabled: false,
            created: now,
        };
        apply(&mut peer, &terms)?;
        let at = self.peers.partition_point(|other| other.name < peer.name);
        self.change(|draft| draft.peers.insert(at, peer))?;
        Ok(&self.peers[at])
    }

    /// Admits a device for a moment, which may search all collections: nothing is written down, and it is none of [`Peers::iter`].
    pub fn begin_trial(
        &mut self,
        now: Timestamp,
        keys: &DeviceKeys,
        server: PublicKey,
        networks: &[TunnelNetwork],
    ) -> Result<&Peer, PeersError> {
        if self.trial.is_some() {
            return Err(PeersError::TrialUnderWay);
        }
        let (public_key, preshared_key) = self.unused(keys, server)?;
        let peer = Peer {
            id: self.take_id(),
            name: TRIAL.parse().expect("it is a name"),
            public_key,
            preshared_key,
            addresses: self.free_addresses(networks)?,
            grant: grant(&["*".to_owned()], &["search".to_owned()])?,
            window: Window::default(),
            from: Vec::new(),
            disabled: false,
            created: now,
        };
        self.generation += 1;
        Ok(self.trial.insert(peer))
    }

    /// Ends that.
    pub fn end_trial(&mut self) {
        self.generation += u64::from(self.trial.take().is_some());
    }

    /// Keys that a device may have: nobody's, and never anybody's whose were revoked.
    fn unused(&self, keys: &DeviceKeys, server: PublicKey) -> Result<(PublicKey, Option<PresharedKey>), PeersError> {
        let public_key: PublicKey = keys.public_key.parse()?;
        let preshared_key = keys.preshared_key.as_deref().map(str::parse).transpose()?;
        let text = public_key.to_string();
        if public_key == server {
            return Err(PeersError::KeyIsServers);
        }
        if let Some(revoked) = self.revoked.iter().find(|revoked| revoked.public_key == text) {
            return Err(PeersError::KeyRevoked(revoked.at));
        }
        match self.peers.iter().find(|peer| peer.public_key == public_key) {
            Some(peer) => Err(PeersError::KeyTaken(peer.name.clone())),
            None => Ok((public_key, preshared_key)),
        }
    }

    /// A device as it would be with these terms.
    pub fn with_terms(&self, name: &PeerName, change: &Terms) -> Result<Peer, PeersError> {
        let mut peer = self.find(name)?.clone();
        apply(&mut peer, change)?;
        Ok(peer)
    }

    /// Changes a device's grant.
    pub fn set(&mut self, name: &PeerName, change: &Terms) -> Result<&Peer, PeersError> {
        let at = self.position(name)?;
        let mut peer = self.with_terms(name, change)?;
        if peer.from != self.peers[at].from {
            // To the node it is another device from now on: its old session may have come from anywhere.
            peer.id = self.take_id();
        }
        self.change(|draft| draft.peers[at] = peer)?;
        Ok(&self.peers[at])
    }

    /// Switches a device off, or on again.
    pub fn switch(&mut self, name: &PeerName, on: bool) -> Result<&Peer, PeersError> {
        let at = self.position(name)?;
        self.change(|draft| draft.peers[at].disabled = !on)?;
        Ok(&self.peers[at])
    }

    /// Gives a device another name.
    pub fn rename(&mut self, name: &PeerName, to: &PeerName) -> Result<&Peer, PeersError> {
        let at = self.position(name)?;
        if name != to {
            self.check_name(to)?;
        }
        self.change(|draft| {
            draft.peers[at].name = to.clone();
            draft.peers.sort_by(|one, other| one.name.cmp(&other.name));
            let except = draft.lockdown.iter_mut().flat_map(|lockdown| &mut lockdown.except);
            except.filter(|excepted| *excepted == name).for_each(|excepted| excepted.clone_from(to));
        })?;
        self.find(to)
    }

    /// Gives a device new keys under the same name, addresses and grant. The old ones never return.
    pub fn rotate(
        &mut self,
        now: Timestamp,
        name: &PeerName,
        keys: &DeviceKeys,
        server: PublicKey,
    ) -> Result<&Peer, PeersError> {
        let at = self.position(name)?;
        let (public_key, preshared_key) = self.unused(keys, server)?;
        let tombstone = Revoked::new(&self.peers[at], now);
        let id = self.take_id();
        self.change(|draft| {
            let peer = &mut draft.peers[at];
            (peer.id, peer.public_key, peer.preshared_key) = (id, public_key, preshared_key);
            draft.revoked.push(tombstone);
        })?;
        Ok(&self.peers[at])
    }

    /// Takes a device away and keeps its key from ever returning.
    pub fn revoke(&mut self, now: Timestamp, name: &PeerName) -> Result<Peer, PeersError> {
        let at = self.position(name)?;
        let peer = self.peers[at].clone();
        let tombstone = Revoked::new(&peer, now);
        self.change(|draft| {
            draft.peers.remove(at);
            draft.revoked.push(tombstone);
        })?;
        Ok(peer)
    }

    /// Locks all devices out, but these. While it lasts, a second one changes who is excepted.
    pub fn lock(&mut self, now: Timestamp, except: &[PeerName]) -> Result<(), PeersError> {
        except.iter().try_for_each(|name| self.find(name).map(drop))?;
        self.change(|draft| {
            let since = draft.lockdown.as_ref().map_or(now, |lockdown| lockdown.since);
            *draft.lockdown = Some(Lockdown { since, except: except.to_vec() });
        })
    }

    /// Ends that; whether there was something to end.
    pub fn unlock(&mut self) -> Result<bool, PeersError> {
        let was_locked = self.lockdown.is_some();
        if was_locked {
            self.change(|draft| *draft.lockdown = None)?;
        }
        Ok(was_locked)
    }

    fn check_name(&self, name: &PeerName) -> Result<(), PeersError> {
        match self.find(name) {
            _ if [OWNER, TRIAL].contains(&name.as_str()) => Err(PeersError::NameReserved(name.clone())),
            Ok(_) => Err(PeersError::NameTaken(name.clone())),
            Err(_) => Ok(()),
        }
    }

    fn position(&self, name: &PeerName) -> Result<usize, PeersError> {
        self.peers.iter().position(|peer| peer.name == *name).ok_or_else(|| PeersError::NoSuchPeer(name.clone()))
    }

    /// Changes the list on disk first; in memory only once it is there.
    fn change(&mut self, apply: impl FnOnce(Draft<'_>)) -> Result<(), PeersError> {
        let (mut peers, mut revoked, mut lockdown) = (self.peers.clone(), self.revoked.clone(), self.lockdown.clone());
        apply(Draft { peers: &mut peers, revoked: &mut revoked, lockdown: &mut lockdown });
        let text = file::render(&peers, &revoked, lockdown.as_ref());
        write_atomically(&self.path, text.as_bytes(), 0o600)
            .map_err(|source| PeersError::Io { path: self.path.clone(), source })?;
        (self.peers, self.revoked, self.lockdown) = (peers, revoked, lockdown);
        self.generation += 1;
        Ok(())
    }

    fn take_id(&mut self) -> PeerId {
        let id = PeerId::new(self.next_id);
        self.next_id += 1;
        id
    }
}

/// Changes what terms say, and leaves the rest.
fn apply(peer: &mut Peer, terms: &Terms) -> Result<(), PeersError> {
    let (collections, scopes) = words(&peer.grant);
    peer.grant =
        grant(terms.collections.as_deref().unwrap_or(&collections), terms.scopes.as_deref().unwrap_or(&scopes))?;
    if let Some(networks) = &terms.from {
        peer.from = outer_networks(networks).map_err(PeersError::Grant)?;
    }
    if let Some(when) = terms.not_before {
        peer.window.not_before = when.bound();
    }
    if let Some(when) = terms.expires {
        peer.window.expires = when.bound();
    }
    Ok(())
}

/// Networks as people write them: `192.0.2.0/24`, or one address.
fn outer_networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    let parse = |text: &String| {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let network = network.map(|network: IpNet| network.trunc());
        network.map_err(|_| format!("{text:?} is no network; write 192.0.2.0/24, 2001:db8::/32, or one address"))
    };
    let networks: Vec<IpNet> = texts.iter().map(parse).collect::<Result<_, _>>()?;
    match networks.len() {
        ..=NETWORKS => Ok(networks),
        many => Err(format!("{many} networks for one device; at most {NETWORKS}")),
    }
}

fn grant(collections: &[String], scopes: &[String]) -> Result<Grant, PeersError> {
    let actions = scopes.iter().map(|scope| scope.parse::<Action>()).collect::<Result<Vec<_>, _>>();
    let actions = actions.map_err(|error| PeersError::Grant(error.to_string()))?;
    Grant::new(collections, actions).map_err(|error| PeersError::Grant(error.to_string()))
}

/// A grant as people write it: its collections and its scopes.
pub fn words(grant: &Grant) -> (Vec<String>, Vec<String>) {
    let scopes = grant.actions().iter().map(|action| action.as_str().to_owned()).collect();
    (grant.collections().map(str::to_owned).collect(), scopes)
}
