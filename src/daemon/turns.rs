//! Whose work is run next: work that blocks comes in with its peer, and goes to a thread at once or when it is its peer's turn.
//!
//! More threads than cores make nothing faster, and one peer's eight searches would leave a ninth of the processor to the search of its
//! neighbour. So a peer has as many threads as there are cores, shared evenly among those who have work: one that floods waits for itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::peer::PeerId;

pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The turns of all peers. How many pieces of work wait is limited where they are admitted (`requests_at_once`).
pub(super) struct Turns {
    cores: usize,
    /// Runs a piece of work on a thread of its own.
    spawn: Box<dyn Fn(Work) + Send + Sync>,
    /// Peers that have work.
    lines: Mutex<HashMap<PeerId, Line>>,
}

#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<Work>,
}

impl Line {
    /// What may begin now.
    fn begin(&mut self, share: usize) -> Option<Work> {
        let work = if self.running < share { self.waiting.pop_front() } else { None };
        self.running += usize::from(work.is_some());
        work
    }
}

impl Turns {
    /// Turns on this many cores.
    pub(super) fn new(cores: usize, spawn: impl Fn(Work) + Send + Sync + 'static) -> Arc<Turns> {
        Arc::new(Turns { cores, spawn: Box::new(spawn), lines: Mutex::default() })
    }

    /// Runs a peer's work as soon as it is its turn: at once where the peer has none running.
    pub(super) fn take(self: &Arc<Self>, peer: PeerId, work: Work) {
        let mut lines = self.lines.lock();
        lines.entry(peer).or_default().waiting.push_back(work);
        let share = self.share(&lines);
        let next = lines.get_mut(&peer).and_then(|line| line.begin(share));
        drop(lines);
        next.into_iter().for_each(|work| self.run(peer, work));
    }

    /// Threads that each of those who have work may use.
    fn share(&self, lines: &HashMap<PeerId, Line>) -> usize {
        (self.cores / lines.len().max(1)).max(1)
    }

    fn run(self: &Arc<Self>, peer: PeerId, work: Work) {
        let turn = Turn { turns: Arc::clone(self), peer };
        (self.spawn)(Box::new(move || {
            let _turn = turn;
            work();
        }));
    }

    /// A piece of a peer's work is over. Where that was its last, the others' shares have grown.
    fn end(self: &Arc<Self>, peer: PeerId) {
        let mut lines = self.lines.lock();
        let Some(line) = lines.get_mut(&peer) else { return };
        line.running -= 1;
        if line.running == 0 && line.waiting.is_empty() {
            lines.remove(&peer);
        }
        let share = self.share(&lines);
        let mut due = Vec::new();
        for (peer, line) in lines.iter_mut() {
            due.extend(std::iter::from_fn(|| line.begin(share)).map(|work| (*peer, work)));
        }
        drop(lines);
        due.into_iter().for_each(|(peer, work)| self.run(peer, work));
    }
}

/// A piece of work that was begun: over when this is dropped, by a panic or by a runtime that ends too.
struct Turn {
    turns: Arc<Turns>,
    peer: PeerId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.end(self.peer);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const PHONE: PeerId = PeerId::new(1);
    const ABUSER: PeerId = PeerId::new(2);
    const LAPTOP: PeerId = PeerId::new(3);

    /// Threads that the test lets finish one by one, and whose work they did.
    struct Threads {
        turns: Arc<Turns>,
        started: Arc<Mutex<Vec<Work>>>,
        done: Arc<Mutex<Vec<PeerId>>>,
    }

    impl Threads {
        fn new(cores: usize) -> Threads {
            let started = Arc::new(Mutex::new(Vec::new()));
            let to = Arc::clone(&started);
            Threads { turns: Turns::new(cores, move |work| to.lock().push(work)), started, done: Arc::default() }
        }

        fn take(&self, peer: PeerId, pieces: usize) {
            for _ in 0..pieces {
                let done = Arc::clone(&self.done);
                self.turns.take(peer, Box::new(move || done.lock().push(peer)));
            }
        }

        fn running(&self) -> usize {
            self.started.lock().len()
        }

        /// Lets the piece that was begun first finish; whose it was.
        fn finish(&self) -> PeerId {
            let work = self.started.lock().remove(0);
            work();
            *self.done.lock().last().unwrap()
        }
    }

    #[test]
    fn a_peer_alone_has_every_core_and_no_more_threads_than_that() {
        let threads = Threads::new(4);
        threads.take(PHONE, 10);
        for left in (0..10).rev() {
            assert_eq!(threads.running(), 4.min(left + 1));
            threads.finish();
        }
        assert!(threads.turns.lines.lock().is_empty());
    }

    #[test]
    fn the_work_of_a_neighbour_of_an_abuser_begins_at_once() {
        let threads = Threads::new(2);
        threads.take(ABUSER, 1000);
        for _ in 0..100 {
            threads.take(PHONE, 1);
            assert!(threads.running() <= 3, "more than one thread too many");
            let others = std::iter::from_fn(|| Some(threads.finish())).take_while(|peer| *peer != PHONE).count();
            assert!(others <= 2, "it waited for {others} pieces of the abuser's work");
        }
        // Nothing of the abuser's is forgotten.
        while threads.running() > 0 {
            threads.finish();
        }
        assert_eq!(threads.done.lock().len(), 1100);
        assert!(threads.turns.lines.lock().is_empty());
    }

    #[test]
    fn those_who_have_much_to_do_share_evenly() {
        let threads = Threads::new(4);
        for peer in [ABUSER, PHONE, LAPTOP] {
            threads.take(peer, 200);
        }
        for _ in 0..150 {
            threads.finish();
        }
        let done = |peer| threads.done.lock().iter().filter(|it| **it == peer).count();
        for peer in [ABUSER, PHONE, LAPTOP] {
            assert!((45..=55).contains(&done(peer)), "{peer}: {}", done(peer));
        }
    }

    #[test]
    fn work_that_panics_or_is_never_run_gives_its_turn_back() {
        let threads = Threads::new(1);
        threads.turns.take(PHONE, Box::new(|| panic!("as tests do")));
        threads.take(PHONE, 2);
        let work = threads.started.lock().remove(0);
        assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
        let never = threads.started.lock().remove(0);
        drop(never);
        assert_eq!((threads.running(), threads.finish()), (1, PHONE));
        assert!(threads.turns.lines.lock().is_empty());
    }
}
