//! Readers that stop: their window closes, and must open again whatever is lost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::line::{Line, PATIENCE, ROUND_TRIP, TIMEOUT, within};
use crate::network::tap::Fate;
use crate::network::{Network, Side};

const BULK_BYTES: u64 = 8_000_000;

/// A download whose reader stops for a while. With `update_is_lost`, nothing arrives of what it acknowledges in a round trip afterwards. Says how
/// long it takes from the time when the reader goes on until more has come than the closed window held, and until all has.
fn stop_reading(stop: Duration, update_is_lost: bool) -> [Duration; 2] {
    let (mut line, _) = Line::warm(BULK_BYTES);
    line.request();
    line.network.run_for(ROUND_TRIP * 2);
    line.network.change(0, Side::Client, 0, |stream| stream.plan.read = stream.read);
    line.network.run_for(stop);
    let stuck = line.network.stream(0, Side::Client, 0).read;
    let start = line.network.now;
    if update_is_lost {
        line.meddle(|segment| if segment.from == Side::Client { Fate::IsLost } else { Fate::Arrives });
    }
    line.network.change(0, Side::Client, 0, |stream| stream.plan.read = u64::MAX);
    let held = line.network.stream(0, Side::Client, 0).read;
    assert!(held > stuck, "a closed window holds something");
    let more = |network: &mut Network| network.stream(0, Side::Client, 0).read > held;
    if update_is_lost {
        assert!(!line.network.run_until(ROUND_TRIP, more), "nothing comes through a closed window");
        line.meddle(|_| Fate::Arrives);
    }
    assert!(line.network.run_until(PATIENCE, more), "nothing ever came");
    let first = line.network.now - start;
    line.wait();
    [first, line.network.now - start]
}

#[test]
fn a_reader_that_stops_for_a_minute_goes_on_at_once() {
    let [first, all] = stop_reading(Duration::from_secs(60), false);
    within(ROUND_TRIP * 3 / 2, first);
    within(Duration::from_secs(2), all);
}

#[test]
fn a_reader_that_stops_for_ten_minutes_goes_on_at_once() {
    // RFC 9293 §3.8.6.1: as long as the probes are acknowledged, the connection stays.
    let [first, _] = stop_reading(Duration::from_secs(600), false);
    within(ROUND_TRIP * 3 / 2, first);
}

#[test]
fn a_lost_window_update_is_asked_for() {
    let [first, _] = stop_reading(Duration::from_millis(500), true);
    // The first probe comes after a timeout (RFC 9293 §3.8.6.1).
    within(TIMEOUT + 2 * ROUND_TRIP, first);
}

#[test]
fn a_window_update_lost_after_a_minute_is_asked_for_within_another() {
    let [first, _] = stop_reading(Duration::from_secs(60), true);
    // The interval between probes doubles (RFC 9293 §3.8.6.1), up to a minute at least (RFC 6298 §2.5).
    within(Duration::from_secs(61), first);
}

#[test]
fn a_reader_that_takes_a_little_at_a_time_is_not_sent_crumbs() {
    const SIPS: u64 = 2000;
    const SIP_BYTES: u64 = 100;
    let (mut line, _) = Line::warm(BULK_BYTES);
    line.request();
    line.network.change(0, Side::Client, 0, |stream| stream.plan.read = stream.read);
    line.network.run_for(Duration::from_secs(2));
    let (segments, bytes) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (counter, adder) = (segments.clone(), bytes.clone());
    line.meddle(move |segment| {
        if segment.from == Side::Server && segment.bytes > 0 {
            counter.set(counter.get() + 1);
            adder.set(adder.get() + segment.bytes);
        }
        Fate::Arrives
    });
    for _ in 0..SIPS {
        line.network.change(0, Side::Client, 0, |stream| stream.plan.read += SIP_BYTES);
        line.network.run_for(Duration::from_millis(1));
    }
    // RFC 9293 §3.8.6.2: neither end makes segments small for a window that opens by a few bytes. Some are probes.
    let (segments, bytes) = (segments.get(), bytes.get());
    assert!(u64::from(bytes) > SIPS * SIP_BYTES / 2, "{bytes} bytes");
    assert!(segments < bytes / 650 + 10, "{bytes} bytes in {segments} segments");
    line.network.change(0, Side::Client, 0, |stream| stream.plan.read = u64::MAX);
    line.wait();
}
