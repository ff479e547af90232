//! A device's end: its file, and the way from here to its server.

use std::path::Path;

use serde_json::{Value, json};

use super::Finding;
use crate::bridge::{self, BridgeError};

/// What `initialize` is asked with; the server answers with what it speaks itself.
pub(super) const REVISION: &str = "2025-06-18";

pub(super) fn examine(file: &Path) -> Vec<Finding> {
    let tools = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let [initialize, initialized] = greeting();
    match bridge::try_file(file, &[initialize, initialized, tools]) {
        Err(BridgeError::File(error)) => {
            let remedy = "`adit peer add` on the server makes a file that is right; for a device that exists, `adit peer rotate NAME`";
            vec![Finding::failed("configuration", error, remedy)]
        }
        Err(error) => vec![Finding::failed("server", error, "")],
        Ok(answers) => vec![Finding::well("configuration", file.display()), server(&answers)],
    }
}

/// An agent's first words.
pub(super) fn greeting() -> [Value; 2] {
    let client = json!({ "name": "adit doctor", "version": env!("CARGO_PKG_VERSION") });
    let params = json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": client });
    [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
    ]
}

/// Why there is no answer to everything that was asked, if there is not.
pub(super) fn trouble(answers: &[Value], asked: usize) -> Option<String> {
    match answers.last() {
        Some(answer) if answer.get("error").is_some() => {
            Some(answer["error"]["message"].as_str().unwrap_or("an error without a word").to_owned())
        }
        _ if answers.len() < asked => Some("the server began to answer and did not end".to_owned()),
        _ => None,
    }
}

fn server(answers: &[Value]) -> Finding {
    if let Some(trouble) = trouble(answers, 2) {
        let remedy = "`adit doctor` on the server says how it is there; from here, try the endpoint's address and UDP port, \
                      and whether `adit peer list` still has this device";
        return Finding::failed("server", trouble, remedy);
    }
    let version = answers[0]["result"]["serverInfo"]["version"].as_str().unwrap_or("of unknown version");
    let tools = answers[1]["result"]["tools"].as_array().into_iter().flatten();
    let names: Vec<&str> = tools.filter_map(|tool| tool["name"].as_str()).collect();
    match names.is_empty() {
        true => Finding::warning(
            "server",
            format!("adit {version} answers, and lets this device do nothing"),
            "`adit peer set NAME --scopes search,read` on the server",
        ),
        false => Finding::well("server", format!("adit {version} answers; this device may use {}", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn what_a_server_answers_is_told_and_what_it_does_not_is_told_too() {
        let hello = json!({ "id": 1, "result": { "serverInfo": { "version": "9" } } });
        let tools = |names: &[&str]| {
            let tools: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            json!({ "id": 2, "result": { "tools": tools } })
        };
        let error = json!({ "id": 1, "error": { "message": "no handshake answer" } });
        for (answers, verdict, words) in [
            (
                vec![hello.clone(), tools(&["search", "read"])],
                Verdict::Well,
                "adit 9 answers; this device may use search, read",
            ),
            (vec![hello.clone(), tools(&[])], Verdict::Warning, "nothing"),
            (vec![error], Verdict::Failed, "no handshake answer"),
            (vec![hello], Verdict::Failed, "did not end"),
            (vec![], Verdict::Failed, "did not end"),
        ] {
            let finding = server(&answers);
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.said.contains(words), "{finding:?}");
        }
    }
}
