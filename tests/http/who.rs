//! Who × what: every path, method and tool against every set of scopes. Complete by construction: a path or a tool without a row fails.

use adit::access::{Action, Grant, Policy};
use adit::http::ROUTES;
use adit::peer::PeerId;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::serving::{HOST, Server, fill, library};

/// Words of the one document: nobody who may not see it gets one of them.
const SECRET: [&str; 2] = ["quince", "marmalade"];

const HEADERS: [(&str, &str); 1] = [("accept", "application/json, text/event-stream")];

/// All sets of scopes; the number of a peer is that of its set.
fn sets() -> impl Iterator<Item = (u32, Vec<Action>)> {
    let member = |set: u32| Action::ALL.into_iter().enumerate().filter(move |(bit, _)| set >> bit & 1 == 1);
    (0..1 << Action::ALL.len()).map(move |set| (set, member(set).map(|(_, action)| action).collect()))
}

fn policy() -> Policy {
    let grants = sets().map(|(set, actions)| (PeerId::new(set), Grant::new(["*"], actions).unwrap()));
    Policy::new(2, grants.collect::<Vec<_>>()).with_keys(sets().map(|(set, _)| (PeerId::new(set), [set as u8; 32])))
}

/// Every path by its name in the records, one address of it, and the scope that it wants. `/mcp` asks tool by tool.
fn paths(id: &str, asset: &str) -> Vec<(&'static str, String, Option<Action>)> {
    vec![
        ("/mcp", "/mcp".to_owned(), None),
        ("/", "/?q=quince".to_owned(), Some(Action::Search)),
        ("/assets/{name}", asset.to_owned(), Some(Action::Search)),
        ("/api/search", "/api/search?q=quince".to_owned(), Some(Action::Search)),
        ("/api/documents/{id}", format!("/api/documents/{id}"), Some(Action::Read)),
        ("/api/documents/{id}/original", format!("/api/documents/{id}/original"), Some(Action::Read)),
        ("/api/recent", "/api/recent".to_owned(), Some(Action::Browse)),
        ("/_health", "/_health".to_owned(), Some(Action::Health)),
        ("/metrics", "/metrics".to_owned(), Some(Action::Metrics)),
    ]
}

/// Every tool, a call of it, and the scope that it wants.
fn tools(id: &str) -> Vec<(&'static str, Value, Action)> {
    vec![
        ("search", json!({"query": "quince"}), Action::Search),
        ("search_multiple", json!({"queries": ["quince"]}), Action::Search),
        ("fetch", json!({"id": id}), Action::Read),
        ("find_document", json!({"query": "recipe"}), Action::Browse),
        ("list_collections", json!({}), Action::Browse),
        ("get_document_info", json!({"path": "notes/recipe.txt"}), Action::Browse),
    ]
}

async fn served() -> (Server, tempfile::TempDir, String, String) {
    let dir = tempdir().unwrap();
    let library = library(dir.path());
    fill(&library, dir.path(), &[("recipe.txt", "The quince\n\nQuince marmalade wants patience.\n")]);
    let server = Server::new(library, "[limits]\nrequests_burst = 100000\nrequests_per_second = 100000\n");
    server.appliance.policy.store(policy().into());
    let all = (1 << Action::ALL.len()) - 1;
    let ask = |path: &str| Request::get(path).header("host", HOST).body(Full::default()).unwrap();
    let found = server.send(all, ask("/api/search?q=quince")).await.json();
    let id = found["results"][0]["id"].as_str().unwrap().to_owned();
    let page = server.send(all, ask("/")).await.text();
    let asset = page.split('"').find(|word| word.starts_with("/assets/")).unwrap().to_owned();
    (server, dir, id, asset)
}

#[tokio::test]
async fn every_path_and_method_for_every_set_of_scopes() {
    let (server, _dir, id, asset) = served().await;
    let table = paths(&id, &asset);
    let names: Vec<_> = table.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ROUTES, "every path has its row");
    for (set, actions) in sets() {
        for (name, path, wanted) in &table {
            for method in
                [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS]
            {
                let request = Request::builder().method(&method).uri(path).header("host", HOST);
                let answer = server.send(set, request.body(Full::default()).unwrap()).await;
                let reads = [Method::GET, Method::HEAD].contains(&method);
                let served = wanted.is_some_and(|wanted| reads && actions.contains(&wanted));
                let what = format!("{method} {name} with {actions:?}: {} {}", answer.status, answer.text());
                assert_eq!(answer.status.is_success(), served, "{what}");
                if !served {
                    assert!(answer.status.is_client_error(), "{what}");
                    assert!(SECRET.iter().all(|word| !answer.text().contains(word)), "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_tool_for_every_set_of_scopes() {
    let (server, _dir, id, _) = served().await;
    let table = tools(&id);
    let listed = async |set: u32| {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
        let answer = server.post(set, &HEADERS, &message).await;
        let tools = answer.json()["result"]["tools"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    for (set, actions) in sets() {
        let mut expected: Vec<_> = table.iter().filter(|row| actions.contains(&row.2)).map(|row| row.0).collect();
        expected.sort_unstable();
        assert_eq!(
            listed(set).await,
            expected,
            "{actions:?}: a tool without a row, or one that is shown to whom it is not for"
        );
        for (tool, arguments, wanted) in &table {
            let params = json!({"name": tool, "arguments": arguments});
            let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
            let answer = server.post(set, &HEADERS, &message).await;
            let text = answer.text();
            let served = answer.status.is_success() && answer.json()["result"]["isError"] == false;
            assert_eq!(served, actions.contains(wanted), "{tool} with {actions:?}: {} {text}", answer.status);
            if !served {
                assert!(!text.contains(SECRET[1]), "{tool} with {actions:?}: {text}");
            }
        }
    }
}
