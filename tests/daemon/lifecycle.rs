//! Start, stop, reload, restart, background.

use std::fs;

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
