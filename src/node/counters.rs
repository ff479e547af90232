//! What happened how often. Every datagram received is counted in exactly one of its outcomes, so that they add up.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::stack::PacketRefusal;
use crate::tunnel::Refusal;

/// Totals since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Name (as in metrics: snake case) and value, in a fixed order.
    pub values: Vec<(&'static str, u64)>,
}

impl Counters {
    /// The value with this name; 0 for a name that is none.
    pub fn value(&self, name: &str) -> u64 {
        self.values.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| *value)
    }

    /// The sum of all outcomes of datagrams: equal to `datagrams_received` when nobody is at work.
    pub fn outcomes(&self) -> u64 {
        OUTCOMES.iter().map(|counter| self.value(counter.name())).sum()
    }
}

macro_rules! counters {
    ($($variant:ident $name:literal,)*) => {
        /// What is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Counter {
            $($variant,)*
        }

        impl Counter {
            const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Counter::$variant => $name,)*
                }
            }
        }
    };
}

counters! {
    DatagramsReceived "datagrams_received",
    BytesReceived "bytes_received",
    DatagramsSent "datagrams_sent",
    BytesSent "bytes_sent",
    // The outcomes of datagrams.
    Packets "datagrams_with_packet",
    Keepalives "datagrams_without_packet",
    Handshakes "handshake_messages_answered",
    CookiesSent "cookies_sent",
    Malformed "dropped_malformed",
    BadMac "dropped_bad_mac",
    TooManyHandshakes "dropped_too_many_handshakes",
    Unauthenticated "dropped_unauthenticated",
    Replayed "dropped_replayed",
    InnerMalformed "dropped_inner_malformed",
    SpoofedSource "dropped_spoofed_source",
    UnknownKey "dropped_unknown_key",
    UnknownIndex "dropped_unknown_index",
    ForeignNetwork "dropped_foreign_network",
    NoRoom "dropped_no_room",
    // What became of inner packets that were not wanted.
    PacketMalformed "packets_malformed",
    PacketFragment "packets_fragment",
    PacketElsewhere "packets_for_elsewhere",
    HalfOpenFull "streams_refused_half_open",
    ConnectionsFull "streams_refused_full",
    RepliesLost "replies_without_room",
    // Peers and streams.
    SessionsEstablished "sessions_established",
    HandshakesGivenUp "handshakes_given_up",
    Roamed "endpoints_changed",
    StreamsAccepted "streams_accepted",
    StreamsConnected "streams_connected",
    EventsLost "events_lost",
}

const OUTCOMES: [Counter; 15] = [
    Counter::Packets,
    Counter::Keepalives,
    Counter::Handshakes,
    Counter::CookiesSent,
    Counter::Malformed,
    Counter::BadMac,
    Counter::TooManyHandshakes,
    Counter::Unauthenticated,
    Counter::Replayed,
    Counter::InnerMalformed,
    Counter::SpoofedSource,
    Counter::UnknownKey,
    Counter::UnknownIndex,
    Counter::ForeignNetwork,
    Counter::NoRoom,
];

impl From<Refusal> for Counter {
    fn from(refusal: Refusal) -> Counter {
        match refusal {
            Refusal::Malformed => Counter::Malformed,
            Refusal::BadMac => Counter::BadMac,
            Refusal::TooMany => Counter::TooManyHandshakes,
            Refusal::Unauthenticated => Counter::Unauthenticated,
            Refusal::Replayed => Counter::Replayed,
            Refusal::InnerMalformed => Counter::InnerMalformed,
            Refusal::SpoofedSource => Counter::SpoofedSource,
        }
    }
}

impl From<PacketRefusal> for Counter {
    fn from(refusal: PacketRefusal) -> Counter {
        match refusal {
            PacketRefusal::Malformed => Counter::PacketMalformed,
            PacketRefusal::Fragment => Counter::PacketFragment,
            PacketRefusal::Elsewhere => Counter::PacketElsewhere,
            PacketRefusal::HalfOpenFull => Counter::HalfOpenFull,
            PacketRefusal::Full => Counter::ConnectionsFull,
        }
    }
}

/// The running totals.
#[derive(Debug)]
pub(super) struct Counts([AtomicU64; Counter::ALL.len()]);

impl Counts {
    pub(super) fn new() -> Counts {
        Counts([const { AtomicU64::new(0) }; Counter::ALL.len()])
    }

    pub(super) fn add(&self, counter: impl Into<Counter>, value: u64) {
        self.0[counter.into() as usize].fetch_add(value, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Counters {
        let value = |counter: &Counter| (counter.name(), self.0[*counter as usize].load(Ordering::Relaxed));
        Counters { values: Counter::ALL.iter().map(value).collect() }
    }
}
