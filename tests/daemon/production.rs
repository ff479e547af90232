//! The page for whoever relies on it, drilled: every command of `docs/production.md`, as it stands there. And the table of protections: that
//! the tests it names are tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::appliance::Appliance;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// What the doctor cannot like about a test: devices cannot dial this machine from elsewhere, and not every machine's kernel confines.
const OF_THE_TEST: [&str; 4] = ["endpoint", "sandbox", "MTU", "tunnel"];

fn check_verdict(appliance: &Appliance) {
    let output = appliance.try_adit(&["doctor", "--production", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let trial = findings.iter().find(|finding| finding["check"] == "trial").expect("it tries the tunnel");
    assert_eq!(trial["verdict"], "well", "{report}");
    let mut bad = findings.iter().filter(|finding| finding["verdict"] != "well");
    let is_known = |finding: &Value| {
        let is_daemons = finding["check"] == "daemon" && finding["said"].as_str().unwrap().contains("landlock");
        OF_THE_TEST.contains(&finding["check"].as_str().unwrap()) || is_daemons
    };
    assert!(bad.all(is_known), "{report}");
}

#[test]
fn every_command_of_the_production_page_does_what_it_says() {
    let page = page("production.md");
    let commands: Vec<Vec<&str>> =
        page.lines().filter_map(|line| line.strip_prefix("$ adit ")).map(|line| line.split(' ').collect()).collect();
    assert!(commands.len() > 18, "{commands:?}");
    let mut appliance = Appliance::serving();
    for command in &commands {
        let words = command.join(" ");
        if words == "doctor --production" {
            check_verdict(&appliance);
            continue;
        }
        let said = appliance.adit(command);
        let shows = |expected: &str| assert!(said.contains(expected), "{words}: {expected:?} is not in {said}");
        match words.as_str() {
            "config show" => shows("on_error = \"serve\""),
            "peer list" => ["laptop", "office"].into_iter().for_each(shows),
            "peer explain laptop papers/kettle.md" => shows("\"papers\" admits it"),
            "peer explain laptop private/diary.md" => assert!(!said.contains("admits it"), "{said}"),
            "metrics" => shows("adit_peer_served{peer=\"monitor\"} 1"),
            "audit --since 7d -n 0" => shows("peer added"),
            "lockdown --except laptop" => {
                assert_eq!(appliance.agent(&appliance.path("laptop.conf")).total("kettle"), 1);
                let mut monitor = appliance.agent(&appliance.path("monitor.conf"));
                assert!(monitor.ask("tools/list", json!({})).get("error").is_some());
            }
            "server-key rotate --overlap 7d" => {
                // `systemctl restart adit` is the line after it.
                appliance.stop();
                appliance.serve();
                let mut monitor = appliance.agent(&appliance.path("monitor.conf"));
                let tools = &monitor.ask("tools/list", json!({}))["result"]["tools"];
                assert_eq!(tools, &json!([]), "it sees figures and no document");
                assert!(appliance.adit(&["status"]).contains("used by monitor"));
            }
            "server-key forget" => {
                let mut monitor = appliance.agent(&appliance.path("monitor.conf"));
                assert!(monitor.ask("tools/list", json!({})).get("error").is_some());
            }
            _ => {}
        }
    }
}

#[test]
fn what_the_production_page_has_copied_brings_every_device_back() {
    let page = page("production.md");
    let mut appliance = Appliance::serving();
    let confs = ["laptop", "thief"].map(|name| appliance.device(name, &[]));
    appliance.adit(&["peer", "revoke", "thief"]);
    appliance.stop();
    let copied = ["adit.toml", "keys/server.key", "state/peers.toml"];
    let kept = copied.map(|file| {
        assert!(page.contains(&format!("`{}`", file.trim_start_matches("state/"))), "{file}");
        fs::read(appliance.path(file)).unwrap()
    });
    // Another machine: the documents are there, and what was copied.
    let mut successor = Appliance::new();
    fs::create_dir_all(successor.path("state")).unwrap();
    for (file, bytes) in copied.into_iter().zip(kept) {
        let text = String::from_utf8(bytes).unwrap();
        let here = successor.dir.path().display().to_string();
        fs::write(successor.path(file), text.replace(&appliance.dir.path().display().to_string(), &here)).unwrap();
    }
    successor.serve();
    let [laptop, thief] = confs;
    assert_eq!(successor.agent(&laptop).total("kettle"), 1);
    assert!(successor.agent(&thief).ask("tools/list", json!({})).get("error").is_some());
}

/// The names of all tests: of functions that bear the mark of one, and of what pytest takes for one.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let is_mark = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let marked = (0..lines.len()).filter(|at| is_mark(lines[*at]));
            let name = |at: usize| {
                let function = lines[at..].iter().find(|line| !line.starts_with("#["))?;
                let name = function.trim_start_matches("async ").strip_prefix("fn ")?;
                Some(name[..name.find('(')?].to_owned())
            };
            found.extend(marked.filter_map(name));
        } else if path.extension().is_some_and(|it| it == "py") {
            let text = fs::read_to_string(&path).unwrap();
            let functions = text.lines().filter_map(|line| line.strip_prefix("def "));
            found.extend(
                functions.filter(|it| it.starts_with("test_")).filter_map(|it| Some(it[..it.find('(')?].to_owned())),
            );
        }
    }
}

#[test]
fn every_protection_in_the_table_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    ["src", "tests"].into_iter().for_each(|folder| tests_below(&root.join(folder), &mut tests));
    assert!(tests.len() > 300, "{}", tests.len());
    let page = page("protections.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 25);
    for row in rows {
        let [what, _, shown] = row.as_slice() else { panic!("{row:?} has not three columns") };
        let names: Vec<&str> = shown.split('`').filter(|name| !name.trim().is_empty()).collect();
        assert!(!names.is_empty(), "{what}: nothing shows it");
        for name in names {
            assert!(tests.contains(name), "{what}: there is no test {name}");
        }
    }
}
