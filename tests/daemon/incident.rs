//! The page for emergencies, drilled: every command of `docs/incident.md`, as it stands there.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::appliance::Appliance;

#[test]
fn every_command_of_the_incident_page_does_what_it_says() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/incident.md")).unwrap();
    let commands: Vec<Vec<&str>> =
        page.lines().filter_map(|line| line.strip_prefix("$ adit ")).map(|line| line.split(' ').collect()).collect();
    assert!(commands.len() > 12, "{commands:?}");
    let appliance = Appliance::serving();
    let confs = ["tablet", "laptop"].map(|name| appliance.device(name, &[]));
    let [mut tablet, mut laptop] = confs.each_ref().map(|conf| appliance.agent(conf));
    assert_eq!((tablet.total("kettle"), laptop.total("kettle")), (1, 1));
    for command in &commands {
        let said = appliance.adit(command);
        match command.join(" ").as_str() {
            "peer disable tablet" => {
                assert!(tablet.ask("tools/list", json!({})).get("error").is_some());
                assert_eq!(laptop.total("kettle"), 1);
            }
            "lockdown --except laptop" => assert_eq!(laptop.total("kettle"), 1),
            "peer explain tablet papers/kettle.md" => assert!(said.contains("\"papers\" admits it"), "{said}"),
            "audit --peer tablet --since 30d -n 0" => {
                assert!(
                    said.contains("search \"kettle\": papers/kettle.md") && said.contains("appeared from"),
                    "{said}"
                );
            }
            "audit --document papers/kettle.md --since 30d" => {
                assert!(said.contains("tablet") && said.contains("laptop"), "{said}");
            }
            "audit --peer owner --since 30d" => assert!(said.contains("peer revoked"), "{said}"),
            _ => {}
        }
    }
    assert_eq!(appliance.agent(&appliance.path("tablet-new.conf")).total("kettle"), 1);
    assert_eq!(appliance.agent(&appliance.path("laptop-new.conf")).total("kettle"), 1);
    for dead in &confs {
        assert!(appliance.agent(dead).ask("tools/list", json!({})).get("error").is_some(), "{}", dead.display());
    }
}
