//! Handshakes that lose a segment.

use crate::line::{Line, ROUND_TRIP, TIMEOUT, lose, within};
use crate::network::Side;

const ANSWER_BYTES: u64 = 1000;

#[test]
fn a_lost_syn_is_sent_again_after_a_second() {
    let mut line = Line::new(ANSWER_BYTES);
    line.meddle(lose(1, |segment| segment.syn && segment.from == Side::Client));
    line.connect();
    // RFC 6298 §2.1; then the handshake and the exchange.
    within(TIMEOUT + ROUND_TRIP * 5 / 2, line.ask().time);
}

#[test]
fn three_lost_syns_are_sent_again_after_one_two_and_four_seconds() {
    let mut line = Line::new(ANSWER_BYTES);
    line.meddle(lose(3, |segment| segment.syn && segment.from == Side::Client));
    line.connect();
    // RFC 6298 §5.5.
    within(7 * TIMEOUT + ROUND_TRIP * 5 / 2, line.ask().time);
}

#[test]
fn a_lost_syn_ack_is_sent_again_after_a_second() {
    let mut line = Line::new(ANSWER_BYTES);
    line.meddle(lose(1, |segment| segment.syn && segment.from == Side::Server));
    line.connect();
    within(TIMEOUT + ROUND_TRIP * 5 / 2, line.ask().time);
}

#[test]
fn the_first_data_acknowledge_the_handshake_as_well() {
    let mut line = Line::new(ANSWER_BYTES);
    line.meddle(lose(1, |segment| segment.is_bare() && segment.from == Side::Client));
    line.connect();
    // Every segment but a SYN carries an acknowledgement (RFC 9293 §3.1).
    within(ROUND_TRIP * 5 / 2, line.ask().time);
}

#[test]
fn a_handshake_that_lost_its_end_is_whole_after_a_second() {
    let mut line = Line::new(ANSWER_BYTES);
    line.meddle(lose(1, |segment| segment.is_bare() && segment.from == Side::Client));
    line.connect();
    let start = line.network.now;
    let opened = |network: &mut crate::network::Network| !network.pairs[0].server.streams.is_empty();
    assert!(line.network.run_until(TIMEOUT * 10, opened));
    // The SYN of the server is sent again.
    within(TIMEOUT + ROUND_TRIP * 5 / 2, line.network.now - start);
}
