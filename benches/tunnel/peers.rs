//! Many peers: what they cost when they are configured, when they have shaken hands, and how many hands are shaken in a second.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use boringtun::noise::{Tunn, TunnResult};

use crate::ends::{End, SERVER, key, path, peer};
use crate::{anonymous_bytes, megabytes, row, timed};

pub fn measure(peers: u32) -> Result<()> {
    let mut server = End::new(SERVER);
    // Keys are made beforehand: they are read from a file, where it is real.
    let known: Vec<_> = (1..=peers).map(peer).collect();
    let (before, began) = (anonymous_bytes()?, Instant::now());
    for peer in known {
        server.node.add_peer(Instant::now(), peer)?;
    }
    row(&format!("{peers} peers configured: time"), format!("{:.0} ms", began.elapsed().as_secs_f64() * 1e3));
    row(&format!("{peers} peers configured: memory"), megabytes(anonymous_bytes()?.saturating_sub(before)));

    let mut took = Duration::ZERO;
    for number in 1..=peers {
        shake_hands(&mut server, number, &mut took).with_context(|| format!("device {number}"))?;
    }
    row("handshakes per second and core", format!("{:.0}", f64::from(peers) / took.as_secs_f64()));
    row(&format!("{peers} peers in session: memory over none"), megabytes(anonymous_bytes()?.saturating_sub(before)));
    Ok(())
}

/// One device's handshake, to the first data that confirms it.
fn shake_hands(server: &mut End, number: u32, took: &mut Duration) -> Result<()> {
    let public = *key(SERVER).public().as_bytes();
    let mut device = Tunn::new(key(number).to_secret(), public.into(), None, None, number, None);
    let (mut datagram, mut packet) = ([0; 2048], [0; 2048]);
    let TunnResult::WriteToNetwork(initiation) = device.format_handshake_initiation(&mut datagram, false) else {
        bail!("no initiation");
    };
    let now = Instant::now();
    timed(took, || server.node.handle_datagram(now, path(number), initiation, &mut server.outbox));
    let response = server.outbox.runs(1).next().context("no answer")?.bytes.to_owned();
    server.outbox.clear();
    let TunnResult::WriteToNetwork(keepalive) = device.decapsulate(None, &response, &mut packet) else {
        bail!("the answer is not taken");
    };
    timed(took, || {
        server.node.handle_datagram(now, path(number), keepalive, &mut server.outbox);
        server.node.flush_wakers();
    });
    Ok(())
}
