//! How long it takes from saving a file to finding it, while ten thousand others are being read for the first time; and how long ten
//! thousand deleted files are still found.
//!
//! `cargo bench --bench freshness [-- FILES]`. The library is asked in process, every few milliseconds; everything else is as it is in
//! the daemon: watching, workers, commits, with the patience of every day.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adit::config::Config;
use adit::control::owner_scope;
use adit::daemon::indexing::{Indexer, Patience, Progress};
use adit::daemon::workers::PoolConfig;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};

/// Files that are read in bulk, unless the command says otherwise.
const FILES: usize = 10_000;

/// Pause between two changes, and between two looks.
const PAUSE: Duration = Duration::from_millis(150);
const LOOK: Duration = Duration::from_millis(4);

/// Nothing takes as long as this.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    let files = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(FILES);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(files));
}

/// A folder of documents, and what searches it.
struct World {
    dir: tempfile::TempDir,
    config: Config,
    library: Arc<Library>,
}

async fn measure(files: usize) {
    let world = World::new();
    let mut bytes = 0;
    for number in 0..files {
        let text = text(number);
        bytes += text.len();
        world.save(&format!("bulk/{:02}/{number}.md", number % 100), &text);
    }
    let indexer = world.start();
    let begun = Instant::now();
    world.until(|world| world.documents() > 0).await;
    println!(
        "{files} files, {:.1} MB; the first are found after {:.2} s",
        bytes as f64 / 1e6,
        begun.elapsed().as_secs_f64()
    );

    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut number = 0;
    while !indexer.progress().is_idle() {
        let kind = number % times.len();
        times[kind].push(world.change(kind, number).await);
        number += 1;
        tokio::time::sleep(PAUSE).await;
    }
    let took = begun.elapsed().as_secs_f64();
    println!("all were read after {took:.1} s ({:.0} files/s)", files as f64 / took);
    for (name, times) in ["new", "changed", "moved", "deleted"].iter().zip(&mut times) {
        print(name, times);
    }
    print("all", &mut times.concat());

    let left = world.documents() - files as u64;
    let begun = Instant::now();
    fs::remove_dir_all(world.path("bulk")).expect("it is there");
    world.until(|world| world.documents() == left).await;
    println!("{files} deletions, watched: gone after {:.2} s", begun.elapsed().as_secs_f64());

    for number in 0..files {
        world.save(&format!("bulk/{:02}/{number}.md", number % 100), &text(number));
    }
    world.until(|world| world.documents() == left + files as u64).await;
    settled(&indexer).await;
    indexer.stop().await;
    fs::remove_dir_all(world.path("bulk")).expect("it is there");
    let begun = Instant::now();
    let indexer = world.start();
    world.until(|world| world.documents() == left).await;
    println!("{files} deletions, found by a walk: gone after {:.2} s", begun.elapsed().as_secs_f64());
    indexer.stop().await;
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("documents")).expect("a folder");
        fs::create_dir_all(dir.path().join("state")).expect("a folder");
        let toml = format!(
            "version = 1\n[server]\nendpoint = \"192.0.2.1:51820\"\ntunnel = [\"10.94.7.1/24\"]\nstate_dir = \"state\"\n\
             [[collection]]\nname = \"papers\"\npath = {:?}\n",
            dir.path().join("documents"),
        );
        fs::write(dir.path().join("adit.toml"), toml).expect("it is written");
        let config = Config::load(&dir.path().join("adit.toml")).expect("it is sound");
        let collection =
            |it: &adit::config::CollectionConfig| Collection { name: it.name.clone(), root: it.path.clone() };
        let library = Library::open(LibraryConfig {
            index_dir: config.server.state_dir.join("index"),
            collections: config.collections.iter().map(collection).collect(),
            memory: config.index.memory as usize,
            threads: config.index.threads,
        });
        World { dir, config, library: Arc::new(library.expect("it opens")) }
    }

    fn start(&self) -> Indexer {
        let pool = PoolConfig {
            program: env!("CARGO_BIN_EXE_adit").into(),
            workers: self.config.extract.workers,
            memory: self.config.extract.memory,
            timeout: self.config.extract.timeout,
        };
        Indexer::start_with(&self.config, Arc::clone(&self.library), pool, Patience::default())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join("documents").join(below)
    }

    fn save(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    fn documents(&self) -> u64 {
        self.library.status(&owner_scope())[0].documents
    }

    /// The path at which a word is found.
    fn find(&self, word: &str) -> Option<String> {
        let request =
            SearchRequest { query: format!("\"{word}\""), limit: 1, snippet_budget: 200, ..SearchRequest::default() };
        let answer = self.library.search(&owner_scope(), &request).expect("search goes on");
        answer.results.into_iter().next().map(|hit| hit.path)
    }

    /// Makes a change of one kind, in turn with the others on one file after the other, and waits until it shows.
    async fn change(&self, kind: usize, number: usize) -> Duration {
        let file = number / 4;
        let (path, moved) = (format!("mine/{file}.md"), format!("mine/moved/{file}.md"));
        let (new, changed) = (format!("new{file}word"), format!("changed{file}word"));
        let begun = Instant::now();
        match kind {
            0 => {
                self.save(&path, &format!("# Mine\n\n{new}\n"));
                self.until(|world| world.find(&new).is_some()).await;
            }
            1 => {
                self.save(&path, &format!("# Mine\n\n{changed}\n"));
                self.until(|world| world.find(&changed).is_some()).await;
            }
            2 => {
                fs::create_dir_all(self.path("mine/moved")).expect("a folder");
                fs::rename(self.path(&path), self.path(&moved)).expect("it is there");
                self.until(|world| world.find(&changed).as_ref() == Some(&moved)).await;
            }
            _ => {
                fs::remove_file(self.path(&moved)).expect("it is there");
                self.until(|world| world.find(&changed).is_none()).await;
            }
        }
        begun.elapsed()
    }

    async fn until(&self, mut holds: impl FnMut(&World) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "it never came about");
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn settled(indexer: &Indexer) {
    indexer.subscribe().wait_for(Progress::is_idle).await.expect("it goes on");
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
    fs::write(path, text).expect("it is written");
}

/// Some three to nine thousand bytes of words, seldom twice the same.
fn text(number: usize) -> String {
    let mut chance = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = format!("# Document {number}\n\n");
    for word in 0..500 + number % 1000 {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        // Some words are frequent, most are rare.
        let rank = chance % (1 << (chance >> 32 & 15));
        text.push_str(&format!("w{rank}{}", if word % 12 == 11 { ".\n" } else { " " }));
    }
    text
}

fn print(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64();
    if !times.is_empty() {
        println!(
            "{name}: {} changes, found after {:.2} s p50, {:.2} s p99, {:.2} s at most",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}
