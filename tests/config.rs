//! `adit.toml`: the reference file, round trips, and everything that can be wrong with one, in `tests/config/`.
//!
//! Each `NAME.toml` there stands beside `NAME.txt`, the errors it gets. `ADIT_BLESS=1 cargo test --test config` writes the latter anew:
//! read the difference before committing it.

#![cfg(feature = "server")]

use std::fs;
use std::path::Path;

use adit::config::{Config, Places, REFERENCE};

fn places() -> Places {
    Places::beside(Path::new("/srv/adit/adit.toml")).unwrap()
}

fn errors_of(text: &str) -> String {
    let errors = Config::parse(text, &places()).expect_err("this file is wrong");
    errors.iter().map(|error| format!("{}:{}: {}\n", error.line, error.column, error.message)).collect()
}

#[test]
fn every_wrong_file_gets_all_its_errors() {
    let bless = std::env::var_os("ADIT_BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let errors = errors_of(&fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("txt");
        if bless {
            fs::write(&expected, &errors).unwrap();
        }
        assert_eq!(errors, fs::read_to_string(&expected).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn the_reference_says_what_the_defaults_are() {
    let needed = "[server]\nendpoint = \"home.example.org:51820\"\ntunnel = [\"10.94.7.1/24\", \"fd7a:5c1e:90ab::1/64\"]\n\
                  [[collection]]\nname = \"documents\"\npath = \"/srv/documents\"\n";
    assert_eq!(Config::parse(REFERENCE, &places()), Config::parse(needed, &places()));
}

#[test]
fn what_is_shown_is_read_as_the_same() {
    let unusual = "version = 1\ncollection = [{ name = 'a', path = \"d o c \\\"s\\\"\", exclude = ['*.o', '!x'], hidden = true, max_file = 4096 }]\n\
                   index = { memory = 31457280, threads = 2, rescan = '90s', language = ['en', 'fra'] }\n\
                   limits.bytes_per_day = \"3 GiB\"\n\
                   [server]\nlisten = '192.0.2.1:443'\nendpoint = '[2001:db8::1]:443'\ntunnel = ['fd00::1/112']\nnames = ['library.home']\n\
                   dial = ['laptop=[2001:db8::2]:51820']\nkey_file = '/keys/k'\nstate_dir = '../state'\n\
                   [grant]\nscopes = []\n[mcp]\nrevisions = ['2026-07-28', '2025-03-26']\norigins = ['http://localhost:3000']\n\
                   [audit]\nqueries = 'hash'\non_error = 'refuse'\n[log]\nlevel = 'trace'\nformat = 'json'\n[page]\nenabled = false\n";
    for text in [REFERENCE, unusual] {
        let config = Config::parse(text, &places()).unwrap();
        assert_eq!(Config::parse(&config.to_toml(), &places()), Ok(config));
    }
}

#[test]
fn relative_paths_begin_at_the_file() {
    let config = Config::parse(REFERENCE, &places()).unwrap();
    assert_eq!(config.server.key_file, Path::new("/srv/adit/keys/server.key"));
    assert_eq!(config.server.state_dir, Path::new("/srv/adit/state"));
    assert_eq!(config.audit.file, Path::new("/srv/adit/state/audit.jsonl"));
}

#[test]
fn no_text_makes_the_reader_fall() {
    // Every prefix of a good file, and the file with each line left out.
    for end in (0..REFERENCE.len()).filter(|end| REFERENCE.is_char_boundary(*end)) {
        let _ = Config::parse(&REFERENCE[..end], &places());
    }
    let lines: Vec<_> = REFERENCE.lines().collect();
    for left_out in 0..lines.len() {
        let text: String = lines
            .iter()
            .enumerate()
            .filter(|(line, _)| *line != left_out)
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        let _ = Config::parse(&text, &places());
    }
}

proptest::proptest! {
    #[test]
    fn nor_does_what_somebody_typed_into_a_good_file(
        at in 0..REFERENCE.len(), left_out in 0..40usize, typed in "[-\\[\\]{}=\"'.,#a-z0-9 \n\u{e9}]{0,20}"
    ) {
        let (start, end) = (REFERENCE.floor_char_boundary(at), REFERENCE.floor_char_boundary(at + left_out));
        let text = format!("{}{typed}{}", &REFERENCE[..start], &REFERENCE[end..]);
        if let Err(errors) = Config::parse(&text, &places()) {
            let lines = text.split('\n').count();
            proptest::prop_assert!(!errors.is_empty() && errors.iter().all(|it| it.line <= lines && it.column > 0), "{errors:?}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("adit.toml");
    let message = Config::load(&missing).unwrap_err().to_string();
    assert!(message.starts_with(&missing.display().to_string()), "{message}");
    fs::write(&missing, [0xff, 0xfe]).unwrap();
    assert!(Config::load(&missing).unwrap_err().to_string().contains("UTF-8"));
    let endless = Config::load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(endless.contains("larger than 1 MiB"), "{endless}");
    fs::write(&missing, "[server\n").unwrap();
    let message = Config::load(&missing).unwrap_err().to_string();
    assert!(message.starts_with(&format!("{}:1:8: ", missing.display())), "{message}");
}
