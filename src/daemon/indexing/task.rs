//! The indexer's task: one loop over commands, changes, finished walks, finished files and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::checking::IndexChecked;
use super::folder::{Check, Folder};
use super::ledger::Ledger;
use super::mounts::MountsFile;
use super::plan::Sight;
use super::queue::Urgency;
use super::reading::{Outcome, read};
use super::strikes::Strikes;
use super::walking::FolderWalked;
use super::{Patience, Progress};
use crate::config::Config;
use crate::daemon::watch::{Changes, Watcher};
use crate::daemon::workers::Pool;
use crate::documents::{ExtractLimits, IGNORE_FILE};
use crate::name::CollectionName;
use crate::search::{Library, LibraryError};

/// What the indexer can be told.
#[derive(Debug)]
pub(super) enum Command {
    Rescan,
    Rebuild(Option<CollectionName>),
    Reconfigure(Box<Config>),
    /// A collection's index may be damaged.
    Check(CollectionName),
    Stop(oneshot::Sender<()>),
}

/// Everything the loop holds.
pub(super) struct Task {
    pub(super) runtime: Handle,
    pub(super) folders: Vec<Folder>,
    pub(super) pool: Pool,
    pub(super) limits: ExtractLimits,
    pub(super) rescan: Duration,
    pub(super) patience: Patience,
    pub(super) mounts: MountsFile,
    /// `None` where this machine has no means of watching left: then walks must do.
    pub(super) watcher: Option<Watcher>,
    /// Whether each folder is watched.
    pub(super) watched: Vec<bool>,
    files: JoinSet<FileRead>,
    /// How many of those are large.
    pub(super) large: usize,
    pub(super) walks: JoinSet<FolderWalked>,
    pub(super) checks: JoinSet<IndexChecked>,
    pub(super) library: Arc<Library>,
    /// Ends walks under way.
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) round: Progress,
}

struct FileRead {
    folder: usize,
    generation: u64,
    path: String,
    urgency: Urgency,
    outcome: Outcome,
    took: Duration,
}

/// What the loop was woken by.
enum News {
    Checked(IndexChecked),
    Command(Option<Command>),
    Changes(Changes),
    Walked(FolderWalked),
    Read(FileRead),
    Time,
}

impl Task {
    pub(super) fn new(
        runtime: &Handle,
        config: &Config,
        library: Arc<Library>,
        pool: Pool,
        patience: Patience,
        progress: watch::Sender<Progress>,
    ) -> Task {
        let now = Instant::now();
        let state_dir = config.server.state_dir.clone();
        let mounts = MountsFile::open(&state_dir);
        let folder = |config: &crate::config::CollectionConfig| {
            let ledger = Ledger::new(Arc::clone(&library), config.name.clone(), now);
            let strikes = Strikes::open(&state_dir, &config.name);
            Folder::new(config, ledger, mounts.of(&config.name), strikes, now)
        };
        let folders: Vec<Folder> = config.collections.iter().map(folder).collect();
        let watcher = Watcher::new().inspect_err(|error| tracing::warn!(%error, "folders are not watched")).ok();
        Task {
            runtime: runtime.clone(),
            watched: vec![false; folders.len()],
            folders,
            pool,
            limits: extract_limits(config),
            rescan: config.index.rescan,
            patience,
            mounts,
            watcher,
            files: JoinSet::new(),
            large: 0,
            walks: JoinSet::new(),
            checks: JoinSet::new(),
            library: Arc::clone(&library),
            stopping: Arc::default(),
            progress,
            round: Progress::default(),
        }
    }

    /// Runs until it is told to stop, or nobody is left to tell it.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let pool = self.pool.clone();
        self.runtime.spawn(async move { pool.begin().await });
        let stopped = loop {
            let now = Instant::now();
            self.turn(now);
            let due = self.next_due(now);
            match self.news(&mut commands, due).await {
                News::Command(Some(Command::Stop(stopped))) => break Some(stopped),
                News::Command(None) => break None,
                News::Command(Some(command)) => self.command(command),
                News::Changes(changes) => self.changed(changes),
                News::Walked(walked) => self.walked(walked),
                News::Read(read) => self.read(read),
                News::Checked(checked) => self.checked(checked),
                News::Time => {}
            }
        };
        self.stopping.store(true, Ordering::Relaxed);
        self.files.abort_all();
        let now = Instant::now();
        for folder in &mut self.folders {
            folder.queue.clear();
            folder.note_reading();
            if folder.ledger.commit_due(true).is_some()
                && let Err(error) = folder.ledger.commit(now)
            {
                tracing::error!(collection = %folder.name, %error, "the last changes are not in the index");
            }
        }
        drop(self);
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    async fn news(&mut self, commands: &mut mpsc::Receiver<Command>, due: Option<Instant>) -> News {
        let changes = async {
            match &self.watcher {
                Some(watcher) => watcher.changes().await,
                None => std::future::pending().await,
            }
        };
        let time = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            command = commands.recv() => News::Command(command),
            changes = changes => News::Changes(changes),
            Some(Ok(walked)) = self.walks.join_next() => News::Walked(walked),
            Some(Ok(read)) = self.files.join_next() => News::Read(read),
            Some(Ok(checked)) = self.checks.join_next() => News::Checked(checked),
            () = time => News::Time,
        }
    }

    /// Does what is due, begins what can be begun, and tells how things are.
    fn turn(&mut self, now: Instant) {
        for number in 0..self.folders.len() {
            let folder = &mut self.folders[number];
            if folder.open_due().is_some_and(|due| due <= now) {
                let opened = folder.open(now);
                self.heed(number, opened);
            }
            self.begin_walk(number, now);
            let due = self.folders[number].queue.due(now);
            self.look_at(number, due, now);
        }
        self.begin_reading();
        self.folders.iter_mut().for_each(Folder::note_reading);
        for number in 0..self.folders.len() {
            self.commit(number, now);
            self.begin_check(number);
        }
        self.publish();
    }

    fn changed(&mut self, changes: Changes) {
        let now = Instant::now();
        for number in changes.lost {
            self.folders[number].next_walk = now;
        }
        let mut changed = changes.changed.into_iter().peekable();
        while let Some((number, path)) = changed.next() {
            let mut paths = vec![path];
            while let Some((_, path)) = changed.next_if(|(next, _)| *next == number) {
                paths.push(path);
            }
            let is_rule = |path: &String| path.is_empty() || path.rsplit('/').next() == Some(IGNORE_FILE);
            if paths.iter().any(is_rule) {
                self.folders[number].next_walk = now;
            } else {
                self.look_at(number, paths, now);
            }
        }
    }

    /// Looks at paths that changed; where that cannot tell, everything is walked.
    fn look_at(&mut self, number: usize, paths: Vec<String>, now: Instant) {
        let folder = &mut self.folders[number];
        let Some(rule) = folder.rule.clone().filter(|_| folder.is_open() && !paths.is_empty()) else { return };
        let paths = folder.queue.admit(paths, now);
        let root_is_there = std::fs::metadata(&folder.root).is_ok_and(|root| {
            use std::os::unix::fs::MetadataExt;
            folder.mounts.get("").is_none_or(|device| *device == root.dev())
        });
        let sight = match root_is_there {
            true => Sight::of_paths(&paths, &folder.ledger.known(), &rule, &folder.away),
            false => None,
        };
        match sight {
            Some(sight) => self.take_sight(number, sight, Urgency::Urgent, now),
            None => folder.next_walk = now,
        }
    }

    pub(super) fn take_sight(&mut self, number: usize, sight: Sight, urgency: Urgency, now: Instant) {
        let folder = &mut self.folders[number];
        let plan = sight.plan(&folder.ledger.known(), |found| folder.skips(found));
        let taken = folder.take_plan(plan, urgency, now);
        self.heed(number, taken);
    }

    /// Keeps every worker busy: first with what somebody changed a moment ago, then collection by collection; large files last, and
    /// not with all workers, so that what is changed meanwhile finds one.
    fn begin_reading(&mut self) {
        let large_at_once = self.pool.workers().saturating_sub(1).max(1);
        while self.files.len() < self.pool.workers() {
            let mut next = |urgency| {
                let open = self.folders.iter_mut().enumerate().filter(|(_, folder)| folder.is_open());
                open.filter_map(|(number, folder)| Some((urgency, number, folder.queue.next(urgency)?))).next()
            };
            let admitted = [Urgency::Urgent, Urgency::Bulk, Urgency::Large];
            let admitted = &admitted[..if self.large < large_at_once { 3 } else { 2 }];
            let Some((urgency, number, found)) = admitted.iter().copied().find_map(&mut next) else { break };
            let folder = &self.folders[number];
            let Some(rule) = folder.rule.clone() else { break };
            let (pool, limits, generation) = (self.pool.clone(), self.limits.clone(), folder.generation);
            self.large += usize::from(urgency == Urgency::Large);
            self.files.spawn_on(
                async move {
                    let path = found.path.clone();
                    let (outcome, took) = read(&pool, rule, found, &limits).await;
                    FileRead { folder: number, generation, path, urgency, outcome, took }
                },
                &self.runtime,
            );
        }
    }

    fn read(&mut self, read: FileRead) {
        let now = Instant::now();
        self.large -= usize::from(read.urgency == Urgency::Large);
        let folder = &mut self.folders[read.folder];
        if folder.generation != read.generation {
            return;
        }
        let bytes = match &read.outcome {
            Outcome::Document(_, stamp, _) | Outcome::Failed(stamp, _) => stamp.size,
            _ => 0,
        };
        match folder.take_outcome(&read.path, (read.outcome, read.urgency), read.took, &self.patience, now) {
            Ok(failed) => {
                self.round.done += 1;
                folder.done += 1;
                self.round.bytes += bytes;
                self.round.failed += u64::from(failed);
            }
            Err(error) => self.heed(read.folder, Err(error)),
        }
    }

    fn commit(&mut self, number: usize, now: Instant) {
        let folder = &mut self.folders[number];
        if !folder.is_open() {
            return;
        }
        let is_idle = folder.queue.pending() == 0;
        let mut outcome = Ok(());
        if folder.ledger.commit_due(is_idle).is_some_and(|due| due <= now) {
            outcome = folder.ledger.commit(now);
            folder.damages = 0;
            // Where changes are told as they happen, the index agrees with the folder now as well as after a walk.
            if self.watched[number] {
                folder.walked.get_or_insert_with(Timestamp::now);
            }
        }
        let is_settled = is_idle && !folder.walking && folder.ledger.commit_due(true).is_none();
        if is_settled
            && outcome.is_ok()
            && let Some(walked) = folder.walked.take()
        {
            outcome = folder.ledger.agreed(walked, now);
        }
        if outcome.is_ok() && folder.ledger.release_due().is_some_and(|due| due <= now) {
            outcome = folder.ledger.release();
        }
        self.heed(number, outcome);
    }

    fn heed(&mut self, number: usize, outcome: Result<(), LibraryError>) {
        let (folder, now) = (&mut self.folders[number], Instant::now());
        match outcome {
            Ok(()) => {}
            Err(error) => folder.break_off(&error, &self.patience, now),
        }
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Rescan => self.folders.iter_mut().for_each(|folder| folder.next_walk = now),
            Command::Rebuild(which) => {
                let folders = self.folders.iter_mut();
                let named = folders.filter(|folder| which.as_ref().is_none_or(|name| *name == folder.name));
                named.for_each(|folder| folder.rebuild(now));
            }
            Command::Reconfigure(config) => {
                self.limits = extract_limits(&config);
                self.rescan = config.index.rescan;
                for folder in &mut self.folders {
                    if let Some(config) = config.collections.iter().find(|config| config.name == folder.name) {
                        folder.configure(config, now);
                    }
                }
            }
            Command::Check(which) => {
                let folders = self.folders.iter_mut().filter(|folder| folder.name == which);
                folders.filter(|folder| folder.check != Check::UnderWay).for_each(|folder| folder.check = Check::Now);
            }
            Command::Stop(_) => {}
        }
    }

    fn next_due(&self, now: Instant) -> Option<Instant> {
        let of_folder = |folder: &Folder| {
            let walk = (!folder.walking && folder.is_open()).then_some(folder.next_walk);
            let commit = folder.ledger.commit_due(folder.queue.pending() == 0);
            [folder.open_due(), walk, folder.queue.next_due(), commit, folder.ledger.release_due()]
        };
        self.folders.iter().flat_map(of_folder).flatten().min().map(|due| due.max(now))
    }

    fn publish(&mut self) {
        self.folders.iter_mut().for_each(Folder::tell);
        let pending: usize = self.folders.iter().map(|folder| folder.queue.pending()).sum();
        if self.round.is_idle() && pending > 0 {
            // Another round begins; until then the figures of the last one stand.
            (self.round.done, self.round.bytes, self.round.failed) = (0, 0, 0);
        }
        self.round.total = self.round.done + pending as u64;
        self.round.unshown = self.folders.iter().map(|folder| folder.ledger.uncommitted() as u64).sum();
        self.round.walked = self.folders.iter().all(|folder| folder.has_been_walked || folder.trouble.is_some());
        self.round.watching = self.watched.iter().all(|watched| *watched);
        self.round.walking =
            self.folders.iter().filter(|folder| folder.walking).map(|folder| folder.name.clone()).collect();
        let unwatched = |(folder, watched): (&Folder, &bool)| {
            let words = format!("{} is not watched: changes show after the next walk", folder.name);
            (!watched && folder.is_open() && folder.trouble.is_none()).then_some(words)
        };
        let unwatched: Vec<String> = self.folders.iter().zip(&self.watched).filter_map(unwatched).collect();
        self.round.warnings = self.folders.iter().flat_map(Folder::warnings).chain(unwatched).collect();
        let failing = self.folders.iter().filter(|folder| folder.trouble.is_some());
        self.round.failing = failing.map(|folder| folder.name.clone()).collect();
        self.round.passed_over =
            self.folders.iter().map(|folder| (folder.name.clone(), folder.passed_over())).collect();
        self.progress.send_if_modified(|published| {
            let is_news = *published != self.round;
            published.clone_from(&self.round);
            is_news
        });
        if self.round.is_idle() {
            self.pool.rest();
        }
    }
}

fn extract_limits(config: &Config) -> ExtractLimits {
    let max_text = usize::try_from(config.extract.max_text).unwrap_or(usize::MAX);
    ExtractLimits { max_text, languages: config.index.languages.clone() }
}
