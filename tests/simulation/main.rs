//! The core under every weather: nodes joined by a simulated network, with one clock and one seed.
//!
//! `cargo test --features simulation --test simulation`. `ADIT_SEED=7` runs one seed, `ADIT_SEEDS=1000` more than the usual 100.

mod abuse;
mod http;
mod noise;
mod peers;
mod sessions;
mod streams;
mod world;
