//! `peers.toml`: the devices, their grants, and the keys that may never return. Belongs to the daemon; whoever changes it
//! without one holds the lock of the state folder. Every change is on disk before it is acknowledged.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::{Action, Grant, Policy};
use crate::config::{TunnelNetwork, write_atomically};
use crate::control::{NewPeer, PeerChange};
use crate::key::{KeyError, PresharedKey, PublicKey};
use crate::name::PeerName;
use crate::peer::PeerId;

/// The file's name in the state folder.
const FILE: &str = "peers.toml";

/// Most devices: a /16 of addresses has no more.
const PEERS: usize = 65_000;

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
    /// A scope's name is wrong.
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
    /// When it was added.
    pub created: Timestamp,
}

/// A key that never returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    public_key: String,
    name: PeerName,
    at: Timestamp,
}

/// All devices.
#[derive(Debug)]
pub struct Peers {
    path: PathBuf,
    peers: Vec<Peer>,
    revoked: Vec<Revoked>,
    next_id: u32,
    generation: u64,
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
        let mut peers = Peers { path, peers: Vec::new(), revoked: Vec::new(), next_id: 0, generation: 0 };
        if !text.is_empty() {
            peers.read(&text).map_err(|problem| PeersError::Damaged { path: peers.path.clone(), problem })?;
        }
        Ok(peers)
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let file: File = toml_edit::de::from_str(text).map_err(|error| error.to_string())?;
        self.revoked = file.revoked;
        let (mut names, mut keys, mut addresses) = (HashSet::new(), HashSet::new(), HashSet::new());
        for stored in file.peer {
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

    /// The grants of all.
    pub fn policy(&self) -> Policy {
        Policy::new(self.generation, self.peers.iter().map(|peer| (peer.id, peer.grant.clone())))
            .with_keys(self.peers.iter().map(|peer| (peer.id, *peer.public_key.as_bytes())))
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
        let public_key: PublicKey = new.public_key.parse()?;
        let preshared_key = new.preshared_key.as_deref().map(str::parse).transpose()?;
        let text = public_key.to_string();
        if public_key == server {
            return Err(PeersError::KeyIsServers);
        }
        if let Some(revoked) = self.revoked.iter().find(|revoked| revoked.public_key == text) {
            return Err(PeersError::KeyRevoked(revoked.at));
        }
        if let Some(peer) = self.peers.iter().find(|peer| peer.public_key == public_key) {
            return Err(PeersError::KeyTaken(peer.name.clone()));
        }
        if self.find(&new.name).is_ok() {
            return Err(PeersError::NameTaken(new.name.clone()));
        }
        let grant = grant(
            new.collections.as_deref().unwrap_or(&defaults.collections),
            new.scopes.as_deref().unwrap_or(&defaults.scopes),
        )?;
        let peer = Peer {
            id: self.take_id(),
            name: new.name.clone(),
            public_key,
            preshared_key,
            addresses: self.free_addresses(networks)?,
            grant,
            created: now,
        };
        let at = self.peers.partition_point(|other| other.name < peer.name);
        self.change(|peers, _| peers.insert(at, peer))?;
        Ok(&self.peers[at])
    }

    /// Changes a device's grant.
    pub fn set(&mut self, name: &PeerName, change: &PeerChange) -> Result<&Peer, PeersError> {
        let peer = self.find(name)?;
        let (collections, scopes) = words(&peer.grant);
        let grant =
            grant(change.collections.as_deref().unwrap_or(&collections), change.scopes.as_deref().unwrap_or(&scopes))?;
        let at = self.peers.iter().position(|peer| peer.name == *name).expect("it was found above");
        self.change(|peers, _| peers[at].grant = grant)?;
        Ok(&self.peers[at])
    }

    /// Takes a device away and keeps its key from ever returning.
    pub fn revoke(&mut self, now: Timestamp, name: &PeerName) -> Result<Peer, PeersError> {
        let peer = self.find(name)?.clone();
        let tombstone = Revoked { public_key: peer.public_key.to_string(), name: name.clone(), at: now };
        self.change(|peers, revoked| {
            peers.retain(|other| other.id != peer.id);
            revoked.push(tombstone);
        })?;
        Ok(peer)
    }

    /// Changes the list on disk first; in memory only once it is there.
    fn change(&mut self, apply: impl FnOnce(&mut Vec<Peer>, &mut Vec<Revoked>)) -> Result<(), PeersError> {
        let (mut peers, mut revoked) = (self.peers.clone(), self.revoked.clone());
        apply(&mut peers, &mut revoked);
        let file = File { version: 1, peer: peers.iter().map(StoredPeer::from).collect(), revoked: revoked.clone() };
        let text = Zeroizing::new(toml_edit::ser::to_string_pretty(&file).expect("a list of plain tables"));
        let text = Zeroizing::new(format!("# Written by adit; change it with `adit peer …`.\n{}", text.as_str()));
        write_atomically(&self.path, text.as_bytes(), 0o600)
            .map_err(|source| PeersError::Io { path: self.path.clone(), source })?;
        (self.peers, self.revoked) = (peers, revoked);
        self.generation += 1;
        Ok(())
    }

    fn take_id(&mut self) -> PeerId {
        let id = PeerId::new(self.next_id);
        self.next_id += 1;
        id
    }

    /// The lowest free address of each network, the same host number in all where it is free.
    fn free_addresses(&self, networks: &[TunnelNetwork]) -> Result<Vec<IpAddr>, PeersError> {
        let taken: HashSet<IpAddr> = self.peers.iter().flat_map(|peer| peer.addresses.iter().copied()).collect();
        let free = |host: u32, network: &TunnelNetwork| {
            host_address(network, host).filter(|address| *address != network.address && !taken.contains(address))
        };
        let full = || {
            let names: Vec<String> = networks.iter().map(|it| format!("{}/{}", it.address, it.prefix)).collect();
            PeersError::NoAddress(names.join(" and "))
        };
        (1..=PEERS as u32 + 1)
            .find_map(|host| networks.iter().map(|network| free(host, network)).collect::<Option<Vec<_>>>())
            .ok_or_else(full)
    }
}

/// The address with this host number, unless it is outside the network or its broadcast address.
fn host_address(network: &TunnelNetwork, host: u32) -> Option<IpAddr> {
    match network.address {
        IpAddr::V4(address) => {
            let hosts = u32::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
            (host < hosts).then(|| IpAddr::V4(Ipv4Addr::from((u32::from(address) & !hosts) | host)))
        }
        IpAddr::V6(address) => {
            let hosts = u128::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
            let host = u128::from(host);
            (host <= hosts).then(|| IpAddr::V6(Ipv6Addr::from((u128::from(address) & !hosts) | host)))
        }
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

/// The file as it stands on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    peer: Vec<StoredPeer>,
    #[serde(default)]
    revoked: Vec<Revoked>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPeer {
    name: PeerName,
    public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preshared_key: Option<Zeroizing<String>>,
    addresses: Vec<IpAddr>,
    collections: Vec<String>,
    scopes: Vec<String>,
    created: Timestamp,
}

impl StoredPeer {
    fn parse(self, id: PeerId) -> Result<Peer, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("peer {:?}: {what}", self.name.as_str());
        Ok(Peer {
            id,
            public_key: self.public_key.parse().map_err(|error| wrong(&error))?,
            preshared_key: self
                .preshared_key
                .as_deref()
                .map(|key| key.parse())
                .transpose()
                .map_err(|error| wrong(&error))?,
            grant: grant(&self.collections, &self.scopes).map_err(|error| wrong(&error))?,
            created: self.created,
            addresses: self.addresses,
            name: self.name,
        })
    }
}

impl From<&Peer> for StoredPeer {
    fn from(peer: &Peer) -> StoredPeer {
        let (collections, scopes) = words(&peer.grant);
        StoredPeer {
            name: peer.name.clone(),
            public_key: peer.public_key.to_string(),
            preshared_key: peer.preshared_key.as_ref().map(PresharedKey::to_base64),
            addresses: peer.addresses.clone(),
            collections,
            scopes,
            created: peer.created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PrivateKey;

    fn networks() -> Vec<TunnelNetwork> {
        vec![
            TunnelNetwork { address: "10.9.8.1".parse().unwrap(), prefix: 29 },
            TunnelNetwork { address: "fd00:1::1".parse().unwrap(), prefix: 64 },
        ]
    }

    fn new_peer(name: &str, seed: u8) -> NewPeer {
        NewPeer {
            name: name.parse().unwrap(),
            public_key: PrivateKey::from_entropy([seed; 32]).public().to_string(),
            preshared_key: Some(PresharedKey::from_entropy([seed; 32]).to_base64().to_string()),
            collections: None,
            scopes: None,
        }
    }

    fn add(peers: &mut Peers, new: &NewPeer) -> Result<Peer, PeersError> {
        let server = PrivateKey::from_entropy([255; 32]).public();
        let defaults = Defaults { collections: vec!["documents".into()], scopes: vec!["search".into()] };
        peers.add(Timestamp::UNIX_EPOCH, new, server, &networks(), &defaults).cloned()
    }

    #[test]
    fn devices_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(dir.path()).unwrap();
        let phone = add(&mut peers, &new_peer("phone", 1)).unwrap();
        assert_eq!(phone.addresses, ["10.9.8.2".parse::<IpAddr>().unwrap(), "fd00:1::2".parse().unwrap()]);
        let change = PeerChange { collections: Some(vec!["*".into()]), scopes: None };
        peers.set(&phone.name, &change).unwrap();

        let again = Peers::load(dir.path()).unwrap();
        let (found, kept) = (again.find(&phone.name).unwrap(), peers.find(&phone.name).unwrap());
        assert_eq!((found.public_key, &found.grant), (kept.public_key, &kept.grant));
        assert_eq!(words(&found.grant), (vec!["*".to_owned()], vec!["search".to_owned()]));
        assert!(found.preshared_key == kept.preshared_key);
    }

    #[test]
    fn a_revoked_key_never_returns() {
        let dir = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(dir.path()).unwrap();
        let phone = add(&mut peers, &new_peer("phone", 1)).unwrap();
        peers.revoke(Timestamp::UNIX_EPOCH, &phone.name).unwrap();
        assert!(matches!(peers.find(&phone.name), Err(PeersError::NoSuchPeer(_))));
        let mut again = Peers::load(dir.path()).unwrap();
        for peers in [&mut peers, &mut again] {
            assert!(matches!(add(peers, &new_peer("other", 1)), Err(PeersError::KeyRevoked(_))));
        }
        // The name and the addresses may be had again, with another key.
        let next = add(&mut peers, &new_peer("phone", 2)).unwrap();
        assert_eq!(next.addresses, phone.addresses);
        assert_ne!(next.id, phone.id);
    }

    #[test]
    fn names_keys_and_addresses_are_unique() {
        let dir = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(dir.path()).unwrap();
        add(&mut peers, &new_peer("a", 1)).unwrap();
        assert!(matches!(add(&mut peers, &new_peer("a", 2)), Err(PeersError::NameTaken(_))));
        assert!(matches!(add(&mut peers, &new_peer("b", 1)), Err(PeersError::KeyTaken(_))));
        assert!(matches!(add(&mut peers, &new_peer("b", 255)), Err(PeersError::KeyIsServers)));
        // A /29 has six hosts, one of them the server.
        for seed in 3..7 {
            add(&mut peers, &new_peer(&format!("p{seed}"), seed)).unwrap();
        }
        assert!(matches!(add(&mut peers, &new_peer("late", 9)), Err(PeersError::NoAddress(_))));
    }

    #[test]
    fn a_damaged_list_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for text in ["version = 1\n[[peer]]\nname = \"x\"", "not toml at all", "version = 1\nfoo = 2"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Peers::load(dir.path()), Err(PeersError::Damaged { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_done() {
        let dir = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(dir.path()).unwrap();
        fs::remove_dir(dir.path()).unwrap();
        assert!(matches!(add(&mut peers, &new_peer("a", 1)), Err(PeersError::Io { .. })));
        assert_eq!(peers.iter().count(), 0);
    }
}
