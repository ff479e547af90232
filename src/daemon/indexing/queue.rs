//! Which files of a collection are to be read, and when: what was seen in, the next path out.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::documents::{Found, Stamp};
use crate::limits::LARGE_FILE;

/// How soon something is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Somebody changed it a moment ago.
    Urgent,
    /// It was found by a walk.
    Bulk,
    /// It was found by a walk, and reading it may take long.
    Large,
}

/// The files of one collection that are to be read, are being read, or are to be looked at later.
#[derive(Debug, Default)]
pub(super) struct Queue {
    urgent: VecDeque<String>,
    bulk: VecDeque<String>,
    large: VecDeque<String>,
    /// As they looked when they were queued. A path in a queue that is not here has been taken back.
    wanted: HashMap<String, Stamp>,
    /// What is being read, as it looked.
    reading: HashMap<String, Stamp>,
    later: HashMap<String, Instant>,
    rests: HashMap<String, Instant>,
}

impl Queue {
    /// Notes a file to read.
    pub(super) fn want(&mut self, found: Found, urgency: Urgency, now: Instant) {
        let Found { path, stamp } = found;
        if self.reading.contains_key(&path) {
            // What is being read may be what it was before: it is looked at again afterwards.
            self.later.insert(path, now);
            return;
        }
        let is_new = self.wanted.insert(path.clone(), stamp).is_none();
        match urgency {
            Urgency::Urgent => self.urgent.push_back(path),
            _ if !is_new => {}
            Urgency::Bulk if stamp.size < LARGE_FILE => self.bulk.push_back(path),
            Urgency::Bulk | Urgency::Large => self.large.push_back(path),
        }
    }

    /// The next file to read that is as urgent as this.
    pub(super) fn next(&mut self, urgency: Urgency) -> Option<Found> {
        let queue = match urgency {
            Urgency::Urgent => &mut self.urgent,
            Urgency::Bulk => &mut self.bulk,
            Urgency::Large => &mut self.large,
        };
        loop {
            let path = queue.pop_front()?;
            if let Some(stamp) = self.wanted.remove(&path) {
                self.reading.insert(path.clone(), stamp);
                return Some(Found { path, stamp });
            }
        }
    }

    /// A file has been read, with whatever outcome.
    pub(super) fn finished(&mut self, path: &str) {
        self.reading.remove(path);
        if self.pending() == 0 {
            // A hundred thousand files were waiting, perhaps: their places are ten megabytes.
            self.wanted.shrink_to_fit();
            [&mut self.urgent, &mut self.bulk, &mut self.large].into_iter().for_each(VecDeque::shrink_to_fit);
        }
    }

    /// What is being read, as it looked.
    pub(super) fn reading(&self) -> &HashMap<String, Stamp> {
        &self.reading
    }

    /// Files waiting to be read or being read.
    pub(super) fn pending(&self) -> usize {
        self.wanted.len() + self.reading.len()
    }

    /// Looks at a path again at some time, and not before.
    pub(super) fn look_later(&mut self, path: String, at: Instant) {
        self.later.insert(path, at);
    }

    /// Whether a path is to be looked at later.
    pub(super) fn waits(&self, path: &str) -> bool {
        self.later.contains_key(path)
    }

    /// A file is left alone until some time, however often it changes.
    pub(super) fn rest(&mut self, path: String, until: Instant) {
        self.rests.insert(path, until);
    }

    /// Of changed paths, those that may be looked at now; the resting ones will be when their time has come.
    pub(super) fn admit(&mut self, paths: Vec<String>, now: Instant) -> Vec<String> {
        self.rests.retain(|_, until| *until > now);
        let (resting, free): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| self.rests.contains_key(path));
        for path in resting {
            let until = self.rests[&path];
            self.later.insert(path, until);
        }
        for path in &free {
            self.later.remove(path);
        }
        free
    }

    /// Paths whose time has come, in order.
    pub(super) fn due(&mut self, now: Instant) -> Vec<String> {
        let reading = &self.reading;
        let is_due = |(path, at): &(&String, &Instant)| **at <= now && !reading.contains_key(*path);
        let mut due: Vec<String> = self.later.iter().filter(is_due).map(|(path, _)| path.clone()).collect();
        for path in &due {
            self.later.remove(path);
        }
        due.sort_unstable();
        due
    }

    /// When the next path's time will come.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.iter().filter(|(path, _)| !self.reading.contains_key(*path)).map(|(_, at)| *at).min()
    }

    /// Forgets everything. What is being read will be of no use.
    pub(super) fn clear(&mut self) {
        *self = Queue::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn found(path: &str) -> Found {
        Found { path: path.into(), stamp: Stamp::NONE }
    }

    #[test]
    fn what_was_changed_a_moment_ago_is_read_before_the_rest() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for path in ["a", "b", "c"] {
            queue.want(found(path), Urgency::Bulk, now);
        }
        assert_eq!(queue.next(Urgency::Urgent), None);
        queue.want(found("b"), Urgency::Urgent, now);
        assert_eq!(queue.pending(), 3);
        let mut next = || queue.next(Urgency::Urgent).or_else(|| queue.next(Urgency::Bulk));
        let order: Vec<String> = std::iter::from_fn(&mut next).map(|found| found.path).collect();
        assert_eq!(order, ["b", "a", "c"]);
        assert_eq!(queue.pending(), 3);
        order.iter().for_each(|path| queue.finished(path));
        assert_eq!(queue.pending(), 0);
    }

    #[test]
    fn a_queue_that_is_worked_off_keeps_no_memory() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        (0..10_000).for_each(|number| queue.want(found(&number.to_string()), Urgency::Bulk, now));
        while let Some(found) = queue.next(Urgency::Bulk) {
            queue.finished(&found.path);
        }
        assert_eq!((queue.wanted.capacity(), queue.bulk.capacity()), (0, 0));
    }

    #[test]
    fn a_large_file_keeps_no_small_one_waiting() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let large = Found { path: "a".into(), stamp: Stamp { size: LARGE_FILE, ..Stamp::NONE } };
        queue.want(large, Urgency::Bulk, now);
        queue.want(found("b"), Urgency::Bulk, now);
        let mut next = |urgency| queue.next(urgency).map(|found| found.path);
        assert_eq!(next(Urgency::Bulk).as_deref(), Some("b"));
        assert_eq!(next(Urgency::Bulk), None);
        assert_eq!(next(Urgency::Large).as_deref(), Some("a"));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_looked_at_afterwards() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.want(found("a"), Urgency::Bulk, now);
        queue.next(Urgency::Bulk);
        queue.want(found("a"), Urgency::Urgent, now);
        assert_eq!((queue.due(now), queue.next_due()), (vec![], None));
        queue.finished("a");
        assert_eq!(queue.due(now), ["a"]);
    }

    #[test]
    fn a_resting_file_is_looked_at_when_its_rest_is_over() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        queue.rest("log".into(), later);
        assert_eq!(queue.admit(vec!["a".into(), "log".into()], now), ["a"]);
        assert_eq!((queue.due(now).len(), queue.next_due()), (0, Some(later)));
        assert_eq!(queue.due(later), ["log"]);
        assert_eq!(queue.admit(vec!["log".into()], later), ["log"]);
    }
}
