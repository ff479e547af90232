//! What devices have used of their bytes per day, kept over restarts: otherwise whoever is at the limit would begin anew with the daemon.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::peers::Peers;
use super::running::Running;
use crate::config::write_atomically;
use crate::http::Traffic;
use crate::limits::USAGE_SAVE;

/// The file's name in the state folder.
const FILE: &str = "usage.json";

/// The whole file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Used {
    version: u32,
    /// A moment of the day that the bytes belong to.
    at: Timestamp,
    /// Bytes by the fingerprint of the device's key.
    bytes: BTreeMap<String, u64>,
}

/// Where it is kept, and that there is something to keep.
#[derive(Debug)]
pub(super) struct Usage {
    path: PathBuf,
    /// That an answer was sent. Whoever sends must not wait.
    pub(super) sent: Notify,
}

impl Usage {
    /// The file of a state folder.
    pub(super) fn new(state_dir: &Path) -> Usage {
        Usage { path: state_dir.join(FILE), sent: Notify::new() }
    }

    /// Counts again what was used before the restart. A file that cannot be read costs its limits nothing but what it held.
    pub(super) fn restore(&self, peers: &Peers, traffic: &Traffic) {
        let used = match read(&self.path) {
            Ok(used) => used,
            Err(error) => {
                return tracing::warn!(%error, file = %self.path.display(), "the bytes of this day are counted anew");
            }
        };
        for peer in peers.iter() {
            if let Some(&bytes) = used.bytes.get(&peer.public_key.fingerprint()) {
                traffic.restore_used(used.at, peer.id, bytes);
            }
        }
    }

    /// Writes down what is used, if there is a limit to it.
    pub(super) fn save(&self, running: &Running) {
        if running.appliance.config.load().limits.bytes_per_day == 0 {
            return;
        }
        let at = Timestamp::now();
        let used: HashMap<_, _> = running.appliance.traffic.used(at).into_iter().collect();
        let peers = running.peers.lock();
        let of = |peer: &super::peers::Peer| Some((peer.public_key.fingerprint(), *used.get(&peer.id)?));
        let bytes = peers.iter().filter_map(of).collect();
        drop(peers);
        let text = serde_json::to_vec(&Used { version: 1, at, bytes }).expect("plain fields become JSON");
        if let Err(error) = write_atomically(&self.path, &text, 0o600) {
            tracing::warn!(%error, file = %self.path.display(), "the bytes of this day would be forgotten by a restart");
        }
    }

    /// Writes it down now and then, while there is something to write.
    pub(super) async fn keep(running: Arc<Running>) {
        loop {
            running.usage.sent.notified().await;
            sleep(USAGE_SAVE).await;
            let running = Arc::clone(&running);
            let _ = tokio::task::spawn_blocking(move || running.usage.save(&running)).await;
        }
    }
}

fn read(path: &Path) -> io::Result<Used> {
    match fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Used::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_nothing_and_what_is_damaged_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(read(&path).unwrap(), Used::default());
        let used = Used { version: 1, at: Timestamp::UNIX_EPOCH, bytes: [("0011".to_owned(), 17)].into() };
        fs::write(&path, serde_json::to_vec(&used).unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), used);
        fs::write(&path, "{").unwrap();
        assert!(read(&path).is_err());
    }
}
