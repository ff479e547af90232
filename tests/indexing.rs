//! The indexer on real folders, with real workers: what is saved is found, what moves is found where it is, what goes is gone, and
//! what is only away stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adit::config::Config;
use adit::control::owner_scope;
use adit::daemon::indexing::{Indexer, Patience, Progress};
use adit::daemon::workers::PoolConfig;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use caps::{CapSet, Capability};

/// Long enough for a loaded machine; nothing waits so long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    dir: tempfile::TempDir,
    config: Config,
    library: Arc<Library>,
    indexer: Indexer,
}

impl World {
    /// A collection of these files, and an indexer on it whose walks are an hour apart.
    async fn of(files: &[(&str, &str)]) -> World {
        World::with(files, "", 512 << 20).await
    }

    async fn with(files: &[(&str, &str)], more: &str, memory: u64) -> World {
        World::waiting(files, more, memory, in_no_time()).await
    }

    async fn waiting(files: &[(&str, &str)], more: &str, memory: u64, patience: Patience) -> World {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(&dir.path().join("documents"), path, text);
        }
        let toml = format!(
            "version = 1\n[server]\nendpoint = \"192.0.2.1:51820\"\ntunnel = [\"10.94.7.1/24\"]\nstate_dir = \"state\"\n\
             [[collection]]\nname = \"papers\"\npath = {:?}\n{more}\n[index]\nrescan = \"1h\"\nmemory = \"30 MiB\"\n",
            dir.path().join("documents"),
        );
        fs::write(dir.path().join("adit.toml"), toml).unwrap();
        fs::create_dir_all(dir.path().join("state")).unwrap();
        let config = Config::load(&dir.path().join("adit.toml")).unwrap();
        let library = open(&config);
        let indexer = start(&config, &library, memory, patience);
        let mut world = World { dir, config, library, indexer };
        world.settle().await;
        world
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join("documents").join(below)
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.path(""), path, text);
    }

    async fn settle(&mut self) {
        let mut progress = self.indexer.subscribe();
        tokio::time::timeout(PATIENCE, progress.wait_for(Progress::is_idle)).await.expect("it settles").unwrap();
    }

    /// Paths of the documents that hold a word, in order.
    fn find(&self, word: &str) -> Vec<String> {
        let request = SearchRequest { query: word.into(), limit: 50, snippet_budget: 1000, ..SearchRequest::default() };
        let answer = self.library.search(&owner_scope(), &request).unwrap();
        let mut paths: Vec<String> = answer.results.into_iter().map(|hit| hit.path).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&World) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(tokio::time::Instant::now() < deadline, "not so within {PATIENCE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_found(&self, word: &str, paths: &[&str]) {
        self.until(&format!("{word:?} in {paths:?}"), |world| world.find(word) == paths).await;
    }

    /// Stops and starts again, with a change to the files in between. Returns what the new indexer did in its first round.
    async fn restart(&mut self, between: impl FnOnce(&World)) -> u64 {
        self.indexer.stop().await;
        between(self);
        self.indexer = start(&self.config, &self.library, 512 << 20, in_no_time());
        let mut progress = self.indexer.subscribe();
        let mut done = 0;
        loop {
            done = done.max(progress.borrow_and_update().done);
            if progress.borrow().is_idle() {
                return done;
            }
            tokio::time::timeout(PATIENCE, progress.changed()).await.expect("it settles").unwrap();
        }
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn open(config: &Config) -> Arc<Library> {
    let collections =
        config.collections.iter().map(|it| Collection { name: it.name.clone(), root: it.path.clone() }).collect();
    let config = LibraryConfig {
        index_dir: config.server.state_dir.join("index"),
        collections,
        memory: config.index.memory as usize,
        threads: 1,
    };
    Arc::new(Library::open(config).unwrap())
}

fn start(config: &Config, library: &Arc<Library>, memory: u64, patience: Patience) -> Indexer {
    let pool =
        PoolConfig { program: env!("CARGO_BIN_EXE_adit").into(), workers: 2, memory, timeout: Duration::from_secs(30) };
    Indexer::start_with(config, Arc::clone(library), pool, patience)
}

fn in_no_time() -> Patience {
    let short = Duration::from_millis(50);
    Patience { strikes: [short, short], changed: short, trouble: short, away: short, longest: 10 * short }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_changed_moved_and_deleted_shows() {
    let world = World::of(&[("a.md", "# Apples\n\nrusset"), ("b/c.txt", "quince"), ("photo.jpg", "no text")]).await;
    world.until_found("russet", &["a.md"]).await;
    world.until_found("quince", &["b/c.txt"]).await;

    world.write("new/d.txt", "medlar");
    world.until_found("medlar", &["new/d.txt"]).await;
    world.write("a.md", "# Apples\n\ncostard");
    world.until_found("costard", &["a.md"]).await;
    world.until_found("russet", &[]).await;

    fs::rename(world.path("new"), world.path("moved")).unwrap();
    world.until_found("medlar", &["moved/d.txt"]).await;
    fs::remove_dir_all(world.path("b")).unwrap();
    world.until_found("quince", &[]).await;
    world.write(".aditignore", "moved/\n");
    world.until_found("medlar", &[]).await;
    fs::remove_file(world.path(".aditignore")).unwrap();
    world.until_found("medlar", &["moved/d.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_only_what_changed_is_read() {
    let files: Vec<(String, String)> = (0..40).map(|n| (format!("{n}.txt"), format!("word{n}"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut world = World::of(&files).await;
    world.until_found("word17", &["17.txt"]).await;
    assert_eq!(world.restart(|_| {}).await, 0);
    let done = world
        .restart(|world| {
            world.write("17.txt", "another");
            fs::remove_file(world.path("3.txt")).unwrap();
            fs::rename(world.path("4.txt"), world.path("four.txt")).unwrap();
        })
        .await;
    assert_eq!(done, 1);
    world.until_found("another", &["17.txt"]).await;
    world.until_found("word3", &[]).await;
    world.until_found("word4", &["four.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_goes_away_keeps_its_documents() {
    let world = World::of(&[("a.txt", "russet")]).await;
    world.until_found("russet", &["a.txt"]).await;
    let away = world.dir.path().join("away");
    fs::rename(world.path(""), &away).unwrap();
    world.indexer.rescan_now();
    world.until("a warning", |world| !world.indexer.warnings().is_empty()).await;
    assert_eq!(world.find("russet"), ["a.txt"]);
    fs::write(away.join("b.txt"), "medlar").unwrap();
    fs::rename(&away, world.path("")).unwrap();
    world.until_found("medlar", &["b.txt"]).await;
    world.until("no warning", |world| world.indexer.warnings().is_empty()).await;
    world.write("c.txt", "quince");
    world.until_found("quince", &["c.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_comes_back_is_found_and_watched_soon_by_the_patience_of_every_day() {
    let world = World::waiting(&[("a.txt", "russet")], "", 512 << 20, Patience::default()).await;
    world.until_found("russet", &["a.txt"]).await;
    let away = world.dir.path().join("away");
    for (n, word) in ["medlar", "quince"].into_iter().enumerate() {
        fs::rename(world.path(""), &away).unwrap();
        world.until("a warning", |world| !world.indexer.warnings().is_empty()).await;
        fs::write(away.join(format!("{n}.txt")), word).unwrap();
        fs::rename(&away, world.path("")).unwrap();
        world.until_found(word, &[&format!("{n}.txt")]).await;
        world.until("no warning", |world| world.indexer.warnings().is_empty()).await;
    }
    world.write("c.txt", "costard");
    world.until_found("costard", &["c.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_put_in_the_place_of_the_root_is_watched_in_its_stead() {
    let world = World::of(&[("a.txt", "russet")]).await;
    world.until_found("russet", &["a.txt"]).await;
    write(&world.dir.path().join("other"), "b/b.txt", "medlar");
    fs::rename(world.path(""), world.dir.path().join("away")).unwrap();
    fs::rename(world.dir.path().join("other"), world.path("")).unwrap();
    world.until_found("medlar", &["b/b.txt"]).await;
    world.until_found("russet", &[]).await;
    world.write("b/c.txt", "quince");
    world.until_found("quince", &["b/c.txt"]).await;
}

/// The superuser reads everything, so that this thread, and all that it begins, gives that up first.
#[test]
fn a_file_that_is_made_readable_is_read() {
    for set in [CapSet::Effective, CapSet::Permitted] {
        for capability in [Capability::CAP_DAC_OVERRIDE, Capability::CAP_DAC_READ_SEARCH] {
            caps::drop(None, set, capability).unwrap();
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::of(&[("a.txt", "russet")]).await;
        let mode = |mode| fs::set_permissions(world.path("b.txt"), fs::Permissions::from_mode(mode)).unwrap();
        write(world.dir.path(), "b.txt", "medlar");
        fs::set_permissions(world.dir.path().join("b.txt"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::rename(world.dir.path().join("b.txt"), world.path("b.txt")).unwrap();
        world.until("a failure is named", |world| !world.library.failures(&owner_scope()).is_empty()).await;
        assert!(world.library.failures(&owner_scope())[0].reason.starts_with("permission denied"));
        mode(0o644);
        world.until_found("medlar", &["b.txt"]).await;
        assert!(world.library.failures(&owner_scope()).is_empty());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_folder_is_empty_and_one_that_cannot_be_read_is_not() {
    let world = World::of(&[("a.txt", "russet"), ("b/c.txt", "quince")]).await;
    world.until_found("quince", &["b/c.txt"]).await;
    world.write("b/.aditignore", "[z-a]");
    world.until("a failure is named", |world| !world.library.failures(&owner_scope()).is_empty()).await;
    assert_eq!(world.find("quince"), ["b/c.txt"]);
    fs::remove_dir_all(world.path("b")).unwrap();
    fs::remove_file(world.path("a.txt")).unwrap();
    world.until("all is gone", |world| world.library.status(&owner_scope())[0].documents == 0).await;
    world.until("no failure is left", |world| world.library.failures(&owner_scope()).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_costs_its_worker_is_given_up_after_three_tries_and_the_rest_goes_on() {
    let large = "a long line of words that fills the memory\n".repeat(2 << 20);
    let files = [("a.txt", "russet"), ("large.txt", large.as_str()), ("z.txt", "medlar"), ("bad.pdf", "%PDF-1.7 no")];
    let mut world = World::with(&files, "", 200 << 20).await;
    world.until_found("russet", &["a.txt"]).await;
    world.until_found("medlar", &["z.txt"]).await;
    world.until("both failures are named", |world| world.library.failures(&owner_scope()).len() == 2).await;
    let mut failures = world.library.failures(&owner_scope());
    failures.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(failures[0].reason.starts_with("damaged"), "{failures:?}");
    assert!(failures[1].reason.ends_with("given up after 3 tries"), "{failures:?}");
    assert_eq!(world.restart(|_| {}).await, 0, "what was given up is left alone after a restart");
    assert_eq!(world.library.failures(&owner_scope()).len(), 2);
    world.indexer.rescan_now();
    world.write("b.txt", "damson");
    world.until_found("damson", &["b.txt"]).await;
    world.settle().await;
    assert_eq!(world.library.failures(&owner_scope()).len(), 2, "and after another walk");
    world.write("large.txt", "small again: costard");
    world.until_found("costard", &["large.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_cut_is_searchable_and_named() {
    let long = format!("russet\n{}quince\n", "more and more words\n".repeat(100));
    let more = "[extract]\nmax_text = \"1 KiB\"";
    let world = World::with(&[("long.txt", &long), ("short.txt", "medlar")], more, 512 << 20).await;
    world.until_found("russet", &["long.txt"]).await;
    world.until_found("medlar", &["short.txt"]).await;
    assert_eq!(world.find("quince"), [""; 0]);
    let status = &world.library.status(&owner_scope())[0];
    assert_eq!((status.documents, status.failed, status.truncated), (2, 0, 1));
    let named = |world: &World| world.library.failures(&owner_scope()).into_iter().map(|it| (it.path, it.truncated));
    assert_eq!(named(&world).collect::<Vec<_>>(), [("long.txt".to_owned(), true)]);
    fs::rename(world.path("long.txt"), world.path("moved.txt")).unwrap();
    world.until_found("russet", &["moved.txt"]).await;
    assert_eq!(named(&world).collect::<Vec<_>>(), [("moved.txt".to_owned(), true)]);
    world.write("moved.txt", "quince");
    world.until_found("quince", &["moved.txt"]).await;
    assert_eq!(named(&world).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_reads_everything_again_and_search_goes_on() {
    let mut world = World::of(&[("a.txt", "russet"), ("b.txt", "quince")]).await;
    world.until_found("russet", &["a.txt"]).await;
    let mut progress = world.indexer.subscribe();
    world.indexer.rebuild(None);
    tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.done == 2)).await.unwrap().unwrap();
    world.settle().await;
    assert_eq!(world.find("russet"), ["a.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_excludes_hold_at_once() {
    let world = World::of(&[("a.txt", "russet"), ("private/b.txt", "quince")]).await;
    world.until_found("quince", &["private/b.txt"]).await;
    let mut config = world.config.clone();
    config.collections[0].exclude = vec!["private/".into()];
    world.indexer.reconfigure(&config);
    world.until_found("quince", &[]).await;
    config.collections[0].exclude = vec!["[z-a]".into()];
    world.indexer.reconfigure(&config);
    world.until("a warning", |world| !world.indexer.warnings().is_empty()).await;
    assert_eq!(world.find("russet"), ["a.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_rests_is_found_as_it_is_in_the_end() {
    let world = World::of(&[]).await;
    for n in 0..60 {
        world.write("log.txt", &format!("{}entry{n}", "noise ".repeat(n * 100)));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    world.until_found("entry59", &["log.txt"]).await;
    assert_eq!(world.find("entry58"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_keeps_no_other_unsearchable_and_answers_say_that_it_is_missing() {
    let mut world = World::of(&[]).await;
    world.indexer.stop().await;
    for n in 0..4 {
        world.write(&format!("a{n}.txt"), &"quince medlar\n\n".repeat(600_000));
    }
    world.write("small.txt", "quince russet");
    world.indexer = start(&world.config, &world.library, 512 << 20, in_no_time());
    let request = || SearchRequest { query: "quince".into(), limit: 50, ..SearchRequest::default() };
    let ask = |world: &World| world.library.search(&owner_scope(), &request()).unwrap();
    world.until("the small file is found", |world| ask(world).total > 0).await;
    let answer = ask(&world);
    assert!(answer.total < 5 && answer.results.iter().any(|hit| hit.path == "small.txt"), "{answer:?}");
    let indexing = answer.indexing.expect("it says that it is not complete");
    assert!(indexing.read >= 1 && indexing.files == 5, "{indexing:?}");
    world.settle().await;
    world.until("everything is found", |world| ask(world).total == 5 && ask(world).indexing.is_none()).await;
}

/// Spoils the stored texts of an index, where opening it does not look.
fn spoil(index: &Path) {
    let stores = fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path());
    for store in stores.filter(|path| path.extension().is_some_and(|end| end == "store")) {
        let mut bytes = fs::read(&store).unwrap();
        bytes[..8].copy_from_slice(b"spoilt!!");
        fs::write(&store, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_noticed_and_built_again_by_itself() {
    let mut world = World::of(&[("a.txt", "russet"), ("b.txt", "quince")]).await;
    world.indexer.stop().await;
    let index = world.config.server.state_dir.join("index");
    spoil(&index.join("papers"));
    // Nobody asks: the check after the start finds it.
    world.library = open(&world.config);
    world.indexer = start(&world.config, &world.library, 512 << 20, in_no_time());
    world.until("it was moved aside", |_| index.join("papers.damaged-1").exists()).await;
    let finds = |world: &World, query: &str| {
        let request = SearchRequest { query: query.into(), limit: 9, snippet_budget: 500, ..SearchRequest::default() };
        world.library.search(&owner_scope(), &request).is_ok_and(|answer| answer.total == 1)
    };
    world.until("it is found again", |world| finds(world, "russet")).await;
    world.until("nothing is left to say", |world| world.indexer.warnings().is_empty()).await;
    world.settle().await;

    // Somebody asks, and reading it fails: it is checked at once.
    spoil(&index.join("papers"));
    world
        .until("it was moved aside", |world| {
            finds(world, "quince");
            index.join("papers.damaged-2").exists()
        })
        .await;
    world.until("it is found again", |world| finds(world, "quince")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_costs_its_worker_has_no_more_tries_for_a_restart() {
    use adit::documents::confine::Confinement;
    use adit::documents::frame::begin_frame;

    let hour = Duration::from_secs(3600);
    let patience = Patience { strikes: [hour, hour], ..in_no_time() };
    let mut world = World::of(&[]).await;
    world.indexer.stop().await;
    world.write("a.txt", "russet");
    // A worker that says how it is confined, and dies of its first document.
    let (greeting, program) = (world.dir.path().join("greeting"), world.dir.path().join("worker"));
    fs::write(&greeting, begin_frame(&Confinement { landlock_abi: 0, seccomp: true }, 0)).unwrap();
    fs::write(&program, format!("#!/bin/sh\ncat {}\nkill -SEGV $$\n", greeting.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let pool = PoolConfig { program, workers: 1, memory: 512 << 20, timeout: Duration::from_secs(30) };
    let strikes = world.config.server.state_dir.join("strikes-papers.json");
    for count in 1..=2 {
        world.indexer = Indexer::start_with(&world.config, Arc::clone(&world.library), pool.clone(), patience);
        let noted = format!("\"count\":{count}");
        world.until(&noted, |_| fs::read_to_string(&strikes).is_ok_and(|text| text.contains(&noted))).await;
        assert!(world.library.failures(&owner_scope()).is_empty());
        world.indexer.stop().await;
    }
    world.indexer = Indexer::start_with(&world.config, Arc::clone(&world.library), pool, patience);
    world.until("it is given up", |world| !world.library.failures(&owner_scope()).is_empty()).await;
    let failures = world.library.failures(&owner_scope());
    assert!(failures[0].reason.contains("crashed a worker") && failures[0].reason.ends_with("given up after 3 tries"));
    world.indexer.stop().await;
    assert_eq!(world.restart(|world| world.write("a.txt", "quince")).await, 1, "it is tried again when it is another");
    world.until_found("quince", &["a.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_found_before_the_rest_is_read() {
    let mut world = World::of(&[("old.txt", "russet")]).await;
    world.indexer.stop().await;
    let bulk = 600;
    for n in 0..bulk {
        world.write(&format!("bulk/{n}.txt"), &format!("word{n} {}", "of a long text\n".repeat(200)));
    }
    world.indexer = start(&world.config, &world.library, 512 << 20, in_no_time());
    world.until("reading has begun", |world| world.indexer.progress().done > 0).await;
    world.write("new.txt", "medlar");
    world.write("old.txt", "quince");
    world.until_found("medlar", &["new.txt"]).await;
    world.until_found("quince", &["old.txt"]).await;
    let documents = world.library.status(&owner_scope())[0].documents;
    assert!(documents < bulk, "all {documents} were read before");
    world.settle().await;
    assert_eq!(world.library.status(&owner_scope())[0].documents, bulk + 2);
}
