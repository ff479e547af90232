//! Who searched and read what, and who changed what: a line each, and no more than the owner wants kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use adit::key::PrivateKey;
use serde_json::{Value, json};

use crate::appliance::{Appliance, wait_until};
use crate::device::Device;

/// The lines of a kind, once there are this many.
fn lines(appliance: &Appliance, kind: &str, number: usize) -> Vec<Value> {
    wait_until(&format!("{number} lines of {kind}"), || {
        let text = fs::read_to_string(appliance.path("state/audit.jsonl")).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<Value> = lines.filter(|line| line["kind"] == kind).collect();
        (lines.len() >= number).then_some(lines)
    })
}

fn configure(appliance: &Appliance, more: &str) {
    let text = fs::read_to_string(appliance.config()).unwrap();
    fs::write(appliance.config(), format!("{text}\n{more}")).unwrap();
}

#[test]
fn every_call_and_every_change_has_its_line() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    let mut agent = appliance.agent(&conf);
    let found = agent.call("search", json!({"query": "descale"}));
    agent.call("fetch", json!({"id": found["results"][0]["id"]}));
    appliance.adit(&["search", "xylophone"]);
    appliance.adit(&["peer", "set", "phone", "--collections", "private"]);
    appliance.adit(&["reload"]);
    appliance.adit(&["peer", "revoke", "phone"]);
    drop(agent);
    appliance.stop();

    let calls = lines(&appliance, "call", 3);
    let tools: Vec<&Value> = calls.iter().filter(|call| !call["tool"].is_null()).collect();
    let key = tools[0]["key"].as_str().unwrap();
    let said = |call: &Value| [&call["peer"], &call["tool"], &call["query"], &call["documents"]].map(Value::clone);
    assert_eq!(said(tools[0]), [json!("phone"), json!("search"), json!("descale"), json!(["papers/kettle.md"])]);
    assert_eq!(said(tools[1]), [json!("phone"), json!("fetch"), Value::Null, json!(["papers/kettle.md"])]);
    assert_eq!(said(tools[2]), [json!("owner"), json!("search"), json!("xylophone"), json!(["private/diary.md"])]);
    assert_eq!(tools.len(), 3, "{tools:?}");
    assert!(tools[..2].iter().all(|call| call["status"] == 200 && call["verdict"] == "served"), "{tools:?}");

    let changes = lines(&appliance, "change", 6);
    let names: Vec<&Value> = changes.iter().map(|change| &change["change"]).collect();
    assert_eq!(names, ["started", "peer_added", "peer_set", "reloaded", "peer_revoked", "stopped"]);
    assert!(changes.iter().all(|change| change["by"] == "owner"), "{changes:?}");
    assert_eq!((&changes[2]["collections"], &changes[2]["key"]), (&json!(["private"]), &json!(key)));
    assert_eq!((&changes[4]["peer"], &changes[4]["key"]), (&json!("phone"), &json!(key)));
    let mode = fs::metadata(appliance.path("state/audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_log_is_read_back_with_and_without_a_daemon() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("descale"), 1);
    appliance.adit(&["search", "xylophone"]);
    appliance.adit(&["peer", "rename", "phone", "mobile"]);
    drop(agent);
    lines(&appliance, "change", 3);
    for stopped in [false, true] {
        if stopped {
            appliance.stop();
        }
        let text = appliance.adit(&["audit"]);
        assert!(text.contains("phone         search \"descale\": papers/kettle.md"), "{text}");
        let calls = |arguments: &[&str]| {
            let records = appliance.json(&[&["audit"], arguments].concat())["records"].as_array().unwrap().clone();
            records
                .into_iter()
                .filter(|record| record["tool"] == "search")
                .map(|record| record["peer"].clone())
                .collect()
        };
        let of: [(&[&str], Vec<Value>); 7] = [
            (&[], vec![json!("phone"), json!("owner")]),
            (&["--peer", "mobile"], vec![json!("phone")]),
            (&["--peer", "owner"], vec![json!("owner")]),
            (&["--document", "papers/kettle.md"], vec![json!("phone")]),
            (&["--document", "private"], vec![json!("owner")]),
            (&["--since", "1h"], vec![json!("phone"), json!("owner")]),
            (&["--peer", "tablet"], vec![]),
        ];
        for (arguments, expected) in of {
            let found: Vec<Value> = calls(arguments);
            assert_eq!(found, expected, "{arguments:?}");
        }
    }
    let last = appliance.json(&["audit", "-n", "1"]);
    assert_eq!((&last["records"][0]["change"], last["records"].as_array().unwrap().len()), (&json!("stopped"), 1));
    assert!(last["earlier"].as_u64() > Some(3), "{last}");
    appliance.adit(&["peer", "disable", "mobile"]);
    let offline = appliance.json(&["audit", "-n", "1"]);
    assert_eq!(offline["records"][0]["change"], "peer_disabled", "a change without a daemon is recorded too");
    assert!(appliance.refused(&["audit", "--since", "yore"], 2).contains("2026"));
}

#[test]
fn who_knocks_with_a_dead_key_is_recorded_by_name() {
    let mut appliance = Appliance::serving();
    let confs = ["thief", "guest", "far"].map(|name| appliance.device(name, &[]));
    let mut agents = confs.each_ref().map(|conf| appliance.agent(conf));
    agents.iter_mut().for_each(|agent| assert_eq!(agent.total("kettle"), 1));
    appliance.adit(&["peer", "revoke", "thief"]);
    appliance.adit(&["peer", "disable", "guest"]);
    appliance.adit(&["peer", "set", "far", "--from", "192.0.2.0/24"]);
    agents.iter_mut().for_each(|agent| drop(agent.ask("tools/list", json!({}))));
    drop(agents);
    appliance.stop();

    let endpoints = lines(&appliance, "endpoint", 3);
    let names: Vec<&Value> = endpoints.iter().map(|line| &line["peer"]).collect();
    assert_eq!(names, ["thief", "guest", "far"]);
    assert!(endpoints[0]["endpoint"].as_str().unwrap().starts_with("127.0.0.1:"), "{endpoints:?}");
    let refused = lines(&appliance, "refused", 3);
    for (peer, reason) in [("thief", "revoked_key"), ("guest", "disabled"), ("far", "foreign_network")] {
        let line = refused.iter().find(|line| line["peer"] == peer).unwrap_or_else(|| panic!("{peer}: {refused:?}"));
        assert_eq!(line["reason"], reason, "{line}");
        assert!(line["count"].as_u64() > Some(0) && line["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
    let told = appliance.adit(&["audit", "--peer", "thief"]);
    assert!(told.contains("appeared from 127.0.0.1:") && told.contains("revoked key"), "{told}");
}

/// Requests of a mixed run, and how many calls each of them is.
fn mixed(device: &Device) -> Vec<(String, u64)> {
    let get = |path: &str| format!("{}connection: close\r\n\r\n", device.request(path));
    let host = device.request("/").lines().nth(1).unwrap().to_owned();
    let post = |body: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\n{host}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let call = |id: u64, tool: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"query": "kettle"}}});
    let batch = json!([call(1, "search"), call(2, "find_document"), call(3, "fetch")]);
    vec![
        (get("/api/search?q=kettle"), 1),
        (get("/?q=kettle"), 1),
        (get("/api/recent"), 1),
        (get("/_health"), 1),
        (get("/metrics"), 1),
        (get("/nowhere"), 1),
        (get("/api/documents/AAAAAAAAAAAAAAAA"), 1),
        (get("/api/documents/AAAAAAAAAAAAAAAA/original"), 1),
        (get("/api/search?limit=1000&q=a"), 1),
        (get("/").replace(host.as_str(), "host: evil.example"), 1),
        (get("/").replace("GET", "DELETE"), 1),
        (post("not JSON"), 1),
        (post(&call(1, "search").to_string()), 1),
        (post(&call(1, "write").to_string()), 1),
        (post(&batch.to_string()), 3),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_as_many_lines_as_calls() {
    let mut appliance = Appliance::new();
    configure(&appliance, "[limits]\nrequests_burst = 30\nrequests_per_second = 1\n");
    appliance.serve();
    let devices = ["phone", "tablet"].map(|name| (name, Device::new(&appliance.device(name, &[]))));
    let mut made = 0;
    for (name, device) in &devices {
        for (request, calls) in mixed(device) {
            let answer = device.send(&request).await;
            assert!(answer.starts_with("HTTP/1.1 ") && !answer.starts_with("HTTP/1.1 429"), "{request}\n{answer}");
            made += calls;
        }
        // Beyond what it may: until it has been refused as often.
        let mut refused = 0;
        while *name == "tablet" && refused < 40 {
            made += 1;
            refused += u32::from(device.get("/api/search?q=kettle").await.starts_with("HTTP/1.1 429"));
        }
    }
    appliance.stop();
    let calls: Vec<Value> = lines(&appliance, "call", 1).into_iter().filter(|line| line["peer"] != "owner").collect();
    let sums: Vec<Value> = lines(&appliance, "refused", 1);
    let summed: u64 = sums.iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(calls.len() as u64 + summed, made, "{calls:#?}\n{sums:#?}");
    assert!((1..=2).contains(&sums.len()), "a line for each minute: {sums:#?}");
    assert!(sums.iter().all(|line| line["peer"] == "tablet" && line["reason"] == "rate"), "{sums:#?}");
    let told = appliance.adit(&["audit", "--peer", "tablet", "-n", "0"]);
    assert!(told.contains("too many requests per second"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refused_handshakes_is_a_line() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("thief", &[]);
    appliance.adit(&["peer", "revoke", "thief"]);
    // Keys that nobody knows, and one that was revoked.
    let text = fs::read_to_string(&conf).unwrap();
    let mut flood = Vec::new();
    for number in 0..60u8 {
        let stranger = appliance.path(&format!("{number}.conf"));
        let key = PrivateKey::from_entropy([number + 1; 32]).to_base64();
        let own = if number % 2 == 0 {
            text.lines().nth(1).unwrap().to_owned()
        } else {
            format!("PrivateKey = {}", key.as_str())
        };
        let lines: Vec<&str> =
            text.lines().map(|line| if line.starts_with("PrivateKey") { own.as_str() } else { line }).collect();
        fs::write(&stranger, lines.join("\n")).unwrap();
        let device = Device::new(&stranger);
        assert!(device.connect_within(std::time::Duration::from_millis(5)).await.is_none());
        flood.push(device);
    }
    wait_until("all have knocked", || {
        (appliance.json(&["status"])["counters"]["dropped_unknown_key"].as_u64() >= Some(60)).then_some(())
    });
    drop(flood);
    appliance.stop();
    let refused = lines(&appliance, "refused", 2);
    let said = |line: &Value| [line["reason"].clone(), line["peer"].clone()];
    assert_eq!(
        refused.iter().map(said).collect::<Vec<_>>(),
        [[json!("revoked_key"), json!("thief")], [json!("unknown_key"), Value::Null],]
    );
    let counts: u64 = refused.iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert!(counts >= 60, "{refused:?}");
}

#[test]
fn with_hashes_no_query_is_kept() {
    let mut appliance = Appliance::new();
    configure(&appliance, "[audit]\nqueries = \"hash\"\n");
    appliance.serve();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    for query in ["quince", "xylophone", "quince"] {
        agent.total(query);
    }
    appliance.stop();
    let calls = lines(&appliance, "call", 3);
    let hashes: Vec<&str> = calls.iter().filter_map(|call| call["query_hash"].as_str()).collect();
    assert_eq!(hashes.len(), 3, "{calls:?}");
    assert!(hashes[0] == hashes[2] && hashes[0] != hashes[1], "{hashes:?}");
    let text = fs::read_to_string(appliance.path("state/audit.jsonl")).unwrap();
    assert!(!text.contains("quince") && !text.contains("xylophone"), "{text}");
}

#[test]
fn what_cannot_be_recorded_is_refused_until_it_can() {
    let mut appliance = Appliance::new();
    configure(&appliance, "[audit]\nfile = \"log/audit.jsonl\"\non_error = \"refuse\"\n");
    // A folder stands where the file should be.
    fs::create_dir_all(appliance.path("state/log/audit.jsonl")).unwrap();
    appliance.serve();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    let warnings = appliance.json(&["status"])["warnings"].to_string();
    assert!(warnings.contains("audit log") && warnings.contains("refused"), "{warnings}");
    appliance.refused(&["search", "kettle"], 1);
    fs::remove_dir(appliance.path("state/log/audit.jsonl")).unwrap();
    // The bridge tries again by itself while it is told that the server cannot answer.
    assert_eq!(agent.total("kettle"), 1);
    let status = wait_until("the warning goes", || {
        let status = appliance.json(&["status"]);
        (!status["warnings"].to_string().contains("audit log")).then_some(status)
    });
    assert_eq!(status["counters"]["audit_lost"], 0, "{status}");
    appliance.adit(&["search", "kettle"]);
    let text = fs::read_to_string(appliance.path("state/log/audit.jsonl")).unwrap();
    assert!(text.contains("peer_added"), "what waited was written: {text}");
}

#[test]
fn the_log_may_lie_outside_the_state() {
    let mut appliance = Appliance::new();
    let file = appliance.path("elsewhere/audit.jsonl");
    configure(&appliance, &format!("[audit]\nfile = {:?}\n", file.display().to_string()));
    appliance.serve();
    appliance.stop();
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
}
