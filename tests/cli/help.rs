use std::fs;
use std::path::Path;
use std::process::Command;

/// Every command that has a help text.
const COMMANDS: [&str; 40] = [
    "",
    "up",
    "init",
    "serve",
    "stop",
    "reload",
    "peer",
    "peer add",
    "peer list",
    "peer show",
    "peer set",
    "peer rename",
    "peer disable",
    "peer enable",
    "peer rotate",
    "peer revoke",
    "peer explain",
    "lockdown",
    "unlock",
    "server-key",
    "server-key rotate",
    "server-key forget",
    "status",
    "metrics",
    "index",
    "index status",
    "index failures",
    "index rebuild",
    "search",
    "why",
    "audit",
    "doctor",
    "bridge",
    "client-config",
    "config",
    "config check",
    "config show",
    "config path",
    "completions",
    "man",
];

fn help(command: &str, flag: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_adit"))
        .args(command.split_whitespace())
        .arg(flag)
        .env_remove("COLUMNS")
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{command} {flag}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_texts_are_as_blessed() {
    let bless = std::env::var_os("ADIT_BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help");
    for command in COMMANDS {
        let name = if command.is_empty() { "adit".to_owned() } else { command.replace(' ', "-") };
        let file = folder.join(format!("{name}.txt"));
        let text = format!("{}\n{}\n{}", help(command, "-h"), "-".repeat(100), help(command, "--help"));
        if bless {
            fs::write(&file, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{}", file.display());
    }
}

#[test]
fn every_command_has_its_help_under_test() {
    fn below(command: &str, found: &mut Vec<String>) {
        let text = help(command, "-h");
        let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        for verb in lines.filter_map(|line| line.split_whitespace().next()) {
            let command = format!("{command} {verb}").trim().to_owned();
            below(&command, found);
            found.push(command);
        }
    }
    let mut found = Vec::new();
    below("", &mut found);
    assert!(found.len() > 10);
    for command in found {
        assert!(COMMANDS.contains(&command.as_str()), "{command}");
    }
}

#[test]
fn a_flag_takes_one_line_in_short_help() {
    for command in COMMANDS {
        let text = help(command, "-h");
        let options = text.lines().skip_while(|line| *line != "Options:").skip(1);
        for line in options {
            assert!(line.trim_start().starts_with('-'), "{command}: {line:?} is a second line");
        }
    }
}

#[test]
fn the_version_is_the_packages() {
    let output = Command::new(env!("CARGO_BIN_EXE_adit")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), concat!("adit ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn shells_and_man_know_every_command() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_adit")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        for word in ["lockdown", "explain", "collections"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd"]).0, Some(2));
    assert!(run(&["man"]).1.contains("private library"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", dir.path().to_str().unwrap()]).0, Some(0));
    for command in COMMANDS {
        let page = dir.path().join(format!("{}.1", format!("adit {command}").trim().replace(' ', "-")));
        assert!(page.exists(), "{}", page.display());
    }
    assert_eq!(run(&["man", "/nowhere/at/all"]).0, Some(1));
}
