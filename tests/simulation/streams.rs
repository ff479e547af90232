//! What happens to streams.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{FOUL, each_seed, inner, pass};

#[test]
fn a_stream_survives_foul_weather() {
    each_seed(|world| async move {
        world.set_weather(FOUL);
        let (mut server, clients) = world.populate(1);
        let sent = world.bytes(60_000);
        let question = sent.clone();
        let echo = async {
            let mut stream = server.accept().await;
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await.expect("all of it");
            stream.write_all(&received).await.expect("an open stream");
            stream.shutdown().await.expect("an open stream");
        };
        let ask = async {
            let mut stream = clients[0].dial(80);
            stream.write_all(&question).await.expect("an open stream");
            stream.shutdown().await.expect("an open stream");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("all of it");
            answer
        };
        let ((), answer) = tokio::join!(echo, ask);
        assert!(answer == sent, "other bytes came back than were sent");
    });
}

#[test]
fn a_closed_port_refuses_at_once() {
    each_seed(|world| async move {
        let (_server, clients) = world.populate(1);
        for address in inner(1) {
            let mut stream = clients[0].dial_to((address, 81).into());
            let error = stream.write_all(b"hello").await.expect_err("nobody listens there");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn a_dropped_stream_is_reset_and_a_shut_down_one_ends_in_good_order() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let mut client = clients[0].dial(80);
        client.write_all(b"question").await.expect("an open stream");
        let mut stream = server.accept().await;
        stream.write_all(b"answer").await.expect("an open stream");
        stream.shutdown().await.expect("an open stream");
        drop(stream);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("the end of the stream");
        assert_eq!(answer, "answer");
        drop(client);

        let mut client = clients[0].dial(80);
        client.write_all(b"question").await.expect("an open stream");
        let stream = server.accept().await;
        drop(stream);
        let error = client.read_to_string(&mut answer).await.expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        pass(Duration::from_secs(200)).await;
        assert_eq!(server.count("connections_now"), 0);
        assert_eq!(server.count("buffer_bytes_now"), 0);
    });
}

#[test]
fn a_slow_reader_does_not_grow_memory() {
    each_seed(|world| async move {
        let (mut server, clients) = world.populate(1);
        let mut client = clients[0].dial(80);
        client.write_all(b"everything, please").await.expect("an open stream");
        let mut stream = server.accept().await;
        let writer = tokio::task::spawn_local(async move {
            let mut written = 0usize;
            let chunk = [7; 10_000];
            let idle = async {
                loop {
                    written += stream.write(&chunk).await.expect("an open stream");
                }
            };
            let _: Result<(), _> = tokio::time::timeout(Duration::from_secs(100), idle).await;
            (stream, written)
        });
        pass(Duration::from_secs(5)).await;
        let reserved = server.count("buffer_bytes_now");
        let (stream, written) = writer.await.expect("a task that ends");
        // The rings of both ends are all that was taken, and soon.
        assert!(written <= 2 * 256 * 1024, "{written} bytes were taken from a writer whose reader sleeps");
        assert!(reserved <= 512 * 1024, "{reserved} bytes");
        assert_eq!(server.count("buffer_bytes_now"), reserved);
        // It goes on as soon as it is read.
        let mut read = vec![0; written];
        client.read_exact(&mut read).await.expect("all that was taken");
        drop(stream);
    });
}
