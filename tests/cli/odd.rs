use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::home::Home;

#[test]
fn without_a_daemon_its_verbs_say_how_to_start_it() {
    let home = Home::with_library();
    for command in [["status"].as_slice(), &["status", "--json"], &["stop"], &["reload"], &["index", "rebuild"]] {
        home.run(command).fails_with(4, &["not running", "adit serve --config", "adit.toml"]);
    }
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    let home = Home::with_library();
    let table: [&[&str]; 8] = [
        &[],
        &["frobnicate"],
        &["peer"],
        &["peer", "add"],
        &["peer", "add", "no name"],
        &["peer", "add", "phone", "--keepalive", "0"],
        &["search", "x", "-n", "51"],
        &["bridge", "x.conf", "--listen", "0.0.0.0:80"],
    ];
    for arguments in table {
        let run = home.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(!run.stderr.is_empty() && !run.stderr.contains("panicked"), "{}", run.stderr);
    }
}

#[test]
fn a_word_to_leave_out_is_searched_for_and_help_is_help() {
    let home = Home::with_library();
    let found = |words: &[&str]| {
        let run = home.run([&["search", "--json"], words].concat()).succeeds();
        serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()["total"].clone()
    };
    for words in [["pump", "-heat"].as_slice(), &["-heat", "pump"], &["--", "pump", "-heat"]] {
        assert_eq!(found(words), 0, "{words:?}");
    }
    assert!(home.run(["search", "pump", "-h"]).succeeds().stdout.contains("Usage:"));
}

#[test]
fn an_argument_that_is_no_text_is_refused_and_a_path_that_is_none_is_taken() {
    let home = Home::with_library();
    let odd = OsStr::from_bytes(b"\xff\xfe");
    assert_eq!(home.run([OsStr::new("peer"), OsStr::new("show"), odd]).code, 2);
    assert_eq!(home.run([OsStr::new("search"), odd]).code, 2);
    assert_eq!(home.run([OsStr::new("bridge"), odd]).code, 1, "there is no such file");
    std::fs::create_dir(home.path("x").with_file_name(odd)).unwrap();
    let run = home.run([OsStr::new("up"), odd]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("cannot be written into a text file"), "{}", run.stderr);
}

#[test]
fn whoever_stops_reading_is_not_complained_about() {
    let home = Home::with_library();
    for arguments in [["config", "show"].as_slice(), &["config", "show", "--reference"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            home.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && !said.contains("pipe") && !said.contains("panicked"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_configuration_that_nobody_saw_is_no_success() {
    let home = Home::with_library();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = home
        .command(["peer", "add", "phone"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("adit peer revoke phone"));
}

#[test]
fn a_full_disk_behind_stdout_is_a_failure() {
    let home = Home::with_library();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        home.command(["config", "show"]).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    assert_eq!(output.unwrap().status.code(), Some(1));
}

#[test]
fn what_no_terminal_shows_has_no_colours() {
    let home = Home::with_library();
    home.run(["peer", "add", "phone"]).succeeds();
    for arguments in [["peer", "list"].as_slice(), &["peer", "show", "phone"], &["config", "show"]] {
        assert!(!home.run(arguments).succeeds().stdout.contains('\x1b'), "{arguments:?}");
    }
}

#[test]
fn a_library_that_exists_is_not_changed_by_what_up_is_told_of_the_network() {
    let home = Home::with_library();
    home.run(["up", "--endpoint", "elsewhere.example.org"]).fails_with(2, &["adit.toml"]);
    assert!(!home.read("adit/adit.toml").contains("elsewhere"));
    Home::new().run(["up"]).fails_with(2, &["adit up DIR"]);
}
