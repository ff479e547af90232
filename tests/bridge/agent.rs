//! An agent that starts the real `adit bridge` and speaks to it line by line.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use adit::config::wireguard::DeviceConfig;
use adit::key::{PresharedKey, PrivateKey};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::pair;

/// A folder with a device's configuration, and a runtime folder for its bridges.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// The place of the device that dials this endpoint.
    pub fn new(endpoint: impl ToString) -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let config = DeviceConfig {
            private_key: PrivateKey::from_entropy(pair::DEVICE_KEY),
            addresses: pair::DEVICE.iter().map(|text| text.parse().unwrap()).collect(),
            mtu: 1280,
            server_key: PrivateKey::from_entropy(pair::SERVER_KEY).public(),
            preshared_key: Some(PresharedKey::from_entropy(pair::SHARED_KEY)),
            server_addresses: pair::SERVER.iter().map(|text| text.parse().unwrap()).collect(),
            endpoint: endpoint.to_string(),
            keepalive_secs: None,
        };
        let place = Place { folder };
        std::fs::write(place.file(), config.render().as_bytes()).unwrap();
        #[cfg(unix)]
        place.set_mode(0o600);
        place
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("laptop.conf")
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    #[cfg(unix)]
    pub fn set_mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(self.file(), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Starts a bridge.
    pub fn bridge(&self, arguments: &[&str]) -> Agent {
        let mut child = Command::new(env!("CARGO_BIN_EXE_adit"))
            .arg("bridge")
            .arg(self.file())
            .args(arguments)
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Agent {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            talk: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
        }
    }
}

pub struct Agent {
    pub child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    talk: Lines<BufReader<ChildStderr>>,
}

impl Agent {
    /// Says a line as it is.
    pub async fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("stdin is open");
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Says nothing more.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// The next line of stdout as it is; `None` at its end.
    pub async fn hear(&mut self) -> Option<String> {
        timeout(pair::PATIENCE, self.output.next_line()).await.expect("a line comes").unwrap()
    }

    /// The next line of stderr.
    pub async fn talk(&mut self) -> String {
        timeout(pair::PATIENCE, self.talk.next_line()).await.expect("a line comes").unwrap().unwrap_or_default()
    }

    /// Asks and hears the answer, with nothing else under way.
    pub async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()).await;
        let answer: Value = serde_json::from_str(&self.hear().await.expect("an answer")).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Waits for the end; its exit code and what is left of stderr.
    pub async fn end(mut self) -> (Option<i32>, String) {
        let status = timeout(pair::PATIENCE, self.child.wait()).await.expect("the bridge ends").unwrap();
        let mut rest = String::new();
        self.talk.into_inner().read_to_string(&mut rest).await.unwrap();
        (status.code(), rest)
    }
}
