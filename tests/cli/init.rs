use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::home::Home;

#[test]
fn init_writes_a_configuration_that_is_right_and_a_key_that_is_private() {
    let home = Home::new();
    let run = home.run(["init", "--documents", "papers=docs"]).succeeds();
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("a guess") && run.stderr.contains("51820"), "{}", run.stderr);
    assert_eq!((home.mode("adit/keys"), home.mode("adit/keys/server.key")), (0o700, 0o600));
    assert_eq!(home.mode("adit/adit.toml"), 0o644);
    assert!(home.read("adit/adit.toml").contains("name = \"papers\""));
    home.run(["config", "check"]).succeeds();
    let key = home.read("adit/keys/server.key");
    assert!(!run.stderr.contains(key.trim()));
}

#[test]
fn init_never_overwrites() {
    let home = Home::with_library();
    let before = (home.read("adit/adit.toml"), home.read("adit/keys/server.key"));
    home.run(["init", "--documents", "docs"]).fails_with(7, &["adit.toml exists"]);
    fs::remove_file(home.path("adit/adit.toml")).unwrap();
    home.run(["init", "--documents", "docs"]).fails_with(7, &["server.key exists"]);
    assert!(!home.exists("adit/adit.toml"));
    assert_eq!(home.read("adit/keys/server.key"), before.1);
}

#[test]
fn init_takes_what_it_is_told_of_the_network() {
    let home = Home::new();
    let network =
        ["--endpoint", "home.example.org", "--listen", "192.0.2.1:443", "--subnet", "10.20.0.0/16,fd00:1::/64"];
    let run = home.run(["init", "--documents", "docs"].iter().chain(&network)).succeeds();
    assert!(!run.stderr.contains("guess"), "{}", run.stderr);
    let text = home.run(["config", "show"]).succeeds().stdout;
    for line in [
        "endpoint = \"home.example.org:443\"",
        "listen = \"192.0.2.1:443\"",
        "tunnel = [\"10.20.0.1/16\", \"fd00:1::1/64\"]",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn two_appliances_have_different_networks_and_keys() {
    let (one, other) = (Home::with_library(), Home::with_library());
    assert_ne!(one.read("adit/keys/server.key"), other.read("adit/keys/server.key"));
    let tunnel =
        |home: &Home| home.read("adit/adit.toml").lines().find(|line| line.starts_with("tunnel")).map(str::to_owned);
    assert_ne!(tunnel(&one), tunnel(&other));
}

#[test]
fn what_init_cannot_use_is_said_and_nothing_is_made() {
    let home = Home::new();
    fs::write(home.path("file"), "").unwrap();
    let table: [(&[&str], i32, &str); 10] = [
        (&["--documents", "nowhere"], 1, "nowhere"),
        (&["--documents", "file"], 1, "file"),
        (&["--documents", "docs", "docs"], 78, "this is the folder"),
        (&["--documents", "a=docs", "a=."], 7, "\"a\" exists already"),
        (&["--documents", "."], 78, "private key"),
        (&["--documents", "docs", "--endpoint", "http://home"], 2, "HOST[:PORT]"),
        (&["--documents", "docs", "--listen", "51820"], 2, "--listen"),
        (&["--documents", "docs", "--subnet", "10.0.0.0/8"], 2, "/16"),
        (&["--documents", "docs", "--subnet", "10.1.0.0/16,10.2.0.0/16"], 2, "at most one"),
        (&[], 2, "--documents"),
    ];
    for (arguments, code, word) in table {
        home.run(["init"].iter().chain(arguments)).fails_with(code, &[word]);
        assert!(!home.exists("adit"), "{arguments:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    if nix::unistd::geteuid().is_root() {
        // Root writes anywhere: a file where the folder should be stands in for it.
        let home = Home::new();
        fs::write(home.path("adit"), "").unwrap();
        home.run(["init", "--documents", "docs"]).fails_with(1, &["adit"]);
        return;
    }
    let home = Home::new();
    fs::set_permissions(home.root(), fs::Permissions::from_mode(0o500)).unwrap();
    home.run(["init", "--documents", "docs"]).fails_with(1, &["adit"]);
    fs::set_permissions(home.root(), fs::Permissions::from_mode(0o700)).unwrap();
}
