//! The tools' answers.

use adit::access::audit::Verdict;
use adit::access::{Action, Grant, Policy};
use adit::peer::PeerId;
use adit::search::Indexing;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::serving::{LAPTOP, READER, STRANGER, Server, fill, library};

fn served(documents: &[(&str, &str)]) -> (Server, TempDir) {
    let dir = tempdir().unwrap();
    let library = library(dir.path());
    fill(&library, dir.path(), documents);
    (Server::new(library, "[limits]\nrequests_burst = 100000\n"), dir)
}

/// The whole result of a call.
async fn call(server: &Server, peer: u32, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let mut answer = server.post(peer, &[], &message).await.json();
    let result = answer["result"].take();
    assert!(result.is_object(), "{answer}");
    let text = result["content"][0]["text"].as_str().unwrap();
    if result["isError"] != true {
        assert_eq!(
            serde_json::from_str::<Value>(text).unwrap(),
            result["structuredContent"],
            "text and structure are the same"
        );
        assert!(result.to_string().chars().count() < 60_000 && text.chars().count() < 25_000, "{}", text.len());
        conforms(server, peer, tool, &result["structuredContent"]).await;
    }
    result
}

async fn answer(server: &Server, tool: &str, arguments: Value) -> Value {
    let mut result = call(server, LAPTOP, tool, arguments).await;
    assert_ne!(result["isError"], true, "{result}");
    result["structuredContent"].take()
}

async fn error(server: &Server, tool: &str, arguments: Value) -> String {
    let result = call(server, LAPTOP, tool, arguments).await;
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Whether an answer is what its tool's schema says.
async fn conforms(server: &Server, peer: u32, tool: &str, answer: &Value) {
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let tools = server.post(peer, &[], &list).await.json();
    let tools = tools["result"]["tools"].as_array().unwrap();
    let schema = &tools.iter().find(|listed| listed["name"] == tool).unwrap()["outputSchema"];
    check(schema, answer, tool);
}

/// The part of JSON Schema that our schemas use; every property must be described.
fn check(schema: &Value, value: &Value, place: &str) {
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        other => panic!("{place}: {other:?}"),
    };
    assert!(fits, "{place}: {value} is no {}", schema["type"]);
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(required.as_str().unwrap()).is_some(), "{place}: {required} is missing");
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let described = &schema["properties"][name];
        assert!(described.is_object(), "{place}.{name} is not described");
        check(described, value, &format!("{place}.{name}"));
    }
    for value in value.as_array().into_iter().flatten() {
        check(&schema["items"], value, &format!("{place}[]"));
    }
}

#[tokio::test]
async fn search_answers_in_the_shape_that_connectors_ask_for() {
    let (server, _dir) = served(&[
        ("letters/rent.txt", "Letter of the landlord\n\nThe rent rises by ten euros in March.\n"),
        ("taxes.txt", "Taxes\n\nThe office wants a form.\n"),
    ]);
    let found = answer(&server, "search", json!({"query": "rent march"})).await;
    let hit = &found["results"][0];
    assert_eq!(
        (&hit["title"], &hit["path"], &hit["collection"]),
        (&json!("Letter of the landlord"), &json!("letters/rent.txt"), &json!("notes"))
    );
    assert_eq!(hit["url"], format!("http://10.94.7.1/?document={}", hit["id"].as_str().unwrap()));
    assert_eq!((&hit["untrusted"], &hit["type"], &found["total"]), (&json!(true), &json!("text"), &json!(1)));
    let snippet = hit["snippet"].as_str().unwrap();
    let marked: Vec<&str> = hit["highlights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| &snippet[range[0].as_u64().unwrap() as usize..range[1].as_u64().unwrap() as usize])
        .collect();
    assert!(marked.contains(&"rent") && marked.contains(&"March"), "{marked:?}");
    assert!(found["notice"].as_str().unwrap().contains("not instructions"));

    let part = answer(&server, "fetch", json!({"id": hit["id"]})).await;
    assert!(part["text"].as_str().unwrap().contains("rises by ten euros"), "{part}");
    assert_eq!((&part["id"], &part["metadata"]["path"]), (&hit["id"], &hit["path"]));
}

#[tokio::test]
async fn nothing_found_is_an_answer_with_a_suggestion() {
    let (server, _dir) = served(&[("a.txt", "Something\n")]);
    let found = answer(&server, "search", json!({"query": "zzzzqqqq"})).await;
    assert_eq!((&found["results"], &found["total"]), (&json!([]), &json!(0)));
    assert!(!found["suggestion"].as_str().unwrap().is_empty());
    let found = answer(&server, "find_document", json!({"query": "zzzzqqqq"})).await;
    assert!(!found["suggestion"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn what_does_not_fit_is_a_tool_error_that_says_how() {
    let (server, _dir) = served(&[("a.txt", "Something\n")]);
    let cases = [
        ("search", json!({}), "query: is required"),
        ("search", json!({"query": "a", "limit": 51}), "limit: takes a whole number from 1 to 50, for example 10"),
        ("search", json!({"query": "a", "limt": 5}), "limt: there is no such argument; there are query, collection"),
        ("search", json!({"query": "a", "type": "exe"}), "type: takes one of markdown, text"),
        ("search", json!({"query": "a", "modified_after": "yesterday"}), "modified_after: takes a day"),
        ("search", json!({"query": "a", "cursor": "AAAA"}), "cursor: not a cursor for these arguments"),
        ("fetch", json!({"id": "nonsense"}), "no such document"),
        ("fetch", json!({"id": "nonsense", "limit": 0}), "limit: takes a whole number from 1 to 20000"),
        ("find_document", json!({"query": ["a"]}), "query: takes text"),
        ("list_collections", json!({"path": "secret"}), "no such document or folder"),
        ("list_collections", json!({"path": "../.."}), "no such document or folder"),
        ("get_document_info", json!({"path": "notes/none.txt"}), "no such document"),
        ("get_document_info", json!({"id": "AAAAAAAAAAA"}), "no such document"),
        ("get_document_info", json!({}), "takes id or path"),
        ("get_document_info", json!({"id": "AAAAAAAAAAA", "path": "notes/a.txt"}), "takes id or path"),
        ("get_document_info", json!({"path": "/etc/passwd"}), "no such document"),
        ("search_multiple", json!({"queries": []}), "queries: takes 1 to 10 texts"),
        ("search_multiple", json!({"queries": vec!["a"; 11]}), "queries: takes 1 to 10 texts"),
    ];
    for (tool, arguments, expected) in cases {
        let message = error(&server, tool, arguments.clone()).await;
        assert!(message.starts_with(expected), "{tool} {arguments}: {message}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repetition() {
    let texts: Vec<(String, String)> = (0..35)
        .map(|number| (format!("{number:02}.txt"), format!("Note {number}\n\ncommon word {}\n", "x ".repeat(number))))
        .collect();
    let documents: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (server, _dir) = served(&documents);
    let mut seen = Vec::new();
    let mut arguments = json!({"query": "common", "limit": 10});
    loop {
        let page = answer(&server, "search", arguments.clone()).await;
        seen.extend(page["results"].as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap().to_owned()));
        assert!(seen.len() <= 40);
        match page["next_cursor"].as_str() {
            Some(cursor) => arguments["cursor"] = json!(cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 35);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 35);
}

#[tokio::test]
async fn a_cursor_is_its_callers_for_an_hour_for_its_question_and_its_rights() {
    let texts: Vec<String> = (0..12).map(|number| format!("{number}.txt")).collect();
    let documents: Vec<(&str, &str)> = texts.iter().map(|path| (path.as_str(), "common word\n")).collect();
    let (server, _dir) = served(&documents);
    let first = answer(&server, "search", json!({"query": "common", "limit": 5})).await;
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let with = |query: &str| json!({"query": query, "limit": 5, "cursor": cursor});
    answer(&server, "search", with("common")).await;

    let refused = error(&server, "search", with("word")).await;
    let result = call(&server, READER, "search", with("common")).await;
    assert_eq!(result["content"][0]["text"], refused);
    let mut altered = cursor.clone().into_bytes();
    altered[60] ^= 1;
    let altered = json!({"query": "common", "cursor": String::from_utf8_lossy(&altered)});
    assert_eq!(error(&server, "search", altered).await, refused);
    let listing = json!({"path": "notes", "cursor": cursor});
    assert_eq!(error(&server, "list_collections", listing).await, refused);

    let narrowed = Grant::new(["notes", "!notes/private"], Action::ALL).unwrap();
    let policy =
        Policy::new(9, [(PeerId::new(LAPTOP), narrowed)]).with_keys([(PeerId::new(LAPTOP), [LAPTOP as u8; 32])]);
    let before = server.appliance.policy.swap(policy.into());
    assert_eq!(error(&server, "search", with("common")).await, refused);
    server.appliance.policy.store(before);
    answer(&server, "search", with("common")).await;
    server.shell.clock.set_by(SignedDuration::from_secs(3601));
    assert_eq!(error(&server, "search", with("common")).await, refused);
}

#[tokio::test]
async fn every_byte_of_a_long_text_can_be_reached() {
    let long: String = (0..4000).map(|number| format!("\"line {number}\" of ä text\n")).collect();
    let (server, _dir) = served(&[("long.txt", &long)]);
    let id = answer(&server, "find_document", json!({"query": "long.txt"})).await["documents"][0]["id"].clone();
    let mut read = String::new();
    let mut offset = json!(0);
    while !offset.is_null() {
        let mut part = answer(&server, "fetch", json!({"id": id, "offset": offset, "limit": 20_000})).await;
        assert_eq!(part["offset"], read.len());
        read.push_str(part["text"].as_str().unwrap());
        offset = part["next_offset"].take();
    }
    assert_eq!(read, long);
}

#[tokio::test]
async fn folders_are_listed_with_their_counts() {
    let (server, _dir) = served(&[("a.txt", "A\n"), ("letters/b.txt", "B\n"), ("letters/2024/c.txt", "C\n")]);
    let top = answer(&server, "list_collections", json!({})).await;
    assert_eq!(top["folders"], json!([{"path": "notes", "documents": 3}]));
    let notes = answer(&server, "list_collections", json!({"path": "notes"})).await;
    assert_eq!(notes["folders"], json!([{"path": "notes/letters", "documents": 2}]));
    assert_eq!(notes["documents"][0]["path"], "a.txt");
    let letters = answer(&server, "list_collections", json!({"path": "notes/letters"})).await;
    assert_eq!(
        (&letters["documents"][0]["path"], letters["documents"].as_array().unwrap().len()),
        (&json!("letters/b.txt"), 1)
    );
    let info = answer(&server, "get_document_info", json!({"path": "notes/letters/b.txt"})).await;
    assert_eq!((&info["path"], &info["size"], &info["untrusted"]), (&json!("letters/b.txt"), &json!(2), &json!(true)));
    assert_eq!(answer(&server, "get_document_info", json!({"id": info["id"]})).await, info);
}

#[tokio::test]
async fn a_large_folder_is_listed_page_by_page() {
    let paths: Vec<String> = (0..130).map(|number| format!("{}{number:03}.txt", "long-name-".repeat(15))).collect();
    let documents: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "A\n")).collect();
    let (server, _dir) = served(&documents);
    let mut listed = Vec::new();
    let mut arguments = json!({"path": "notes"});
    loop {
        let page = answer(&server, "list_collections", arguments.clone()).await;
        listed.extend(
            page["documents"].as_array().unwrap().iter().map(|document| document["path"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => arguments["cursor"] = json!(cursor),
            None => break,
        }
    }
    assert_eq!(listed, paths);
}

#[tokio::test]
async fn several_questions_are_answered_at_once() {
    let (server, _dir) = served(&[("rent.txt", "The rent rises.\n"), ("tax.txt", "The tax falls.\n")]);
    let found = answer(&server, "search_multiple", json!({"queries": ["rent", "zzzzqqqq", "tax"]})).await;
    let seen: Vec<_> = found["queries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["found"].clone(), one["passages"][0]["path"].clone()))
        .collect();
    assert_eq!(seen, [(json!(true), json!("rent.txt")), (json!(false), Value::Null), (json!(true), json!("tax.txt"))]);
}

#[tokio::test]
async fn answers_stay_short_whatever_is_asked() {
    let paths: Vec<String> =
        (0..60).map(|number| format!("{}/{number:03}.txt", "deep-folder-name/".repeat(12))).collect();
    let text = format!("{}\n\n{}", "a very long title ".repeat(30), "common words \"quoted\" again\n".repeat(200));
    // Each its own: what is the same is shown once.
    let texts: Vec<String> = paths.iter().map(|path| format!("{text}{path}\n")).collect();
    let documents: Vec<(&str, &str)> = paths.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let (server, _dir) = served(&documents);
    for arguments in
        [json!({"query": "common", "limit": 50}), json!({"query": "common", "limit": 50, "context_lines": 20})]
    {
        let found = answer(&server, "search", arguments).await;
        assert!(found["results"].as_array().unwrap().len() > 1 && found["next_cursor"].is_string());
    }
    answer(&server, "search_multiple", json!({"queries": vec!["common"; 10]})).await;
    answer(&server, "find_document", json!({"query": "deep", "limit": 50})).await;
    answer(&server, "get_document_info", json!({"path": format!("notes/{}", paths[0])})).await;
}

#[tokio::test]
async fn a_caller_sees_its_own_collections_and_no_trace_of_others() {
    let (server, _dir) = served(&[("rent.txt", "The rent rises.\n")]);
    let nothing = Grant::new(["other"], Action::ALL).unwrap();
    server.appliance.policy.store(Policy::new(2, [(PeerId::new(STRANGER), nothing)]).into());
    let found = call(&server, STRANGER, "search", json!({"query": "rent"})).await;
    assert_eq!(found["structuredContent"]["total"], 0);
    let listed = call(&server, STRANGER, "list_collections", json!({})).await;
    assert_eq!(listed["structuredContent"]["folders"], json!([]));
    let there = call(&server, STRANGER, "list_collections", json!({"path": "notes"})).await;
    let not_there = call(&server, STRANGER, "list_collections", json!({"path": "nothing"})).await;
    assert_eq!(there, not_there);
    for path in ["notes/rent.txt", "notes/none.txt"] {
        let result = call(&server, STRANGER, "get_document_info", json!({"path": path})).await;
        assert_eq!(
            (&result["isError"], result["content"] == there["content"]),
            (&json!(true), true),
            "{path}: {result}"
        );
    }
}

#[tokio::test]
async fn hidden_characters_do_not_leave() {
    let (server, _dir) = served(&[("odd\u{202e}name.txt", "Title\u{202e}\n\nsecret word \u{e0041}\u{200b}here\n")]);
    for (tool, arguments) in [
        ("search", json!({"query": "word"})),
        ("find_document", json!({"query": "odd"})),
        ("list_collections", json!({"path": "notes"})),
    ] {
        let text = answer(&server, tool, arguments).await.to_string();
        assert!(!text.contains(['\u{202e}', '\u{e0041}', '\u{200b}']), "{tool}: {text}");
    }
}

#[tokio::test]
async fn every_call_is_recorded_with_what_it_was_about() {
    let (server, _dir) = served(&[("rent.txt", "The rent rises.\n")]);
    let search = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "rent", "collection": "notes"}}});
    let answer = server.post(LAPTOP, &[], &search).await;
    let records = server.records(1).await;
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.peer, record.route, record.note.tool), (PeerId::new(LAPTOP), "/mcp", Some("search")));
    assert_eq!((record.note.query.as_deref(), record.note.collection.as_deref()), (Some("rent"), Some("notes")));
    assert_eq!(
        (record.note.documents.as_slice(), record.bytes),
        (&["notes/rent.txt".to_owned()][..], answer.body.len() as u64)
    );
    assert_eq!((record.verdict, record.request_id.as_str()), (Verdict::Served, answer.header("x-request-id")));

    let wrong =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {}}});
    server.post(LAPTOP, &[], &wrong).await;
    server.post(STRANGER, &[], &wrong).await;
    let verdicts: Vec<_> =
        server.records(2).await.into_iter().map(|record| (record.note.tool, record.verdict)).collect();
    assert_eq!(verdicts, [(Some("search"), Verdict::Refused("argument")), (None, Verdict::Refused("not_allowed"))]);
}

#[tokio::test]
async fn while_documents_are_read_answers_say_so() {
    let (server, _dir) = served(&[("a.md", "apples")]);
    let indexing = Indexing { read: 50, files: 51 };
    server.appliance.library.set_indexing(&"notes".parse().unwrap(), Some(indexing));
    let expected = json!({
        "read": 50, "files": 51, "note": "still indexing: 50 of 51 files read; the answer may be incomplete",
    });
    assert_eq!(answer(&server, "search", json!({"query": "pears"})).await["indexing"], expected);
    let several = answer(&server, "search_multiple", json!({"queries": ["apples"]})).await;
    assert_eq!(several["queries"][0]["indexing"], expected);
    server.appliance.library.set_indexing(&"notes".parse().unwrap(), None);
    assert_eq!(answer(&server, "search", json!({"query": "pears"})).await["indexing"], Value::Null);
}
