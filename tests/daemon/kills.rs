//! The daemon killed at moments of nobody's choosing while it indexes: the index opens, nothing that was committed is lost, no document is
//! half there, and the next one goes on where it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use adit::config::Config;
use adit::control::owner_scope;
use adit::search::{Collection, Library, LibraryConfig, ReadRequest};
use nix::sys::signal::Signal;

use crate::appliance::{Appliance, wait_until};

/// How often it is killed; `ADIT_KILLS` says another number.
const KILLS: usize = 12;

/// Documents at the beginning, and changes between two kills: more than it reads in that time.
const DOCUMENTS: u64 = 300;
const CHANGES: u64 = 60;

/// How long it lives, in milliseconds at most: from before it is ready to after some commits.
const LIFE_MILLIS: u64 = 2_500;

/// Versions of the documents by their numbers.
type State = BTreeMap<u64, u64>;

/// A small generator, the same on every machine (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn text(document: u64, version: u64) -> String {
    let paragraph =
        |n| format!("paragraph {n} of document {document}, version {version}: lighthouses and their keepers\n\n");
    (0..1 + (document * 7 + version) % 120).map(paragraph).collect()
}

/// What the index in the state folder holds, read while nobody writes it. Panics where a document is not whole.
fn committed(appliance: &Appliance) -> State {
    let config = Config::load(&appliance.config()).unwrap();
    let of = |it: &adit::config::CollectionConfig| Collection { name: it.name.clone(), root: it.path.clone() };
    let library = Library::open(LibraryConfig {
        index_dir: config.server.state_dir.join("index"),
        collections: config.collections.iter().map(of).collect(),
        memory: 30 << 20,
        threads: 1,
    })
    .expect("the index opens");
    let name = "papers".parse().unwrap();
    assert_eq!(library.begun_anew(&name), None, "nothing is moved aside");
    let known = library.files(&name).unwrap();
    let mut state = State::new();
    for (path, known) in known.iter() {
        let Some(document) = path.strip_prefix("many/").and_then(|name| name.strip_suffix(".txt")) else { continue };
        assert!(!known.failed, "{path} was no fault of anybody's: {:?}", library.failures(&owner_scope()));
        let request = ReadRequest { id: format!("papers/{path}"), limit: 200_000, ..ReadRequest::default() };
        let reading = library.read(&owner_scope(), &request).unwrap();
        let version = reading.text.split("version ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
        let (document, version) = (document.parse().unwrap(), version.parse().unwrap());
        assert_eq!(reading.text, text(document, version), "{path} is whole");
        state.insert(document, version);
    }
    state
}

#[test]
fn a_daemon_killed_at_any_moment_loses_nothing_that_was_committed_and_goes_on() {
    let kills = std::env::var("ADIT_KILLS").map_or(KILLS, |number| number.parse().expect("ADIT_KILLS is a number"));
    let mut appliance = Appliance::new();
    let (mut chance, mut version) = (Chance(0x51ca), 0);
    let (mut there, mut before, mut seen_before_a_kill) = (State::new(), State::new(), 0);
    for kill in 0..kills {
        let changes = if kill == 0 { DOCUMENTS } else { CHANGES };
        for number in 0..changes {
            version += 1;
            let document = if kill == 0 { number } else { chance.below(DOCUMENTS + kill as u64 * 10) };
            appliance.write("papers", &format!("many/{document}.txt"), text(document, version));
            there.insert(document, version);
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(appliance.path("log")).unwrap();
        appliance.daemon = Some(appliance.command(&["serve"]).stderr(log).spawn().unwrap());
        std::thread::sleep(Duration::from_millis(chance.below(LIFE_MILLIS)));
        // What it says it has, it has committed.
        let status = appliance.try_adit(&["index", "status", "--json"]);
        let said: Option<serde_json::Value> =
            serde_json::from_slice(&status.stdout).ok().filter(|_| status.status.success());
        let mut daemon = appliance.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();

        let state = committed(&appliance);
        if let Some(said) = said.and_then(|said| said["collections"][0]["documents"].as_u64()) {
            // Besides them there are the two documents of every appliance.
            assert!(state.len() as u64 + 2 >= said, "kill {kill}: it said {said}, and there are {}", state.len());
            seen_before_a_kill += u64::from(said > 0);
        }
        for (document, version) in &before {
            let now = state.get(document);
            assert!(now >= Some(version), "kill {kill}: document {document} was at {version}, and is at {now:?}");
        }
        assert!(state.iter().all(|(document, version)| there[document] >= *version));
        before = state;
    }
    println!("{kills} kills, {} documents of {} were committed before the last", before.len(), there.len());
    assert!(seen_before_a_kill > 0, "it was never asked before it was killed");
    appliance.serve();
    wait_until("everything is indexed", || {
        let status = appliance.json(&["index", "status"]);
        let is_whole = status["pending"] == 0 && status["documents"].as_u64() == Some(there.len() as u64 + 3);
        (is_whole && status["activity"] == "").then_some(())
    });
    appliance.stop();
    assert_eq!(committed(&appliance), there);
}

/// A mapped file that ends before its time ends whoever reads it. The service manager starts the daemon again.
#[test]
fn a_daemon_that_fell_over_an_index_cut_short_builds_it_again_when_it_is_started_again() {
    let mut appliance = Appliance::serving();
    let before = appliance.json(&["search", "quince"]);
    assert_eq!(before["total"], 1);
    let files = fs::read_dir(appliance.path("state/index/papers")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.file_stem().is_some_and(|stem| stem.len() == 32)) {
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(0).unwrap();
    }
    let _ = appliance.try_adit(&["search", "quince"]);
    let mut daemon = appliance.daemon.take().unwrap();
    let ended = wait_until("the daemon has fallen", || daemon.try_wait().unwrap());
    assert_eq!(ended.signal(), Some(Signal::SIGBUS as i32), "{ended}");
    appliance.serve();
    assert_eq!(appliance.json(&["search", "quince"])["total"], 1);
    let warnings = appliance.json(&["status"])["warnings"].to_string();
    assert!(!warnings.contains("papers"), "it is whole again: {warnings}");
    assert!(appliance.path("state/index/papers.damaged-1").exists());
}
