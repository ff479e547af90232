//! Segments that come late, twice, or over links of another size.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::line::{Line, within};
use crate::network::path::Conditions;
use crate::network::tap::Fate;
use crate::network::{Network, Side};

const BULK_BYTES: u64 = 1_000_000;

/// The time of three full packets on the line, and a little.
const THREE_PACKETS: Duration = Duration::from_micros(350);

/// How long a megabyte takes on a warm connection, and how many segments carry it.
fn bulk(mut rule: impl FnMut(u64) -> Fate + 'static) -> (Duration, u64) {
    let (mut line, _) = Line::warm(BULK_BYTES);
    let counted = Rc::new(Cell::new(0));
    let counter = counted.clone();
    line.meddle(move |segment| {
        if segment.from == Side::Client || segment.bytes == 0 {
            return Fate::Arrives;
        }
        counter.set(counter.get() + 1);
        rule(counter.get())
    });
    (line.ask().time, counted.get())
}

#[test]
fn segments_three_packets_late_cost_little() {
    let (usual, usual_segments) = bulk(|_| Fate::Arrives);
    let late = |number| if number % 20 == 0 { Fate::IsLate(THREE_PACKETS) } else { Fate::Arrives };
    let (time, segments) = bulk(late);
    within(usual * 2, time);
    // Some are taken for lost, until the window for reordering has grown (RFC 8985 §6.2).
    assert!(segments <= usual_segments * 11 / 10, "{segments} segments, where {usual_segments} would do");
}

#[test]
fn segments_that_come_twice_cost_nothing() {
    let (usual, usual_segments) = bulk(|_| Fate::Arrives);
    let (time, segments) = bulk(|_| Fate::ArrivesTwice);
    within(usual * 11 / 10, time);
    // A duplicate is acknowledged at once (RFC 9293 §3.10.7.4), and that acknowledgement reports no loss (RFC 2883).
    assert_eq!(segments, usual_segments);
}

#[test]
fn everything_may_come_twice() {
    let mut line = Line::new(BULK_BYTES);
    line.meddle(|_| Fate::ArrivesTwice);
    line.connect();
    line.ask();
    assert_eq!(line.network.pairs[0].server.streams.len(), 1, "one connection of two SYNs");
}

#[test]
fn segments_fill_the_smaller_mtu_and_never_exceed_it() {
    let servers: [IpAddr; 2] = [[10, 0, 0, 1].into(), [0xfd00, 0, 0, 0, 0, 0, 0, 1].into()];
    for (server_mtu, client_mtu) in [(1280, 1280), (1420, 1420), (1500, 1500), (1280, 1420), (1420, 1280)] {
        for server in servers {
            let mut network = Network::new(Conditions::clean(40), server_mtu, 1).with_client_mtu(client_mtu).with_tap();
            network.server = server;
            let mut line = Line::of(network, BULK_BYTES);
            let largest = Rc::new(Cell::new(0));
            let seen = largest.clone();
            line.meddle(move |segment| {
                seen.set(seen.get().max(segment.packet_bytes));
                Fate::Arrives
            });
            line.connect();
            line.ask();
            assert_eq!(largest.get(), server_mtu.min(client_mtu), "{server}, {server_mtu} to {client_mtu}");
        }
    }
}
