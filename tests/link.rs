//! Two nodes on two sockets of this machine: what a stream promises, over IPv4 and IPv6, outside and inside.

mod pair;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use adit::link::OpenError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use pair::{PATIENCE, Pair, device, inside, peer};

const MEBIBYTE: usize = 1 << 20;

fn outers() -> [IpAddr; 2] {
    ["127.0.0.1", "::1"].map(|text| text.parse().unwrap())
}

/// Bytes that differ from their neighbours and from those of another seed, wherever one looks.
fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

async fn send(mut to: impl AsyncWrite + Unpin, seed: u64, length: usize) {
    to.write_all(&pattern(seed, length)).await.unwrap();
    to.shutdown().await.unwrap();
}

async fn expect(mut from: impl AsyncRead + Unpin, seed: u64, length: usize) {
    let mut found = Vec::new();
    from.read_to_end(&mut found).await.unwrap();
    assert_eq!(found.len(), length);
    assert!(found == pattern(seed, length), "the bytes of seed {seed} were altered on the way");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_cross_both_ways_at_once_and_unchanged() {
    for outer in outers() {
        let pair = Pair::new(outer);
        for family in 0..2 {
            let (device, server) = pair.stream(family).await;
            let ((from_server, to_server), (from_device, to_device)) =
                (tokio::io::split(device), tokio::io::split(server));
            let all = async {
                tokio::join!(
                    send(to_server, 1, 6 * MEBIBYTE),
                    expect(from_device, 1, 6 * MEBIBYTE),
                    send(to_device, 2, 6 * MEBIBYTE),
                    expect(from_server, 2, 6 * MEBIBYTE),
                )
            };
            timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("stuck over {outer}, family {family}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_share_a_tunnel() {
    let pair = Pair::new(outers()[0]);
    let mut streams = Vec::new();
    for seed in 0..32 {
        let (device, server) = pair.stream(seed as usize % 2).await;
        streams.push(tokio::spawn(send(device, seed, 200_000)));
        streams.push(tokio::spawn(expect(server, seed, 200_000)));
    }
    for stream in streams {
        timeout(PATIENCE, stream).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_direction_may_end_before_the_other_begins() {
    let pair = Pair::new(outers()[0]);
    let (mut device, mut server) = pair.stream(0).await;
    device.write_all(b"question").await.unwrap();
    device.shutdown().await.unwrap();
    let mut question = Vec::new();
    timeout(PATIENCE, server.read_to_end(&mut question)).await.unwrap().unwrap();
    assert_eq!(question, b"question");
    send(server, 3, 100_000).await;
    timeout(PATIENCE, expect(device, 3, 100_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_its_writer_back_and_nobody_else() {
    let pair = Pair::new(outers()[0]);
    let (mut slow, mut writer) = pair.stream(0).await;
    let piece = pattern(4, 64 << 10);
    let mut written = 0;
    // Until nothing more is taken: rings of both ends and what is on the way, but no more than that.
    while let Ok(taken) = timeout(Duration::from_millis(300), writer.write(&piece)).await {
        written += taken.unwrap();
        assert!(written < 8 * MEBIBYTE, "nobody reads, and still {written} bytes are taken");
    }
    let (device, server) = pair.stream(0).await;
    let (_, _) = timeout(PATIENCE, async { tokio::join!(send(server, 5, MEBIBYTE), expect(device, 5, MEBIBYTE)) })
        .await
        .expect("another stream goes on");
    let read = tokio::spawn(async move {
        let mut found = Vec::new();
        slow.read_to_end(&mut found).await.unwrap();
        found.len()
    });
    writer.shutdown().await.unwrap();
    assert_eq!(timeout(PATIENCE, read).await.unwrap().unwrap(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_peer_loses_its_streams_at_both_ends() {
    let pair = Pair::new(outers()[0]);
    let (mut device, server) = pair.stream(0).await;
    assert!(pair.server.node().remove_peer(peer()));
    let (mut from_device, mut to_device) = tokio::io::split(server);
    let read = timeout(PATIENCE, from_device.read_u8()).await.unwrap().unwrap_err();
    let write = timeout(PATIENCE, to_device.write_all(b"x")).await.unwrap().unwrap_err();
    assert_eq!((read.kind(), write.kind()), (ErrorKind::ConnectionAborted, ErrorKind::ConnectionAborted));
    assert!(pair.device.node().remove_peer(peer()));
    let read = timeout(PATIENCE, device.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(read.kind(), ErrorKind::ConnectionAborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_refuses_at_once() {
    let pair = Pair::new(outers()[0]);
    let closed = SocketAddr::new(inside(0).ip(), 81);
    let refused = pair.device.connect(peer(), closed, PATIENCE).await.unwrap_err();
    assert!(matches!(&refused, OpenError::Ended(error) if error.kind() == ErrorKind::ConnectionRefused), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_is_given_up_and_a_closed_one_does_not_end_the_link() {
    // Bound and never read: silence. Then closed: the kernel answers with ICMP.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let endpoint = silent.local_addr().unwrap();
    let device = device(endpoint);
    let patience = Duration::from_millis(200);
    let given_up = device.connect(peer(), inside(0), patience).await.unwrap_err();
    assert!(matches!(given_up, OpenError::TimedOut(_)), "{given_up:?}");
    drop(silent);
    let given_up = device.connect(peer(), inside(0), patience).await.unwrap_err();
    assert!(matches!(given_up, OpenError::TimedOut(_)), "{given_up:?}");
    let server = pair::server(endpoint);
    let (dialled, accepted) = tokio::join!(device.connect(peer(), inside(0), PATIENCE), server.accept());
    assert!(dialled.is_ok() && accepted.is_some());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn answers_leave_from_the_address_they_were_asked_at() {
    let asked: IpAddr = "127.0.0.9".parse().unwrap();
    let pair = Pair::new(asked);
    let (device, server) = pair.stream(0).await;
    tokio::join!(send(server, 6, MEBIBYTE), expect(device, 6, MEBIBYTE));
    let status = pair.device.node().peer_status(adit::link::clock::now(), peer()).unwrap();
    assert_eq!(status.endpoint, Some(pair.endpoint));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_link_accepts_nothing_more_and_frees_its_port() {
    let pair = Pair::new(outers()[0]);
    let (mut device, server) = pair.stream(0).await;
    drop(server);
    pair.server.stop().await;
    assert!(pair.server.event().await.is_none());
    // The end of the stream was still told.
    assert!(timeout(PATIENCE, device.read_u8()).await.unwrap().is_err());
    let address = pair.server.local_addr().unwrap();
    drop(pair.server);
    assert!(adit::link::bind(address).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wakes_the_link_is_counted() {
    let pair = Pair::new(outers()[0]);
    assert_eq!(pair.server.wakeups().datagrams, 0);
    let (device, server) = pair.stream(0).await;
    tokio::join!(send(server, 7, 1000), expect(device, 7, 1000));
    let wakeups = pair.server.wakeups();
    assert!(wakeups.datagrams > 0 && wakeups.activity > 0, "{wakeups:?}");
    let counters: std::collections::HashMap<_, _> = pair.server.counters().into_iter().collect();
    assert!(counters["udp_received"] > 0 && counters["udp_sent"] > 0 && counters["udp_unsent"] == 0, "{counters:?}");
}
