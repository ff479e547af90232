//! What is measured under given conditions: conditions and a seed go in, bits per second and times come out.

use std::time::Duration;

use crate::network::chance::Chance;
use crate::network::path::Conditions;
use crate::network::stream::{Exchange, Plan, Stream};
use crate::network::{Network, Side};

/// Inner MTU, in bytes: what WireGuard leaves of 1500.
pub const MTU_BYTES: usize = 1420;
/// How long a bulk stream runs before it is measured.
const START_UP: Duration = Duration::from_secs(2);
/// A second stream begins so much later than the first, and both run so long before they are measured, and so long then.
const HEAD_START: Duration = Duration::from_secs(1);
const SETTLING: Duration = Duration::from_secs(4);
const SHARED: Duration = Duration::from_secs(10);
/// Nothing that is measured lasts longer: a connection that no segment reaches is given up after 185 s.
const PATIENCE: Duration = Duration::from_secs(400);

const REQUEST_BYTES: u64 = 200;
const ANSWER_BYTES: u64 = 20_000;
/// Answers that open the congestion window, and answers measured, of one connection.
const WARM_UP_ANSWERS: usize = 10;
const ANSWERS: usize = 200;
const PAUSE_MILLIS: u64 = 100;
const PAUSE_SPREAD_MILLIS: u64 = 500;

const FETCHED_BYTES: u64 = 1_000_000;

/// Who sends in bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Down,
    Up,
}

/// What two bulk streams share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Stack,
    Bottleneck,
}

/// Bits per second of one bulk stream over so long a time, as its reader counts them.
pub fn bulk(conditions: Conditions, direction: Direction, time: Duration, seed: u64) -> f64 {
    let (server, client, reader) = match direction {
        Direction::Down => (Plan::ENDLESS, Plan::SILENT, Side::Client),
        Direction::Up => (Plan::SILENT, Plan::ENDLESS, Side::Server),
    };
    let mut network = Network::new(conditions, MTU_BYTES, seed);
    let pair = network.add_pair(server);
    network.connect(pair, client);
    assert!(network.run_until(PATIENCE, |network| !network.pairs[pair].server.streams.is_empty()), "never connected");
    network.run_for(START_UP);
    let before = network.pairs[pair].host(reader).streams[0].read;
    network.run_for(time);
    bits_per_second(network.pairs[pair].host(reader).streams[0].read - before, time)
}

fn bits_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 * 8.0 / time.as_secs_f64()
}

/// Bits per second of two bulk downloads side by side.
pub fn two(conditions: Conditions, sharing: Sharing, seed: u64) -> [f64; 2] {
    let mut network = Network::new(conditions, MTU_BYTES, seed);
    let first = network.add_pair(Plan::ENDLESS);
    let (second, number) = match sharing {
        Sharing::Stack => (first, 1),
        Sharing::Bottleneck => (network.add_pair(Plan::ENDLESS), 0),
    };
    network.connect(first, Plan::SILENT);
    network.run_for(HEAD_START);
    network.connect(second, Plan::SILENT);
    let connected = |network: &mut Network| network.pairs[second].server.streams.len() > number;
    assert!(network.run_until(PATIENCE, connected), "never connected");
    network.run_for(SETTLING);
    let read = |network: &Network| {
        [(first, 0), (second, number)].map(|(pair, stream)| network.pairs[pair].client.streams[stream].read)
    };
    let before = read(&network);
    network.run_for(SHARED);
    let after = read(&network);
    [0, 1].map(|stream| bits_per_second(after[stream] - before[stream], SHARED))
}

/// Jain's index: 1 where all have the same, 1/n where one has everything.
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / squares / shares.len() as f64 }
}

/// How long it takes from the beginning of a connection to the last byte of a megabyte.
pub fn fetch(conditions: Conditions, seed: u64) -> Duration {
    let exchange = Exchange { request_bytes: REQUEST_BYTES, answer_bytes: FETCHED_BYTES };
    let mut network = Network::new(conditions, MTU_BYTES, seed);
    let pair = network.add_pair(Plan { answers: Some(exchange), ..Plan::SILENT });
    let start = network.now;
    let number = network.connect(pair, Plan { write: REQUEST_BYTES, ..Plan::SILENT });
    let done = |network: &mut Network| is_over(&network.pairs[pair].client.streams[number], FETCHED_BYTES);
    match network.run_until(PATIENCE, done) && network.pairs[pair].client.streams[number].failure.is_none() {
        true => network.now - start,
        false => PATIENCE,
    }
}

/// Of each of many answers on one connection, the longest time in which nothing of it reached the reader.
pub fn silences(conditions: Conditions, seed: u64) -> Vec<Duration> {
    let exchange = Exchange { request_bytes: REQUEST_BYTES, answer_bytes: ANSWER_BYTES };
    let mut network = Network::new(conditions, MTU_BYTES, seed);
    let pair = network.add_pair(Plan { answers: Some(exchange), ..Plan::SILENT });
    let number = network.connect(pair, Plan::SILENT);
    let mut chance = Chance::new(seed);
    let mut silences = Vec::new();
    for answer in 1..=(WARM_UP_ANSWERS + ANSWERS) as u64 {
        let now = network.now;
        network.change(pair, Side::Client, number, |stream| {
            stream.plan.write = answer * REQUEST_BYTES;
            stream.listen_from(now);
        });
        let done = |network: &mut Network| is_over(&network.pairs[pair].client.streams[number], answer * ANSWER_BYTES);
        let whole = network.run_until(PATIENCE, done);
        let stream = &network.pairs[pair].client.streams[number];
        if !whole || stream.failure.is_some() {
            // A connection that died is silent for ever.
            silences.resize(WARM_UP_ANSWERS + ANSWERS, PATIENCE);
            break;
        }
        silences.push(stream.silence);
        network.run_for(Duration::from_millis(PAUSE_MILLIS + chance.below(PAUSE_SPREAD_MILLIS)));
    }
    silences.split_off(WARM_UP_ANSWERS)
}

fn is_over(stream: &Stream, bytes: u64) -> bool {
    stream.read >= bytes || stream.failure.is_some() || stream.ended.is_some()
}
