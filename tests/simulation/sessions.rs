//! What happens to sessions.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use adit::node::{Node, NodePeer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peers::ask;
use crate::world::{FOUL, Server, config, each_seed, id, inner, key, now, outer, pass, peer};

#[test]
fn a_roaming_peer_keeps_its_stream() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
        world.roamed();
        let sent = world.bytes(60_000);
        let bytes = sent.clone();
        let download = tokio::task::spawn_local(async move {
            for piece in bytes.chunks(5000) {
                answering.write_all(piece).await.expect("an open stream");
                pass(Duration::from_millis(200)).await;
            }
            answering
        });
        let mut received = vec![0; sent.len()];
        let mut moves = Vec::new();
        for part in received.chunks_mut(20_000) {
            let to: SocketAddr = ([198, 51, 100, world.below(250) as u8], 1000 + moves.len() as u16).into();
            world.roam(2, to);
            moves.push((id(2), to));
            // The peer notices that it has moved, and says something.
            asking.write_all(b"here").await.expect("an open stream");
            asking.read_exact(part).await.expect("all of it");
        }
        assert!(received == sent, "other bytes came than were sent");
        assert_eq!(world.roamed(), moves);
        let status = server.node.peer_status(now(), id(2)).expect("a peer");
        assert_eq!(status.endpoint, moves.last().map(|(_, to)| *to));
        download.await.expect("a task that ends");
    });
}

#[test]
fn a_replayed_datagram_changes_nothing() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        world.watch();
        let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
        pass(Duration::from_secs(1)).await;
        let overheard = world.sent();
        world.roamed();
        world.established();
        let elsewhere: SocketAddr = ([203, 0, 113, 9], 9).into();
        let before = (server.count("datagrams_with_packet"), server.count("handshake_messages_answered"));
        let packets_before = clients[0].node.counters().value("datagrams_with_packet");
        for heard in &overheard {
            world.inject(heard.from, heard.to, heard.bytes.clone());
            world.inject(elsewhere, heard.to, heard.bytes.clone());
        }
        pass(Duration::from_millis(500)).await;
        assert_eq!(world.sent(), [], "somebody answered");
        assert_eq!(world.roamed(), []);
        assert_eq!(world.established(), []);
        assert_eq!((server.count("datagrams_with_packet"), server.count("handshake_messages_answered")), before);
        assert_eq!(clients[0].node.counters().value("datagrams_with_packet"), packets_before);
        assert!(server.count("dropped_replayed") > 0);
        // Nothing was read twice, and everything goes on.
        asking.write_all(b"one thing more").await.expect("an open stream");
        let mut question = [0; 14];
        answering.read_exact(&mut question).await.expect("the question");
        assert_eq!(&question, b"one thing more");
        assert_eq!(server.node.peer_status(now(), id(2)).expect("a peer").endpoint, Some(outer(2)));
    });
}

#[test]
fn during_an_overlap_a_peer_may_use_either_key_and_after_it_one() {
    each_seed(|world| async move {
        let mut server = world.add_server(config(1));
        server.node.add_peer(now(), peer(2, None)).expect("a new peer");
        server.node.answer_under(now(), &key(9));
        let current = peer(1, Some(outer(1)));
        let former = NodePeer { public_key: key(9).public(), ..current.clone() };
        let uses_former = |server: &Server| server.node.peer_status(now(), id(2)).expect("a peer").uses_former_key;
        world.watch();
        let mut overheard = Vec::new();
        // A device that is told the new key, and one that goes back to the old: each time a client that remembers nothing.
        for (known, is_former) in [(&former, true), (&current, false), (&former, true), (&current, false)] {
            let client = world.add_client(config(2), known.clone());
            let (mut asking, mut answering) = ask(&mut server, &client).await;
            assert_eq!(uses_former(&server), is_former);
            pass(Duration::from_secs(1)).await;
            overheard.extend(world.sent());
            let before = server.count("handshake_messages_answered");
            for heard in &overheard {
                world.inject(heard.from, heard.to, heard.bytes.clone());
                pass(Duration::from_millis(25)).await;
            }
            assert_eq!(server.count("handshake_messages_answered"), before, "a replay was answered");
            assert_eq!(uses_former(&server), is_former, "a replay has turned it");
            answering.write_all(b"answer").await.expect("an open stream");
            asking.read_exact(&mut [0; 6]).await.expect("the answer");
            pass(Duration::from_secs(1)).await;
            world.sent();
        }
        let client = world.add_client(config(2), former.clone());
        let (mut asking, _answering) = ask(&mut server, &client).await;
        server.node.forget_former_key(now());
        world.sent();
        let refused = server.count("dropped_bad_mac");
        asking.write_all(b"question").await.expect("room");
        let _more = client.dial(80);
        pass(Duration::from_secs(60)).await;
        assert!(world.sent().iter().all(|sent| sent.from != outer(1)), "the key that is gone was answered");
        assert!(server.count("dropped_bad_mac") > refused);
        let client = world.add_client(config(2), current);
        ask(&mut server, &client).await;
        assert!(!uses_former(&server));
    });
}

#[test]
fn a_session_rekeys_under_load() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
        let echo = tokio::task::spawn_local(async move {
            let mut buffer = [0; 1000];
            while let Ok(length @ 1..) = answering.read(&mut buffer).await {
                answering.write_all(&buffer[..length]).await.expect("an open stream");
            }
        });
        // An hour of protocol.
        for _ in 0..720 {
            let question = world.bytes(100);
            asking.write_all(&question).await.expect("an open stream");
            let mut answer = [0; 100];
            asking.read_exact(&mut answer).await.expect("the answer");
            assert!(answer == *question, "other bytes came back");
            pass(Duration::from_secs(5)).await;
            let age = server.node.peer_status(now(), id(2)).expect("a peer").latest_handshake.expect("a session");
            assert!(age < Duration::from_secs(180), "a session of {age:?} is in use");
        }
        let sessions = server.count("sessions_established");
        assert!((28..=32).contains(&sessions), "{sessions} sessions in an hour");
        assert_eq!(server.count("streams_accepted"), 1);
        drop(asking);
        echo.await.expect("a task that ends");
    });
}

/// Whether it is of the session in use or, after a rekey, of the one before, and however quiet it was in between.
#[test]
fn data_under_keys_of_three_minutes_is_refused() {
    for (spoken_at, heard_at, good) in [(0, 179, true), (0, 181, false), (175, 179, true), (175, 181, false)] {
        each_seed(|world| async move {
            let (mut server, clients) = world.populate(1);
            let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
            let made =
                now() - server.node.peer_status(now(), id(2)).expect("a peer").latest_handshake.expect("a session");
            // Something that the client sends does not arrive for the time being.
            world.watch();
            world.set_muted(2, true);
            asking.write_all(b"late").await.expect("an open stream");
            pass(Duration::from_millis(100)).await;
            let late = world.sent().into_iter().find(|sent| sent.from == outer(2)).expect("a datagram");
            assert_eq!(late.bytes[0], 4);
            world.set_muted(2, false);
            answering.read_exact(&mut [0; 4]).await.expect("what was written, sent again");
            if spoken_at > 0 {
                pass((made + Duration::from_secs(spoken_at)).saturating_duration_since(now())).await;
                asking.write_all(b"time for new keys").await.expect("an open stream");
                answering.read_exact(&mut [0; 17]).await.expect("what was written");
                pass(Duration::from_secs(1)).await;
                assert_eq!(server.count("sessions_established"), 2);
            }
            pass((made + Duration::from_secs(heard_at)).saturating_duration_since(now())).await;
            let before = server.count("datagrams_with_packet");
            world.inject(late.from, late.to, late.bytes);
            pass(Duration::from_millis(100)).await;
            assert_eq!(server.count("datagrams_with_packet") - before, u64::from(good), "{spoken_at} {heard_at}");
        });
    }
}

#[test]
fn an_idle_day_wakes_rarely() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let streams = ask(&mut server, &clients[0]).await;
        drop(streams);
        pass(Duration::from_secs(60)).await;
        let before = world.wakeups();
        world.watch();
        pass(Duration::from_secs(24 * 3600)).await;
        // Of both hosts together: keys that expire, and the last remains of them.
        let wakeups = world.wakeups() - before;
        assert!(wakeups <= 12, "{wakeups} wake-ups on an idle day");
        let sent = world.sent().len();
        assert!(sent <= 4, "{sent} datagrams on an idle day");
        // And it is there at once when it is asked.
        let _streams = ask(&mut server, &clients[0]).await;
    });
}

#[test]
fn nine_lost_answers_do_not_cost_a_live_session() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let (mut asking, mut answering) = ask(&mut server, &clients[0]).await;
        // The server does not hear the client, and begins one session after the other.
        world.set_muted(2, true);
        answering.write_all(b"are you there?").await.expect("an open stream");
        pass(Duration::from_secs(75)).await;
        world.set_muted(2, false);
        asking.read_exact(&mut [0; 14]).await.expect("what was written");
        let begun = now();
        asking.write_all(b"yes").await.expect("an open stream");
        answering.read_exact(&mut [0; 3]).await.expect("what was written");
        assert!(now() - begun < Duration::from_secs(5), "the client sent into a session that nobody has");
    });
}

#[test]
fn answers_that_are_lost_do_not_cost_the_session() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let streams = ask(&mut server, &clients[0]).await;
        drop(streams);
        pass(Duration::from_secs(200)).await;
        // The client begins anew, and for a while no answer reaches it: ten initiations.
        world.set_muted(1, true);
        let mut stream = clients[0].dial(80);
        pass(Duration::from_secs(52)).await;
        world.set_muted(1, false);
        stream.write_all(b"question").await.expect("an open stream");
        let mut answering = server.accept().await;
        answering.read_exact(&mut [0; 8]).await.expect("the question");
    });
}

#[test]
fn a_server_that_starts_again_is_found_again() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let (mut asking, _answering) = ask(&mut server, &clients[0]).await;
        drop(server);
        let mut server = world.add_server(config(1));
        server.node.add_peer(now(), peer(2, None)).expect("a new peer");
        let again = now();
        asking.write_all(b"are you there?").await.expect("an open stream");
        while clients[0].dial(80).write_all(b"are you?").await.is_err() {}
        let gone = now() - again;
        assert!(gone < Duration::from_secs(20), "found again after {gone:?}");
        let _stream = server.accept().await;
        // The old stream ends in a reset, for the new server knows nothing of it.
        let error = asking.read(&mut [0; 10]).await.expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_keepalive_keeps_the_session_without_traffic() {
    each_seed(|world| async move {
        let mut server = world.add_server(config(1));
        server.node.add_peer(now(), peer(2, None)).expect("a new peer");
        let mut known = peer(1, Some(outer(1)));
        known.keepalive_secs = Some(25);
        let client = world.add_client(config(2), known);
        // It begins by itself, and the server can speak to it at any time.
        pass(Duration::from_secs(1)).await;
        assert!(server.node.peer_status(now(), id(2)).expect("a peer").latest_handshake.is_some());
        let before = server.count("datagrams_received");
        pass(Duration::from_secs(3600)).await;
        let received = server.count("datagrams_received") - before;
        assert!((130..220).contains(&received), "{received} datagrams in an hour");
        let age = server.node.peer_status(now(), id(2)).expect("a peer").latest_handshake.expect("a session");
        assert!(age < Duration::from_secs(240), "{age:?}");
        let _streams = ask(&mut server, &client).await;
    });
}

#[test]
fn a_silent_peer_costs_its_streams_and_no_more() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(2);
        let (_asking, mut answering) = ask(&mut server, &clients[0]).await;
        world.set_muted(2, true);
        answering.write_all(b"are you there?").await.expect("an open stream");
        let error = answering.read(&mut [0; 10]).await.expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(answering);
        assert_eq!(server.count("connections_now"), 0);
        let _streams = ask(&mut server, &clients[1]).await;
        world.set_muted(2, false);
        let _streams = ask(&mut server, &clients[0]).await;
    });
}

#[test]
fn streams_over_ipv6_cross_a_rekey_in_foul_weather() {
    each_seed(|world| async move {
        world.set_weather(FOUL);
        let (mut server, clients) = world.populate(1);
        let mut asking = clients[0].dial_to((inner(1)[1], 80).into());
        asking.write_all(b"hello").await.expect("an open stream");
        let mut answering = server.accept().await;
        assert_eq!(answering.remote().ip(), inner(2)[1]);
        for round in 0..30u32 {
            asking.write_all(&round.to_be_bytes()).await.expect("an open stream");
            pass(Duration::from_secs(10)).await;
        }
        asking.shutdown().await.expect("an open stream");
        let mut received = Vec::new();
        answering.read_to_end(&mut received).await.expect("all of it");
        assert_eq!(received.len(), 5 + 30 * 4);
        assert!(server.count("sessions_established") >= 2);
    });
}

#[test]
fn a_stream_to_nowhere_is_refused() {
    each_seed(|world| async move {
        let (server, clients) = world.populate(1);
        let connect = |node: &Node, peer, to| node.connect(now(), peer, to).err();
        let to = |host: u8| (inner(host)[0], 80).into();
        use adit::node::ConnectError::{NoAddress, NoEndpoint, NoPeer};
        assert_eq!(connect(&clients[0].node, id(9), to(1)), Some(NoPeer));
        assert_eq!(connect(&clients[0].node, id(1), to(9)), Some(NoAddress));
        assert_eq!(connect(&server.node, id(2), to(2)), Some(NoEndpoint));
    });
}
