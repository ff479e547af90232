//! Workers that end, stall or lie, and files that change under the reader's hands.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adit::daemon::workers::{Death, ExtractError, Pool, PoolConfig};
use adit::documents::confine::Confinement;
use adit::documents::frame::begin_frame;
use adit::documents::{ExtractLimits, Format};

use crate::{check_good, pool, pool_of, read};

/// A program that says how it is confined, as a worker does, and then takes a document and answers in its own way.
fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = dir.join(name);
    let greeting = dir.join("greeting");
    std::fs::write(&greeting, begin_frame(&Confinement { landlock_abi: 0, seccomp: true }, 0)).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\ncat {}\n{text}\n", greeting.display())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_stalls_or_lies_costs_its_document_only() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("exits", "exit 3", Death::Exit(3)),
        ("crashes", "kill -SEGV $$", Death::Signal("SIGSEGV")),
        ("aborts", "kill -ABRT $$", Death::Aborted),
        ("reaches out", "kill -SYS $$", Death::Forbidden),
        ("stalls", "exec sleep 60", Death::Timeout(Duration::from_secs(1))),
        ("floods", "exec yes", Death::Nonsense),
    ];
    for (name, text, expected) in cases {
        let pool = pool_of(script(dir.path(), name, text), Duration::from_secs(1));
        match read(&pool, Format::Text, b"text").await {
            Err(ExtractError::Killed(death)) => assert_eq!(death, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(pool.warning().unwrap().contains("no landlock"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_cannot_begin_blame_no_document_and_are_named() {
    let pools = [
        pool_of("/nowhere/adit".into(), Duration::from_secs(1)),
        pool_of("/bin/true".into(), Duration::from_secs(1)),
        pool_of("/bin/echo".into(), Duration::from_secs(1)),
        Pool::new(PoolConfig { memory: 1 << 20, ..pool(Duration::from_secs(1)).config().clone() }),
    ];
    for pool in pools {
        let outcome = read(&pool, Format::Text, b"text").await;
        assert!(matches!(outcome, Err(ExtractError::NoWorker(_))), "{outcome:?}");
        assert!(pool.warning().unwrap().contains("no worker can be started"), "{:?}", pool.warning());
    }
    let good = pool(Duration::from_secs(30));
    good.begin().await;
    assert!(good.confinement().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_became_shorter_is_not_half_read() {
    let pool = pool(Duration::from_secs(30));
    let file: File = tempfile::tempfile().unwrap();
    let outcome = pool.extract(Format::Text, file, 100, &ExtractLimits::default()).await;
    assert!(matches!(outcome, Err(ExtractError::File(_))), "{outcome:?}");
    check_good(&pool).await;
}
