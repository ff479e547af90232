//! Busy peers side by side: one thread each, one node for all.

use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use adit::node::{Node, Outbox, Stream};
use anyhow::Result;

use crate::ends::{End, SERVER, open, path, peer};
use crate::{median, row};

/// Bytes to each peer, and rounds.
const BYTES: usize = 100_000_000;
const ROUNDS: usize = 5;

pub fn measure() -> Result<()> {
    for busy in [1, 2, 4] {
        let rounds = (0..ROUNDS).map(|_| round(busy)).collect::<Result<Vec<_>>>()?;
        row(&format!("{busy} busy peers, a thread each, both ends: MB per second"), format!("{:.0}", median(rounds)));
    }
    Ok(())
}

/// Megabytes per second, of all together.
fn round(busy: u32) -> Result<f64> {
    let mut server = End::new(SERVER);
    let mut devices = Vec::new();
    let mut streams = Vec::new();
    for number in 1..=busy {
        server.node.add_peer(Instant::now(), peer(number))?;
        let mut device = End::device(number);
        streams.push(open(&mut server, &mut device));
        devices.push(device.node);
    }
    let (server, devices, barrier) = (&server.node, &devices, &Barrier::new(busy as usize + 1));
    let took = std::thread::scope(|scope| {
        let threads: Vec<_> = streams
            .into_iter()
            .zip(1..)
            .map(|(streams, number)| {
                scope.spawn(move || {
                    barrier.wait();
                    transfer(server, devices, number, streams);
                })
            })
            .collect();
        barrier.wait();
        let began = Instant::now();
        threads.into_iter().for_each(|thread| thread.join().expect("a transfer ends"));
        began.elapsed()
    });
    Ok(f64::from(busy) * BYTES as f64 / 1e6 / took.as_secs_f64())
}

/// Sends everything to one peer, whose number this is. Who finds another peer's datagrams ready carries them as well.
fn transfer(server: &Node, devices: &[Node], number: u32, (mut ours, mut theirs): (Stream, Stream)) {
    let mut context = Context::from_waker(Waker::noop());
    let (block, mut sink) = (vec![b'x'; 256 << 10], vec![0; 256 << 10]);
    let (mut outbox, mut answers, mut at_once) = (Outbox::new(), Outbox::new(), Outbox::new());
    let (mut sent, mut received) = (0, 0);
    while received < BYTES {
        while sent < BYTES
            && let Poll::Ready(written) = ours.poll_write(&mut context, &block[..block.len().min(BYTES - sent)])
        {
            sent += written.expect("the stream stands");
        }
        let now = Instant::now();
        server.handle_timeout(now);
        while outbox.room() > 0 && server.poll_transmit(now, &mut outbox) {}
        for run in outbox.runs(64) {
            let Some((number, device)) = (1..).zip(devices).find(|(number, _)| path(*number) == run.path) else {
                continue;
            };
            for datagram in run.bytes.chunks(run.segment_bytes) {
                device.handle_datagram(now, path(SERVER), datagram, &mut answers);
            }
            answer(server, (number, device), now, [&mut answers, &mut at_once]);
        }
        outbox.clear();
        server.flush_wakers();
        while let Poll::Ready(read) = theirs.poll_read(&mut context, &mut sink) {
            received += read.expect("the stream stands");
        }
        let device = &devices[number as usize - 1];
        device.handle_timeout(now);
        answer(server, (number, device), now, [&mut answers, &mut at_once]);
    }
}

/// Brings what a device wants sent to the server, which has nothing to answer at once.
fn answer(server: &Node, (number, device): (u32, &Node), now: Instant, [answers, at_once]: [&mut Outbox; 2]) {
    while answers.room() > 0 && device.poll_transmit(now, answers) {}
    for run in answers.runs(64) {
        for datagram in run.bytes.chunks(run.segment_bytes) {
            server.handle_datagram(now, path(number), datagram, at_once);
        }
    }
    answers.clear();
    device.flush_wakers();
}
