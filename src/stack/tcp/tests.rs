//! One end, and segments made by hand.

use std::sync::Arc;

use smoltcp::wire::{TcpControl, TcpSeqNumber};

use super::*;
use crate::stack::budget::Budget;
use crate::stack::packet::header;

const THEIRS: i32 = 7000;
const OURS: u32 = 1000;

struct End {
    now: Instant,
    budget: Arc<Budget>,
    tcb: Tcb,
}

fn segment(control: TcpControl, seq: i32, ack: Option<u32>, payload: &[u8]) -> TcpRepr<'_> {
    let numbers = header(TcpSeqNumber(seq), ack.map(|ack| TcpSeqNumber(ack as i32)));
    TcpRepr { control, window_len: u16::MAX, payload, ..numbers }
}

/// An established connection, and the numbers that come next: theirs 7001, ours 1001.
fn open() -> End {
    let (now, budget) = (Instant::now(), Arc::new(Budget::new(10, 1 << 20)));
    let memory = Memory::new(budget.reserve(Memory::LEAST).expect("room"));
    let settings = Settings { segment: 1240, segment_unsaid: 536, first: Seq::new(OURS) };
    let mut syn = segment(TcpControl::Syn, THEIRS, None, &[]);
    (syn.max_seg_size, syn.window_scale, syn.sack_permitted) = (Some(1240), Some(4), true);
    let mut end = End { now, budget, tcb: Tcb::accept(now, settings, &syn, memory) };
    assert_eq!(end.sent(), [(TcpControl::Syn, OURS, 0)]);
    end.take(segment(TcpControl::None, THEIRS + 1, Some(OURS + 1), &[]));
    assert!(end.tcb.is_open());
    end
}

impl End {
    fn take(&mut self, segment: TcpRepr<'_>) -> Verdict {
        self.tcb.handle(self.now, &segment)
    }

    /// Everything that wants to be sent: what it is, its number, its bytes.
    fn sent(&mut self) -> Vec<(TcpControl, u32, usize)> {
        let tell = |outgoing: output::Outgoing| {
            (outgoing.header.control, outgoing.header.seq_number.0 as u32, outgoing.length)
        };
        std::iter::from_fn(|| self.tcb.poll(self.now)).map(tell).collect()
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.tcb.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.tcb.handle_timeout(self.now);
            self.sent();
        }
        self.now = until;
    }
}

#[test]
fn a_guessed_reset_closes_nothing_and_the_right_one_does() {
    let mut end = open();
    for wrong in [THEIRS, THEIRS + 2, THEIRS + 60_000] {
        end.take(segment(TcpControl::Rst, wrong, None, &[]));
        assert_eq!(end.tcb.ending(), None, "{wrong}");
    }
    // RFC 5961 §3: one within the window is asked about.
    assert_eq!(end.sent(), [(TcpControl::None, OURS + 1, 0)]);
    end.take(segment(TcpControl::Rst, THEIRS + 1, None, &[]));
    assert_eq!(end.tcb.ending(), Some(Ending::Reset));
}

#[test]
fn segments_that_bring_nothing_are_answered_seldom() {
    let mut end = open();
    let mut answers = 0;
    for _ in 0..1000 {
        end.now += Duration::from_millis(1);
        for (control, seq, ack) in [
            (TcpControl::None, THEIRS - 50_000, OURS + 1),
            (TcpControl::None, THEIRS + 1, OURS + 50_000),
            (TcpControl::Syn, THEIRS + 1, OURS + 1),
        ] {
            end.take(segment(control, seq, Some(ack), &[]));
            answers += end.sent().len();
        }
    }
    assert!((5..=11).contains(&answers), "{answers}");
    assert!(end.tcb.is_open());
}

#[test]
fn what_comes_twice_is_told_and_delivered_once() {
    let mut end = open();
    for _ in 0..2 {
        end.take(segment(TcpControl::None, THEIRS + 1, Some(OURS + 1), b"once"));
    }
    let outgoing = end.tcb.poll(end.now).expect("an acknowledgement");
    let range = ((THEIRS + 1) as u32, (THEIRS + 5) as u32);
    assert_eq!(outgoing.header.sack_ranges, [Some(range), None, None]);
    let mut read = Vec::new();
    assert_eq!(end.tcb.read(10, |bytes| read.extend_from_slice(bytes)), 4);
    assert_eq!(read, b"once");
}

#[test]
fn an_early_segment_is_told_of_latest_first() {
    let mut end = open();
    for place in [300, 100, 500, 310] {
        end.take(segment(TcpControl::None, THEIRS + place, Some(OURS + 1), &[1; 10]));
    }
    let outgoing = end.tcb.poll(end.now).expect("an acknowledgement");
    let range = |from: i32, until: i32| Some(((THEIRS + from) as u32, (THEIRS + until) as u32));
    assert_eq!(outgoing.header.sack_ranges, [range(300, 320), range(500, 510), range(100, 110)]);
    end.take(segment(TcpControl::None, THEIRS + 1, Some(OURS + 1), &[2; 400]));
    assert_eq!(end.tcb.readable(), 400);
}

/// Takes the next so many segments as fast as they are read, the last one with these flags and so far ahead; answers how many acknowledgements that made.
fn stream(end: &mut End, next: &mut i32, segments: usize, last: TcpControl, ahead: i32) -> usize {
    let mut acknowledgements = 0;
    for left in (0..segments).rev() {
        let (control, gap) = if left == 0 { (last, ahead) } else { (TcpControl::None, 0) };
        end.take(segment(control, *next + gap, Some(OURS + 1), &[5; 1240]));
        *next += if gap == 0 { 1240 } else { 0 };
        end.tcb.read(1240, |_| ());
        acknowledgements += end.sent().len();
    }
    acknowledgements
}

#[test]
fn of_a_stream_that_flows_few_segments_are_acknowledged_and_what_matters_at_once() {
    let mut end = open();
    let mut next = THEIRS + 1;
    let often = stream(&mut end, &mut next, 1000, TcpControl::None, 0);
    assert!((500..=502).contains(&often), "{often}");
    stream(&mut end, &mut next, 3000, TcpControl::None, 0);
    let seldom = stream(&mut end, &mut next, 1000, TcpControl::None, 0);
    assert!((20..=100).contains(&seldom), "{seldom}");
    assert_eq!(stream(&mut end, &mut next, 2, TcpControl::Psh, 0), 1);
    for (last, ahead) in [(TcpControl::Psh, 0), (TcpControl::None, 1240)] {
        assert_eq!(stream(&mut end, &mut next, 3, TcpControl::None, 0), 0);
        assert_eq!(stream(&mut end, &mut next, 1, last, ahead), 1, "{last:?} {ahead}");
    }
}

#[test]
fn a_connection_at_rest_gives_its_memory_back() {
    let mut end = open();
    let mut written = 0;
    while written < 40_000 {
        written += end.tcb.write(&[3; 10_000]);
    }
    end.take(segment(TcpControl::None, THEIRS + 1, Some(OURS + 1), &[4; 8000]));
    assert!(end.budget.bytes() > 40_000);
    let mut acknowledged = 0;
    while acknowledged < written {
        end.now += Duration::from_millis(10);
        acknowledged += end.sent().iter().map(|(_, _, bytes)| bytes).sum::<usize>();
        end.take(segment(TcpControl::None, THEIRS + 8001, Some(OURS + 1 + acknowledged as u32), &[]));
    }
    assert!(end.tcb.is_delivered());
    end.wait(Duration::from_secs(10));
    // What is not read stays.
    assert_eq!(end.tcb.read(10_000, |_| ()), 8000);
    end.take(segment(TcpControl::None, THEIRS + 8001, Some(OURS + 1 + acknowledged as u32), b"!"));
    assert_eq!(end.tcb.read(10, |_| ()), 1);
    end.wait(Duration::from_secs(10));
    assert_eq!(end.budget.bytes(), Memory::LEAST as u64);
}
