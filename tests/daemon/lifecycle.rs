//! Start, stop, reload, restart, background.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use crate::appliance::{Appliance, wait_until};

#[test]
fn a_clean_stop_leaves_nothing_behind() {
    let mut appliance = Appliance::serving();
    assert!(appliance.path("state/control.sock").exists());
    appliance.stop();
    assert!(!appliance.path("state/control.sock").exists());
    assert!(appliance.refused(&["status"], 4).contains("not running"));
}

#[test]
fn a_killed_daemon_is_followed_by_another() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut daemon = appliance.daemon.take().unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    appliance.serve();
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
}

#[test]
fn a_second_daemon_is_refused() {
    let appliance = Appliance::serving();
    let said = appliance.refused(&["serve"], 1);
    assert!(said.contains("in use"), "{said}");
    // And the first one has not noticed.
    appliance.json(&["status"]);
}

#[test]
fn a_reload_keeps_tunnels_and_a_bad_file_keeps_the_running_configuration() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);

    let good = fs::read_to_string(appliance.config()).unwrap();
    fs::write(appliance.config(), format!("{good}\n[mcp]\nanswer_tokens = \"many\"\n")).unwrap();
    let said = appliance.refused(&["reload"], 78);
    assert!(said.contains("answer_tokens"), "{said}");
    assert_eq!(agent.total("kettle"), 1);

    fs::write(appliance.config(), format!("{good}\n[page]\nenabled = false\n")).unwrap();
    appliance.adit(&["reload"]);
    assert_eq!(agent.total("kettle"), 1);
}

#[test]
fn the_background_daemon_returns_once_it_serves() {
    let appliance = Appliance::new();
    let pid_file = appliance.path("adit.pid").display().to_string();
    appliance.adit(&["serve", "--daemonize", "--pid-file", &pid_file]);
    // No waiting: it serves already.
    let status = appliance.json(&["status"]);
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    assert_eq!(status["pid"].to_string(), pid);
    // A second one says why it does not serve, with the daemon's own words.
    let said = appliance.refused(&["serve", "--daemonize"], 1);
    assert!(said.contains("in use"), "{said}");
    appliance.adit(&["stop"]);
    wait_until("the daemon has ended", || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
}

/// A user that every machine has, without a file of its own.
const NOBODY: u32 = 65534;

#[test]
fn root_becomes_the_owner_of_the_state_and_serves_what_that_user_can_read() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let mut appliance = Appliance::new();
    let mode = |path: &str, mode| fs::set_permissions(appliance.path(path), Permissions::from_mode(mode)).unwrap();
    mode("", 0o755);
    mode("papers", 0o755);
    mode("private", 0o700);
    fs::create_dir_all(appliance.path("state")).unwrap();
    for path in [appliance.path("state")].iter().chain(&below(&appliance.path("state"))) {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let log = fs::File::create(appliance.path("log")).unwrap();
    let pid_file = appliance.path("adit.pid").display().to_string();
    appliance.daemon = Some(appliance.command(&["serve", "--pid-file", &pid_file]).stderr(log).spawn().unwrap());
    let status = wait_until("it serves what it can read", || {
        let status = appliance.try_adit(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
        (status["index"]["documents"] == 2 && status["index"]["pending"] == 0).then_some(status)
    });
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("private cannot be read"), "{warnings}");
    assert_eq!(fs::metadata(format!("/proc/{}/task", status["pid"])).unwrap().uid(), NOBODY, "{status}");
    assert_eq!(fs::read_to_string(&pid_file).unwrap().trim(), status["pid"].to_string());
    appliance.stop();
    assert!(!std::path::Path::new(&pid_file).exists(), "root removes what the daemon, without rights, cannot");
}

fn below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { [vec![path.clone()], below(&path)].concat() } else { vec![path] })
        .collect()
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_sound_appliance_and_names_the_remedy_where_something_is() {
    let mut appliance = Appliance::serving();
    let report = appliance.json(&["doctor"]);
    assert_eq!(report["healthy"], true, "{report}");
    let of = |report: &serde_json::Value, check: &str| {
        let findings = report["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("{check}: {report}"))
    };
    for check in ["configuration", "server key", "state", "disk", "clock", "watching", "daemon", "index"] {
        assert_eq!(of(&report, check)["verdict"], "well", "{report}");
    }
    assert_eq!(of(&report, "endpoint")["verdict"], "warning", "devices cannot dial 127.0.0.1");
    appliance.refused(&["doctor", "--production"], 1);

    let key = appliance.path("keys/server.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    fs::rename(appliance.path("private"), appliance.path("elsewhere")).unwrap();
    let output = appliance.try_adit(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let key = of(&report, "server key");
    assert!(key["verdict"] == "failed" && key["said"].as_str().unwrap().contains("chmod"), "{key}");
    fs::rename(appliance.path("elsewhere"), appliance.path("private")).unwrap();
    appliance.stop();
    assert!(
        of(&serde_json::from_slice(&appliance.try_adit(&["doctor", "--json"]).stdout).unwrap(), "daemon")["said"]
            .as_str()
            .unwrap()
            .contains("not running")
    );
}

#[test]
fn a_doctor_tries_the_tunnel_as_a_device_that_nobody_finds_afterwards() {
    let appliance = Appliance::serving();
    let list = || fs::read_to_string(appliance.path("state/peers.toml")).unwrap_or_default();
    let before = list();
    let verdict = || {
        let said = appliance.try_adit(&["doctor", "--json"]).stdout;
        let report: serde_json::Value = serde_json::from_slice(&said).unwrap();
        let mut findings = report["findings"].as_array().unwrap().clone();
        findings.retain(|finding| finding["check"] == "trial");
        let [trial] = findings.as_slice() else { panic!("{report}") };
        (trial["verdict"].as_str().unwrap().to_owned(), trial["said"].as_str().unwrap().to_owned())
    };
    // The second has the address that the first has left.
    for _ in 0..2 {
        let (verdict, said) = verdict();
        assert_eq!(verdict, "well", "{said}");
        assert!(said.contains("searched over loopback"), "{said}");
    }
    assert_eq!(list(), before, "nothing was written down");
    assert_eq!(appliance.json(&["peer", "list"])["peers"], serde_json::json!([]));
    let records = appliance.json(&["audit", "--peer", "adit-doctor"])["records"].clone();
    let searches = records.as_array().unwrap().iter().filter(|record| record["query"] == "adit doctor").count();
    assert_eq!(searches, 2, "and both searches are on record: {records}");
    assert!(appliance.refused(&["peer", "add", "adit-doctor"], 2).contains("audit log"));

    appliance.adit(&["lockdown"]);
    let (verdict, said) = verdict();
    assert_eq!((verdict.as_str(), said.contains("locked out")), ("warning", true), "{said}");
}

#[test]
fn a_doctor_at_the_devices_end_says_what_the_server_lets_it_do_or_why_there_is_none() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("laptop", &[]).display().to_string();
    let said = appliance.adit(&["doctor", &conf]);
    assert!(said.contains("this device may use") && said.contains("search"), "{said}");
    appliance.adit(&["peer", "revoke", "laptop"]);
    let output = appliance.try_adit(&["doctor", &conf]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("no handshake answer"), "{said}");
    appliance.stop();
    let said = String::from_utf8(appliance.try_adit(&["doctor", "adit.toml"]).stdout).unwrap();
    assert!(said.contains("FAIL") && said.contains("adit.toml"), "{said}");
}

#[test]
fn a_check_says_whether_it_is_well_and_a_watch_goes_on() {
    let mut appliance = Appliance::serving();
    assert_eq!(appliance.adit(&["status", "--check"]), "well\n");
    assert_eq!(appliance.json(&["status", "--check"])["healthy"], true);
    assert!(appliance.adit(&["status", "--wakeups"]).contains("WireGuard's timers"));

    let mut watch = appliance.command(&["status", "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!((&first["version"], first["peers"].as_array().map(Vec::len)), (&1.into(), Some(0)));
    appliance.device("phone", &[]);
    wait_until("the watcher sees the device", || (next()["peers"][0]["name"] == "phone").then_some(()));
    appliance.stop();
    assert_eq!(watch.wait().unwrap().code(), Some(1), "there is nothing left to watch");
    appliance.refused(&["status", "--check"], 4);
}

#[test]
fn a_check_names_what_fails() {
    let mut appliance = Appliance::new();
    let config = fs::read_to_string(appliance.config()).unwrap();
    fs::write(appliance.config(), format!("{config}\n[audit]\non_error = \"refuse\"\n")).unwrap();
    appliance.serve();
    assert_eq!(appliance.adit(&["status", "--check"]), "well\n");
    // A folder stands where the log is to be written.
    let audit = appliance.path("state/audit.jsonl");
    appliance.stop();
    let _ = fs::remove_file(&audit);
    fs::create_dir_all(&audit).unwrap();
    appliance.serve();
    let output = appliance.try_adit(&["status", "--check"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("calls are refused"), "{said}");
}
