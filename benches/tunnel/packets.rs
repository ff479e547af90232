//! Packets: what one costs in a stream, what idle connections add to that, and what is cryptography.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use boringtun::noise::{Tunn, TunnResult};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::ends::{End, SERVER, key, open, peer, send};
use crate::{anonymous_bytes, median, megabytes, row, timed};

/// Idle connections, of so many devices.
const IDLE: usize = 10_000;
const IDLE_DEVICES: u32 = 100;
/// Bytes of one round, and rounds.
const ROUND: usize = 100_000_000;
const ROUNDS: usize = 7;
/// Inner bytes of a full packet.
const PACKET: usize = 1420;

pub fn measure() -> Result<()> {
    let mut bare = Bulk::new(0)?;
    let before = anonymous_bytes()?;
    let mut crowded = Bulk::new(IDLE)?;
    row(
        &format!("{IDLE} idle connections, both ends: memory of each end"),
        format!("{:.1} KiB", (anonymous_bytes()? - before) as f64 / (2 * IDLE) as f64 / 1024.0),
    );
    let (mut alone, mut among) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(bare.round());
        among.push(crowded.round());
    }
    let (alone, among) = (median(alone), median(among));
    row("bulk down, the server's part: MB per CPU-second", format!("{alone:.0}"));
    row(&format!("the same among {IDLE} idle connections"), format!("{among:.0} ({:.2})", among / alone));
    row("of that, a full packet takes", format!("{:.2} µs", PACKET as f64 / alone));
    cryptography()
}

/// A server that sends to one device, and others that say nothing.
struct Bulk {
    server: End,
    device: End,
    streams: (adit::node::Stream, adit::node::Stream),
    _idle: Vec<(End, Vec<(adit::node::Stream, adit::node::Stream)>)>,
}

impl Bulk {
    fn new(idle: usize) -> Result<Bulk> {
        let mut server = End::new(SERVER);
        let busy = IDLE_DEVICES + 1;
        for number in 1..=busy {
            server.node.add_peer(Instant::now(), peer(number))?;
        }
        let each = idle / IDLE_DEVICES as usize;
        let crowd = (1..=IDLE_DEVICES).filter(|_| each > 0).map(|number| {
            let mut device = End::device(number);
            let streams = (0..each).map(|_| open(&mut server, &mut device)).collect();
            (device, streams)
        });
        let crowd = crowd.collect();
        let mut device = End::device(busy);
        let streams = open(&mut server, &mut device);
        Ok(Bulk { server, device, streams, _idle: crowd })
    }

    /// Megabytes per second of the server's part.
    fn round(&mut self) -> f64 {
        let took = send(&mut self.server, &mut self.device, &mut self.streams, ROUND);
        ROUND as f64 / 1e6 / took.as_secs_f64()
    }
}

/// boringtun's own cost of a packet, which copies it into its place, beside the cipher that it uses, in place, and beside the copy.
fn cryptography() -> Result<()> {
    let (mut ours, mut theirs) = (tunn(SERVER, 1), tunn(1, SERVER));
    let (mut one, mut other) = ([0; 2048], [0; 2048]);
    let TunnResult::WriteToNetwork(initiation) = ours.format_handshake_initiation(&mut one, false) else {
        bail!("no initiation");
    };
    let TunnResult::WriteToNetwork(response) = theirs.decapsulate(None, initiation, &mut other) else {
        bail!("no answer");
    };
    let response = response.to_vec();
    ours.decapsulate(None, &response, &mut one);
    let mut packet = [0; PACKET];
    packet[0] = 0x45;
    let cipher = UnboundKey::new(&CHACHA20_POLY1305, &[9; 32]).map(LessSafeKey::new).expect("a key of 32 bytes");
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    let count = 200_000;
    for _ in 0..ROUNDS {
        let mut took = [Duration::ZERO; 3];
        timed(&mut took[0], || {
            for _ in 0..count {
                std::hint::black_box(ours.encapsulate(&packet, &mut one));
            }
        });
        timed(&mut took[1], || {
            for _ in 0..count {
                let nonce = Nonce::assume_unique_for_key([0; 12]);
                let sealed = cipher.seal_in_place_separate_tag(nonce, Aad::empty(), &mut packet);
                std::hint::black_box(sealed.expect("a packet is short").as_ref());
            }
        });
        packet[0] = 0x45;
        timed(&mut took[2], || {
            for _ in 0..count {
                other[..PACKET].copy_from_slice(std::hint::black_box(&packet));
                std::hint::black_box(&mut other);
            }
        });
        for (round, took) in rounds.iter_mut().zip(took) {
            round.push(took.as_secs_f64() * 1e6 / f64::from(count));
        }
    }
    let [boringtun, cipher, copy] = rounds.map(median);
    row(&format!("boringtun seals a packet of {PACKET} bytes"), format!("{boringtun:.2} µs"));
    row("of that, the cipher (ring), in place", format!("{cipher:.2} µs"));
    row("a copy of it", format!("{copy:.3} µs"));
    row("memory at the end", megabytes(anonymous_bytes().context("memory")?));
    Ok(())
}

fn tunn(own: u32, other: u32) -> Tunn {
    let public = *key(other).public().as_bytes();
    Tunn::new(key(own).to_secret(), public.into(), None, None, own + 1, None)
}
