//! `peers.toml` as it stands on disk.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Peer, grant, outer_networks, words};
use crate::access::Window;
use crate::key::PresharedKey;
use crate::name::PeerName;
use crate::peer::PeerId;

/// A key that never returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoked {
    pub(super) public_key: String,
    pub(super) name: PeerName,
    pub(super) at: Timestamp,
}

impl Revoked {
    /// The tombstone of a device's present key.
    pub(super) fn new(peer: &Peer, at: Timestamp) -> Revoked {
        Revoked { public_key: peer.public_key.to_string(), name: peer.name.clone(), at }
    }
}

/// All devices are locked out, but some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lockdown {
    pub(super) since: Timestamp,
    #[serde(default)]
    pub(super) except: Vec<PeerName>,
}

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lockdown: Option<Lockdown>,
    #[serde(default)]
    pub(super) peer: Vec<StoredPeer>,
    #[serde(default)]
    pub(super) revoked: Vec<Revoked>,
}

/// Reads the file.
pub(super) fn parse(text: &str) -> Result<File, String> {
    toml_edit::de::from_str(text).map_err(|error| error.to_string())
}

/// Writes the file.
pub(super) fn render(peers: &[Peer], revoked: &[Revoked], lockdown: Option<&Lockdown>) -> Zeroizing<String> {
    let peer = peers.iter().map(StoredPeer::from).collect();
    let file = File { version: 1, lockdown: lockdown.cloned(), peer, revoked: revoked.to_vec() };
    let text = Zeroizing::new(toml_edit::ser::to_string_pretty(&file).expect("a list of plain tables"));
    Zeroizing::new(format!("# Written by adit; change it with `adit peer …`.\n{}", text.as_str()))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPeer {
    name: PeerName,
    public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preshared_key: Option<Zeroizing<String>>,
    addresses: Vec<IpAddr>,
    collections: Vec<String>,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    from: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
    created: Timestamp,
}

impl StoredPeer {
    pub(super) fn parse(self, id: PeerId) -> Result<Peer, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("peer {:?}: {what}", self.name.as_str());
        let preshared_key = self.preshared_key.as_deref().map(|key| key.parse()).transpose();
        Ok(Peer {
            id,
            public_key: self.public_key.parse().map_err(|error| wrong(&error))?,
            preshared_key: preshared_key.map_err(|error| wrong(&error))?,
            grant: grant(&self.collections, &self.scopes).map_err(|error| wrong(&error))?,
            window: Window { not_before: self.not_before, expires: self.expires },
            from: outer_networks(&self.from).map_err(|error| wrong(&error))?,
            disabled: self.disabled,
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
            not_before: peer.window.not_before,
            expires: peer.window.expires,
            from: peer.from.iter().map(IpNet::to_string).collect(),
            disabled: peer.disabled,
            created: peer.created,
        }
    }
}
