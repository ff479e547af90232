//! Devices: added, changed and revoked while the daemon serves and while it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::appliance::{Appliance, wait_until};

#[test]
fn a_device_finds_reads_and_browses_through_its_bridge() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    assert_eq!(fs::metadata(&conf).unwrap().permissions().mode() & 0o777, 0o600);
    let mut agent = appliance.agent(&conf);
    let found = agent.call("search", json!({"query": "descale kettle"}));
    let first = &found["results"][0];
    assert_eq!((&first["path"], &first["heading"]), (&json!("kettle.md"), &json!("The kettle")));
    let read = agent.call("fetch", json!({"id": first["id"]}));
    assert!(read["text"].as_str().unwrap().contains("vinegar"), "{read}");
    let listed = agent.call("list_collections", json!({}));
    assert!(listed.to_string().contains("papers") && !listed.to_string().contains("private"), "{listed}");
}

#[test]
fn grants_change_at_once_and_survive_a_restart() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("xylophone"), 0);
    appliance.adit(&["peer", "set", "phone", "--collections", "papers,private"]);
    assert_eq!(agent.total("xylophone"), 1);
    appliance.stop();
    appliance.serve();
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("xylophone"), 1);
    appliance.adit(&["peer", "set", "phone", "--collections", "papers"]);
    assert_eq!(agent.total("xylophone"), 0);
}

#[test]
fn a_revoked_key_is_dead_and_never_returns() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    let key = appliance.json(&["peer", "show", "phone"])["public_key"].as_str().unwrap().to_owned();
    appliance.adit(&["peer", "revoke", "phone"]);
    let answer = agent.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    for restart in [false, true] {
        if restart {
            appliance.stop();
            appliance.serve();
        }
        let said = appliance.refused(&["peer", "add", "other", "--public-key", &key], 7);
        assert!(said.contains("revoked"), "{said}");
    }
}

#[test]
fn without_a_daemon_the_same_commands_change_the_same_files() {
    let mut appliance = Appliance::new();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    appliance.adit(&["peer", "set", "phone", "--collections", "private"]);
    appliance.device("old", &[]);
    appliance.adit(&["peer", "revoke", "old"]);
    appliance.serve();
    let mut agent = appliance.agent(&conf);
    assert_eq!((agent.total("xylophone"), agent.total("kettle")), (1, 0));
    let names = appliance.json(&["peer", "list"]);
    assert_eq!(names["peers"].as_array().unwrap().len(), 1, "{names}");
}

#[test]
fn status_shows_who_is_connected() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let quiet = appliance.json(&["status"]);
    assert!(quiet["peers"][0]["latest_handshake_seconds"].is_null(), "{quiet}");
    appliance.agent(&conf).total("kettle");
    let status = wait_until("a handshake shows", || {
        let status = appliance.json(&["status"]);
        status["peers"][0]["latest_handshake_seconds"].is_u64().then_some(status)
    });
    assert!(status["peers"][0]["received_bytes"].as_u64() > Some(0), "{status}");
    assert!(appliance.adit(&["status"]).contains("phone"));
}

#[test]
fn what_is_wrong_with_a_device_is_said() {
    let appliance = Appliance::new();
    appliance.device("phone", &[]);
    for (arguments, code, word) in [
        (&["peer", "add", "phone"][..], 7, "exists"),
        (&["peer", "add", "tab let"], 2, "name"),
        (&["peer", "add", "tablet", "--collections", "nowhere"], 6, "nowhere"),
        (&["peer", "add", "tablet", "--public-key", "short"], 2, "key"),
        (&["peer", "show", "nobody"], 6, "nobody"),
        (&["peer", "revoke", "nobody"], 6, "nobody"),
        (&["peer", "set", "nobody", "--collections", "papers"], 6, "nobody"),
    ] {
        let said = appliance.refused(arguments, code);
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}
