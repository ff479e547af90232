//! Each mistake has its message and its exit code, and nothing is lost by it.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::appliance::Appliance;

#[test]
fn a_bad_configuration_names_every_error_with_its_line() {
    let appliance = Appliance::new();
    let good = fs::read_to_string(appliance.config()).unwrap();
    fs::write(appliance.config(), format!("{good}\n[limits]\nconections = 3\nbody = \"1 parsec\"\n\n[pages]\n"))
        .unwrap();
    for arguments in [&["serve"][..], &["config", "check"]] {
        let said = appliance.refused(arguments, 78);
        for word in ["conections", "connections", "1 parsec", "pages"] {
            assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
        }
        assert_eq!(said.matches("adit.toml:").count(), 3, "{said}");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let appliance = Appliance::new();
    let key = appliance.path("keys/server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = appliance.refused(&["serve"], 1);
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn a_missing_or_malformed_key_is_named() {
    let appliance = Appliance::new();
    let key = appliance.path("keys/server.key");
    fs::write(&key, "not a key").unwrap();
    assert!(appliance.refused(&["serve"], 1).contains("server.key"));
    fs::remove_file(&key).unwrap();
    assert!(appliance.refused(&["serve"], 1).contains("server.key"));
}

#[test]
fn a_port_in_use_is_named() {
    let appliance = Appliance::new();
    let _holder = UdpSocket::bind(("127.0.0.1", appliance.port)).unwrap();
    let said = appliance.refused(&["serve"], 1);
    assert!(said.contains(&appliance.port.to_string()) && said.contains("in use"), "{said}");
}

#[test]
fn a_missing_folder_is_named() {
    let appliance = Appliance::new();
    fs::rename(appliance.path("papers"), appliance.path("elsewhere")).unwrap();
    let said = appliance.refused(&["serve"], 1);
    assert!(said.contains("papers") && said.contains("mount"), "{said}");
}

#[test]
fn a_second_init_overwrites_nothing() {
    let appliance = Appliance::new();
    let (config, key) = (fs::read(appliance.config()).unwrap(), fs::read(appliance.path("keys/server.key")).unwrap());
    let papers = appliance.path("papers").display().to_string();
    appliance.refused(&["init", "--documents", &papers], 7);
    assert_eq!(fs::read(appliance.config()).unwrap(), config);
    assert_eq!(fs::read(appliance.path("keys/server.key")).unwrap(), key);
}

#[test]
fn malformed_messages_are_answered_and_the_next_one_is_served() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    for (line, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("17", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"no/such/method"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm","arguments":{}}}"#, -32602),
    ] {
        let answer = agent.say(line);
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
    }
    let wrong = agent.ask("tools/call", json!({"name": "search", "arguments": {"query": "kettle", "limit": 51}}));
    assert_eq!(wrong["result"]["isError"], Value::Bool(true), "{wrong}");
    assert!(wrong["result"]["content"][0]["text"].as_str().unwrap().contains("limit"), "{wrong}");
    assert_eq!(agent.total("kettle"), 1);
}
