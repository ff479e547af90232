//! Keeping the index true: folders and their changes in, commits to the library out. One task, on a thread of its own, walks and
//! watches every collection, has what changed read by the pool of workers, and writes what comes of it.

mod checking;
mod folder;
mod ledger;
mod mounts;
mod plan;
mod queue;
mod reading;
mod strikes;
mod task;
mod walking;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use self::task::{Command, Task};
use super::workers::{Pool, PoolConfig};
use crate::config::Config;
use crate::documents::PassedOver;
use crate::limits::INDEXER_COMMANDS;
use crate::name::CollectionName;
use crate::search::Library;

/// The indexer at work. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Indexer {
    commands: mpsc::Sender<Command>,
    progress: watch::Receiver<Progress>,
    pool: Pool,
}

/// What the indexer is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files done in the present round; a round ends when nothing is left to do.
    pub done: u64,
    /// Files of the present round that are known of so far.
    pub total: u64,
    /// Changes that the next commit will show.
    pub unshown: u64,
    /// Bytes of the files done.
    pub bytes: u64,
    /// Files of this round that could not be read.
    pub failed: u64,
    /// Whether every collection has been looked through since the start.
    pub walked: bool,
    /// Whether changes are noticed as they happen, in every collection.
    pub watching: bool,
    /// Collections that are being walked.
    pub walking: Vec<CollectionName>,
    /// What the owner should know, a sentence each.
    pub warnings: Vec<String>,
    /// Collections whose folder cannot be looked at or whose index cannot be written.
    pub failing: Vec<CollectionName>,
    /// What is passed over in each collection, by reason.
    pub passed_over: Vec<(CollectionName, PassedOver)>,
}

impl Progress {
    /// Files waiting: to be read, or to be shown by a commit.
    pub fn pending(&self) -> u64 {
        self.total - self.done + self.unshown
    }

    /// Whether everything has been looked through and nothing is left to do.
    pub fn is_idle(&self) -> bool {
        self.walked && self.pending() == 0 && self.walking.is_empty()
    }

    /// What is going on, in a word or two; empty when idle.
    pub fn activity(&self) -> String {
        match (self.walking.first(), self.pending()) {
            (Some(name), 0) => format!("looking through {name}"),
            (None, 0) => String::new(),
            (_, _) => "reading documents".to_owned(),
        }
    }
}

/// How waiting is done; tests wait less.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Before a file is tried again that cost its worker, by how often it did.
    pub strikes: [Duration; 2],
    /// Before a file is tried again that changed while it was read; doubles each time.
    pub changed: Duration,
    /// Before the index is tried again that could not be written; doubles each time.
    pub trouble: Duration,
    /// Before a folder that is away is looked for again, where looking takes no time.
    pub away: Duration,
    /// The longest of these.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            strikes: [Duration::from_secs(5), Duration::from_secs(60)],
            changed: Duration::from_secs(1),
            trouble: Duration::from_secs(2),
            away: Duration::from_secs(3),
            longest: Duration::from_secs(120),
        }
    }
}

impl Indexer {
    /// Begins to walk, watch and index every collection.
    pub fn start(config: &Config, library: Arc<Library>) -> Indexer {
        let pool = PoolConfig {
            program: PoolConfig::OURSELVES.into(),
            workers: config.extract.workers,
            memory: config.extract.memory,
            timeout: config.extract.timeout,
        };
        Indexer::start_with(config, library, pool, Patience::default())
    }

    /// The same with workers and patience of one's own.
    pub fn start_with(config: &Config, library: Arc<Library>, pool: PoolConfig, patience: Patience) -> Indexer {
        let (commands, receiver) = mpsc::channel(INDEXER_COMMANDS);
        let (publisher, progress) = watch::channel(Progress::default());
        let runtime = Handle::current();
        let pool = Pool::new(pool);
        let workers = pool.clone();
        let config = config.clone();
        let alarm = commands.downgrade();
        library.on_damage(move |collection| {
            // A queue that is full is that of an indexer that will soon look itself.
            if let Some(commands) = alarm.upgrade() {
                let _ = commands.try_send(Command::Check(collection.clone()));
            }
        });
        // The index is written by calls that wait for the disk: they have this thread to themselves.
        std::thread::spawn(move || {
            let task = Task::new(&runtime, &config, library, workers, patience, publisher);
            runtime.block_on(task.run(receiver));
        });
        Indexer { commands, progress, pool }
    }

    /// What it is doing, now and at every change.
    pub fn subscribe(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// What it is doing now.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// What the owner should know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.progress.borrow().warnings.iter().cloned().chain(self.pool.warning()).collect()
    }

    /// The processes that read documents.
    pub fn workers(&self) -> &Pool {
        &self.pool
    }

    /// Walks every collection now.
    pub fn rescan_now(&self) {
        self.command(Command::Rescan);
    }

    /// Reads every document of a collection, or of all, again; search goes on with what is there.
    pub fn rebuild(&self, collection: Option<CollectionName>) {
        self.command(Command::Rebuild(collection));
    }

    /// Takes changed excludes, caps and intervals over. Collections themselves are those of the start.
    pub fn reconfigure(&self, config: &Config) {
        self.command(Command::Reconfigure(Box::new(config.clone())));
    }

    /// Commits what is there and stops. What is being read is left for the next start.
    pub async fn stop(&self) {
        let (stopped, wait) = oneshot::channel();
        if self.commands.send(Command::Stop(stopped)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// A command that finds the queue full is one of many that ask for the same.
    fn command(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::warn!("the indexer is too busy to be told more");
        }
    }
}
