//! The time by which grants begin and end: the system's, but never behind what was recorded, for machines whose clock starts wrong.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::peers;
use crate::config::Config;

/// A clock that is set is noticed after this time: a sleep does not know of it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A clock this far behind the records is told of; less is a file touched while clocks were adjusted.
const BEHIND: SignedDuration = SignedDuration::from_mins(5);

/// The time for grants.
#[derive(Debug)]
pub struct Calendar {
    /// When the last record was written.
    floor: Timestamp,
}

impl Calendar {
    /// The calendar of the machine that wrote the list of devices and the audit log, if they are there.
    pub fn new(config: &Config) -> Calendar {
        Calendar::since(&[&config.server.state_dir.join(peers::FILE), &config.audit.file])
    }

    fn since(records: &[&Path]) -> Calendar {
        let written = |path: &&Path| Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok();
        Calendar { floor: records.iter().filter_map(written).max().unwrap_or(Timestamp::UNIX_EPOCH) }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now().max(self.floor)
    }

    /// What is wrong with the system's clock, if it is behind the records.
    pub fn warning(&self) -> Option<String> {
        let now = Timestamp::now();
        (self.floor.duration_since(now) > BEHIND).then(|| {
            format!(
                "the clock says {now:.0}, but something was recorded at {:.0}: grants end as if it were that time; set the clock",
                self.floor
            )
        })
    }

    /// Waits until it may be that time; never, for none.
    pub(super) async fn wait_for(&self, at: Option<Timestamp>) {
        let Some(at) = at else { return std::future::pending().await };
        tokio::time::sleep(sleep(Timestamp::now(), at)).await;
    }
}

/// How long to sleep before looking again whether it is that time.
fn sleep(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default().min(LOOK_AGAIN)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn time_never_runs_behind_what_was_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let record = dir.path().join("record");
        fs::write(&record, "").unwrap();
        let missing = dir.path().join("missing");
        let calendar = Calendar::since(&[&record, &missing]);
        assert!(calendar.now() >= Timestamp::now() - SignedDuration::from_secs(1));
        assert_eq!(calendar.warning(), None);

        let hour = Duration::from_secs(3600);
        fs::File::options().append(true).open(&record).unwrap().set_modified(SystemTime::now() + hour).unwrap();
        let calendar = Calendar::since(&[&record, &missing]);
        assert!(calendar.now() > Timestamp::now() + SignedDuration::from_mins(59));
        assert!(calendar.warning().unwrap().contains("set the clock"));
        assert_eq!(Calendar::since(&[&missing]).warning(), None);
    }

    #[test]
    fn a_clock_that_is_set_is_noticed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (now, then, expected) in [(0, 10, 10), (0, 3600, 60), (10, 10, 0), (20, 10, 0)] {
            assert_eq!(sleep(at(now), at(then)), Duration::from_secs(expected), "{now} {then}");
        }
        assert_eq!(sleep(at(0), Timestamp::MAX), LOOK_AGAIN);
    }
}
