//! `adit why`: what the owner is told of a path, with a daemon and without one.

use std::fs;

use serde_json::Value;

use crate::appliance::{Appliance, wait_until};

/// An appliance with a document of every fate.
fn appliance() -> Appliance {
    let mut appliance = Appliance::new();
    for (name, text) in [
        ("broken.pdf", "%PDF-1.7 and nothing more"),
        (".aditignore", "drafts/\n"),
        ("drafts/letter.md", "# Dear all"),
        (".plan", "secret"),
        ("kettle.jpg", "no text"),
    ] {
        appliance.write("papers", name, text);
    }
    std::os::unix::fs::symlink("kettle.md", appliance.path("papers/link.md")).unwrap();
    let config = fs::read_to_string(appliance.config()).unwrap();
    appliance.write("papers", "taxes/2024.txt", "owed");
    let excluded = config.replacen("path = ", "exclude = [\"/taxes\"]\npath = ", 1);
    fs::write(appliance.config(), excluded).unwrap();
    appliance.serve();
    wait_until("the broken one is named", || {
        let failures = appliance.json(&["index", "failures"]);
        (failures["failures"].as_array().unwrap().len() == 1).then_some(())
    });
    appliance
}

/// Asks, and compares state, a word of the reason and a word of the advice.
#[track_caller]
fn check(appliance: &Appliance, path: &str, state: &str, reason: &str, advice: &str) -> Value {
    let answer = appliance.json(&["why", path]);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{answer}");
    let result = &results[0];
    assert_eq!(result["state"], state, "{path}: {result}");
    assert!(result["reason"].as_str().unwrap().contains(reason), "{path}: {result}");
    assert!(result["advice"].as_str().unwrap().contains(advice), "{path}: {result}");
    result.clone()
}

/// What is the same with and without a daemon.
fn check_all(appliance: &Appliance) {
    let kettle = check(appliance, "papers/kettle.md", "searchable", "", "");
    assert_eq!((&kettle["format"], &kettle["path"]), (&"markdown".into(), &"kettle.md".into()));
    assert!(kettle["passages"].as_u64() > Some(0) && kettle["read"].is_string(), "{kettle}");
    let broken = check(appliance, "papers/broken.pdf", "unreadable", "damaged", "until it changes");
    assert!(broken["read"].is_string(), "{broken}");
    check(appliance, "papers/drafts/letter.md", "hidden", ".aditignore", "drafts/");
    check(appliance, "papers/taxes/2024.txt", "hidden", "/taxes", "exclude");
    check(appliance, "papers/.plan", "hidden", "dot", "hidden = true");
    check(appliance, "papers/link.md", "hidden", "link", "itself");
    check(appliance, "papers/kettle.jpg", "no_document", "picture", "");
    check(appliance, "papers/notes", "folder", "1 searchable", "");
    check(appliance, "papers", "folder", "2 searchable below it, 1 unreadable", "failures");
    let text = appliance.adit(&["why", appliance.path("papers/broken.pdf").to_str().unwrap()]);
    assert!(text.starts_with("papers/broken.pdf: cannot be read\n"), "{text}");
    assert!(appliance.refused(&["why", "/etc/passwd"], 6).contains("in no collection"));
    appliance.refused(&["why", "papers/nothing.md"], 6);
}

#[test]
fn the_owner_is_told_why_with_a_daemon_and_without_one() {
    let mut appliance = appliance();
    check_all(&appliance);
    appliance.stop();
    check_all(&appliance);
    appliance.write("papers", "kettle.md", "# Another kettle\n");
    check(&appliance, "papers/kettle.md", "waiting", "changed", "start the daemon");
    appliance.write("papers", "new.md", "# New\n");
    check(&appliance, "papers/new.md", "waiting", "not been read", "start the daemon");
    appliance.write("papers", "broken.pdf", "%PDF-1.7 and nothing more than that");
    check(&appliance, "papers/broken.pdf", "waiting", "changed", "start the daemon");
}

#[test]
fn a_collection_may_be_named_from_anywhere() {
    let appliance = Appliance::serving();
    let mut command = appliance.command(&["why", "private/diary.md", "--json"]);
    let output = command.current_dir("/").output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["version"], &answer["results"][0]["collection"]), (&1.into(), &"private".into()));
    assert_eq!(answer["results"][0]["state"], "searchable");
}

#[test]
fn status_says_what_holds_the_workers() {
    let appliance = Appliance::serving();
    let status = appliance.json(&["status"]);
    let workers = &status["sandbox"]["workers"];
    assert!(workers["landlock_abi"].is_u64() && workers["seccomp"].is_boolean(), "{status}");
    assert_eq!(status["sandbox"]["worker_memory_bytes"], 512 << 20);
    assert!(appliance.adit(&["status"]).contains("  sandbox: "));
}

#[test]
fn what_is_passed_over_is_counted_by_reason() {
    let mut appliance = Appliance::new();
    appliance.write("papers", ".plan", "world domination");
    appliance.write("papers", "letter.docx~", "half");
    appliance.write("papers", ".aditignore", "drafts/\n");
    appliance.write("papers", "drafts/a.txt", "not yet");
    appliance.write("papers", "photo.jpg", b"\xff\xd8\xff\xe0 no text");
    appliance.write("papers", "tool", b"\x7fELF\0\0\0\0 a program");
    std::os::unix::fs::symlink("/etc", appliance.path("papers/etc")).unwrap();
    appliance.serve();
    let counts = wait_until("everything has been looked at", || {
        let status = appliance.json(&["index", "status"]);
        let papers = status["passed_over"].as_array()?.iter().find(|it| it["collection"] == "papers")?.clone();
        (papers["no_documents"] == 2).then_some(papers)
    });
    assert_eq!(
        (&counts["hidden"], &counts["excluded"], &counts["links"]),
        (&3.into(), &1.into(), &1.into()),
        "{counts}"
    );
    let said = appliance.adit(&["index", "status"]);
    assert!(
        said.contains("passed over in papers: 3 hidden or temporary, 1 excluded, 2 without text, 1 link"),
        "{said}"
    );
    appliance.stop();
}
