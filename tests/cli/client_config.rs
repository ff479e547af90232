use std::fs;

use crate::home::Home;

const CLIENTS: [&str; 6] = ["claude-code", "claude-desktop", "cursor", "vscode", "codex", "gemini"];

#[test]
fn every_client_starts_a_bridge_with_whole_paths() {
    let home = Home::with_library();
    home.run(["peer", "add", "laptop", "--conf", "laptop.conf"]).succeeds();
    let conf = home.path("laptop.conf").canonicalize().unwrap();
    for client in CLIENTS {
        let run = home.run(["client-config", client, "--bridge", "laptop.conf"]).succeeds();
        assert!(run.stdout.contains(conf.to_str().unwrap()), "{}", run.stdout);
        assert!(run.stdout.contains(env!("CARGO_BIN_EXE_adit")), "{}", run.stdout);
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn the_address_is_this_machines_own_library_or_the_one_named() {
    let home = Home::with_library();
    let tunnel = home.read("adit/adit.toml");
    let address = tunnel.split("tunnel = [\"").nth(1).unwrap().split('/').next().unwrap();
    let run = home.run(["client-config", "cursor"]).succeeds();
    assert!(run.stdout.contains(&format!("http://{address}/mcp")), "{}", run.stdout);
    let run = Home::new().run(["client-config", "gemini", "--url", "http://10.1.2.1/mcp"]).succeeds();
    assert!(run.stdout.contains("http://10.1.2.1/mcp"), "{}", run.stdout);
}

#[test]
fn what_cannot_work_is_said() {
    let home = Home::new();
    home.run(["client-config", "cursor"]).fails_with(2, &["--bridge FILE.conf"]);
    home.run(["client-config", "claude-desktop", "--url", "http://10.1.2.1/mcp"]).fails_with(2, &["--bridge"]);
    home.run(["client-config", "cursor", "--bridge", "missing.conf"]).fails_with(1, &["missing.conf"]);
    fs::write(home.path("empty.conf"), "").unwrap();
    home.run(["client-config", "cursor", "--bridge", "empty.conf"]).fails_with(78, &["empty.conf"]);
    for url in ["10.1.2.1", "ftp://10.1.2.1/mcp", "http://", "http:///mcp", "http://10.1.2.1/a b"] {
        home.run(["client-config", "cursor", "--url", url]).fails_with(2, &["http://ADDRESS/mcp"]);
    }
    home.run(["client-config", "notepad"]).fails_with(2, &["claude-code", "vscode"]);
}
