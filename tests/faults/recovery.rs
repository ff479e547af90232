//! Segments of a stream that are lost, one, many, twice, or all for a time.

use std::io::ErrorKind;
use std::time::Duration;

use crate::line::{Line, PATIENCE, ROUND_TRIP, SHORT, TIMEOUT, lose, within};
use crate::network::Side;
use crate::network::tap::Fate;

const ANSWER_BYTES: u64 = 20_000;
const BULK_BYTES: u64 = 1_000_000;

#[test]
fn a_lost_segment_in_the_middle_is_mended_in_a_round_trip() {
    let (mut line, start) = Line::warm(ANSWER_BYTES);
    line.meddle(lose(1, move |segment| segment.from == Side::Server && segment.carries(start + 5000)));
    // The request's round trip, or that of the repair with RACK's quarter for reordering (RFC 8985 §6.2).
    within(ROUND_TRIP * 3 / 2, line.ask().silence);
}

#[test]
fn a_lost_tail_segment_is_mended_without_a_timeout() {
    let (mut line, start) = Line::warm(ANSWER_BYTES);
    let last = start + ANSWER_BYTES as u32 - 1;
    line.meddle(lose(1, move |segment| segment.from == Side::Server && segment.carries(last)));
    // A loss probe after two round trips (RFC 8985 §7.2).
    within(SHORT, line.ask().silence);
}

#[test]
fn a_lost_tail_of_three_segments_is_mended_without_a_timeout() {
    let (mut line, start) = Line::warm(ANSWER_BYTES);
    let end = start + ANSWER_BYTES as u32;
    line.meddle(lose(3, move |segment| segment.from == Side::Server && segment.place + segment.bytes > end - 3000));
    within(SHORT, line.ask().silence);
}

#[test]
fn a_lost_answer_of_one_segment_is_mended_without_a_timeout() {
    let (mut line, _) = Line::warm(500);
    line.meddle(lose(1, |segment| segment.from == Side::Server && segment.bytes > 0));
    within(SHORT, line.ask().silence);
}

#[test]
fn a_lost_request_is_mended_without_a_timeout() {
    let (mut line, _) = Line::warm(ANSWER_BYTES);
    line.meddle(lose(1, |segment| segment.from == Side::Client && segment.bytes > 0));
    within(SHORT, line.ask().silence);
}

#[test]
fn ten_segments_lost_in_a_row_are_mended_together() {
    let (mut line, start) = Line::warm(BULK_BYTES);
    let hole = start + 300_000..start + 313_000;
    line.meddle(lose(10, move |segment| segment.from == Side::Server && hole.contains(&segment.place)));
    within(SHORT, line.ask().silence);
}

#[test]
fn every_tenth_segment_of_a_flight_lost_is_mended_together() {
    let (mut line, start) = Line::warm(BULK_BYTES);
    let mut count = 0;
    let holes = start + 300_000..start + 400_000;
    let mut seen = holes.start;
    line.meddle(move |segment| {
        let is_new = segment.from == Side::Server && holes.contains(&segment.place) && segment.place >= seen;
        if !is_new {
            return Fate::Arrives;
        }
        seen = segment.place + segment.bytes;
        count += 1;
        if count % 10 == 0 { Fate::IsLost } else { Fate::Arrives }
    });
    within(SHORT, line.ask().silence);
}

#[test]
fn a_lost_retransmission_is_noticed_by_what_was_sent_after_it() {
    let (mut line, start) = Line::warm(BULK_BYTES);
    line.meddle(lose(2, move |segment| segment.from == Side::Server && segment.carries(start + 300_000)));
    // RFC 8985 §3.2: as any other loss, a round trip later.
    within(SHORT, line.ask().silence);
}

#[test]
fn a_lost_retransmission_with_nothing_after_it_costs_one_timeout() {
    let (mut line, start) = Line::warm(ANSWER_BYTES);
    line.meddle(lose(2, move |segment| segment.from == Side::Server && segment.carries(start + 5000)));
    within(TIMEOUT + 3 * ROUND_TRIP, line.ask().silence);
}

#[test]
fn lost_acknowledgements_cost_nothing() {
    let (mut line, _) = Line::warm(BULK_BYTES);
    let usual = line.ask().time;
    let mut count = 0;
    line.meddle(move |segment| {
        count += u32::from(segment.from == Side::Client);
        if segment.is_bare() && segment.from == Side::Client && count % 2 == 0 { Fate::IsLost } else { Fate::Arrives }
    });
    // They are cumulative. Only the window opens more slowly.
    within(usual * 3 / 2, line.ask().time);
}

#[test]
fn after_three_dark_seconds_a_download_goes_on() {
    let (mut line, _) = Line::warm(4_000_000);
    line.request();
    line.network.run_for(Duration::from_millis(100));
    line.meddle(|_| Fate::IsLost);
    line.network.run_for(Duration::from_secs(3));
    line.meddle(|_| Fate::Arrives);
    // Retransmissions after 1, 2 and 4 s (RFC 6298 §5.5): the last of them gets through.
    within(7 * TIMEOUT + 2 * ROUND_TRIP, line.wait().silence);
}

#[test]
fn a_request_into_three_dark_seconds_is_answered() {
    let (mut line, _) = Line::warm(ANSWER_BYTES);
    line.meddle(|_| Fate::IsLost);
    line.request();
    line.network.run_for(Duration::from_secs(3));
    line.meddle(|_| Fate::Arrives);
    within(7 * TIMEOUT + 2 * ROUND_TRIP, line.wait().silence);
}

#[test]
fn a_line_that_stays_dark_ends_the_connection_but_not_soon() {
    let (mut line, _) = Line::warm(BULK_BYTES);
    line.meddle(|_| Fate::IsLost);
    let dark = line.network.now;
    line.request();
    let failed = |network: &mut crate::network::Network| network.stream(0, Side::Client, 0).failure.is_some();
    assert!(line.network.run_until(PATIENCE, failed), "it hangs");
    assert_eq!(line.network.stream(0, Side::Client, 0).failure, Some(ErrorKind::TimedOut));
    // RFC 9293 §3.8.3 R2.
    assert!(line.network.now - dark >= Duration::from_secs(100));
}

#[test]
fn an_hour_of_nothing_changes_nothing() {
    let (mut line, _) = Line::warm(ANSWER_BYTES);
    line.network.run_for(Duration::from_secs(3600));
    within(3 * ROUND_TRIP, line.ask().time);
}
