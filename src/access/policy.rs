//! All grants in force.

use std::collections::HashMap;

use super::{Grant, Scope};
use crate::peer::PeerId;

/// All grants, as of one change.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    generation: u64,
    scopes: HashMap<PeerId, Scope>,
    keys: HashMap<PeerId, [u8; 32]>,
}

impl Policy {
    /// The policy of these grants; `generation` rises with every change.
    pub fn new(generation: u64, grants: impl IntoIterator<Item = (PeerId, Grant)>) -> Policy {
        let scopes = grants.into_iter().map(|(peer, grant)| (peer, Scope::of(&grant))).collect();
        Policy { generation, scopes, keys: HashMap::new() }
    }

    /// Adds what stays the same of peers over restarts: their public keys.
    pub fn with_keys(mut self, keys: impl IntoIterator<Item = (PeerId, [u8; 32])>) -> Policy {
        self.keys.extend(keys);
        self
    }

    /// The public key of a peer, to which what is sealed for it is bound.
    pub fn key(&self, peer: PeerId) -> Option<&[u8; 32]> {
        self.keys.get(&peer)
    }

    /// Which change this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What this peer may see and do now. A peer without a grant gets nothing.
    pub fn scope(&self, peer: PeerId) -> Option<Scope> {
        self.scopes.get(&peer).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Action;

    #[test]
    fn a_peer_without_a_grant_has_no_scope() {
        let grant = Grant::new(["notes"], [Action::Search]).unwrap();
        let policy = Policy::new(7, [(PeerId::new(1), grant)]);
        assert_eq!(policy.generation(), 7);
        assert!(policy.scope(PeerId::new(2)).is_none());
        let scope = policy.scope(PeerId::new(1)).unwrap();
        assert!(scope.allows(Action::Search) && !scope.allows(Action::Read));
        assert!(scope.admits(&"notes".parse().unwrap()) && !scope.admits(&"other".parse().unwrap()));
    }
}
