//! What changes in the folders shows in the answers.

use std::fs;

use crate::appliance::{Appliance, wait_until};

#[test]
fn saved_moved_and_deleted_files_show_within_seconds() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    let mut becomes = |query: &str, total: u64| {
        wait_until(&format!("{query} finds {total}"), || (agent.total(query) == total).then_some(()));
    };
    becomes("marmalade", 0);
    appliance.write("papers", "recipes/jam.md", "# Marmalade\n\nThree oranges.\n");
    becomes("marmalade", 1);
    appliance.write("papers", "recipes/jam.md", "# Chutney\n\nThree mangoes.\n");
    becomes("marmalade", 0);
    becomes("chutney", 1);
    fs::rename(appliance.path("papers/recipes/jam.md"), appliance.path("papers/chutney.md")).unwrap();
    becomes("path:recipes chutney", 0);
    becomes("chutney", 1);
    fs::remove_file(appliance.path("papers/chutney.md")).unwrap();
    becomes("chutney", 0);
}

#[test]
fn a_broken_file_is_named_with_its_reason_and_the_rest_goes_on() {
    let appliance = Appliance::new();
    appliance.write(
        "papers",
        "broken.pdf",
        b"%PDF-1.7\n1 0 obj << /Type /Catalog /Pages 9 0 R >> endobj\ntrailer << /Root 1 0 R >>\n",
    );
    appliance.write("papers", "broken.docx", b"PK\x03\x04 not a zip at all");
    let mut appliance = appliance;
    appliance.serve();
    let failures = wait_until("both are named", || {
        let failures = appliance.json(&["index", "failures"]);
        (failures["failures"].as_array().unwrap().len() == 2).then_some(failures)
    });
    for failure in failures["failures"].as_array().unwrap() {
        assert!(failure["reason"].as_str().unwrap().len() > 10, "{failure}");
    }
    assert!(appliance.adit(&["search", "kettle"]).contains("kettle.md"));
}

#[test]
fn the_owner_searches_with_and_without_a_daemon() {
    let mut appliance = Appliance::serving();
    let with = appliance.json(&["search", "xylophone"]);
    assert_eq!(with["results"][0]["path"], "diary.md");
    appliance.stop();
    let without = appliance.json(&["search", "xylophone"]);
    assert_eq!(without["results"][0]["path"], "diary.md");
}

#[test]
fn a_rebuild_finds_everything_again() {
    let appliance = Appliance::serving();
    appliance.adit(&["index", "rebuild"]);
    appliance.wait_for_index();
    assert_eq!(appliance.json(&["search", "kettle"])["total"], 1);
    appliance.refused(&["index", "rebuild", "nowhere"], 6);
}
