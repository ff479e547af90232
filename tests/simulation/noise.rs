//! Floods: of handshakes, and of everything else that fits a datagram.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adit::node::{Node, Outbox, Path};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peers::ask;
use crate::world::{Chance, config, each_seed, id, inner, key, now, outer, pass, peer};

/// Hosts that know the server's key and are no peers of its: each gives one initiation.
fn initiations(count: u8) -> Vec<Vec<u8>> {
    let initiation = |host: u8| {
        let node = Node::new(now(), config(host), [host; 32]);
        node.add_peer(now(), peer(1, Some(outer(1)))).expect("a new peer");
        let _stream = node.connect(now(), id(1), (inner(1)[0], 80).into()).expect("a stream");
        let mut outbox = Outbox::new();
        node.poll_transmit(now(), &mut outbox);
        outbox.runs(1).next().expect("an initiation").bytes.to_vec()
    };
    (100..100 + count).map(initiation).collect()
}

#[test]
fn a_flood_of_handshakes_leaves_others_served() {
    each_seed(|world| async move {
        let mut careful = config(1);
        careful.handshakes_per_second = 20;
        let mut server = world.add_server(careful);
        for host in [2, 3] {
            server.node.add_peer(now(), peer(host, None)).expect("a new peer");
        }
        let settled = world.add_client(config(2), peer(1, Some(outer(1))));
        let newcomer = world.add_client(config(3), peer(1, Some(outer(1))));
        let (mut asking, mut answering) = ask(&mut server, &settled).await;
        let flood = initiations(8);
        let raging = world.clone();
        let flooding = tokio::task::spawn_local(async move {
            loop {
                for _ in 0..20 {
                    let from: SocketAddr = ([203, 0, 113, raging.below(250) as u8], 9).into();
                    let which = raging.below(flood.len() as u64) as usize;
                    raging.inject(from, outer(1), flood[which].clone());
                }
                pass(Duration::from_millis(50)).await;
            }
        });
        pass(Duration::from_secs(1)).await;
        // Who has a session notices nothing.
        let begun = now();
        for _ in 0..10 {
            asking.write_all(b"question").await.expect("an open stream");
            answering.read_exact(&mut [0; 8]).await.expect("the question");
        }
        assert!(now() - begun < Duration::from_secs(1), "{:?} for ten questions", now() - begun);
        // Who has none gets one by its cookie.
        let begun = now();
        let mut stream = newcomer.dial(80);
        stream.write_all(b"question").await.expect("an open stream");
        server.accept().await;
        assert!(now() - begun < Duration::from_secs(12), "{:?} for a new session", now() - begun);
        assert!(server.count("cookies_sent") > 100);
        // A Diffie-Hellman was spent on as many as two seconds may bring before they are known to be a flood, and on no more however long it lasts.
        let worked = server.count("dropped_unknown_key");
        assert!(worked <= 40, "{worked} handshakes of strangers were looked into");
        flooding.abort();
    });
}

/// Everything one datagram after the other, without a network: random, mutated, truncated, replayed. `ADIT_DATAGRAMS` of them (100,000).
#[test]
fn a_million_datagrams_get_no_byte_and_do_no_harm() {
    let count = std::env::var("ADIT_DATAGRAMS").ok().map_or(100_000, |text| text.parse().expect("a number"));
    let start = Instant::now();
    let mut chance = Chance::new(1);
    let server = Node::new(start, config(1), [1; 32]);
    server.add_peer(start, peer(2, None)).expect("a new peer");
    let client = Node::new(start, config(2), [2; 32]);
    client.add_peer(start, peer(1, Some(outer(1)))).expect("a new peer");
    let heard = converse(start, &server, &client);
    assert!(heard.len() > 100, "{} datagrams", heard.len());

    let stranger: SocketAddr = ([203, 0, 113, 9], 9).into();
    let mut outbox = Outbox::new();
    let buffers = server.counters().value("buffer_bytes_now");
    for number in 0..count {
        // A minute in all: sessions and timers live through it.
        let now = start + Duration::from_secs(1) + Duration::from_micros(number * 60_000_000 / count);
        let mut datagram = match chance.below(4) {
            0 => {
                let length = chance.below(1600) as usize;
                chance.bytes(length)
            }
            _ => heard[chance.below(heard.len() as u64) as usize].clone(),
        };
        match chance.below(4) {
            0 => datagram.truncate(chance.below(datagram.len() as u64 + 1) as usize),
            1 => {
                for _ in 0..1 + chance.below(4) {
                    let at = chance.below(datagram.len() as u64) as usize;
                    datagram.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << chance.below(8));
                }
            }
            2 => datagram.extend(chance.bytes(16)),
            _ => {}
        }
        server.handle_datagram(now, Path { remote: stranger, local: None }, &datagram, &mut outbox);
        while server.poll_timeout().is_some_and(|(due, _)| due <= now) {
            server.handle_timeout(now);
            while server.poll_transmit(now, &mut outbox) {}
        }
        for run in outbox.runs(1) {
            assert_ne!(run.path.remote, stranger, "datagram {number} was answered");
        }
        outbox.clear();
    }
    let counters = server.counters();
    assert_eq!(counters.outcomes(), counters.value("datagrams_received"));
    assert_eq!(counters.value("buffer_bytes_now"), buffers);
    assert_eq!(server.peer_status(start, id(2)).expect("a peer").endpoint, Some(outer(2)));
}

/// What a client and a server say to each other over a stream and a little more, all of it.
fn converse(now: Instant, server: &Node, client: &Node) -> Vec<Vec<u8>> {
    let mut stream = client.connect(now, id(1), (inner(1)[0], 80).into()).expect("a stream");
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut heard = Vec::new();
    let mut accepted = Vec::new();
    for _ in 0..200 {
        let _ = stream.poll_write(&mut context, &[9; 3000]);
        for (from, to, source) in [(client, server, outer(2)), (server, client, outer(1))] {
            let (mut outbox, mut answers) = (Outbox::new(), Outbox::new());
            let mut sent = Vec::new();
            while from.poll_transmit(now, &mut outbox) {
                sent.extend(outbox.runs(1).map(|run| run.bytes.to_vec()));
                outbox.clear();
            }
            for datagram in sent {
                to.handle_datagram(now, Path { remote: source, local: None }, &datagram, &mut answers);
                heard.push(datagram);
            }
            let back = if source == outer(2) { outer(1) } else { outer(2) };
            for run in answers.runs(1) {
                from.handle_datagram(now, Path { remote: back, local: None }, run.bytes, &mut outbox);
                heard.push(run.bytes.to_vec());
            }
        }
        while let Some(event) = server.poll_event() {
            if let adit::node::Event::Accepted(stream) = event {
                accepted.push(stream);
            }
        }
        let mut buffer = [0; 8000];
        for stream in &mut accepted {
            let _ = stream.poll_read(&mut context, &mut buffer);
        }
    }
    // What is replayed must not find its session gone: the streams go on living.
    std::mem::forget((stream, accepted));
    heard
}

#[test]
fn a_wrong_server_key_gets_no_byte() {
    each_seed(|world| async move {
        let (server, _clients) = world.populate(1);
        let mut wrong = peer(1, Some(outer(1)));
        wrong.public_key = key(99).public();
        let client = world.add_client(config(3), wrong);
        world.watch();
        let mut stream = client.dial(80);
        stream.write_all(b"hello?").await.expect_err("nobody answers");
        assert!(world.sent().iter().all(|sent| sent.to != outer(3)));
        assert!(server.count("dropped_bad_mac") > 10);
    });
}
