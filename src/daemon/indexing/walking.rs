//! The task's walks: a collection that is due in, a walk on a thread of its own, what it saw out; and what is to be thought of a root that
//! cannot be walked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::mounts::away;
use super::plan::Sight;
use super::queue::Urgency;
use super::task::Task;
use crate::documents::Walk;
use crate::limits::READ_SHARE;

/// What a walk came to.
pub(super) struct FolderWalked {
    pub(super) folder: usize,
    pub(super) generation: u64,
    pub(super) begun: Timestamp,
    pub(super) took: Duration,
    pub(super) walk: io::Result<Walk>,
}

impl Task {
    pub(super) fn begin_walk(&mut self, number: usize, now: Instant) {
        let folder = &mut self.folders[number];
        if folder.walking || !folder.is_open() || folder.next_walk > now {
            return;
        }
        let Some(rule) = folder.rule.clone() else { return };
        folder.walking = true;
        folder.next_walk = now + self.rescan;
        if let Some(watcher) = &mut self.watcher
            && !watcher.watches(number, &folder.root)
        {
            // Watched before it is walked: what changes in between is seen twice rather than never.
            let watched = watcher.watch(number, &folder.root);
            // Of a folder that is away, more is said already.
            if let (Err(error), None) = (&watched, &folder.trouble) {
                tracing::warn!(collection = %folder.name, %error, "a folder is not watched");
            }
            self.watched[number] = watched.is_ok();
        }
        let (generation, stop) = (folder.generation, Arc::clone(&self.stopping));
        self.walks.spawn_blocking_on(
            move || {
                let (begun, clock) = (Timestamp::now(), Instant::now());
                let walk = rule.walk(&stop);
                FolderWalked { folder: number, generation, begun, took: clock.elapsed(), walk }
            },
            &self.runtime,
        );
    }

    pub(super) fn walked(&mut self, walked: FolderWalked) {
        let now = Instant::now();
        let FolderWalked { folder: number, generation, begun, took, walk } = walked;
        let folder = &mut self.folders[number];
        (folder.walking, folder.has_been_walked) = (false, true);
        let Some(rule) = folder.rule.clone().filter(|_| folder.generation == generation) else { return };
        let walk = match walk {
            Ok(walk) => walk,
            Err(error) => return self.root_is_away(number, &error.to_string(), took, now),
        };
        folder.away = away(&folder.mounts, &walk);
        if folder.away.iter().any(String::is_empty) && !folder.ledger.known().is_empty() {
            return self.root_is_away(number, "it is empty, and another file system than before", took, now);
        }
        folder.trouble = match folder.away.as_slice() {
            [] => None,
            away => Some(format!(
                "{} of {} is not mounted: its documents are kept as they were",
                away.join(", "),
                folder.name
            )),
        };
        let kept = folder.mounts.iter().filter(|(mount, _)| folder.away.contains(mount));
        let kept: Vec<(String, u64)> = kept.map(|(mount, device)| (mount.clone(), *device)).collect();
        folder.mounts = walk.mounts.clone();
        folder.mounts.extend(kept);
        self.mounts.remember(&folder.name, &folder.mounts);
        folder.walked = Some(begun);
        folder.take_passed_over(&walk);
        let sight = Sight::of_walk(walk, &folder.ledger.known(), &rule, &folder.away);
        self.take_sight(number, sight, Urgency::Bulk, now);
    }

    /// A root that is not there keeps its index. It is looked for again soon, or less often where looking takes long: it may be a
    /// disk that does not answer.
    fn root_is_away(&mut self, number: usize, reason: &str, took: Duration, now: Instant) {
        if self.stopping.load(Ordering::Relaxed) {
            return;
        }
        let folder = &mut self.folders[number];
        let words = format!("{} cannot be read ({reason}): its documents are kept as they were", folder.name);
        if folder.trouble.as_ref() != Some(&words) {
            tracing::warn!(collection = %folder.name, reason, "a folder cannot be read; its documents are kept as they were");
        }
        folder.trouble = Some(words);
        let wait = (took * READ_SHARE).max(self.patience.away).min(self.patience.longest);
        folder.next_walk = now + wait.min(self.rescan);
        self.watched[number] = false;
        if let Some(watcher) = &mut self.watcher {
            watcher.unwatch(number);
        }
    }
}
