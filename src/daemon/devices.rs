//! What may be asked about devices, and changed: the same with a daemon and without one.

use std::path::PathBuf;

use jiff::Timestamp;

use super::audit::Change;
use super::peers::{Defaults, Peer, Peers, PeersError, words};
use super::why::{Reader, why};
use crate::config::Config;
use crate::control::{Failed, FailedKind, LockdownReport, PeerReport, Request, Response, Sight};
use crate::key::PublicKey;
use crate::name::PeerName;
use crate::node::{NodePeer, PeerStatus};
use crate::search::Library;

/// How often a device that we call hears from us: the mappings of most routers live for 30 seconds.
const CALLED_KEEPALIVE_SECS: u16 = 25;

/// What a request about devices came to.
pub(super) enum Changed {
    /// This device has changed, or is as it was asked for.
    Device(Option<Change>, Box<Peer>),
    /// Something has changed.
    Done(Change),
    /// Nothing has.
    Nothing,
    /// All devices.
    Listed(Vec<Peer>),
}

impl Changed {
    fn device(change: impl FnOnce(&Peer) -> Change, peer: &Peer) -> Changed {
        Changed::Device(Some(change(peer)), Box::new(peer.clone()))
    }

    /// The change for the audit log, if it is one.
    pub(super) fn as_change(&self) -> Option<&Change> {
        match self {
            Changed::Device(change, _) => change.as_ref(),
            Changed::Done(change) => Some(change),
            Changed::Nothing | Changed::Listed(_) => None,
        }
    }

    /// The answer, each device as `report` gives it.
    pub(super) fn into_response(self, report: impl Fn(&Peer) -> PeerReport) -> Response {
        match self {
            Changed::Device(_, peer) => Response::Peer(Box::new(report(&peer))),
            Changed::Done(_) | Changed::Nothing => Response::Done,
            Changed::Listed(peers) => Response::Peers { peers: peers.iter().map(report).collect() },
        }
    }
}

/// Asks or changes the list of devices.
pub(super) fn change_peers(
    peers: &mut Peers,
    config: &Config,
    server: PublicKey,
    now: Timestamp,
    request: &Request,
) -> Result<Changed, Failed> {
    let changed = match request {
        Request::PeerAdd(new) => {
            check_collections(new.terms.collections.as_deref(), config)?;
            let defaults = Defaults {
                collections: config.collections.iter().map(|it| it.name.as_str().to_owned()).collect(),
                scopes: config.grant.scopes.clone(),
            };
            let added = peers.add(now, new, server, &config.server.tunnel, &defaults);
            added.map(|peer| Changed::device(|peer| Change::PeerAdded(peer.into()), peer))
        }
        Request::PeerSet { name, change } => {
            check_collections(change.collections.as_deref(), config)?;
            peers.set(name, change).map(|peer| Changed::device(|peer| Change::PeerSet(peer.into()), peer))
        }
        Request::PeerRename { name, to } => {
            let renamed = |peer: &Peer| Change::PeerRenamed { was: name.to_string(), device: peer.into() };
            peers.rename(name, to).map(|peer| Changed::device(renamed, peer))
        }
        Request::PeerSwitch { name, on } => {
            let switched = |peer: &Peer| match on {
                true => Change::PeerEnabled(peer.into()),
                false => Change::PeerDisabled(peer.into()),
            };
            peers.switch(name, *on).map(|peer| Changed::device(switched, peer))
        }
        Request::PeerRotate { name, keys } => {
            let old_key = peers.find(name).map_err(failed)?.public_key.fingerprint();
            let rotated = |peer: &Peer| Change::PeerRotated { old_key, device: peer.into() };
            peers.rotate(now, name, keys, server).map(|peer| Changed::device(rotated, peer))
        }
        Request::PeerRevoke { name } => {
            peers.revoke(now, name).map(|peer| Changed::Done(Change::PeerRevoked((&peer).into())))
        }
        Request::Lockdown { except } => {
            let change = Change::Lockdown { except: except.iter().map(PeerName::to_string).collect() };
            peers.lock(now, except).map(|()| Changed::Done(change))
        }
        Request::Unlock => peers.unlock().map(|locked| match locked {
            true => Changed::Done(Change::Unlocked),
            false => Changed::Nothing,
        }),
        Request::PeerShow { name } => peers.find(name).map(|peer| Changed::Device(None, Box::new(peer.clone()))),
        Request::PeerList => Ok(Changed::Listed(peers.iter().cloned().collect())),
        other => {
            let message = format!("{other:?} is answered by a running daemon only");
            return Err(Failed { kind: FailedKind::Failed, message });
        }
    };
    changed.map_err(failed)
}

/// Whether a device sees a path, and which rule of its grant decides.
pub(super) fn explain(
    (peer, report): (&Peer, PeerReport),
    library: &Library,
    config: &Config,
    reader: Reader,
    (typed, paths): (&str, &[PathBuf]),
) -> Result<Response, Failed> {
    let (places, collections) = why(library, config, reader, typed, paths)?;
    let sight = |place: crate::control::WhyReport| {
        let rule = peer.grant.deciding(&place.collection, &place.path);
        Sight {
            admitted: rule.is_some_and(|rule| !rule.denies()),
            rule: rule.map(|rule| rule.as_str().to_owned()),
            place,
        }
    };
    Ok(Response::Explained { peer: Box::new(report), places: places.into_iter().map(sight).collect(), collections })
}

/// What is known of a device.
pub(super) fn report(peers: &Peers, peer: &Peer, now: Timestamp, status: PeerStatus) -> PeerReport {
    let (collections, scopes) = words(&peer.grant);
    PeerReport {
        name: peer.name.clone(),
        public_key: peer.public_key.to_string(),
        fingerprint: peer.public_key.fingerprint(),
        addresses: peer.addresses.clone(),
        preshared_key: peer.preshared_key.is_some(),
        collections,
        scopes,
        standing: peers.standing(peer, now),
        not_before: peer.window.not_before,
        expires: peer.window.expires,
        from: peer.from.iter().map(ToString::to_string).collect(),
        created: peer.created,
        endpoint: status.endpoint,
        latest_handshake_seconds: status.latest_handshake.map(|it| it.as_secs()),
        received_bytes: status.received_bytes,
        sent_bytes: status.sent_bytes,
        streams: status.streams,
        uses_former_server_key: status.uses_former_key,
    }
}

/// Who is locked out, if anybody is.
pub(super) fn lockdown(peers: &Peers) -> Option<LockdownReport> {
    let (since, except) = peers.lockdown()?;
    Some(LockdownReport { since, except: except.to_vec() })
}

/// A device as the node takes it: one that the configuration says to call is called at once, and held.
pub(super) fn node_peer(peer: &Peer, config: &Config) -> NodePeer {
    let called = config.server.dial.iter().find(|dial| dial.peer == peer.name);
    NodePeer {
        id: peer.id,
        public_key: peer.public_key,
        preshared_key: peer.preshared_key.clone(),
        addresses: peer.addresses.clone(),
        endpoint: called.map(|dial| dial.address),
        keepalive_secs: called.map(|_| CALLED_KEEPALIVE_SECS),
        from: peer.from.clone(),
    }
}

/// A collection that is named must exist; a glob may wait for those to come.
pub(super) fn check_collections(rules: Option<&[String]>, config: &Config) -> Result<(), Failed> {
    let name = |rule: &String| {
        let rule = rule.trim();
        rule.strip_prefix('!').unwrap_or(rule).split('/').next().unwrap_or_default().to_owned()
    };
    let missing = |name: &String| {
        let is_literal = !name.contains(['*', '?', '[', '{']);
        is_literal && !config.collections.iter().any(|it| it.name.as_str() == name)
    };
    match rules.unwrap_or_default().iter().map(name).find(missing) {
        Some(name) => Err(no_such_collection(&name, config)),
        None => Ok(()),
    }
}

/// No collection has this name.
pub(super) fn no_such_collection(name: &str, config: &Config) -> Failed {
    let names: Vec<&str> = config.collections.iter().map(|it| it.name.as_str()).collect();
    let message = format!("there is no collection {name:?}; there are: {}", names.join(", "));
    Failed { kind: FailedKind::NotFound, message }
}

pub(super) fn failed(error: PeersError) -> Failed {
    let kind = match error {
        PeersError::NoSuchPeer(_) => FailedKind::NotFound,
        PeersError::NameTaken(_) | PeersError::KeyTaken(_) | PeersError::KeyRevoked(_) | PeersError::TrialUnderWay => {
            FailedKind::Exists
        }
        PeersError::NameReserved(_) | PeersError::Key(_) | PeersError::KeyIsServers | PeersError::Grant(_) => {
            FailedKind::Usage
        }
        PeersError::Io { .. } | PeersError::Damaged { .. } | PeersError::NoAddress(_) => FailedKind::Failed,
    };
    Failed { kind, message: error.to_string() }
}
