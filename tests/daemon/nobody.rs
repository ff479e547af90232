//! What somebody else on the same machine gets of a serving appliance: nothing. No file, no answer, nothing of its processes; and the
//! private key is in its file alone.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::json;
use tempfile::TempDir;

use crate::appliance::{ADIT, Appliance, wait_until};
use crate::hostile::{children_of, line_of};

/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Entries of a process's folder that tell of its memory, its files and where it is. (Others the kernel shows of every process.)
const PRIVATE: [&str; 17] = [
    "auxv",
    "clear_refs",
    "cwd",
    "environ",
    "exe",
    "fd",
    "io",
    "map_files",
    "maps",
    "mem",
    "numa_maps",
    "pagemap",
    "personality",
    "root",
    "smaps",
    "stack",
    "syscall",
];

/// Commands that are about no appliance: they succeed for anybody.
const ABOUT_NOTHING: [&str; 3] = ["completions", "config-path", "man"];

/// What the commands want besides.
const ARGUMENTS: [(&str, &[&str]); 17] = [
    ("bridge", &["phone.conf"]),
    ("client-config", &["claude-code"]),
    ("init", &["--documents", "papers"]),
    ("lockdown", &[]),
    ("peer-add", &["thief", "--conf", "-"]),
    ("peer-disable", &["phone"]),
    ("peer-enable", &["phone"]),
    ("peer-explain", &["phone", "papers/kettle.md"]),
    ("peer-rename", &["phone", "thief"]),
    ("peer-revoke", &["phone"]),
    ("peer-rotate", &["phone", "--conf", "-"]),
    ("peer-set", &["phone", "--collections", "*"]),
    ("peer-show", &["phone"]),
    ("search", &["kettle"]),
    ("up", &["papers"]),
    ("why", &["papers/kettle.md"]),
    ("index-rebuild", &[]),
];

/// Whether we are root, who alone can become somebody else.
fn is_root() -> bool {
    let is_root = Uid::effective().is_root();
    if !is_root {
        eprintln!("skipped: only root can try what somebody else can do");
    }
    is_root
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// An appliance in a folder that everybody may enter, so that nothing protects it but what adit itself does.
fn exposed() -> Appliance {
    let mut appliance = Appliance::new();
    open_to_all(appliance.dir.path());
    appliance.serve();
    let conf = appliance.device("phone", &["--collections", "papers"]);
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
    appliance.adit(&["search", "xylophone"]);
    appliance
}

/// The program where everybody can start it, and a folder of theirs.
fn program() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("adit");
    fs::hard_link(ADIT, &program).or_else(|_| fs::copy(ADIT, &program).map(drop)).unwrap();
    nix::unistd::chown(dir.path(), Some(Uid::from_raw(NOBODY)), None).unwrap();
    open_to_all(dir.path());
    (dir, program)
}

fn as_nobody(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin");
    command.uid(NOBODY).gid(NOBODY).output().unwrap()
}

/// Those of these paths with which a line of shell succeeds for nobody.
fn allowed(line: &str, paths: &[PathBuf]) -> Vec<String> {
    let script = format!("for path; do ( {line} ) </dev/null >/dev/null 2>&1 && printf '%s\\n' \"$path\"; done; true");
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = ["-c", &script, "sh"].into_iter().chain(paths).collect();
    let output = as_nobody("sh", &arguments, Path::new("/"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Everything below a folder, folders and files apart; but for the documents, which are their owner's to protect, and what the test itself
/// writes there.
fn everything(appliance: &Appliance) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut folders, mut files) = (vec![appliance.dir.path().to_owned()], Vec::new());
    let spared = ["papers", "private", "log"].map(|name| appliance.path(name));
    let mut at = 0;
    while let Some(folder) = folders.get(at).cloned() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            match (spared.contains(&entry.path()), entry.file_type().unwrap().is_dir()) {
                (true, _) => {}
                (false, true) => folders.push(entry.path()),
                (false, false) => files.push(entry.path()),
            }
        }
        at += 1;
    }
    folders.remove(0);
    (folders, files)
}

/// The daemon and its workers, while there are some.
fn processes(appliance: &Appliance) -> Vec<u32> {
    let daemon = appliance.daemon.as_ref().unwrap().id();
    let mut number = 0;
    let workers = wait_until("a document is being read", || {
        number += 1;
        appliance.write("papers", &format!("more/{number}.md"), "# More\n\nof it\n".repeat(20_000));
        Some(children_of(daemon)).filter(|children| !children.is_empty())
    });
    [daemon].into_iter().chain(workers).collect()
}

#[test]
fn nobody_reads_writes_or_removes_a_file() {
    if !is_root() {
        return;
    }
    let appliance = exposed();
    let (folders, files) = everything(&appliance);
    let names: Vec<&str> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    for name in ["server.key", "peers.toml", "audit.jsonl", "control.sock", "phone.conf", "lock"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let none: [String; 0] = [];
    // What a configuration says is no secret, and has no place for one.
    let secret: Vec<PathBuf> = files.iter().filter(|path| **path != appliance.config()).cloned().collect();
    assert_eq!(allowed("cat \"$path\"", &secret), none, "read");
    assert_eq!(allowed(": >>\"$path\"", &files), none, "written");
    assert_eq!(allowed("mv \"$path\" \"$path.gone\" || rm -f \"$path\"", &files), none, "removed");
    assert_eq!(allowed("ls \"$path\" || cd \"$path\" || : >\"$path/new\"", &folders), none, "entered");
}

#[test]
fn nobody_looks_into_its_processes() {
    if !is_root() {
        return;
    }
    let appliance = exposed();
    let none: [String; 0] = [];
    for pid in processes(&appliance) {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let private: Vec<PathBuf> =
            PRIVATE.iter().map(|name| folder.join(name)).filter(|it| it.symlink_metadata().is_ok()).collect();
        if private.is_empty() {
            // A worker that has just ended.
            continue;
        }
        assert_eq!(allowed("readlink \"$path\" || ls \"$path/\" || head -c 1 \"$path\" | grep -q .", &private), none);
        assert_eq!(allowed("kill -0 \"${path#/proc/}\"", std::slice::from_ref(&folder)), none, "signalled");
    }
    let daemon = appliance.daemon.as_ref().unwrap().id();
    assert!(line_of(daemon, "Name").is_some(), "it lives");
}

#[test]
fn nobody_is_answered_by_any_command() {
    if !is_root() {
        return;
    }
    let appliance = exposed();
    let (theirs, program) = program();
    let before = appliance.json(&["peer", "list"])["peers"].clone();
    let help = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help");
    let mut commands: Vec<String> = fs::read_dir(help)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    commands.sort();
    // By the owner's configuration, and by one of their own that points at the owner's places.
    let text = fs::read_to_string(appliance.config()).unwrap();
    let own = theirs.path().join("adit.toml");
    let state = appliance.path("state");
    let pointing = format!(
        "[server]\nstate_dir = {:?}\nkey_file = {:?}\n",
        state.display().to_string(),
        appliance.path("keys/server.key").display().to_string()
    );
    fs::write(&own, text.replacen("[server]\n", &pointing, 1)).unwrap();
    for command in commands.iter().filter(|command| !ABOUT_NOTHING.contains(&command.as_str())) {
        let words: Vec<&str> = command.split('-').collect();
        let verbs = match command.as_str() {
            "client-config" => vec!["client-config"],
            "server-key-rotate" => vec!["server-key", "rotate"],
            "server-key-forget" => vec!["server-key", "forget"],
            "server-key" => vec!["server-key"],
            _ => words,
        };
        let more = ARGUMENTS.iter().find(|(name, _)| name == command).map_or(&[][..], |(_, more)| more);
        for config in [appliance.config(), own.clone()] {
            let config = config.to_str().unwrap();
            let arguments: Vec<&str> = verbs
                .iter()
                .copied()
                .filter(|verb| *verb != "adit")
                .chain(["--config", config])
                .chain(more.iter().copied())
                .collect();
            let output = as_nobody(&program, &arguments, theirs.path());
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let may = command.starts_with("config") || command == "client-config";
            assert!(may || !output.status.success(), "{arguments:?} was answered: {said}");
            for secret in ["xylophone", "PrivateKey", "vinegar"] {
                assert!(!said.contains(secret), "{arguments:?}: {said}");
            }
        }
    }
    // Even where somebody has opened the doors, the daemon itself asks who it is.
    open_to_all(&state);
    fs::set_permissions(state.join("control.sock"), Permissions::from_mode(0o666)).unwrap();
    for verbs in [&["status"][..], &["stop"], &["peer", "list"], &["search", "kettle"]] {
        let arguments: Vec<&str> = verbs.iter().copied().chain(["--config", own.to_str().unwrap()]).collect();
        let output = as_nobody(&program, &arguments, theirs.path());
        assert_eq!(output.status.code(), Some(5), "{verbs:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(appliance.json(&["peer", "list"])["peers"][0]["public_key"], before[0]["public_key"]);
    assert_eq!(appliance.json(&["status"])["peers"].as_array().unwrap().len(), 1);
}

#[test]
fn the_private_key_is_in_its_file_alone() {
    if !is_root() {
        return;
    }
    let mut appliance = Appliance::new();
    let log = fs::OpenOptions::new().create(true).append(true).open(appliance.path("log")).unwrap();
    // As talkative as it can be, and with leave to leave its memory behind.
    let text = fs::read_to_string(appliance.config()).unwrap();
    fs::write(appliance.config(), format!("{text}\n[log]\nlevel = \"trace\"\n")).unwrap();
    let serve = appliance.command(&["serve"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    // Where it may write, a core file would fall.
    let state = appliance.path("state");
    fs::create_dir_all(&state).unwrap();
    let daemon = command.current_dir(state).stdin(Stdio::null()).stderr(log).spawn().unwrap();
    let pid = daemon.id();
    appliance.daemon = Some(daemon);
    wait_until("the daemon answers", || appliance.try_adit(&["status"]).status.success().then_some(()));
    appliance.wait_for_index();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    let document = agent.call("search", json!({"query": "kettle"}))["results"][0]["id"].clone();
    agent.call("fetch", json!({"id": document}));

    let file = appliance.path("keys/server.key");
    let key = BASE64.decode(fs::read_to_string(&file).unwrap().trim()).unwrap();
    assert_eq!(key.len(), 32);
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = BASE64.encode(&key);
    let forms = [key, digits.to_uppercase().into_bytes(), digits.into_bytes(), base64.trim_end_matches('=').into()];
    let holds = |bytes: &[u8]| forms.iter().any(|form| bytes.windows(form.len()).any(|part| part == form));
    assert!(holds(&fs::read(&file).unwrap()), "it is found where it is");

    let mut searched = 0;
    let mut search = |what: &str, bytes: &[u8]| {
        searched += bytes.len();
        assert!(!holds(bytes), "the key is in {what}");
    };
    for process in processes(&appliance) {
        for entry in ["cmdline", "environ", "comm", "status"] {
            search(
                &format!("/proc/{process}/{entry}"),
                &fs::read(format!("/proc/{process}/{entry}")).unwrap_or_default(),
            );
        }
    }
    for arguments in [&["status"][..], &["peer", "list"], &["audit"], &["index", "status"], &["doctor"]] {
        let output = appliance.try_adit(&[arguments, &["--json"]].concat());
        search(&format!("{arguments:?}"), &[output.stdout, output.stderr].concat());
    }
    search("the configuration", appliance.adit(&["config", "show"]).as_bytes());
    kill(Pid::from_raw(pid as i32), Signal::SIGABRT).unwrap();
    let ended = appliance.daemon.take().unwrap().wait().unwrap();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::SIGABRT as i32), false));
    let (_, mut files) = everything(&appliance);
    files.push(appliance.path("log"));
    for path in files.iter().filter(|path| **path != file) {
        let mut bytes = Vec::new();
        if let Ok(mut file) = fs::File::open(path) {
            file.read_to_end(&mut bytes).unwrap();
        }
        search(&path.display().to_string(), &bytes);
    }
    assert!(searched > 10_000, "only {searched} bytes were looked through");
}
