//! One collection as the indexer keeps it: its rule, its walks, its queue and its ledger, and what is wrong with any of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Patience;
use super::ledger::Ledger;
use super::mounts::Mounts;
use super::plan::Plan;
use super::queue::{Queue, Urgency};
use super::reading::Outcome;
use super::strikes::Strikes;
use crate::config::CollectionConfig;
use crate::documents::{Dotfiles, Found, PassedOver, Stamp, Visibility, Walk};
use crate::limits::{NO_DOCUMENTS, READ_SHARE, READ_SHORT};
use crate::name::CollectionName;
use crate::search::{Indexing, LibraryError};

/// One collection.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) name: CollectionName,
    pub(super) root: PathBuf,
    /// `None` where the configuration's excludes cannot be read: then nothing is looked at.
    pub(super) rule: Option<Arc<Visibility>>,
    pub(super) queue: Queue,
    pub(super) ledger: Ledger,
    pub(super) mounts: Mounts,
    /// Folders below which documents are away, not gone.
    pub(super) away: Vec<String>,
    pub(super) walking: bool,
    pub(super) next_walk: Instant,
    /// Whether it has been looked through since the start, or is away.
    pub(super) has_been_walked: bool,
    /// Files read since something was left to read.
    pub(super) done: u64,
    /// When the walk began whose findings are being worked off.
    pub(super) walked: Option<Timestamp>,
    /// What is wrong with the rule, the root or the index, for the owner.
    pub(super) trouble: Option<String>,
    /// Rises when the index forgets what was under way: what was begun before counts no more.
    pub(super) generation: u64,
    /// When the index is to be opened (again), and how long was waited for that.
    broken: Option<(Instant, Duration)>,
    /// Whether the index's bytes are to be compared with their checksums.
    pub(super) check: Check,
    /// How often in a row writing found it damaged.
    pub(super) damages: u32,
    /// What the last walk passed over.
    passed_over: PassedOver,
    /// Files that are no documents, as they looked, so that they are not opened at every walk.
    no_documents: HashMap<String, Stamp>,
    /// How often each file changed while it was read.
    changes: HashMap<String, u32>,
    strikes: Strikes,
}

/// How often a file is tried that costs its worker, or more.
const TRIES: usize = 3;

/// How it stands with comparing an index with its checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// At the start, and when something was found that damage would explain.
    Now,
    /// Somebody is at it.
    UnderWay,
    /// It was well.
    Done,
}

impl Folder {
    pub(super) fn new(
        config: &CollectionConfig,
        ledger: Ledger,
        mounts: Mounts,
        strikes: Strikes,
        now: Instant,
    ) -> Folder {
        let mut folder = Folder {
            name: config.name.clone(),
            root: config.path.clone(),
            rule: None,
            queue: Queue::default(),
            ledger,
            mounts,
            away: Vec::new(),
            walking: false,
            next_walk: now,
            has_been_walked: false,
            done: 0,
            walked: None,
            trouble: None,
            generation: 0,
            broken: Some((now, Duration::ZERO)),
            check: Check::Now,
            damages: 0,
            passed_over: PassedOver::default(),
            no_documents: HashMap::new(),
            changes: HashMap::new(),
            strikes,
        };
        folder.configure(config, now);
        folder
    }

    /// Takes a (changed) configuration over, and walks again by it.
    pub(super) fn configure(&mut self, config: &CollectionConfig, now: Instant) {
        let dotfiles = if config.hidden { Dotfiles::Shown } else { Dotfiles::Hidden };
        match Visibility::new(&config.path, &config.exclude, dotfiles, config.max_file) {
            Ok(rule) => self.rule = Some(Arc::new(rule)),
            Err(error) => {
                self.rule = None;
                self.trouble = Some(error.to_string());
            }
        }
        self.next_walk = now;
    }

    /// Forgets what is known of its files, so that all are read again.
    pub(super) fn rebuild(&mut self, now: Instant) {
        self.ledger.outdate();
        self.no_documents.clear();
        self.changes.clear();
        self.strikes.clear();
        self.mounts.clear();
        self.next_walk = now;
    }

    /// Opens the index, at the beginning and after trouble.
    pub(super) fn open(&mut self, now: Instant) -> Result<(), LibraryError> {
        self.generation += 1;
        self.queue.clear();
        self.ledger.load()?;
        self.broken = None;
        self.trouble = None;
        self.next_walk = now;
        Ok(())
    }

    /// The index could not be read or written: everything since the last commit is to be done again, after a while.
    pub(super) fn break_off(&mut self, error: &LibraryError, patience: &Patience, now: Instant) {
        let wait = match self.broken {
            Some((_, wait)) if !wait.is_zero() => (2 * wait).min(patience.longest),
            _ => patience.trouble,
        };
        tracing::error!(collection = %self.name, %error, retry_secs = wait.as_secs(), "the index cannot be written");
        if error.is_damage() {
            self.check = Check::Now;
            self.damages += 1;
        }
        self.trouble = Some(format!(
            "nothing new of {} can be found, since its index cannot be written: {error}; what was found before still is, and it is \
             tried again by itself",
            self.name
        ));
        self.broken = Some((now + wait, wait));
        self.generation += 1;
        self.queue.clear();
        if matches!(error, LibraryError::Index(_)) {
            self.ledger.be_careful();
        }
        self.ledger.abandon();
    }

    /// The index is damaged: it is moved aside, and everything is read into another.
    pub(super) fn begin_anew(&mut self, reason: &str, patience: &Patience, now: Instant) {
        self.generation += 1;
        self.queue.clear();
        (self.check, self.damages) = (Check::Done, 0);
        match self.ledger.begin_anew(reason) {
            Ok(()) => self.broken = Some((now, Duration::ZERO)),
            Err(error) => self.break_off(&error, patience, now),
        }
    }

    /// Whether writing found the index damaged, and found it so again.
    pub(super) fn seems_damaged(&self) -> bool {
        self.damages >= 2
    }

    /// What is wrong with the rule, the root or the index, for the owner.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.trouble.clone().into_iter().chain(self.ledger.begun_anew())
    }

    /// When the index is to be opened (again).
    pub(super) fn open_due(&self) -> Option<Instant> {
        self.broken.map(|(at, _)| at)
    }

    /// Whether files can be looked at and read.
    pub(super) fn is_open(&self) -> bool {
        self.broken.is_none() && self.rule.is_some()
    }

    /// Tells whoever searches how far reading has come. A collection that is looked through for the first time counts too.
    pub(super) fn tell(&mut self) {
        let pending = self.queue.pending() as u64;
        let is_unknown = !self.has_been_walked && self.ledger.known().is_empty() && self.trouble.is_none();
        let is_shown = self.ledger.commit_due(true).is_none();
        if pending == 0 && is_shown {
            self.done = 0;
        }
        let indexing = Indexing { read: self.done, files: self.done + pending };
        self.ledger.tell((is_unknown || pending > 0 || !is_shown).then_some(indexing));
    }

    /// Takes over what a walk of everything passed over, and forgets what it saw no more.
    pub(super) fn take_passed_over(&mut self, walk: &Walk) {
        self.passed_over = walk.passed_over;
        let is_there = |path: &str| walk.files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
        self.no_documents.retain(|path, _| is_there(path));
    }

    /// What is passed over in it, by reason.
    pub(super) fn passed_over(&self) -> PassedOver {
        PassedOver { no_documents: self.no_documents.len() as u64, ..self.passed_over }
    }

    /// Whether a file needs no look: it is known to be no document, or has its time to be tried again.
    pub(super) fn skips(&self, found: &Found) -> bool {
        self.no_documents.get(&found.path) == Some(&found.stamp) || self.queue.waits(&found.path)
    }

    /// Makes a plan's changes and queues what it wants read.
    pub(super) fn take_plan(&mut self, plan: Plan, urgency: Urgency, now: Instant) -> Result<(), LibraryError> {
        let mut wanted = plan.read;
        for change in plan.changes {
            wanted.extend(self.ledger.apply(change, now)?);
        }
        for found in wanted {
            self.want(found, urgency, now)?;
        }
        Ok(())
    }

    /// Queues a file to be read. One that has cost something before is read after all others, and not too often.
    fn want(&mut self, found: Found, urgency: Urgency, now: Instant) -> Result<(), LibraryError> {
        match self.strikes.of(&found.path, found.stamp) {
            Some(strike) if strike.count >= TRIES => {
                let reason = strike.reason.clone();
                self.give_up(&found.path, found.stamp, &reason, now)?;
            }
            Some(_) => self.queue.want(found, Urgency::Large, now),
            None => self.queue.want(found, urgency, now),
        }
        Ok(())
    }

    /// Notes what is being read, for the case that adit itself ends by it.
    pub(super) fn note_reading(&mut self) {
        self.strikes.note_reading(self.queue.reading());
    }

    /// Takes what came of a file that took so long to read. Returns whether it failed.
    pub(super) fn take_outcome(
        &mut self,
        path: &str,
        (outcome, urgency): (Outcome, Urgency),
        took: Duration,
        patience: &Patience,
        now: Instant,
    ) -> Result<bool, LibraryError> {
        self.queue.finished(path);
        match outcome {
            Outcome::Document(format, stamp, extracted) => {
                if let Err(error) = self.ledger.put(path, (format, stamp, &extracted), urgency, now) {
                    // What is wrong with the disk is no fault of the document, nor is what is wrong with others of its commit.
                    if matches!(error, LibraryError::Index(_)) && self.ledger.is_careful() {
                        self.strikes.add(path, stamp, "its text could not be indexed");
                    }
                    return Err(error);
                }
                self.settled(path);
                if took > READ_SHORT {
                    self.queue.rest(path.to_owned(), now + (took * READ_SHARE).min(patience.longest));
                }
            }
            Outcome::Failed(stamp, reason) => {
                self.ledger.fail(path, stamp, &reason, now)?;
                self.settled(path);
                return Ok(true);
            }
            Outcome::NoDocument(stamp) => {
                self.ledger.delete(path, now)?;
                self.settled(path);
                if self.no_documents.len() < NO_DOCUMENTS {
                    self.no_documents.insert(path.to_owned(), stamp);
                }
            }
            Outcome::Gone => self.queue.look_later(path.to_owned(), now),
            Outcome::Changed => {
                let changes = self.changes.entry(path.to_owned()).or_default();
                *changes = (*changes + 1).min(10);
                let wait = patience.changed * 2u32.pow(*changes - 1);
                self.queue.look_later(path.to_owned(), now + wait.min(patience.longest));
            }
            Outcome::NotNow(reason) => {
                tracing::warn!(collection = %self.name, reason, "a file cannot be read now");
                self.queue.look_later(path.to_owned(), now + patience.longest);
            }
            Outcome::Struck(stamp, reason) => return self.strike(path, stamp, &reason, patience, now),
        }
        Ok(false)
    }

    /// A file that cost its worker is tried again, later, and after that is left alone until it changes.
    fn strike(
        &mut self,
        path: &str,
        stamp: Stamp,
        reason: &str,
        patience: &Patience,
        now: Instant,
    ) -> Result<bool, LibraryError> {
        let count = self.strikes.add(path, stamp, reason);
        match patience.strikes.get(count - 1) {
            Some(wait) => {
                self.queue.look_later(path.to_owned(), now + *wait);
                Ok(false)
            }
            None => self.give_up(path, stamp, reason, now).map(|()| true),
        }
    }

    fn give_up(&mut self, path: &str, stamp: Stamp, reason: &str, now: Instant) -> Result<(), LibraryError> {
        let reason = format!("{reason}; given up after {TRIES} tries");
        self.ledger.fail(path, stamp, &reason, now)?;
        self.settled(path);
        Ok(())
    }

    /// What is known of a file is in the index now.
    fn settled(&mut self, path: &str) {
        self.changes.remove(path);
        self.strikes.forget(path);
    }
}
