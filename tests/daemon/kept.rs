//! What was acknowledged is kept, whenever the program is killed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::appliance::Appliance;

/// Devices by name, with the one collection that each sees.
type Devices = BTreeMap<String, String>;

fn devices(appliance: &Appliance) -> Devices {
    let list = appliance.json(&["peer", "list"]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |peer: &Value| (word(&peer["name"]), word(&peer["collections"][0]));
    list["peers"].as_array().unwrap().iter().map(of).collect()
}

/// Runs a command that is killed after this time; whether it had said that it was done.
fn killed(appliance: &Appliance, arguments: &[&str], after: Duration) -> bool {
    let mut command = appliance.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(after);
    let _ = child.kill();
    child.wait().unwrap().success()
}

#[test]
fn two_hundred_kills_lose_no_acknowledged_change() {
    let appliance = Appliance::new();
    let began = Instant::now();
    appliance.adit(&["peer", "add", "first", "--collections", "papers"]);
    let usual = began.elapsed();
    let mut known = devices(&appliance);
    let (mut chance, mut done) = (0x5851_f42d_4c95_7f2d_u64, 0);
    for round in 0..200 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = match (round % 4, known.keys().nth((chance >> 40) as usize % known.len().max(1))) {
            (0 | 1, _) | (_, None) => format!("device-{round}"),
            (_, Some(name)) => name.clone(),
        };
        let collection = if chance >> 33 & 1 == 0 { "papers" } else { "private" };
        let arguments: &[&str] = match (known.contains_key(&name), round % 4) {
            (false, _) => &["peer", "add", &name, "--collections", collection],
            (true, 2) => &["peer", "set", &name, "--collections", collection],
            (true, _) => &["peer", "revoke", &name],
        };
        let mut changed = known.clone();
        match arguments[1] {
            "revoke" => changed.remove(&name),
            _ => changed.insert(name.clone(), collection.to_owned()),
        };
        // From before it begins to after it ends.
        let acknowledged =
            killed(&appliance, arguments, usual.mul_f64((chance >> 44) as f64 / f64::from(1 << 20) * 1.3));
        let found = devices(&appliance);
        let is_right = found == changed || !acknowledged && found == known;
        assert!(
            is_right,
            "round {round}, {arguments:?}, acknowledged: {acknowledged}\nfound {found:?}\nknown {known:?}"
        );
        done += usize::from(acknowledged);
        known = found;
    }
    assert!((1..200).contains(&done), "kills fall on both sides of the acknowledgement: {done} came before");
}
