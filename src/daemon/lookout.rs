//! What happens at the tunnel, for the audit log: where devices appear from, and who was refused, summed over a minute so that a flood
//! writes little. Where nothing happens, nothing runs.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::audit::{Notice, Whom};
use super::running::Running;
use crate::control::Standing;
use crate::node::{RefusalSum, Refused};
use crate::peer::PeerId;

/// How long refusals are summed.
const SUM_OVER: Duration = Duration::from_secs(60);

/// Who keeps the records of the tunnel.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// Where each device was last recorded. As many as there are devices.
    seen: HashMap<PeerId, IpAddr>,
    /// When the refusals are to be written.
    due: Option<Instant>,
}

impl Lookout {
    /// A device has a session, or moved. Its port means nothing: routers change it.
    pub(super) fn appeared(&mut self, running: &Running, peer: PeerId, endpoint: Option<SocketAddr>) {
        let Some(endpoint) = endpoint else { return };
        if self.seen.insert(peer, endpoint.ip()) != Some(endpoint.ip()) {
            running.audit.endpoint(peer, endpoint);
        }
    }

    /// Somebody was refused.
    pub(super) fn refused(&mut self) {
        self.due.get_or_insert(Instant::now() + SUM_OVER);
    }

    /// Waits until refusals are to be written; without any, for ever.
    pub(super) async fn due(&self) {
        match self.due {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Writes what was refused meanwhile.
    pub(super) fn write(&mut self, running: &Running) {
        self.due = None;
        for sum in running.link.node().take_refusals() {
            let (reason, whom) = reason(running, &sum);
            running.refusals.lock().add(reason, sum.count);
            running.audit.notice(&Notice { reason: reason.to_owned(), whom, count: sum.count, from: sum.from });
        }
    }
}

/// The reason that is written where a revoked key was used.
pub(super) const REVOKED: &str = "revoked_key";

/// A sum in the words of the log: by the names of devices, those that are not served among them.
fn reason(running: &Running, sum: &RefusalSum) -> (&'static str, Whom) {
    let peers = running.peers.lock();
    let named = |name: &str, key: &str| Whom { peer: Some(name.to_owned()), key: Some(key.to_owned()) };
    let reason = sum.reason.trim_start_matches("dropped_");
    match sum.who {
        Refused::Anybody => (reason, Whom::default()),
        Refused::Peer(id) => match peers.iter().find(|peer| peer.id == id) {
            Some(peer) => (reason, named(peer.name.as_str(), &peer.public_key.fingerprint())),
            None => (reason, Whom::default()),
        },
        Refused::Key(key) => match peers.iter().find(|peer| peer.public_key == key) {
            Some(peer) => {
                let reason = match peers.standing(peer, running.calendar.now()) {
                    // It has come back since.
                    Standing::Served => reason,
                    Standing::Disabled => "disabled",
                    Standing::LockedOut => "locked_out",
                    Standing::NotYet => "not_yet",
                    Standing::Expired => "expired",
                };
                (reason, named(peer.name.as_str(), &key.fingerprint()))
            }
            None => match peers.revoked(&key) {
                Some(name) => (REVOKED, named(name.as_str(), &key.fingerprint())),
                None => (reason, Whom { peer: None, key: Some(key.fingerprint()) }),
            },
        },
    }
}
