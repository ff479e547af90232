//! Who may speak, and to whom.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use adit::key::PrivateKey;
use adit::link::Stream;
use adit::node::{Node, Outbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Client, FOUL, Server, config, each_seed, id, inner, key, now, outer, pass, peer, preshared};

/// One question, one answer.
pub async fn ask(server: &mut Server, client: &Client) -> (Stream, Stream) {
    let mut asking = client.dial(80);
    asking.write_all(b"question").await.expect("an open stream");
    let mut answering = server.accept().await;
    let mut question = [0; 8];
    answering.read_exact(&mut question).await.expect("the question");
    answering.write_all(b"an answer").await.expect("an open stream");
    let mut answer = [0; 9];
    asking.read_exact(&mut answer).await.expect("the answer");
    assert_eq!((&question, &answer), (b"question", b"an answer"));
    (asking, answering)
}

/// Handshake initiations of a host that the server does not know, but that knows the server's key.
fn initiation(stranger: u8, server: &PrivateKey) -> Vec<u8> {
    let node = Node::new(now(), config(stranger), [stranger; 32]);
    let mut known = peer(1, Some(outer(1)));
    known.public_key = server.public();
    node.add_peer(now(), known).expect("a new peer");
    let stream = node.connect(now(), id(1), (inner(1)[0], 80).into()).expect("a stream");
    let mut outbox = Outbox::new();
    assert!(node.poll_transmit(now(), &mut outbox));
    drop(stream);
    let run = outbox.runs(1).next().expect("an initiation");
    assert_eq!(run.bytes.len(), 148);
    run.bytes.to_vec()
}

#[test]
fn a_stranger_gets_no_byte_back() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        world.watch();
        let _streams = ask(&mut server, &clients[0]).await;
        pass(Duration::from_secs(1)).await;
        let overheard = world.sent();
        let stranger: SocketAddr = ([203, 0, 113, 9], 9).into();
        let send = |bytes| world.inject(stranger, outer(1), bytes);
        for length in [0, 1, 4, 31, 32, 64, 92, 148, 149, 1500, 2048, 9000] {
            for kind in 0..6 {
                let mut bytes = world.bytes(length);
                bytes.iter_mut().take(4).for_each(|byte| *byte = 0);
                bytes.iter_mut().take(1).for_each(|byte| *byte = kind);
                send(bytes);
            }
            send(world.bytes(length));
        }
        // Whoever knows the server's key proves that much, and is none of its peers all the same.
        send(initiation(77, &key(1)));
        send(initiation(77, &key(78)));
        // What was said to others says nothing from elsewhere, whole or in parts.
        for heard in &overheard {
            send(heard.bytes.clone());
            send(heard.bytes[..heard.bytes.len() - 1].to_vec());
        }
        pass(Duration::from_secs(600)).await;
        let answers: Vec<_> = world.sent().into_iter().filter(|sent| sent.to == stranger).collect();
        assert!(answers.is_empty(), "{answers:?}");
        assert!(world.roamed().iter().all(|(_, to)| *to != stranger));
        assert_eq!(server.node.counters().outcomes(), server.count("datagrams_received"));
    });
}

#[test]
fn a_spoofed_inner_source_is_refused() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
        // Host 3 is a peer too, but says that it is host 2.
        server.node.add_peer(now(), peer(3, None)).expect("a new peer");
        let mut lying = config(3);
        lying.addresses = inner(2);
        let (liar, _) = world.add_host(3, lying);
        liar.add_peer(now(), peer(1, Some(outer(1)))).expect("a new peer");
        world.watch();
        for address in inner(1) {
            let stream = liar.connect(now(), id(1), (address, 80).into()).expect("a stream");
            let error = Stream::from(stream).write_all(b"I am host 2").await.expect_err("nobody answers");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        let spoofed = server.count("dropped_spoofed_source");
        assert!(spoofed >= 2);
        assert_eq!(server.node.peer_status(now(), id(3)).expect("a peer").spoofed_packets, spoofed);
        assert_eq!(server.count("streams_accepted"), 1);
        // The session has its own answers (32 bytes: keepalives), the packets have none.
        let answered =
            world.sent().iter().any(|sent| sent.to == outer(3) && sent.bytes[0] == 4 && sent.bytes.len() > 32);
        assert!(!answered, "a spoofed packet was answered");
        asking.write_all(b"unharmed").await.expect("an open stream");
        answering.read_exact(&mut [0; 8]).await.expect("what was written");
    });
}

#[test]
fn a_peer_reaches_the_appliance_and_nothing_else() {
    each_seed(|world| async move {
        let server = world.add_server(config(1));
        for host in [2, 3] {
            server.node.add_peer(now(), peer(host, None)).expect("a new peer");
        }
        let elsewhere: [SocketAddr; 5] = [
            (inner(3)[0], 80).into(),
            (inner(3)[1], 80).into(),
            ([127, 0, 0, 1], 80).into(),
            ([192, 0, 2, 1], 80).into(),
            "[::1]:80".parse().expect("an address"),
        ];
        // Host 2 believes that everything is behind the server.
        let mut everything = peer(1, Some(outer(1)));
        everything.addresses.extend(elsewhere.iter().map(|to| to.ip()));
        let curious = world.add_client(config(2), everything);
        let _neighbour = world.add_client(config(3), peer(1, Some(outer(1))));
        for to in elsewhere {
            let mut stream = curious.dial_to(to);
            let error = stream.write_all(b"hello").await.expect_err("nobody answers");
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{to}");
        }
        assert!(server.count("packets_for_elsewhere") >= 5);
        assert_eq!(server.count("streams_accepted"), 0);
    });
}

#[test]
fn a_revoked_peer_is_cut_within_one_step() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(2);
        let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
        let (mut other_asking, mut other_answering) = ask(&mut server, &clients[1]).await;
        let download = tokio::task::spawn_local(async move {
            let chunk = [1; 4096];
            loop {
                if let Err(error) = answering.write_all(&chunk).await {
                    return error.kind();
                }
            }
        });
        let reading = tokio::task::spawn_local(async move {
            let mut buffer = [0; 4096];
            while asking.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
        });
        pass(Duration::from_millis(300 + world.below(500))).await;
        world.watch();
        assert!(server.node.remove_peer(id(2)));
        assert_eq!(download.await.expect("a task that ends"), ErrorKind::ConnectionAborted);
        pass(Duration::from_secs(400)).await;
        let late: Vec<_> =
            world.sent().into_iter().filter(|sent| sent.from == outer(1) && sent.to == outer(2)).collect();
        assert!(late.is_empty(), "{} datagrams after the revocation", late.len());
        assert!(server.node.peer_status(now(), id(2)).is_none());
        other_asking.write_all(b"still here").await.expect("an open stream");
        other_answering.read_exact(&mut [0; 10]).await.expect("what was written");
        assert_eq!(server.count("connections_now"), 1);
        reading.abort();
    });
}

#[test]
fn a_preshared_key_counts() {
    each_seed(|world| async move {
        let mut server = world.add_server(config(1));
        for (host, theirs, ours) in
            [(2, preshared(1), preshared(1)), (3, preshared(1), preshared(2)), (4, None, preshared(1))]
        {
            let mut known = peer(host, None);
            known.preshared_key = theirs.clone();
            server.node.add_peer(now(), known).expect("a new peer");
            let mut known = peer(1, Some(outer(1)));
            known.preshared_key = ours.clone();
            let client = world.add_client(config(host), known);
            if theirs == ours {
                let _streams = ask(&mut server, &client).await;
                continue;
            }
            let error = client.dial(80).write_all(b"question").await.expect_err("no session");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(server.node.peer_status(now(), id(host)).expect("a peer").latest_handshake.is_none());
        }
    });
}

#[test]
fn half_open_connections_are_capped_per_peer() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(2);
        let streams = ask(&mut server, &clients[0]).await;
        // Nothing of what the server answers arrives: its connections stay half open.
        world.set_muted(1, true);
        let dialled: Vec<_> = (0..40).map(|_| clients[0].dial(80)).collect();
        pass(Duration::from_secs(2)).await;
        assert_eq!(server.count("connections_now"), 1 + 16);
        assert!(server.count("streams_refused_half_open") >= 24);
        world.set_muted(1, false);
        // Others are served meanwhile, and in the end all who wait are.
        let _others = ask(&mut server, &clients[1]).await;
        let opened = Cell::new(0);
        for mut stream in dialled {
            if stream.write_all(b"x").await.is_ok() {
                opened.set(opened.get() + 1);
            }
        }
        assert!(opened.get() >= 16, "{}", opened.get());
        drop(streams);
    });
}

#[test]
fn connections_are_capped_and_refused_politely() {
    each_seed(|world| async move {
        let mut narrow = config(1);
        narrow.connections = 3;
        let mut server = world.add_server(narrow);
        server.node.add_peer(now(), peer(2, None)).expect("a new peer");
        let client = world.add_client(config(2), peer(1, Some(outer(1))));
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(ask(&mut server, &client).await);
        }
        let error = client.dial(80).write_all(b"one more").await.expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(server.count("streams_refused_full"), 1);
        // Room again, as soon as one has ended.
        let (asking, answering) = streams.pop().expect("three streams");
        drop((asking, answering));
        pass(Duration::from_secs(1)).await;
        let _stream = ask(&mut server, &client).await;
    });
}

#[test]
fn peers_are_served_side_by_side_in_foul_weather() {
    each_seed(|world| async move {
        world.set_weather(FOUL);
        let (mut server, clients) = world.populate(4);
        for round in 0..3 {
            for client in &clients {
                let _streams = ask(&mut server, client).await;
            }
            assert_eq!(server.count("streams_accepted"), 4 * (round + 1));
        }
    });
}
