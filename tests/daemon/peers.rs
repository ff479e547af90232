//! Devices: added, changed and revoked while the daemon serves and while it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::appliance::{Appliance, wait_until};
use crate::device::Device;

#[test]
fn a_device_finds_reads_and_browses_through_its_bridge() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    assert_eq!(fs::metadata(&conf).unwrap().permissions().mode() & 0o777, 0o600);
    let mut agent = appliance.agent(&conf);
    let found = agent.call("search", json!({"query": "descale kettle"}));
    let first = &found["results"][0];
    assert_eq!((&first["path"], &first["heading"]), (&json!("kettle.md"), &json!("The kettle")));
    let read = agent.call("fetch", json!({"id": first["id"]}));
    assert!(read["text"].as_str().unwrap().contains("vinegar"), "{read}");
    let listed = agent.call("list_collections", json!({}));
    assert!(listed.to_string().contains("papers") && !listed.to_string().contains("private"), "{listed}");
}

#[test]
fn grants_change_at_once_and_survive_a_restart() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("xylophone"), 0);
    appliance.adit(&["peer", "set", "phone", "--collections", "papers,private"]);
    assert_eq!(agent.total("xylophone"), 1);
    appliance.stop();
    appliance.serve();
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("xylophone"), 1);
    appliance.adit(&["peer", "set", "phone", "--collections", "papers"]);
    assert_eq!(agent.total("xylophone"), 0);
}

#[test]
fn a_revoked_key_is_dead_and_never_returns() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    let key = appliance.json(&["peer", "show", "phone"])["public_key"].as_str().unwrap().to_owned();
    appliance.adit(&["peer", "revoke", "phone"]);
    let answer = agent.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    for restart in [false, true] {
        if restart {
            appliance.stop();
            appliance.serve();
        }
        let said = appliance.refused(&["peer", "add", "other", "--public-key", &key], 7);
        assert!(said.contains("revoked"), "{said}");
    }
}

#[test]
fn a_disabled_device_is_cut_off_and_comes_back() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    appliance.adit(&["peer", "disable", "phone"]);
    let answer = agent.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    assert!(appliance.adit(&["peer", "list"]).contains("disabled"));
    appliance.stop();
    appliance.serve();
    assert_eq!(appliance.json(&["peer", "show", "phone"])["standing"], "disabled");
    appliance.adit(&["peer", "enable", "phone"]);
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
}

#[test]
fn a_rotated_device_is_served_under_its_new_key_alone() {
    let appliance = Appliance::serving();
    let old = appliance.device("phone", &["--collections", "papers"]);
    let mut agent = appliance.agent(&old);
    assert_eq!(agent.total("kettle"), 1);
    let before = appliance.json(&["peer", "show", "phone"]);
    let new = appliance.path("new.conf");
    appliance.adit(&["peer", "rotate", "phone", "--conf", new.to_str().unwrap()]);
    let answer = agent.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    assert_eq!(appliance.agent(&new).total("kettle"), 1);
    let after = appliance.json(&["peer", "show", "phone"]);
    assert_eq!((&before["addresses"], &before["collections"]), (&after["addresses"], &after["collections"]));
    let key = before["public_key"].as_str().unwrap();
    let said = appliance.refused(&["peer", "add", "other", "--public-key", key], 7);
    assert!(said.contains("revoked"), "{said}");
}

#[test]
fn a_lockdown_cuts_all_but_the_excepted_and_survives_a_restart() {
    let mut appliance = Appliance::serving();
    let confs = ["phone", "laptop"].map(|name| appliance.device(name, &[]));
    let [mut phone, mut laptop] = confs.each_ref().map(|conf| appliance.agent(conf));
    assert_eq!((phone.total("kettle"), laptop.total("kettle")), (1, 1));
    appliance.adit(&["lockdown", "--except", "laptop"]);
    let answer = phone.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    assert_eq!(laptop.total("kettle"), 1);
    appliance.stop();
    appliance.serve();
    assert_eq!(appliance.json(&["status"])["lockdown"]["except"], json!(["laptop"]));
    assert!(appliance.adit(&["status"]).contains("locked out"));
    assert!(appliance.refused(&["lockdown", "--except", "nobody"], 6).contains("nobody"));
    appliance.adit(&["unlock"]);
    assert_eq!(appliance.agent(&confs[0]).total("kettle"), 1);
    assert!(appliance.json(&["status"])["lockdown"].is_null());
}

#[test]
fn a_grant_ends_when_its_time_is_over() {
    let appliance = Appliance::serving();
    let conf = appliance.device("guest", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
    appliance.adit(&["peer", "set", "guest", "--expires", &end.to_string()]);
    wait_until("the device has expired", || {
        (appliance.json(&["peer", "show", "guest"])["standing"] == "expired").then_some(())
    });
    let answer = agent.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    appliance.adit(&["peer", "set", "guest", "--expires", "30d"]);
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
    for (arguments, word) in [
        (["peer", "set", "guest", "--expires", "2020-01-01"], "over already"),
        (["peer", "set", "guest", "--expires", "soon"], "30d"),
        (["peer", "set", "guest", "--from", "home"], "192.0.2.0/24"),
    ] {
        let said = appliance.refused(&arguments, 2);
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}

#[test]
fn a_device_meets_silence_from_other_networks_than_its_own() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--from", "192.0.2.0/24"]);
    let answer = appliance.agent(&conf).ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    let dropped = |appliance: &Appliance| appliance.json(&["status"])["counters"]["dropped_foreign_network"].as_u64();
    assert!(dropped(&appliance) > Some(0));
    appliance.adit(&["peer", "set", "phone", "--from", "192.0.2.0/24,127.0.0.0/8,::1"]);
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
    appliance.adit(&["peer", "set", "phone", "--from", "any"]);
    assert_eq!(appliance.json(&["peer", "show", "phone"])["from"], json!([]));
}

#[test]
fn a_new_server_key_is_one_line_for_each_device() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
    let line = appliance.adit(&["server-key", "rotate"]);
    assert!(line.starts_with("PublicKey = ") && line.lines().count() == 1, "{line}");
    appliance.stop();
    appliance.serve();
    let answer = appliance.agent(&conf).ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    let text = fs::read_to_string(&conf).unwrap();
    let changed = text.lines().map(|old| if old.starts_with("PublicKey") { line.trim() } else { old });
    fs::write(&conf, changed.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
    let key = appliance.path("keys/server.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    appliance.stop();
    fs::remove_file(&key).unwrap();
    assert!(appliance.refused(&["serve"], 1).contains("server-key rotate"));
    appliance.adit(&["server-key", "rotate"]);
    appliance.serve();
}

#[test]
fn during_an_overlap_both_server_keys_are_answered() {
    let mut appliance = Appliance::serving();
    let (changed, unchanged) = (appliance.device("phone", &[]), appliance.device("laptop", &[]));
    let line = appliance.adit(&["server-key", "rotate", "--overlap", "7d"]);
    assert!(appliance.refused(&["server-key", "rotate", "--overlap", "7d"], 7).contains("server-key forget"));
    // Not before the new key is answered at all.
    assert!(appliance.refused(&["server-key", "forget"], 1).contains("still serves under the old key alone"));
    let change = |conf: &Path, line: &str| {
        let text = fs::read_to_string(conf).unwrap();
        let lines = text.lines().map(|old| if old.starts_with("PublicKey") { line.trim() } else { old });
        fs::write(conf, lines.collect::<Vec<_>>().join("\n")).unwrap();
    };
    appliance.stop();
    appliance.serve();
    assert!(appliance.adit(&["status"]).contains("used by no device, and perhaps by 2 devices"));
    change(&changed, &line);
    let mut old = appliance.agent(&unchanged);
    for conf in [&changed, &unchanged] {
        assert_eq!(appliance.agent(conf).total("kettle"), 1);
    }
    assert_eq!(old.total("kettle"), 1);
    let status = appliance.adit(&["status"]);
    assert!(status.contains("used by laptop\n"), "{status}");
    let uses = |name: &str| appliance.json(&["peer", "show", name])["uses_former_server_key"].clone();
    assert_eq!((uses("phone"), uses("laptop")), (json!(false), json!(true)));

    // Who is on the old key is cut off while it is at work.
    appliance.adit(&["server-key", "forget"]);
    let answer = old.ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    assert_eq!(appliance.agent(&changed).total("kettle"), 1);
    assert!(!appliance.adit(&["status"]).contains("former key"));
    let file = fs::read_to_string(appliance.path("keys/server.key")).unwrap();
    assert_eq!(file.lines().count(), 1, "one key is left");
    assert!(appliance.adit(&["audit"]).contains("former server key ended"));
    change(&unchanged, &line);
    assert_eq!(appliance.agent(&unchanged).total("kettle"), 1);
}

#[test]
fn an_overlap_ends_by_itself_also_where_nobody_is_there_to_see_it() {
    let mut appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    appliance.adit(&["server-key", "rotate", "--overlap", "4s"]);
    appliance.stop();
    appliance.serve();
    let status = || appliance.adit(&["status"]);
    let used = appliance.agent(&conf).total("kettle") == 1;
    wait_until("the end of the overlap", || (!status().contains("former key")).then_some(()));
    // A machine that is slow to start may have missed all of it.
    assert!(used || !appliance.json(&["peer", "show", "phone"])["latest_handshake_seconds"].is_number());
    let answer = appliance.agent(&conf).ask("tools/list", json!({}));
    assert!(answer.get("error").is_some(), "{answer}");
    assert!(appliance.adit(&["doctor"]).contains("server-key forget"));
    for far in ["never", "2y"] {
        assert!(appliance.refused(&["server-key", "rotate", "--overlap", far], 2).contains("within a year"));
    }
}

#[test]
fn why_a_device_sees_a_document_is_explained() {
    let mut appliance = Appliance::serving();
    appliance.device("phone", &["--collections", "papers,!papers/secret"]);
    let explained = |appliance: &Appliance, path: &str| appliance.adit(&["peer", "explain", "phone", path]);
    let seen = explained(&appliance, "papers/kettle.md");
    assert!(seen.contains("phone sees") && seen.contains("\"papers\" admits it"), "{seen}");
    let denied = explained(&appliance, "papers/secret/plan.md");
    assert!(denied.contains("does not see") && denied.contains("\"!papers/secret\" denies it"), "{denied}");
    let foreign = explained(&appliance, "private/diary.md");
    assert!(foreign.contains("does not see") && foreign.contains("no rule covers it"), "{foreign}");
    assert!(appliance.refused(&["peer", "explain", "phone", "/nowhere"], 6).contains("in no collection"));
    assert!(appliance.refused(&["peer", "explain", "nobody", "papers/kettle.md"], 6).contains("nobody"));
    let sees = |appliance: &Appliance| {
        appliance.json(&["peer", "explain", "phone", "papers/kettle.md"])["results"][0]["sees"].clone()
    };
    assert_eq!(sees(&appliance), true);
    appliance.adit(&["peer", "disable", "phone"]);
    assert!(explained(&appliance, "papers/kettle.md").contains("device: disabled"));
    appliance.stop();
    assert_eq!(sees(&appliance), false, "the same without a daemon");
}

#[test]
fn what_a_device_would_gain_and_lose_is_told_before_it_is_so() {
    let mut appliance = Appliance::serving();
    appliance.device("phone", &["--collections", "papers"]);
    let tried = |appliance: &Appliance, change: &[&str]| {
        appliance.json(&[&["peer", "set", "phone", "--dry-run"], change].concat())
    };
    let check = |appliance: &Appliance| {
        let none = json!({"documents": 0, "paths": []});
        let garden = json!({"documents": 1, "paths": ["papers/notes/garden.txt"]});
        let diary = json!({"documents": 1, "paths": ["private/diary.md"]});
        let papers = json!({"documents": 2, "paths": ["papers/kettle.md", "papers/notes/garden.txt"]});
        for (change, gains, loses) in [
            (&["--collections", "papers,private"][..], &diary, &none),
            (&["--collections", "*,!papers/notes"], &diary, &garden),
            (&["--collections", "papers,!papers/notes"], &none, &garden),
            (&["--scopes", "health"], &none, &papers),
            (&["--expires", "30d"], &none, &none),
        ] {
            let report = tried(appliance, change);
            assert_eq!((&report["gains"], &report["loses"]), (gains, loses), "{change:?}: {report}");
        }
        let text = appliance.adit(&["peer", "set", "phone", "--dry-run", "--collections", "private"]);
        for line in ["phone would gain 1 document and lose 2 documents", "+ private/diary.md", "- papers/kettle.md"] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        let report = appliance.json(&["peer", "show", "phone"]);
        assert_eq!(report["collections"], json!(["papers"]), "nothing has changed");
        for (arguments, code) in [
            (&["peer", "set", "phone", "--dry-run"][..], 2),
            (&["peer", "set", "phone", "--collections", "papers", "--json"], 2),
            (&["peer", "set", "phone", "--dry-run", "--collections", "nowhere"], 6),
            (&["peer", "set", "nobody", "--dry-run", "--collections", "papers"], 6),
            (&["peer", "set", "phone", "--dry-run", "--scopes", "write"], 2),
        ] {
            appliance.refused(arguments, code);
        }
    };
    check(&appliance);
    // Documents that come and go, the trial knows at once.
    appliance.write("private", "letters/aunt.md", "# Aunt\n\nDear aunt\n");
    wait_until("the letter is there", || {
        (tried(&appliance, &["--collections", "*"])["gains"]["documents"] == 2).then_some(())
    });
    fs::remove_file(appliance.path("private/letters/aunt.md")).unwrap();
    wait_until("the letter is gone", || {
        (tried(&appliance, &["--collections", "*"])["gains"]["documents"] == 1).then_some(())
    });
    appliance.stop();
    check(&appliance);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_used_of_a_day_stays_used_over_a_restart() {
    let mut appliance = Appliance::new();
    let text = fs::read_to_string(appliance.config()).unwrap();
    fs::write(appliance.config(), format!("{text}\n[limits]\nbytes_per_day = \"20 KiB\"\n")).unwrap();
    appliance.serve();
    let confs = ["phone", "laptop"].map(|name| appliance.device(name, &[]));
    let phone = Device::new(&confs[0]);
    let mut answer = String::new();
    while !answer.starts_with("HTTP/1.1 429") {
        answer = phone.get("/").await;
        assert!(answer.starts_with("HTTP/1.1 200") || answer.contains("bytes of this day"), "{answer}");
    }
    appliance.stop();
    assert_eq!(fs::metadata(appliance.path("state/usage.json")).unwrap().permissions().mode() & 0o777, 0o600);
    appliance.serve();
    let [phone, laptop] = confs.each_ref().map(|conf| Device::new(conf));
    let answer = phone.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: "), "{answer}");
    assert!(laptop.get("/").await.starts_with("HTTP/1.1 200"), "another notices nothing");
    appliance.stop();
    let told = appliance.adit(&["audit", "--peer", "phone"]);
    assert!(told.contains("the bytes of the day are used up"), "{told}");
    assert!(!appliance.adit(&["audit", "--peer", "laptop"]).contains("used up"));
}

#[test]
fn without_a_daemon_the_same_commands_change_the_same_files() {
    let mut appliance = Appliance::new();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    appliance.adit(&["peer", "set", "phone", "--collections", "private"]);
    appliance.device("old", &[]);
    appliance.adit(&["peer", "revoke", "old"]);
    appliance.serve();
    let mut agent = appliance.agent(&conf);
    assert_eq!((agent.total("xylophone"), agent.total("kettle")), (1, 0));
    let names = appliance.json(&["peer", "list"]);
    assert_eq!(names["peers"].as_array().unwrap().len(), 1, "{names}");
}

#[test]
fn status_shows_who_is_connected() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let quiet = appliance.json(&["status"]);
    assert!(quiet["peers"][0]["latest_handshake_seconds"].is_null(), "{quiet}");
    appliance.agent(&conf).total("kettle");
    let status = wait_until("a handshake shows", || {
        let status = appliance.json(&["status"]);
        status["peers"][0]["latest_handshake_seconds"].is_u64().then_some(status)
    });
    assert!(status["peers"][0]["received_bytes"].as_u64() > Some(0), "{status}");
    assert!(appliance.adit(&["status"]).contains("phone"));
}

#[test]
fn what_is_wrong_with_a_device_is_said() {
    let appliance = Appliance::new();
    appliance.device("phone", &[]);
    for (arguments, code, word) in [
        (&["peer", "add", "phone"][..], 7, "exists"),
        (&["peer", "add", "tab let"], 2, "name"),
        (&["peer", "add", "owner"], 2, "choose another"),
        (&["peer", "add", "tablet", "--collections", "nowhere"], 6, "nowhere"),
        (&["peer", "add", "tablet", "--public-key", "short"], 2, "key"),
        (&["peer", "show", "nobody"], 6, "nobody"),
        (&["peer", "revoke", "nobody"], 6, "nobody"),
        (&["peer", "set", "nobody", "--collections", "papers"], 6, "nobody"),
        (&["peer", "set", "phone"], 2, "--expires"),
        (&["peer", "set", "phone", "--collections", "nowhere/folder"], 6, "nowhere"),
        (&["peer", "rename", "phone", "a b"], 2, "name"),
        (&["peer", "rename", "nobody", "other"], 6, "nobody"),
        (&["peer", "disable", "nobody"], 6, "nobody"),
        (&["peer", "rotate", "nobody"], 6, "nobody"),
    ] {
        let said = appliance.refused(arguments, code);
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}
