//! Several bridges of one key.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::agent::{Agent, Place};
use crate::server;

/// Says calls of `later`, hears all their answers, and meets `halfway` in between.
async fn call(mut agent: Agent, ids: std::ops::Range<u64>, halfway: impl Future<Output = ()>) -> BTreeSet<u64> {
    let mut answered = BTreeSet::new();
    let (first, rest) = (ids.start..ids.start + 50, ids.start + 50..ids.end);
    hear(&mut agent, first, &mut answered).await;
    halfway.await;
    hear(&mut agent, rest, &mut answered).await;
    answered
}

async fn hear(agent: &mut Agent, ids: std::ops::Range<u64>, answered: &mut BTreeSet<u64>) {
    for id in ids.clone() {
        agent.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "echo", "params": { "n": id } }).to_string()).await;
    }
    for _ in ids {
        let answer: Value = agent.hear().await.expect("every call is answered").parse().unwrap();
        assert_eq!(answer["result"]["n"], answer["id"], "{answer}");
        assert!(answered.insert(answer["id"].as_u64().unwrap()), "answered twice: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_bridges_of_one_key_answer_every_call_though_the_owner_is_killed() {
    let (_server, place) = server();
    let mut owner = place.bridge(&[]);
    // The first to be asked owns the tunnel.
    owner.ask(0, "echo", json!({})).await;
    let others: Vec<Agent> = (1..5).map(|_| place.bridge(&[])).collect();
    let halfway = std::sync::Arc::new(tokio::sync::Barrier::new(5));
    let calls: Vec<_> = (1..)
        .zip(others)
        .map(|(number, agent)| {
            let halfway = std::sync::Arc::clone(&halfway);
            tokio::spawn(call(agent, number * 1000..number * 1000 + 100, async move {
                let _ = halfway.wait().await;
            }))
        })
        .collect();
    for id in 1..50 {
        owner.ask(id, "echo", json!({})).await;
    }
    halfway.wait().await;
    owner.child.kill().await.unwrap();
    for calls in calls {
        assert_eq!(calls.await.unwrap().len(), 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_caught_in_the_middle_are_made_again() {
    let (_server, place) = server();
    let mut owner = place.bridge(&[]);
    owner.ask(0, "echo", json!({})).await;
    let mut attached = place.bridge(&[]);
    attached.ask(0, "echo", json!({})).await;
    for id in 1..5 {
        attached.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "later" }).to_string()).await;
    }
    owner.child.kill().await.unwrap();
    let mut answered = BTreeSet::new();
    for _ in 1..5 {
        let answer: Value = attached.hear().await.unwrap().parse().unwrap();
        assert_eq!(answer["result"], json!({}), "{answer}");
        answered.insert(answer["id"].as_u64().unwrap());
    }
    assert_eq!(answered.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_agent_leaves_hands_the_tunnel_over() {
    let (_server, place) = server();
    let mut agents: Vec<Agent> = Vec::new();
    for number in 0..3 {
        let mut agent = place.bridge(&[]);
        agent.ask(number, "echo", json!({})).await;
        agents.push(agent);
    }
    while agents.len() > 1 {
        let mut owner = agents.remove(0);
        owner.hang_up();
        assert_eq!(owner.end().await.0, Some(0));
        for agent in &mut agents {
            assert_eq!(agent.ask(9, "echo", json!({})).await["result"], json!({}));
        }
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_meeting_place_is_private() {
    use std::os::unix::fs::MetadataExt as _;
    let (_server, place): (_, Place) = server();
    let mut agent = place.bridge(&[]);
    agent.ask(1, "echo", json!({})).await;
    let folder = place.path().join("run/adit");
    assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().mode() & 0o777).collect();
    assert_eq!(files, [0o600, 0o600]);
}
