//! A self-contained appliance in a temporary folder, and agents that speak to it through `adit bridge`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a test waits for what must come about. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub const ADIT: &str = env!("CARGO_BIN_EXE_adit");

/// Waits until a condition holds; panics with the sentence if it never does.
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "never came about: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration, a folder of documents and, while it serves, a daemon.
pub struct Appliance {
    pub dir: TempDir,
    pub port: u16,
    pub daemon: Option<Child>,
}

impl Appliance {
    /// Initialised over two collections, `papers` and `private`; not serving yet.
    pub fn new() -> Appliance {
        let dir = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let appliance = Appliance { dir, port, daemon: None };
        for (collection, name, text) in [
            ("papers", "kettle.md", "# The kettle\n\nDescale the kettle with vinegar.\n\n## Guarantee\n\nTwo years.\n"),
            ("papers", "notes/garden.txt", "Prune the quince in February.\n"),
            ("private", "diary.md", "# Diary\n\nThe xylophone is hidden in the attic.\n"),
        ] {
            appliance.write(collection, name, text);
        }
        let (papers, private) = (appliance.named("papers"), appliance.named("private"));
        let endpoint = format!("127.0.0.1:{port}");
        let listen = endpoint.clone();
        appliance.adit(&[
            "init",
            "--documents",
            &papers,
            "--documents",
            &private,
            "--endpoint",
            &endpoint,
            "--listen",
            &listen,
        ]);
        appliance
    }

    /// The same, serving and indexed.
    pub fn serving() -> Appliance {
        let mut appliance = Appliance::new();
        appliance.serve();
        appliance
    }

    /// `NAME=DIR` of a collection.
    fn named(&self, collection: &str) -> String {
        format!("{collection}={}", self.path(collection).display())
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn config(&self) -> PathBuf {
        self.path("adit.toml")
    }

    /// Writes a document.
    pub fn write(&self, collection: &str, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(collection).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Starts the daemon and waits until everything is indexed.
    pub fn serve(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let daemon = self.command(&["serve"]).stderr(log).spawn().unwrap();
        self.daemon = Some(daemon);
        wait_until("the daemon answers", || self.try_adit(&["status"]).status.success().then_some(()));
        self.wait_for_index();
    }

    /// Waits until nothing is pending and all documents are there.
    pub fn wait_for_index(&self) {
        wait_until("everything is indexed", || {
            let status = self.json(&["index", "status"]);
            (status["pending"] == 0 && status["documents"].as_u64() >= Some(3)).then_some(())
        });
    }

    /// Stops the daemon by its own command and sees it end well.
    pub fn stop(&mut self) {
        self.adit(&["stop"]);
        let mut daemon = self.daemon.take().unwrap();
        let ended = wait_until("the daemon ends", || daemon.try_wait().unwrap());
        assert!(ended.success(), "{ended}: {}", self.log());
    }

    /// Everything the daemon has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A command of the program on this appliance. The verbs come first, then `--config`, then the rest.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let verbs = arguments.iter().take(2).position(|it| it.starts_with('-')).unwrap_or(arguments.len().min(2));
        let verbs = if matches!(arguments[0], "peer" | "index" | "config" | "server-key") { verbs } else { 1 };
        let mut command = Command::new(ADIT);
        command.args(&arguments[..verbs]).arg("--config").arg(self.config()).args(&arguments[verbs..]);
        command.stdin(Stdio::null()).current_dir(self.dir.path());
        command
    }

    /// Runs a command that must succeed; returns what it printed.
    pub fn adit(&self, arguments: &[&str]) -> String {
        let output = self.try_adit(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that may fail.
    pub fn try_adit(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must fail with this exit code; returns what it said.
    pub fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.try_adit(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    /// A read verb's JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let value: Value = serde_json::from_str(&self.adit(&arguments)).unwrap();
        assert_eq!(value["version"], 1, "{arguments:?}");
        value
    }

    /// Adds a device and returns its configuration file.
    pub fn device(&self, name: &str, more: &[&str]) -> PathBuf {
        let conf = self.path(&format!("{name}.conf"));
        let file = conf.display().to_string();
        let arguments: Vec<&str> =
            ["peer", "add", name, "--conf", &file].into_iter().chain(more.iter().copied()).collect();
        self.adit(&arguments);
        conf
    }

    /// An agent that starts a bridge with this configuration.
    pub fn agent(&self, conf: &Path) -> Agent {
        Agent::start(conf, self.dir.path())
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
            if std::thread::panicking() {
                eprintln!("the daemon's log:\n{}", self.log());
            }
        }
    }
}

/// An agent: a stdio MCP client of a bridge.
pub struct Agent {
    bridge: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    last_id: u64,
}

impl Agent {
    fn start(conf: &Path, runtime_dir: &Path) -> Agent {
        let mut bridge = Command::new(ADIT)
            .arg("bridge")
            .arg(conf)
            .env("XDG_RUNTIME_DIR", runtime_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, from) = (bridge.stdin.take().unwrap(), BufReader::new(bridge.stdout.take().unwrap()));
        Agent { bridge, to, from, last_id: 0 }
    }

    /// Sends a line as it is and returns the next line that comes back.
    pub fn say(&mut self, line: &str) -> Value {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    /// One request, and its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let answer =
            self.say(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}).to_string());
        assert_eq!(answer["id"], self.last_id, "{answer}");
        answer
    }

    /// A tool's structured answer; panics when it is an error.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(!answer["result"]["isError"].as_bool().unwrap_or(false), "{answer}");
        answer["result"]["structuredContent"].clone()
    }

    /// How many documents answer a query.
    pub fn total(&mut self, query: &str) -> u64 {
        self.call("search", json!({"query": query}))["total"].as_u64().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.bridge.kill();
        let _ = self.bridge.wait();
    }
}
