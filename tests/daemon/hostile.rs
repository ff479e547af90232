//! A folder of hostile documents, and what the daemon makes of it: all else is found, each bad one is named, and nothing is left behind.

use std::fs;

use crate::appliance::{Appliance, wait_until};

#[path = "../hostile/forge.rs"]
#[allow(dead_code)]
mod forge;

#[path = "../fuzz/mutate.rs"]
mod mutate;

use mutate::Mutator;

/// The longest that a batch may take on a loaded machine, with the waits between three tries of each.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(1200);

/// Anonymous and file-backed memory that the daemon itself may come to, in KiB: a bomb that went off in it would be above.
const DAEMON_KIB: u64 = 400 << 10;

/// A line of `/proc/PID/status`.
pub fn line_of(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// Processes whose parent is this one.
pub fn children_of(pid: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers.filter(|child| line_of(*child, "PPid") == Some(pid.to_string())).collect()
}

#[test]
fn a_folder_full_of_hostile_documents_is_survived_and_told_of() {
    let levels: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let laughs = format!("<!DOCTYPE d [<!ENTITY l0 \"ha\">{levels}]><d>&l9;</d>");
    let unreadable: [(&str, Vec<u8>); 6] = [
        ("bomb.docx", forge::docx(&vec![b' '; 97 << 20])),
        ("loop.pdf", forge::pdf(&[forge::CATALOGUE.into(), "<< /Type /Pages /Kids [2 0 R] /Count 9 >>".into()])),
        ("cut.xlsx", forge::xlsx("", "<sst></sst>")[..300].to_vec()),
        ("cut.epub", forge::epub(b"<p>text", "")[..100].to_vec()),
        ("cut.odt", forge::odf("<text:p>text")[..60].to_vec()),
        ("not.pdf", b"%PDF-1.7 and nothing more".to_vec()),
    ];
    let harmless: [(&str, Vec<u8>); 3] = [
        ("laughs.xml", laughs.into_bytes()),
        ("deep.json", "[".repeat(500_000).into_bytes()),
        ("itself.pdf", forge::page_with("/X Do BT /F 12 Tf 72 700 Td (Plain words) Tj ET")),
    ];
    let mut appliance = Appliance::new();
    for (name, bytes) in unreadable.iter().chain(&harmless) {
        appliance.write("papers", &format!("hostile/{name}"), bytes);
    }
    for n in 0..40 {
        appliance.write("papers", &format!("good/{n}.md"), format!("# Good\n\nlighthouse number{n}\n"));
    }
    appliance.serve();
    let failures = wait_until("every bad one is named", || {
        let failures = appliance.json(&["index", "failures"]);
        (failures["failures"].as_array().unwrap().len() >= unreadable.len()).then_some(failures)
    });
    for (name, _) in &unreadable {
        let named = |failure: &&serde_json::Value| failure["path"] == format!("hostile/{name}");
        let failure = failures["failures"].as_array().unwrap().iter().find(named);
        let failure = failure.unwrap_or_else(|| panic!("{name} is not among {failures}"));
        assert!(failure["reason"].as_str().unwrap().len() > 10, "{failure}");
        let why = appliance.json(&["why", &format!("papers/hostile/{name}")]);
        assert_eq!(why["results"][0]["state"], "unreadable", "{why}");
    }
    wait_until("every good one is found", || (appliance.json(&["search", "lighthouse"])["total"] == 40).then_some(()));
    let daemon = appliance.daemon.as_ref().unwrap().id();
    let most: u64 = line_of(daemon, "VmHWM").unwrap().trim_end_matches(" kB").parse().unwrap();
    assert!(most < DAEMON_KIB, "the daemon came to {most} KiB");
    wait_until("no process is left of the workers", || children_of(daemon).is_empty().then_some(()));
    appliance.stop();
}

/// Mutated documents in one batch with good ones; `ADIT_HOSTILE` says another number (the whole measure is 1,000).
const MUTATED: usize = 120;

#[test]
fn mutated_documents_of_every_format_are_read_or_named_and_cost_no_good_one() {
    let mutated = std::env::var("ADIT_HOSTILE").map_or(MUTATED, |it| it.parse().expect("ADIT_HOSTILE is a number"));
    let mut seeds = Vec::new();
    for folder in ["club", "garden", "house", "kitchen", "workshop"] {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library").join(folder);
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().unwrap().to_str().unwrap().to_owned();
            seeds.push((extension, fs::read(path).unwrap()));
        }
    }
    seeds.sort();
    let mut appliance = Appliance::new();
    let mut mutators: Vec<Mutator> =
        (1..).zip(&seeds).map(|(n, (_, seed))| Mutator::new(n, vec![seed.clone()])).collect();
    for n in 0..mutated {
        let which = n % seeds.len();
        appliance.write("papers", &format!("mutated/{n}.{}", seeds[which].0), mutators[which].next());
    }
    for n in 0..40 {
        appliance.write("papers", &format!("good/{n}.md"), format!("# Good\n\nlighthouse number{n}\n"));
    }
    let log = fs::OpenOptions::new().create(true).append(true).open(appliance.path("log")).unwrap();
    let daemon = appliance.command(&["serve"]).stderr(log).spawn().unwrap();
    let pid = daemon.id();
    appliance.daemon = Some(daemon);
    // Three tries of a bad one take a minute and more of waiting: what is asked is that nothing waits for ever.
    let begun = std::time::Instant::now();
    let accounted = loop {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let status = appliance.try_adit(&["index", "status", "--json"]);
        let Ok(status) = serde_json::from_slice::<serde_json::Value>(&status.stdout) else { continue };
        let papers = &status["collections"][0];
        let no_documents = status["passed_over"][0]["no_documents"].as_u64().unwrap_or(0);
        let sum = papers["documents"].as_u64().unwrap() + papers["failed"].as_u64().unwrap() + no_documents;
        // Besides them there are the two documents of every appliance.
        if sum >= mutated as u64 + 42 {
            break sum;
        }
        assert!(begun.elapsed() < LONGEST, "{sum} of {} are accounted for: {status}", mutated + 42);
    };
    assert_eq!(accounted, mutated as u64 + 42);
    assert_eq!(appliance.json(&["search", "lighthouse"])["total"], 40);
    assert_eq!(appliance.json(&["status"])["pid"], pid, "it is the same daemon");
    let most: u64 = line_of(pid, "VmHWM").unwrap().trim_end_matches(" kB").parse().unwrap();
    println!("{mutated} mutated documents in {} s; the daemon came to {most} KiB", begun.elapsed().as_secs());
    assert!(most < DAEMON_KIB, "the daemon came to {most} KiB");
    appliance.stop();
}

#[test]
fn a_worker_at_work_is_confined_as_the_kernel_sees_it() {
    let mut appliance = Appliance::new();
    // Words enough to keep a worker at it while it is looked at.
    appliance.write("papers", "long.md", "all work and no play\n\n".repeat(400_000));
    let daemon = appliance.command(&["serve"]).spawn().unwrap();
    let pid = daemon.id();
    appliance.daemon = Some(daemon);
    // One thread waits for the other, which is under the filter; a worker that has just begun, or come to its end, has one.
    let is_reading =
        |child: &u32| ["Seccomp", "Threads"].iter().all(|name| line_of(*child, name).as_deref() == Some("2"));
    let (privileges, capabilities, descriptors) = wait_until("a worker reads", || {
        let worker = children_of(pid).into_iter().find(is_reading)?;
        // What is not dumpable belongs to root, and root alone may look at its descriptors.
        let descriptors = fs::read_dir(format!("/proc/{worker}/fd")).ok().map(Iterator::count);
        let seen = (line_of(worker, "NoNewPrivs"), line_of(worker, "CapEff"), descriptors);
        // One that ends has closed them, and is still there for a moment.
        (is_reading(&worker) && descriptors != Some(0)).then_some(seen)
    });
    assert_eq!(privileges.as_deref(), Some("1"));
    assert!(capabilities.is_some_and(|set| set.bytes().all(|digit| digit == b'0')));
    assert_eq!(descriptors.unwrap_or(3), 3);
}
