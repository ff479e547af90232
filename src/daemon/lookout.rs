//! What happens at the tunnel, for the audit log: where devices appear from, and who was refused, summed over a minute so that a flood
//! writes little. Where nothing happens, nothing runs.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use tokio::time::{Instant, sleep_until};

use super::audit::{Notice, Whom};
use super::running::Running;
use crate::control::Standing;
use crate::limits::AUDIT_SUM;
use crate::node::{RefusalSum, Refused};
use crate::peer::PeerId;

/// Who keeps the records of the tunnel.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// Where each device was last recorded: those that are admitted, and a few that were.
    seen: HashMap<PeerId, IpAddr>,
    /// When the refusals are to be written.
    due: Option<Instant>,
}

impl Lookout {
    /// A device has a session, or moved. Its port means nothing: routers change it.
    pub(super) fn appeared(&mut self, running: &Running, peer: PeerId, endpoint: Option<SocketAddr>) {
        let Some(endpoint) = endpoint else { return };
        let admitted = running.admitted.lock();
        if self.seen.len() > 2 * admitted.len() {
            self.seen.retain(|peer, _| admitted.contains(peer));
        }
        drop(admitted);
        if self.seen.insert(peer, endpoint.ip()) != Some(endpoint.ip()) {
            running.audit.endpoint(peer, endpoint);
        }
    }

    /// Somebody was refused.
    pub(super) fn refused(&mut self) {
        self.due.get_or_insert(Instant::now() + AUDIT_SUM);
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
        let notices = running.link.node().take_refusals().into_iter().map(|sum| notice(running, &sum));
        for (reason, notice) in summed(notices) {
            running.refusals.lock().add(reason, notice.count);
            running.audit.notice(&notice);
        }
    }
}

/// One notice of each reason for each device; whoever is none shares one, however many keys a flood makes up.
fn summed(notices: impl Iterator<Item = (&'static str, Notice)>) -> Vec<(&'static str, Notice)> {
    let mut summed: Vec<(&'static str, Notice)> = Vec::new();
    for (reason, notice) in notices {
        let is_same = |known: &&mut (&'static str, Notice)| {
            let (known, whom) = (&known.1, &notice.whom);
            known.reason == notice.reason
                && known.whom.peer == whom.peer
                && (whom.peer.is_none() || known.whom.key == whom.key)
        };
        match summed.iter_mut().find(is_same) {
            Some((_, known)) => {
                known.count = known.count.saturating_add(notice.count);
                known.whom.key.take_if(|key| Some(&*key) != notice.whom.key.as_ref());
            }
            None => summed.push((reason, notice)),
        }
    }
    summed
}

/// The reason that is written where a revoked key was used.
pub(super) const REVOKED: &str = "revoked_key";

/// A sum as the log has it, with its reason.
fn notice(running: &Running, sum: &RefusalSum) -> (&'static str, Notice) {
    let (reason, whom) = reason(running, sum);
    (reason, Notice { reason: reason.to_owned(), whom, count: sum.count, from: Some(sum.from) })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_is_one_line() {
        let from = Some(SocketAddr::from(([192, 0, 2, 1], 9)));
        let notice = |reason: &'static str, peer: Option<&str>, key: &str, count| {
            let whom = Whom { peer: peer.map(str::to_owned), key: Some(key.to_owned()) };
            (reason, Notice { reason: reason.to_owned(), whom, count, from })
        };
        let flood = (0..500).map(|n| notice("unknown_key", None, &format!("{n:04x}"), 2));
        let others = [
            notice("revoked_key", Some("old"), "aaaa", 3),
            notice("revoked_key", Some("older"), "bbbb", 4),
            notice("foreign_network", Some("old"), "aaaa", 5),
            notice("cookie", None, "cccc", 6),
        ];
        let summed = summed(flood.chain(others.clone()));
        let mut expected = vec![notice("unknown_key", None, "", 1000)];
        expected[0].1.whom.key = None;
        expected.extend(others);
        assert_eq!(summed, expected);
    }
}
