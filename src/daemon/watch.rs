//! Watching folders: root folders in, paths that changed and have been quiet for a moment out. What is lost on the way is said, so
//! that the folder can be walked instead.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, MetadataKind, ModifyKind};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::limits::{WATCH_LATEST, WATCH_PATHS, WATCH_QUIET};

/// Watches the root folders of collections, each known by its number.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    watcher: RecommendedWatcher,
    /// Which folder each number stands for: the kernel watches it wherever it is moved, and not what takes its place.
    watched: HashMap<usize, Identity>,
}

/// Device and inode number of a folder.
type Identity = (u64, u64);

/// What happened below the roots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Root and path below it (empty: the root itself) of what changed, appeared or went.
    pub changed: Vec<(usize, String)>,
    /// Roots below which anything may have changed.
    pub lost: Vec<usize>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    roots: Vec<(usize, PathBuf)>,
    paths: HashMap<(usize, String), Times>,
    lost: HashSet<usize>,
}

/// When something was first and last touched since it was last told.
#[derive(Debug, Clone, Copy)]
struct Times {
    first: Instant,
    last: Instant,
}

impl Watcher {
    /// A watcher of nothing yet. An error means that this machine has no means of watching left.
    pub fn new() -> notify::Result<Watcher> {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let heed = move |event: notify::Result<Event>| {
            let mut pending = told.pending.lock();
            match event {
                Ok(event) => pending.heed(&event, Instant::now()),
                Err(_) => pending.lose_all(),
            }
            let is_news = !pending.paths.is_empty() || !pending.lost.is_empty();
            drop(pending);
            if is_news {
                told.news.notify_one();
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        Ok(Watcher { shared, watcher: RecommendedWatcher::new(heed, config)?, watched: HashMap::new() })
    }

    /// Watches a root folder and all below it. Takes as long as walking it. What changes from now on will be told.
    pub fn watch(&mut self, number: usize, root: &Path) -> notify::Result<()> {
        self.unwatch(number);
        // Asked before: where another folder takes its place in between, it is watched once more.
        let identity = identity(root).map_err(notify::Error::io)?;
        self.shared.pending.lock().roots.push((number, root.to_owned()));
        let outcome = self.watcher.watch(root, RecursiveMode::Recursive);
        match outcome {
            Ok(()) => drop(self.watched.insert(number, identity)),
            Err(_) => self.unwatch(number),
        }
        outcome
    }

    /// Whether what stands at this path is the folder that is watched under this number.
    pub fn watches(&self, number: usize, root: &Path) -> bool {
        self.watched.get(&number).is_some_and(|watched| identity(root).is_ok_and(|now| now == *watched))
    }

    /// No longer watches a root folder.
    pub fn unwatch(&mut self, number: usize) {
        self.watched.remove(&number);
        let mut pending = self.shared.pending.lock();
        let Some(at) = pending.roots.iter().position(|(known, _)| *known == number) else { return };
        let (_, root) = pending.roots.swap_remove(at);
        drop(pending);
        // It may be gone already, which is why it is no longer watched.
        let _ = self.watcher.unwatch(&root);
    }

    /// Waits for changes that have come to rest. May be dropped and called again without losing any.
    pub async fn changes(&self) -> Changes {
        loop {
            let (changes, wait) = self.shared.pending.lock().ripe(Instant::now());
            if !changes.changed.is_empty() || !changes.lost.is_empty() {
                return changes;
            }
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => self.shared.news.notified().await,
            }
        }
    }
}

impl Pending {
    fn heed(&mut self, event: &Event, now: Instant) {
        if event.need_rescan() {
            self.lose_all();
        }
        if !matters(event.kind) {
            return;
        }
        for path in &event.paths {
            let Some((number, below)) = self.below_root(path) else { continue };
            match below {
                _ if self.lost.contains(&number) => {}
                Some(below) if self.paths.len() < WATCH_PATHS => {
                    self.paths.entry((number, below)).or_insert(Times { first: now, last: now }).last = now;
                }
                // A name that is not UTF-8, or more changes at once than are worth following one by one.
                _ => self.lose(number),
            }
        }
    }

    fn below_root(&self, path: &Path) -> Option<(usize, Option<String>)> {
        self.roots.iter().find_map(|(number, root)| {
            let below = path.strip_prefix(root).ok()?;
            Some((*number, below.to_str().map(str::to_owned)))
        })
    }

    fn lose(&mut self, number: usize) {
        self.lost.insert(number);
        self.paths.retain(|(known, _), _| *known != number);
    }

    fn lose_all(&mut self) {
        self.lost.extend(self.roots.iter().map(|(number, _)| *number));
        self.paths.clear();
    }

    /// What has been quiet long enough, or waited too long; and how long to wait for the next.
    fn ripe(&mut self, now: Instant) -> (Changes, Option<Duration>) {
        let due = |times: &Times| (times.last + WATCH_QUIET).min(times.first + WATCH_LATEST);
        let mut changed: Vec<(usize, String)> =
            self.paths.iter().filter(|(_, times)| due(times) <= now).map(|(path, _)| path.clone()).collect();
        for path in &changed {
            self.paths.remove(path);
        }
        changed.sort_unstable();
        let mut lost: Vec<usize> = self.lost.drain().collect();
        lost.sort_unstable();
        let wait = self.paths.values().map(due).min().map(|due| due.saturating_duration_since(now));
        (Changes { changed, lost }, wait)
    }
}

fn identity(root: &Path) -> io::Result<Identity> {
    std::fs::metadata(root).map(|root| (root.dev(), root.ino()))
}

/// Whether an event can mean that a document is another than before. Opening and reading, which we do ourselves, can not.
fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Metadata(MetadataKind::AccessTime)) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use notify::event::{CreateKind, DataChange, Flag};

    use super::*;

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    fn pending() -> Pending {
        Pending { roots: vec![(3, "/srv/a".into()), (5, "/srv/b".into())], ..Pending::default() }
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    #[test]
    fn a_change_is_told_once_it_is_quiet_and_a_restless_one_after_a_while() {
        let mut pending = pending();
        let start = Instant::now();
        pending.heed(&event(WRITTEN, "/srv/a/x/y.txt"), start);
        pending.heed(&event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/srv/a/z.txt"), start);
        assert_eq!(pending.ripe(start), (Changes::default(), Some(WATCH_QUIET)));
        let changes = pending.ripe(start + WATCH_QUIET).0;
        assert_eq!(changes.changed, [(3, "x/y.txt".to_owned())]);
        assert_eq!(pending.ripe(start + WATCH_QUIET), (Changes::default(), None));

        let mut now = start;
        while now < start + WATCH_LATEST {
            pending.heed(&event(WRITTEN, "/srv/b/log.txt"), now);
            assert_eq!(pending.ripe(now).0, Changes::default());
            now += WATCH_QUIET / 2;
        }
        assert_eq!(pending.ripe(now).0.changed, [(5, "log.txt".to_owned())]);
    }

    #[test]
    fn what_is_lost_or_too_much_is_told_as_lost() {
        let mut pending = pending();
        let now = Instant::now();
        for n in 0..=WATCH_PATHS {
            pending.heed(&event(EventKind::Create(CreateKind::File), &format!("/srv/a/{n}")), now);
        }
        assert_eq!(pending.ripe(now).0.lost, [3]);
        pending.heed(&Event::new(EventKind::Other).set_flag(Flag::Rescan), now);
        assert_eq!(pending.ripe(now).0.lost, [3, 5]);
        assert_eq!(pending.ripe(now), (Changes::default(), None));
    }

    #[tokio::test]
    async fn real_changes_arrive() {
        let dir = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new().unwrap();
        watcher.watch(0, dir.path()).unwrap();
        fs::create_dir(dir.path().join("new")).unwrap();
        fs::write(dir.path().join("a.txt"), "a").unwrap();
        let mut seen = HashSet::new();
        while !(seen.contains("a.txt") && seen.contains("new")) {
            let changes = tokio::time::timeout(Duration::from_secs(20), watcher.changes()).await.unwrap();
            seen.extend(changes.changed.into_iter().map(|(_, path)| path));
        }
        assert!(watcher.watch(1, &dir.path().join("missing")).is_err());
    }

    #[tokio::test]
    async fn a_folder_in_the_place_of_the_watched_one_is_not_watched() {
        let dir = tempfile::tempdir().unwrap();
        let (root, moved) = (dir.path().join("root"), dir.path().join("moved"));
        fs::create_dir(&root).unwrap();
        let mut watcher = Watcher::new().unwrap();
        watcher.watch(0, &root).unwrap();
        assert!(watcher.watches(0, &root));
        fs::rename(&root, &moved).unwrap();
        assert!(!watcher.watches(0, &root));
        fs::create_dir(&root).unwrap();
        assert!(!watcher.watches(0, &root));
        watcher.watch(0, &root).unwrap();
        assert!(watcher.watches(0, &root));
        watcher.unwatch(0);
        assert!(!watcher.watches(0, &root));
    }
}
