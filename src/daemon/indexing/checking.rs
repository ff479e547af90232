//! The task's checks: an index whose bytes are to be compared with their checksums in, what is wrong with it out, and what follows.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::folder::Check;
use super::task::Task;
use crate::search::LibraryError;

/// What a check came to.
pub(super) struct IndexChecked {
    folder: usize,
    found: Result<Option<String>, LibraryError>,
}

impl Task {
    /// Has an index compared with its checksums, where that is due: one at a time, since the disk is one.
    pub(super) fn begin_check(&mut self, number: usize) {
        let folder = &mut self.folders[number];
        if folder.check != Check::Now || !self.checks.is_empty() {
            return;
        }
        folder.check = Check::UnderWay;
        let (library, name, stop) = (Arc::clone(&self.library), folder.name.clone(), Arc::clone(&self.stopping));
        self.checks.spawn_blocking_on(
            move || {
                let mut begun = Instant::now();
                let found = library.check(&name, || {
                    // Searching goes first, and the disk is slow: as long as a file took is left to others.
                    std::thread::sleep(begun.elapsed());
                    begun = Instant::now();
                    if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                IndexChecked { folder: number, found }
            },
            &self.runtime,
        );
    }

    pub(super) fn checked(&mut self, checked: IndexChecked) {
        let folder = &mut self.folders[checked.folder];
        let (reason, now) = (checked.found, Instant::now());
        match reason {
            // Its bytes are what was written, and still it is of no use.
            Ok(None) if folder.seems_damaged() => folder.begin_anew("it contradicts itself", &self.patience, now),
            Ok(None) => {
                tracing::debug!(collection = %folder.name, "the index is what was written");
                folder.check = Check::Done;
            }
            Ok(Some(reason)) => folder.begin_anew(&reason, &self.patience, now),
            Err(error) if error.is_damage() => folder.begin_anew(&error.to_string(), &self.patience, now),
            Err(error) => {
                tracing::warn!(collection = %folder.name, %error, "the index cannot be checked");
                folder.check = Check::Done;
            }
        }
    }
}
