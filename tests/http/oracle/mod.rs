//! A device sees what a library that holds nothing else would show: by every tool and path, with documents coming and going, grants
//! changing, and devices handing one another what they found.
//!
//! One library holds everything and is asked by several devices, each under a random grant; beside it stands, for each device, a library
//! that was built from those documents alone which the device may see, and in which it may see everything. Every answer of the one must
//! equal the answer of the other, byte for byte, but for what is drawn anew for each request, the age of the index, and what waits.
//!
//! `ADIT_ORACLE` says how many operations (the whole measure is 10,000), `ADIT_SEED` with which to begin.

mod answers;
mod documents;
mod questions;
mod world;

use std::collections::BTreeMap;

use crate::chance::Chance;
use questions::{Asked, Kind};
use world::{Size, World};

/// Operations without `ADIT_ORACLE`.
const OPERATIONS: u64 = 300;

/// Operations in one world; then another begins, with other documents and grants.
const OF_ONE_WORLD: u64 = 75;

/// One operation in so many changes documents, and one in so many a grant.
const EDIT_IN: u64 = 8;
const REGRANT_IN: u64 = 60;

/// What came of the operations, by kind: how many, and how many of them found or read something.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, (u64, u64)>);

impl Tally {
    fn count(&mut self, what: &'static str, fruitful: bool) {
        let (all, found) = self.0.entry(what).or_default();
        *all += 1;
        *found += u64::from(fruitful);
    }

    fn of(&self, what: &'static str) -> (u64, u64) {
        self.0.get(what).copied().unwrap_or_default()
    }
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test]
async fn a_device_is_answered_as_if_there_were_nothing_else() {
    let (seed, operations) = (variable("ADIT_SEED", 20_261_122), variable("ADIT_ORACLE", OPERATIONS));
    let mut tally = Tally::default();
    for number in 0..operations.div_ceil(OF_ONE_WORLD) {
        // Of its own seed, so that a world in which something went wrong can be had again by itself.
        let seed = seed + number;
        let mut chance = Chance::new(seed);
        // Every fourth has more documents than are ranked at once.
        let size = if number % 4 == 3 { Size::Large } else { Size::Small };
        let mut world = World::new(&mut chance, size);
        for step in 0..OF_ONE_WORLD.min(operations - number * OF_ONE_WORLD) {
            let told = format!("ADIT_SEED={seed} (world {number}, {size:?}), step {step}");
            operate(&mut world, &mut chance, &told, &mut tally).await;
        }
    }
    for (what, (all, found)) in &tally.0 {
        eprintln!("{what:24} {all:6}, of which {found:6} with something in it");
    }
    for kind in Kind::ALL {
        let (all, found) = tally.of(kind.name());
        assert!(
            operations < OPERATIONS || all > 0 && found > 0,
            "{} was asked {all} times, {found} in vain",
            kind.name()
        );
    }
}

/// One operation: a change, or a question by one device to both libraries.
async fn operate(world: &mut World, chance: &mut Chance, told: &str, tally: &mut Tally) {
    if chance.below(EDIT_IN) == 0 {
        world.edit(chance);
        return tally.count("edit", true);
    }
    if chance.below(REGRANT_IN) == 0 {
        world.regrant(chance);
        return tally.count("regrant", true);
    }
    let device = chance.below(world.devices.len() as u64) as usize;
    world.asking = device;
    if chance.below(12) == 0 {
        let worth_something = world.try_what_is_anothers(chance, device, told).await;
        return tally.count("what is another's", worth_something);
    }
    let Asked { kind, call } = match world.devices[device].reading.take() {
        Some(reading) if chance.below(2) == 0 => reading,
        _ => questions::question(world, chance),
    };
    let fruitful = world.compare(device, kind, call, told).await;
    tally.count(kind.name(), fruitful);
}
