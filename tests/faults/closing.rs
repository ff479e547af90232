//! Ends of streams: half, lost, at the same time.

use std::time::Duration;

use crate::line::{Line, MTU_BYTES, PATIENCE, ROUND_TRIP, TIMEOUT, lose, within};
use crate::network::chance::Chance;
use crate::network::path::Conditions;
use crate::network::stream::{Exchange, Plan};
use crate::network::tap::Fate;
use crate::network::{Network, Side};

const SIDES: [Side; 2] = [Side::Server, Side::Client];

/// An established connection on which nothing has been written.
fn established(round_trip_millis: u64) -> Network {
    let mut network = Network::new(Conditions::clean(round_trip_millis), MTU_BYTES, 1).with_tap();
    network.add_pair(Plan::SILENT);
    network.connect(0, Plan::SILENT);
    network.run_for(Duration::from_millis(round_trip_millis * 2));
    network
}

fn plan(network: &mut Network, side: Side, write: u64) {
    network.change(0, side, 0, |stream| (stream.plan.write, stream.plan.then_shut_down) = (write, true));
}

/// Waits until both ends have read to the end of the stream, and says how long that took.
#[track_caller]
fn end(network: &mut Network) -> Duration {
    let start = network.now;
    let over = |network: &mut Network| SIDES.iter().all(|&side| network.stream(0, side, 0).ended.is_some());
    let ended = network.run_until(PATIENCE, over);
    let states = SIDES.map(|side| network.stream(0, side, 0)).map(|stream| (stream.read, stream.failure));
    assert!(ended, "no end; bytes read, and how it failed: {states:?}");
    SIDES.iter().for_each(|&side| assert_eq!(network.stream(0, side, 0).failure, None));
    network.now - start
}

/// Lets go of both ends: nothing of the connection is left after a while.
#[track_caller]
fn forget(network: &mut Network) {
    SIDES.iter().for_each(|&side| network.release(0, side, 0));
    network.run_for(Duration::from_secs(300));
    for side in SIDES {
        let stack = &network.pairs[0].host(side).stack;
        assert_eq!(stack.poll_timeout(), None, "{side:?} still has something to do");
        assert_eq!(stack.streams(), 0);
    }
}

#[test]
fn both_ends_may_close_at_once() {
    let mut network = established(40);
    SIDES.iter().for_each(|&side| plan(&mut network, side, 1000));
    within(ROUND_TRIP, end(&mut network));
    forget(&mut network);
}

#[test]
fn both_ends_may_close_at_once_and_lose_both_fins() {
    let mut network = established(40);
    network.meddle(lose(2, |segment| segment.fin));
    SIDES.iter().for_each(|&side| plan(&mut network, side, 1000));
    within(TIMEOUT + 2 * ROUND_TRIP, end(&mut network));
    forget(&mut network);
}

#[test]
fn a_lost_fin_is_sent_again() {
    for from in SIDES {
        let mut network = established(40);
        plan(&mut network, from.other(), 1000);
        network.run_for(ROUND_TRIP * 2);
        network.meddle(lose(1, |segment| segment.fin));
        plan(&mut network, from, 1000);
        within(TIMEOUT + 2 * ROUND_TRIP, end(&mut network));
        forget(&mut network);
    }
}

#[test]
fn lost_acknowledgements_of_both_fins_are_given_again() {
    let mut network = established(40);
    plan(&mut network, Side::Server, 1000);
    network.run_for(ROUND_TRIP * 2);
    plan(&mut network, Side::Client, 1000);
    // Whoever is in TIME-WAIT answers a FIN that comes again (RFC 9293 §3.10.7.4).
    network.meddle(lose(2, |segment| segment.is_bare()));
    within(ROUND_TRIP, end(&mut network));
    forget(&mut network);
}

#[test]
fn both_ends_may_write_six_mebibytes_at_once_and_close() {
    const BYTES: u64 = 6 << 20;
    let mut network = established(5);
    SIDES.iter().for_each(|&side| plan(&mut network, side, BYTES));
    // The smallest window is 16 KiB: a round trip each.
    let time = end(&mut network);
    SIDES.iter().for_each(|&side| assert_eq!(network.stream(0, side, 0).read, BYTES));
    within(Duration::from_millis(5) * (BYTES / (16 << 10)) as u32 * 3 / 2, time);
    forget(&mut network);
}

#[test]
fn the_other_half_goes_on_after_one_is_closed() {
    const BYTES: u64 = 1_000_000;
    let exchange = Exchange { request_bytes: 200, answer_bytes: BYTES };
    let mut network = Network::new(Conditions::clean(40), MTU_BYTES, 1).with_tap();
    network.add_pair(Plan { answers: Some(exchange), then_shut_down: false, ..Plan::SILENT });
    network.connect(0, Plan { write: 200, then_shut_down: true, ..Plan::SILENT });
    let half = |network: &mut Network| network.stream(0, Side::Client, 0).read > BYTES / 2;
    assert!(network.run_until(PATIENCE, half));
    assert!(network.stream(0, Side::Server, 0).ended.is_some(), "the server knows that no more is coming");
    network.change(0, Side::Server, 0, |stream| stream.plan.then_shut_down = true);
    end(&mut network);
    assert_eq!(network.stream(0, Side::Client, 0).read, BYTES);
    forget(&mut network);
}

#[test]
fn two_full_flights_whose_acknowledgements_are_all_lost_are_acknowledged_again() {
    let mut network = established(40);
    network.meddle(lose(2, |segment| segment.is_bare()));
    SIDES.iter().for_each(|&side| network.change(0, side, 0, |stream| stream.plan.write = 2000));
    network.run_for(TIMEOUT * 3);
    network.meddle(|_| Fate::Arrives);
    SIDES.iter().for_each(|&side| plan(&mut network, side, 3000));
    // What is sent again is below the window, and so is answered with an acknowledgement whose own number is not (RFC 9293 §3.10.7.4):
    // that of the next new byte, whatever is being sent again on this side.
    within(TIMEOUT + 2 * ROUND_TRIP, end(&mut network));
    forget(&mut network);
}

#[test]
fn whatever_happens_on_the_way_both_ends_read_what_was_written() {
    for seed in 1..=30 {
        let mut network = established(40);
        let mut chance = Chance::new(seed);
        network.meddle(move |_| match chance.below(20) {
            0 | 1 => Fate::IsLost,
            2 => Fate::IsLate(Duration::from_millis(chance.below(100))),
            3 => Fate::ArrivesTwice,
            _ => Fate::Arrives,
        });
        SIDES.iter().for_each(|&side| plan(&mut network, side, 50_000));
        end(&mut network);
        SIDES.iter().for_each(|&side| assert_eq!(network.stream(0, side, 0).read, 50_000, "seed {seed}"));
        network.meddle(|_| Fate::Arrives);
        forget(&mut network);
    }
}

#[test]
fn an_end_that_has_been_let_go_of_is_delivered_all_the_same() {
    let (mut line, start) = Line::warm(20_000);
    let last = start + 19_999;
    line.meddle(lose(1, move |segment| segment.carries(last)));
    line.request();
    line.network.run_for(ROUND_TRIP);
    line.network.change(0, Side::Server, 0, |stream| stream.plan.then_shut_down = true);
    line.network.release(0, Side::Server, 0);
    line.network.pairs[0].server.streams.clear();
    line.wait();
    let ended = |network: &mut Network| network.stream(0, Side::Client, 0).ended.is_some();
    assert!(line.network.run_until(TIMEOUT * 2, ended));
    assert_eq!(line.network.stream(0, Side::Client, 0).failure, None);
}
