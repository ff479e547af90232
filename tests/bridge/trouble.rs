//! No server, the wrong server, a server that comes back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::agent::{Agent, Place};
use crate::server;
use crate::server::{Server, reach, reach_none};

/// What an agent waits at most for an error, by contract.
const CONTRACT: Duration = Duration::from_secs(10);

async fn ask_in_time(agent: &mut Agent, id: u64) -> Value {
    timeout(CONTRACT, agent.ask(id, "echo", json!({}))).await.expect("an answer within ten seconds")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_each_request_gets_an_error_in_time_until_it_is_there() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let endpoint = silent.local_addr().unwrap();
    let place = Place::new(endpoint);
    let mut agent = place.bridge(&[]);
    for id in 1..8 {
        agent.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "echo" }).to_string()).await;
    }
    let answered = async {
        for _ in 1..8 {
            let answer: Value = agent.hear().await.unwrap().parse().unwrap();
            assert!(
                answer["error"]["message"].as_str().unwrap().starts_with("no handshake answer from 127.0.0.1"),
                "{answer}"
            );
        }
    };
    timeout(CONTRACT, answered).await.expect("seven errors within ten seconds");
    assert!(agent.talk().await.contains("no handshake answer from 127.0.0.1"));
    drop(silent);
    let _server = Server::start(&endpoint.to_string());
    assert_eq!(ask_in_time(&mut agent, 9).await["result"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_bridge_says_why_too() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Place::new(silent.local_addr().unwrap());
    let (mut owner, mut attached) = (place.bridge(&[]), place.bridge(&[]));
    let (first, second) = tokio::join!(ask_in_time(&mut owner, 1), ask_in_time(&mut attached, 1));
    for answer in [first, second] {
        assert!(answer["error"]["message"].as_str().unwrap().starts_with("no handshake answer"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_named() {
    let place = Place::new("nowhere.invalid:51820");
    let mut agent = place.bridge(&[]);
    let answer = ask_in_time(&mut agent, 1).await;
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("nowhere.invalid:51820 does not resolve"),
        "{answer}"
    );
    assert!(agent.talk().await.contains("does not resolve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_address_of_a_name_is_tried() {
    // The name has an IPv6 address on most machines, and the server has none.
    let server = Server::start("127.0.0.1:0");
    let place = Place::new(format!("localhost:{}", server.endpoint.port()));
    assert_eq!(ask_in_time(&mut place.bridge(&[]), 1).await["result"], json!({}));
    let server = Server::start("[::1]:0");
    let place = Place::new(server.endpoint);
    assert_eq!(ask_in_time(&mut place.bridge(&[]), 1).await["result"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_started_again_is_found_again() {
    let (server, place) = server();
    let endpoint = server.endpoint;
    let mut agent = place.bridge(&[]);
    assert_eq!(ask_in_time(&mut agent, 1).await["result"], json!({}));
    server.kill().await;
    let _server = Server::start(&endpoint.to_string());
    assert_eq!(ask_in_time(&mut agent, 2).await["result"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_in_a_call_is_missed_in_time() {
    let (server, place) = server();
    let mut agent = place.bridge(&[]);
    agent.say(r#"{"jsonrpc":"2.0","id":1,"method":"wait"}"#).await;
    reach(&server.seen.waiting, 1).await;
    server.kill().await;
    let answer: Value =
        timeout(CONTRACT, agent.hear()).await.expect("an answer within ten seconds").unwrap().parse().unwrap();
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("no handshake answer"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_thinks_is_waited_for() {
    let (server, place) = server();
    let mut agent = place.bridge(&[]);
    agent.say(r#"{"jsonrpc":"2.0","id":1,"method":"wait"}"#).await;
    reach(&server.seen.waiting, 1).await;
    // Longer than the silence after which the server is looked for.
    assert!(timeout(Duration::from_secs(6), agent.hear()).await.is_err());
    assert_eq!(server.seen.cancelled.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_refused_with_the_reason() {
    let (_server, place) = server();
    let whole = std::fs::read_to_string(place.file()).unwrap();
    place.set_mode(0o644);
    let (code, said) = place.bridge(&[]).end().await;
    assert!(code == Some(78) && said.contains("chmod 600"), "{code:?} {said}");
    place.set_mode(0o600);
    std::fs::write(place.file(), whole.replace("MTU = 1280", "MTU = much")).unwrap();
    let (code, said) = place.bridge(&[]).end().await;
    assert!(code == Some(78) && said.contains("line 4: MTU"), "{code:?} {said}");
    std::fs::remove_file(place.file()).unwrap();
    let (code, said) = place.bridge(&[]).end().await;
    assert!(code == Some(1) && said.contains("laptop.conf"), "{code:?} {said}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_told_to_stop_stops() {
    let (server, place) = server();
    for signal in [nix::sys::signal::SIGTERM, nix::sys::signal::SIGINT] {
        let mut agent = place.bridge(&[]);
        agent.ask(1, "echo", json!({})).await;
        let process = nix::unistd::Pid::from_raw(agent.child.id().unwrap() as i32);
        nix::sys::signal::kill(process, signal).unwrap();
        assert_eq!(agent.hear().await, None);
        assert_eq!(agent.end().await.0, Some(0), "{signal}");
        // It has left nothing at the server.
        reach_none(|| server.streams()).await;
    }
}
