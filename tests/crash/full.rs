//! A small disk: full, read-only, and well again. It is mounted in a mount namespace of its own, by a copy of this program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use adit::config::Config;
use adit::control::owner_scope;
use adit::daemon::indexing::{Indexer, Patience, Progress};
use adit::daemon::workers::PoolConfig;
use adit::search::{Library, SearchRequest};

/// The variable that tells a copy of this program what to do.
const CHILD: &str = "ADIT_SMALL_DISK";

/// Long enough for a loaded machine; nothing waits so long when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a part of this test on a small disk of its own.
fn on_a_small_disk(part: &str) {
    let dir = tempfile::tempdir().unwrap();
    let namespaces = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let script =
        "mount -t tmpfs -o size=6m tmpfs \"$1\" && exec \"$2\" --exact crash::full::inside --ignored --nocapture";
    let output = Command::new("unshare")
        .args([namespaces, "sh", "-c", script, "sh"])
        .args([dir.path().as_os_str(), std::env::current_exe().unwrap().as_os_str()])
        .env(CHILD, format!("{part} {}", dir.path().display()))
        .output()
        .expect("unshare, of util-linux, is on every machine");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_full_disk_keeps_what_was_found_says_so_and_is_written_again_when_there_is_room() {
    on_a_small_disk("full");
}

#[test]
fn a_read_only_disk_keeps_what_was_found_says_so_and_is_written_again_later() {
    on_a_small_disk("read-only");
}

/// The process with the small disk; without its variable, nothing.
#[test]
#[ignore = "it is the process with the small disk: the other tests here run it"]
fn inside() {
    let Ok(with) = std::env::var(CHILD) else { return };
    let (part, disk) = with.split_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::on(Path::new(disk)).await;
        match part {
            "full" => world.is_filled().await,
            _ => world.is_read_only().await,
        }
    });
}

struct World {
    disk: PathBuf,
    documents: tempfile::TempDir,
    library: Arc<Library>,
    indexer: Indexer,
}

impl World {
    /// The index on the small disk, the documents elsewhere.
    async fn on(disk: &Path) -> World {
        let documents = tempfile::tempdir().unwrap();
        fs::write(documents.path().join("first.txt"), "quince").unwrap();
        let toml = format!(
            "version = 1\n[server]\nendpoint = \"192.0.2.1:51820\"\ntunnel = [\"10.94.7.1/24\"]\nstate_dir = \"state\"\n\
             [[collection]]\nname = \"notes\"\npath = {:?}\n[index]\nrescan = \"1h\"\nmemory = \"30 MiB\"\n",
            documents.path(),
        );
        fs::create_dir_all(disk.join("state")).unwrap();
        fs::write(disk.join("adit.toml"), toml).unwrap();
        let config = Config::load(&disk.join("adit.toml")).unwrap();
        let library = Arc::new(super::script::open_over(&disk.join("state"), documents.path()).unwrap());
        let pool = PoolConfig {
            program: env!("CARGO_BIN_EXE_adit").into(),
            workers: 2,
            memory: 512 << 20,
            timeout: Duration::from_secs(30),
        };
        let short = Duration::from_millis(100);
        let patience =
            Patience { strikes: [short, short], changed: short, trouble: short, away: short, longest: 10 * short };
        let indexer = Indexer::start_with(&config, Arc::clone(&library), pool, patience);
        let world = World { disk: disk.to_owned(), documents, library, indexer };
        world.until("the first document is found", |world| world.finds("quince", "first.txt")).await;
        let mut progress = world.indexer.subscribe();
        progress.wait_for(Progress::is_idle).await.unwrap();
        world
    }

    fn finds(&self, word: &str, path: &str) -> bool {
        let request = SearchRequest { query: word.into(), limit: 10, snippet_budget: 500, ..SearchRequest::default() };
        let answer = self.library.search(&owner_scope(), &request).expect("search goes on");
        answer.results.iter().any(|hit| hit.path == path)
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&World) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            let warnings = self.indexer.warnings();
            assert!(tokio::time::Instant::now() < deadline, "never: {what}; it says {warnings:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn warns(&self, of: &str) -> bool {
        self.indexer.warnings().iter().any(|warning| warning.contains(of))
    }

    async fn is_filled(&self) {
        let ballast = self.disk.join("ballast");
        for round in 0..3 {
            // All but a little, so that writing ends somewhere on the way.
            let free = free_bytes(&self.disk);
            fs::write(&ballast, vec![1; free.saturating_sub(round * 40_000) as usize]).unwrap();
            let word = format!("medlar{round}");
            // Words that are hard to compress.
            let text: String =
                (0..20_000u64).map(|n| format!("{:x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
            fs::write(self.documents.path().join(format!("{round}.txt")), format!("{word} {text}")).unwrap();
            self.until("it says that the disk is full", |world| world.warns("the disk is full: make room on it")).await;
            assert!(self.finds("quince", "first.txt"));
            assert!(!self.finds(&word, &format!("{round}.txt")));
            fs::remove_file(&ballast).unwrap();
            self.until("it is found", |world| world.finds(&word, &format!("{round}.txt"))).await;
            self.until("it says nothing more", |world| world.indexer.warnings().is_empty()).await;
            fs::remove_file(self.documents.path().join(format!("{round}.txt"))).unwrap();
            self.until("it is gone", |world| !world.finds(&word, &format!("{round}.txt"))).await;
        }
        assert!(!self.disk.join("state/index/notes.damaged-1").exists(), "a full disk is no damage");
    }

    async fn is_read_only(&self) {
        let index = self.disk.join("state/index/notes");
        mount(&["--bind", index.to_str().unwrap(), index.to_str().unwrap()]);
        mount(&["-o", "remount,bind,ro", index.to_str().unwrap()]);
        fs::write(self.documents.path().join("a.txt"), "medlar").unwrap();
        self.until("it says that the disk is read-only", |world| world.warns("the disk is read-only")).await;
        assert!(self.finds("quince", "first.txt") && !self.finds("medlar", "a.txt"));
        assert!(Command::new("umount").args(["-l"]).arg(&index).status().unwrap().success());
        self.until("it is found", |world| world.finds("medlar", "a.txt")).await;
        self.until("it says nothing more", |world| world.indexer.warnings().is_empty()).await;
        assert!(!self.disk.join("state/index/notes.damaged-1").exists(), "a read-only disk is no damage");
    }
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success(), "{arguments:?}");
}

fn free_bytes(disk: &Path) -> u64 {
    let of = rustix::fs::statvfs(disk).unwrap();
    of.f_bavail * of.f_frsize
}
