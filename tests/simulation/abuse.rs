//! One device does all that it may and more; another asks its questions beside it. What the abuser costs in waiting and in memory is
//! counted here, on a clock that knows no processor; what it costs of the processor, `tests/clients/test_neighbour.py` measures.

use std::time::Duration;

use adit::link::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Client, Server, World, config, each_seed, id, now, outer, pass, peer};

const ABUSER: u8 = 2;
const NEIGHBOUR: u8 = 3;

/// Buffers of all connections of the server, in bytes. A quarter of them is the most that one peer gets.
const BUFFERS: u64 = 8 << 20;

const ANSWER_BYTES: usize = 4096;

/// Answers `?` with a page, and anything beginning with `!` without end.
async fn serve(mut stream: Stream) -> std::io::Result<()> {
    let mut asked = [0; 1];
    loop {
        stream.read_exact(&mut asked).await?;
        match &asked {
            b"?" => stream.write_all(&[7; ANSWER_BYTES]).await?,
            b"!" => loop {
                stream.write_all(&[7; 64 << 10]).await?;
            },
            _ => {}
        }
    }
}

fn two_devices(world: &World) -> (Server, Client, Client) {
    let mut narrow = config(1);
    narrow.buffers_total = BUFFERS;
    let server = world.add_server(narrow);
    let client = |host| {
        server.node.add_peer(now(), peer(host, None)).expect("a new peer");
        let mut generous = config(host);
        generous.connections = 4096;
        world.add_client(generous, peer(1, Some(outer(1))))
    };
    let (abuser, neighbour) = (client(ABUSER), client(NEIGHBOUR));
    (server, abuser, neighbour)
}

/// Asks on a kept stream, and each fifth time on one of its own; how long the longest took.
async fn ask(client: &Client) -> Duration {
    let mut kept = client.dial(80);
    let mut longest = Duration::ZERO;
    for number in 0..20 {
        let begun = now();
        let mut fresh = (number % 5 == 4).then(|| client.dial(80));
        let stream = fresh.as_mut().unwrap_or(&mut kept);
        stream.write_all(b"?").await.expect("an open stream");
        stream.read_exact(&mut [0; ANSWER_BYTES]).await.expect("all of the answer");
        longest = longest.max(now() - begun);
        pass(Duration::from_millis(100)).await;
    }
    longest
}

/// Asks for answers without end and reads nothing of them, as often as it is let in.
async fn hoard(client: &Client) -> Vec<Stream> {
    let mut streams = Vec::new();
    for _ in 0..20 {
        // One after the other: so many that do not stand yet would be refused.
        let mut stream = client.dial(80);
        if stream.write_all(b"!").await.is_ok() {
            streams.push(stream);
        }
        pass(Duration::from_millis(50)).await;
    }
    streams
}

/// Opens more streams than it may, says little on those that it gets, and lets go of others before they stand.
async fn rage(client: &Client) {
    let mut slow: Vec<Stream> = Vec::new();
    loop {
        slow.extend((0..50).map(|_| client.dial(80)));
        let _let_go: Vec<Stream> = (0..50).map(|_| client.dial(80)).collect();
        pass(Duration::from_millis(200)).await;
        let mut open = Vec::new();
        for mut stream in slow {
            if stream.write_all(b".").await.is_ok() {
                open.push(stream);
            }
        }
        slow = open;
    }
}

#[test]
fn a_neighbour_of_an_abuser_waits_for_nothing_and_memory_stays_within_its_share() {
    each_seed(|world| async move {
        let (mut server, abuser, neighbour) = two_devices(&world);
        let mut streams = std::mem::replace(&mut server.accepted, tokio::sync::mpsc::unbounded_channel().1);
        let serving = tokio::task::spawn_local(async move {
            while let Some(stream) = streams.recv().await {
                tokio::task::spawn_local(serve(stream));
            }
        });
        // The first question has a handshake before it.
        ask(&neighbour).await;
        let quiet = ask(&neighbour).await;

        let hoarded = hoard(&abuser).await;
        let raging = tokio::task::spawn_local(async move { rage(&abuser).await });
        pass(Duration::from_secs(1)).await;
        let busy = ask(&neighbour).await;
        assert!(busy <= quiet, "{busy:?} beside an abuser, {quiet:?} undisturbed");
        let refused = server.count("streams_refused_full") + server.count("streams_refused_half_open");
        assert!(refused > 100, "the abuser was refused nothing: {refused}");
        assert!(server.count("connections_now") <= 64 + 16, "{}", server.count("connections_now"));
        // A quarter of all, and what the neighbour's connections have.
        let bytes = server.count("buffer_bytes_now");
        assert!(bytes > BUFFERS / 16 && bytes <= BUFFERS / 4 + (1 << 20), "{bytes}");

        // When the abuser is cut off, all of it is given back.
        assert!(server.node.remove_peer(id(ABUSER)));
        pass(Duration::from_secs(200)).await;
        assert_eq!((server.count("connections_now"), server.count("buffer_bytes_now")), (0, 0));
        raging.abort();
        serving.abort();
        drop(hoarded);
    });
}
