use std::fs;
use std::os::unix::fs::PermissionsExt;

use adit::config::wireguard::DeviceConfig;
use serde_json::Value;

use crate::home::Home;

fn json(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["version"], 1);
    value
}

#[test]
fn a_device_gets_a_configuration_that_standard_clients_take() {
    let home = Home::with_library();
    let run = home.run(["peer", "add", "phone", "--conf", "-"]).succeeds();
    let device: DeviceConfig = run.stdout.parse().unwrap();
    assert_eq!(device.endpoint, "home.example.org:51820");
    assert_eq!((device.mtu, device.keepalive_secs, device.preshared_key.is_some()), (1280, None, true));
    assert_eq!((device.addresses.len(), device.server_addresses.len()), (2, 2));
    assert!(!run.stdout.contains("DNS") && !run.stdout.contains("Keepalive"), "{}", run.stdout);
    assert!(run.stderr.contains("sees docs; may search, read, browse, health"), "{}", run.stderr);
    let private_key = device.private_key.to_base64();
    assert!(!run.stderr.contains(private_key.as_str()));
    let kept = home.read("adit/state/peers.toml");
    assert!(kept.contains(&device.private_key.public().to_string()) && !kept.contains(private_key.as_str()));
    assert_eq!((home.mode("adit/state"), home.mode("adit/state/peers.toml")), (0o700, 0o600));
}

#[test]
fn what_a_device_needs_can_be_said() {
    let home = Home::with_library();
    let run = home.run([
        "peer",
        "add",
        "box",
        "--no-psk",
        "--keepalive",
        "25",
        "--collections",
        "*",
        "--scopes",
        "search,metrics",
    ]);
    let device: DeviceConfig = run.succeeds().stdout.parse().unwrap();
    assert_eq!((device.keepalive_secs, device.preshared_key.is_some()), (Some(25), false));
    let shown = json(&home.run(["peer", "show", "box", "--json"]).succeeds().stdout);
    assert_eq!((&shown["collections"][0], &shown["preshared_key"]), (&"*".into(), &false.into()));
    assert_eq!(shown["scopes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_device_keeps_its_own_key_to_itself() {
    let home = Home::with_library();
    let key = "QGqjFqHUyjLUGFbxGSKXkPBJyYkWNBYnfFsRTk7rVVE=";
    let run = home.run(["peer", "add", "laptop", "--public-key", key]).succeeds();
    assert!(
        run.stdout.contains("# PrivateKey = the device's own\n") && run.stdout.contains("PresharedKey = "),
        "{}",
        run.stdout
    );
    assert_eq!(json(&home.run(["peer", "show", "laptop", "--json"]).succeeds().stdout)["public_key"], key);
    home.run(["peer", "add", "again", "--public-key", key]).fails_with(7, &["laptop"]);
    home.run(["peer", "add", "x", "--public-key", "AAAA"]).fails_with(2, &["44 characters"]);
    home.run(["peer", "add", "x", "--public-key", key, "--qr"]).fails_with(2, &["--qr"]);
}

#[test]
fn a_configuration_goes_into_a_new_private_file() {
    let home = Home::with_library();
    let run = home.run(["peer", "add", "phone", "--conf", "phone.conf"]).succeeds();
    assert_eq!((run.stdout.as_str(), home.mode("phone.conf")), ("", 0o600));
    home.read("phone.conf").parse::<DeviceConfig>().unwrap();
    fs::write(home.path("mine.conf"), "precious").unwrap();
    home.run(["peer", "add", "tablet", "--conf", "mine.conf"]).fails_with(7, &["mine.conf exists"]);
    assert_eq!(home.read("mine.conf"), "precious");
    home.run(["peer", "add", "tablet", "--conf", "no/where.conf"]).fails_with(1, &["no/where.conf"]);
    let peers = json(&home.run(["peer", "list", "--json"]).succeeds().stdout);
    assert_eq!(peers["peers"].as_array().unwrap().len(), 1, "no device was made for a file that could not be written");
}

#[test]
fn a_file_claimed_for_nothing_is_gone_again() {
    let home = Home::with_library();
    home.run(["peer", "add", "phone"]).succeeds();
    home.run(["peer", "add", "phone", "--conf", "phone.conf"]).fails_with(7, &["phone"]);
    home.run(["peer", "add", "tablet", "--conf", "tablet.conf", "--collections", "none"])
        .fails_with(6, &["none", "docs"]);
    home.run(["peer", "add", "tablet", "--conf", "tablet.conf", "--scopes", "write"]).fails_with(2, &["write"]);
    assert!(!home.exists("phone.conf") && !home.exists("tablet.conf"));
}

#[test]
fn no_key_is_written_where_it_would_be_searchable() {
    let home = Home::with_library();
    for flag in ["--conf", "--png"] {
        home.run(["peer", "add", "phone", flag, "docs/phone"]).fails_with(1, &["docs", "private key"]);
    }
    assert!(!home.exists("docs/phone"));
}

#[test]
fn a_picture_of_the_code_holds_the_whole_configuration() {
    let home = Home::with_library();
    let run = home.run(["peer", "add", "phone", "--png", "phone.png", "--conf", "phone.conf"]).succeeds();
    assert_eq!((run.stdout.as_str(), home.mode("phone.png")), ("", 0o600));
    assert!(fs::read(home.path("phone.png")).unwrap().starts_with(b"\x89PNG"));
    let plain = home.run(["peer", "add", "tablet", "--qr"]).succeeds().stdout;
    assert!(!plain.contains('\x1b') && plain.contains('█'), "{plain}");
    assert!(plain.lines().count() <= 39 && plain.lines().all(|line| line.chars().count() <= 77));
}

#[test]
fn a_revoked_device_is_gone_and_its_key_never_returns() {
    let home = Home::with_library();
    home.run(["peer", "add", "phone"]).succeeds();
    let key = json(&home.run(["peer", "show", "phone", "--json"]).succeeds().stdout)["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    home.run(["peer", "revoke", "phone"]).succeeds();
    home.run(["peer", "show", "phone"]).fails_with(6, &["phone"]);
    home.run(["peer", "revoke", "phone"]).fails_with(6, &["phone"]);
    home.run(["peer", "add", "phone", "--public-key", &key]).fails_with(7, &["revoked"]);
    home.run(["peer", "add", "phone"]).succeeds();
}

#[test]
fn a_grant_changes_and_the_rest_stays() {
    let home = Home::with_library();
    home.run(["peer", "add", "phone"]).succeeds();
    let before = json(&home.run(["peer", "show", "phone", "--json"]).succeeds().stdout);
    home.run(["peer", "set", "phone", "--collections", "*"]).succeeds();
    let after = json(&home.run(["peer", "show", "phone", "--json"]).succeeds().stdout);
    assert_eq!(after["collections"][0], "*");
    for field in ["public_key", "addresses", "scopes", "created"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    let run = home.run(["peer", "set", "phone", "--collections", "docs,zzz*,!*"]).succeeds();
    assert!(run.stderr.contains("warning: \"zzz*\" matches no collection"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("warning").count(), 1, "{}", run.stderr);
    home.run(["peer", "set", "phone"]).fails_with(2, &["--collections"]);
    home.run(["peer", "set", "tablet", "--collections", "*"]).fails_with(6, &["tablet"]);
}

#[test]
fn devices_are_listed_in_order_of_name() {
    let home = Home::with_library();
    let run = home.run(["peer", "list"]).succeeds();
    assert!(run.stdout.is_empty() && run.stderr.contains("peer add"), "{}", run.stderr);
    for name in ["tablet", "phone"] {
        home.run(["peer", "add", name]).succeeds();
    }
    let text = home.run(["peer", "list"]).succeeds().stdout;
    let names: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["NAME", "phone", "tablet"]);
}

#[test]
fn a_server_key_that_others_can_read_makes_no_device() {
    let home = Home::with_library();
    fs::set_permissions(home.path("adit/keys/server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    home.run(["peer", "add", "phone", "--conf", "phone.conf"]).fails_with(1, &["chmod 600", "server.key"]);
    assert!(!home.exists("phone.conf") && !home.exists("adit/state/peers.toml"));
}

#[test]
fn without_the_servers_key_the_remedy_is_named() {
    let home = Home::with_library();
    fs::remove_file(home.path("adit/keys/server.key")).unwrap();
    for command in [["peer", "add", "phone"].as_slice(), &["serve"], &["up"]] {
        home.run(command).fails_with(1, &["server.key is not there", "backup"]);
    }
}
