use std::fs;

use crate::home::Home;

#[test]
fn a_wrong_file_gets_every_error_with_its_line_and_exit_code_78() {
    let home = Home::with_library();
    let good = home.read("adit/adit.toml");
    fs::write(home.path("adit/adit.toml"), format!("{good}\n[server2]\n[index]\nthreads = 0\n")).unwrap();
    for command in [["config", "check"].as_slice(), &["config", "show"], &["serve"], &["peer", "list"], &["reload"]] {
        let run = home.run(command);
        run.fails_with(78, &["unknown section [server2]; did you mean [server]?", "threads in [index]: expected"]);
        assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
    }
}

#[test]
fn without_a_file_the_way_to_one_is_said() {
    let home = Home::new();
    for command in [["config", "check"].as_slice(), &["serve"], &["peer", "list"], &["status"], &["search", "x"]] {
        home.run(command).fails_with(78, &["adit.toml does not exist", "adit up DIR"]);
    }
    home.run(["config", "path"]).succeeds();
}

#[test]
fn what_is_shown_can_be_the_file() {
    let home = Home::with_library();
    let shown = home.run(["config", "show"]).succeeds().stdout;
    fs::write(home.path("adit/adit.toml"), &shown).unwrap();
    assert_eq!(home.run(["config", "show"]).succeeds().stdout, shown);
}

#[test]
fn the_reference_is_shown_without_a_file() {
    let text = Home::new().run(["config", "show", "--reference"]).succeeds().stdout;
    assert!(text.contains("[limits.total]"), "{text}");
}

#[test]
fn the_path_is_the_one_that_is_used() {
    let home = Home::new();
    let path = home.run(["config", "path"]).succeeds().stdout;
    assert_eq!(path, format!("{}\n", home.path("adit/adit.toml").display()));
}

#[test]
fn a_missing_folder_is_noted_and_no_error_of_the_file() {
    let home = Home::with_library();
    fs::rename(home.path("docs"), home.path("elsewhere")).unwrap();
    let run = home.run(["config", "check"]).succeeds();
    assert!(run.stderr.contains("docs") && run.stderr.contains("not there"), "{}", run.stderr);
    assert!(run.stderr.trim_end().ends_with("is right, with 1 warning"), "{}", run.stderr);
}

#[test]
fn what_is_shown_and_checked_is_there_as_json() {
    let home = Home::with_library();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let shown = json(&home.run(["config", "show", "--json"]).succeeds().stdout);
    assert_eq!((&shown["version"], &shown["collection"][0]["name"]), (&1.into(), &"docs".into()), "{shown}");
    let checked = json(&home.run(["config", "check", "--json"]).succeeds().stdout);
    assert_eq!((&checked["valid"], checked["warnings"].as_array().unwrap().len()), (&true.into(), 0), "{checked}");
    fs::write(home.path("adit/adit.toml"), "[serve]\n").unwrap();
    let run = home.run(["config", "check", "--json"]);
    let checked = json(&run.stdout);
    assert_eq!((run.code, &checked["valid"]), (78, &false.into()), "{checked}");
    assert!(checked["errors"].to_string().contains("unknown section [serve]"), "{checked}");
    home.run(["config", "show", "--json", "--reference"]).fails_with(2, &["--reference"]);
}
