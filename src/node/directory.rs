//! Who is who: peers by their handle, their key, the index in their datagrams, and their inner addresses.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::AddPeerError;
use super::peer::Peer;
use crate::key::PublicKey;
use crate::peer::PeerId;

#[derive(Default)]
pub(super) struct Directory {
    by_id: HashMap<PeerId, Entry>,
    by_key: HashMap<PublicKey, Arc<Peer>>,
    by_index: HashMap<u32, Arc<Peer>>,
    addresses: HashSet<IpAddr>,
}

struct Entry {
    peer: Arc<Peer>,
    key: PublicKey,
    index: u32,
    addresses: Vec<IpAddr>,
}

impl Directory {
    /// Whether a peer like this may be added.
    pub(super) fn admits(&self, id: PeerId, key: &PublicKey, addresses: &[IpAddr]) -> Result<(), AddPeerError> {
        if self.by_id.contains_key(&id) {
            return Err(AddPeerError::IdTaken);
        }
        if self.by_key.contains_key(key) {
            return Err(AddPeerError::KeyTaken);
        }
        match addresses.iter().any(|address| self.addresses.contains(address)) {
            true => Err(AddPeerError::AddressTaken),
            false => Ok(()),
        }
    }

    /// Whether an index belongs to nobody.
    pub(super) fn is_free(&self, index: u32) -> bool {
        !self.by_index.contains_key(&index)
    }

    /// Adds a peer that `admits` has let pass, with an index that is free.
    pub(super) fn insert(&mut self, peer: Arc<Peer>, key: PublicKey, index: u32, addresses: Vec<IpAddr>) {
        self.by_key.insert(key, peer.clone());
        self.by_index.insert(index, peer.clone());
        self.addresses.extend(&addresses);
        self.by_id.insert(peer.id, Entry { peer, key, index, addresses });
    }

    pub(super) fn remove(&mut self, id: PeerId) -> Option<Arc<Peer>> {
        let entry = self.by_id.remove(&id)?;
        self.by_key.remove(&entry.key);
        self.by_index.remove(&entry.index);
        entry.addresses.iter().for_each(|address| {
            self.addresses.remove(address);
        });
        Some(entry.peer)
    }

    pub(super) fn by_id(&self, id: PeerId) -> Option<Arc<Peer>> {
        self.by_id.get(&id).map(|entry| entry.peer.clone())
    }

    pub(super) fn by_key(&self, key: &PublicKey) -> Option<Arc<Peer>> {
        self.by_key.get(key).cloned()
    }

    pub(super) fn by_index(&self, index: u32) -> Option<Arc<Peer>> {
        self.by_index.get(&index).cloned()
    }

    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.by_id.keys().copied().collect()
    }
}
