//! The layers hold: every `use crate::…` (and every `crate::…` path) points to where the table in `src/lib.rs` lets it point.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The table: module → modules it may import.
fn allowed() -> Arrows {
    let source = fs::read_to_string("src/lib.rs").unwrap();
    let rows = source.lines().filter(|line| line.starts_with("//! |") && line.contains('`'));
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        (names(cells[2])[0].clone(), names(cells[3]).into_iter().collect())
    };
    rows.map(row).collect()
}

/// What the sources do: module → modules it mentions.
fn found() -> Arrows {
    let mut arrows = Arrows::new();
    for file in sources(Path::new("src")) {
        let module = module_of(&file);
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        for line in code {
            for (at, _) in line.match_indices("crate::") {
                let target: String =
                    line[at + 7..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                arrows.entry(module.clone()).or_default().insert(target);
            }
        }
    }
    arrows
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    };
    entries.flat_map(of).filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

/// `src/tunnel/noise.rs` → `tunnel`, `src/key.rs` → `key`.
fn module_of(file: &Path) -> String {
    let first = file.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn every_arrow_points_where_the_table_says() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for (module, targets) in found() {
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let may = allowed.get(&module).unwrap_or_else(|| panic!("`{module}` is missing in the table of src/lib.rs"));
        let bad = targets.iter().filter(|target| **target != module && !may.contains(*target));
        wrong.extend(bad.map(|target| format!("`{module}` imports `{target}`")));
    }
    assert!(wrong.is_empty(), "against the table in src/lib.rs: {wrong:#?}");
}

#[test]
fn every_row_of_the_table_is_a_module() {
    let modules: BTreeSet<String> = sources(Path::new("src")).iter().map(|file| module_of(file)).collect();
    for module in allowed().keys() {
        assert!(modules.contains(module), "`{module}` stands in the table and not in src/");
    }
}

/// Outside crates that belong to one layer alone.
#[test]
fn outside_crates_stay_in_their_layer() {
    let homes: [(&str, &[&str]); 12] = [
        ("boringtun", &["tunnel"]),
        ("smoltcp", &["stack"]),
        ("tantivy", &["search"]),
        ("rmcp", &["mcp"]),
        ("hyper", &["http", "bridge"]),
        ("quinn_udp", &["link"]),
        ("notify", &["daemon"]),
        ("daemonize", &["daemon"]),
        ("clap", &["cli"]),
        ("indicatif", &["cli"]),
        ("qrcode", &["cli"]),
        ("anyhow", &["cli"]),
    ];
    for file in sources(Path::new("src")) {
        let (module, text) = (module_of(&file), fs::read_to_string(&file).unwrap());
        for (name, home) in homes {
            let used = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(&format!("{name}::")) && !line.contains(&format!("_{name}::"))
            });
            assert!(!used || home.contains(&module.as_str()), "{} uses {name}, which is {home:?}'s", file.display());
        }
    }
}

/// Below the shell nothing reads a clock, a random source or a socket.
#[test]
fn below_the_shell_time_and_chance_are_arguments() {
    let sources_of_disorder = [
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "OsRng",
        "getrandom::",
        "thread_rng",
        "UdpSocket",
        "TcpStream",
    ];
    let core = ["tunnel", "stack", "node", "search", "documents", "access", "mcp", "http"];
    for file in sources(Path::new("src")) {
        // A module's tests in a file of their own set its clock.
        if !core.contains(&module_of(&file).as_str()) || file.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in sources_of_disorder {
            let used = code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            assert!(!used, "{} uses {word}", file.display());
        }
    }
}

#[test]
fn unsafe_code_stands_in_one_module() {
    let is_unsafe = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(str::trim_start).any(|line| !line.starts_with("//") && line.contains("unsafe"))
    };
    let found: Vec<PathBuf> = sources(Path::new("src")).into_iter().filter(is_unsafe).collect();
    assert_eq!(found, [Path::new("src/daemon/memory.rs")]);
}
