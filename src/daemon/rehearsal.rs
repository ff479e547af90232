//! What a device would gain and lose by another grant: tried on the documents that there are, and nothing is changed.

use jiff::Timestamp;

use super::devices::failed;
use super::peers::{Peer, Peers};
use crate::access::{Action, Grant, Policy, Scope};
use crate::control::{Failed, FailedKind, Rehearsal, Standing, Terms};
use crate::limits::REHEARSAL_DOCUMENTS;
use crate::name::PeerName;
use crate::peer::PeerId;
use crate::search::Library;

/// A device as it is and as it would be.
pub(super) struct Sides {
    before: Peer,
    after: Peer,
    /// Whether it would be served.
    standing: Standing,
}

/// The device as it is and as these terms would make it.
pub(super) fn sides(peers: &Peers, now: Timestamp, name: &PeerName, change: &Terms) -> Result<Sides, Failed> {
    let before = peers.find(name).map_err(failed)?.clone();
    let after = peers.with_terms(name, change).map_err(failed)?;
    Ok(Sides { standing: peers.standing(&after, now), before, after })
}

/// What lies between the two.
pub(super) fn report(sides: &Sides, library: &Library) -> Result<Rehearsal, Failed> {
    let Sides { before, after, standing } = sides;
    let difference = match (scope(before), scope(after)) {
        (Some(before), Some(after)) => library.difference(&before, &after, REHEARSAL_DOCUMENTS),
        _ => return Err(Failed { kind: FailedKind::Failed, message: "the grant cannot be tried".to_owned() }),
    };
    let scopes = |peer: &Peer| peer.grant.actions().iter().map(|action| action.to_string()).collect();
    Ok(Rehearsal {
        peer: before.name.clone(),
        gains: difference.gained,
        loses: difference.lost,
        collections: after.grant.collections().map(str::to_owned).collect(),
        scopes: scopes(after),
        scopes_now: scopes(before),
        standing: *standing,
    })
}

/// What a device sees by its grant, whenever that holds. Who may neither search nor read nor browse sees no document.
fn scope(peer: &Peer) -> Option<Scope> {
    let shows = [Action::Search, Action::Read, Action::Browse];
    let sees = peer.grant.actions().iter().any(|action| shows.contains(action));
    let grant = if sees { peer.grant.clone() } else { Grant::default() };
    let anybody = PeerId::new(0);
    Policy::new(0, [(anybody, grant)]).scope(anybody)
}
