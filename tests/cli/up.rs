use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use adit::config::wireguard::DeviceConfig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::home::Home;

/// How long a test waits for what must come about. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// `adit up …` in the foreground; what it says goes to the files `stdout` and `stderr`.
struct Up<'a> {
    home: &'a Home,
    child: Child,
}

impl<'a> Up<'a> {
    /// Starts it in `folder` and waits until everything is indexed.
    fn start(home: &'a Home, folder: &Path, arguments: &[&str]) -> Up<'a> {
        let mut command = home.command(["up"].iter().chain(arguments));
        command.current_dir(folder);
        command.stdout(File::create(home.path("stdout")).unwrap()).stderr(File::create(home.path("stderr")).unwrap());
        let up = Up { home, child: command.spawn().unwrap() };
        up.wait("it serves", || home.read("stderr").contains("Ctrl-C stops it."));
        up
    }

    fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "never came about: {what}\n{}", self.home.read("stderr"));
            sleep(Duration::from_millis(20));
        }
    }

    /// Ctrl-C.
    fn interrupt(self) -> ExitStatus {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).unwrap();
        self.ended()
    }

    fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn device(home: &Home, name: &str) -> DeviceConfig {
    assert_eq!(home.mode(name), 0o600);
    home.read(name).parse().unwrap()
}

#[test]
fn from_nothing_to_an_answer_and_again_from_there() {
    let home = Home::new();
    let listen = free_address();
    let up = Up::start(&home, home.root(), &["docs", "--listen", &listen, "--endpoint", "home.example.org"]);

    let found: Value = serde_json::from_str(&home.run(["search", "hums", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(found["results"][0]["path"], "pump.md");
    let (phone, local) = (device(&home, "phone.conf"), device(&home, "adit/keys/this-machine.conf"));
    assert!(phone.endpoint.starts_with("home.example.org:"), "{}", phone.endpoint);
    assert_eq!(local.endpoint, listen);
    let said = home.read("stdout");
    for words in [
        home.path("phone.conf").to_str().unwrap(),
        &format!("http://{}/", phone.server_addresses[0]),
        &format!("claude mcp add --scope user --transport http adit http://{}/mcp", phone.server_addresses[0]),
        &format!("bridge {}", home.path("adit/keys/this-machine.conf").display()),
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert!(!said.contains("below"), "no code follows where nobody looks: {said}");
    assert!(!said.contains(phone.private_key.to_base64().as_str()));

    home.run(["search", "-c", "nope", "hums"]).fails_with(6, &["\"nope\"; there are: docs"]);
    let missed = home.run(["search", "pmup"]).succeeds();
    assert_eq!(missed.stderr, "nothing found. Did you mean: pump?\n");

    let rebuilt = home.run(["index", "rebuild", "docs"]).succeeds();
    assert!(rebuilt.stderr.contains("1 document"), "{}", rebuilt.stderr);
    home.run(["index", "rebuild", "nowhere"]).fails_with(6, &["nowhere", "docs"]);

    let again = home.run(["up", "docs=docs"]).succeeds();
    assert!(again.stderr.contains("serves already"), "{}", again.stderr);
    let ended = up.interrupt();
    assert!(ended.success(), "{ended} {:?}", ended.signal());
    assert!(!home.exists("adit/state/control.sock"));

    let files = ["adit/adit.toml", "adit/keys/server.key", "adit/keys/this-machine.conf", "phone.conf"];
    let before: Vec<_> = files.iter().map(|file| home.read(file)).collect();
    fs::create_dir(home.path("more")).unwrap();
    fs::write(home.path("more/quince.md"), "# Quince\n").unwrap();
    let up = Up::start(&home, home.root(), &["docs", "fruit=more"]);
    let found: Value = serde_json::from_str(&home.run(["search", "quince", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(found["results"][0]["collection"], "fruit");
    assert!(home.read("stdout").contains("Another one:  adit peer add NAME --qr"), "{}", home.read("stdout"));
    assert!(up.interrupt().success());
    for (file, before) in files.iter().zip(before) {
        assert!(home.read(file).starts_with(&before), "{file} has changed");
    }
}

#[test]
fn no_key_is_left_where_it_would_be_searchable() {
    let home = Home::new();
    let up = Up::start(&home, &home.path("docs"), &[".", "--listen", &free_address()]);
    device(&home, "adit/keys/phone.conf");
    assert_eq!(fs::read_dir(home.path("docs")).unwrap().count(), 1);
    assert!(up.interrupt().success());
}

#[test]
fn what_is_in_the_way_is_said_before_anything_is_made() {
    let home = Home::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    home.run(["up", "docs", "--listen", &listen]).fails_with(1, &["in use", "--listen"]);
    drop(taken);
    fs::write(home.path("phone.conf"), "of another library").unwrap();
    home.run(["up", "docs", "--listen", &listen]).fails_with(7, &["phone.conf exists already", "--device NAME"]);
    let picture = ["up", "docs", "--listen", &listen, "--device", "laptop", "--png", "phone.conf"];
    home.run(picture).fails_with(7, &["phone.conf exists already", "--png FILE"]);
    assert!(!home.exists("adit"));
    let up = Up::start(&home, home.root(), &["docs", "--listen", &listen, "--device", "laptop"]);
    device(&home, "laptop.conf");
    assert_eq!(home.read("phone.conf"), "of another library");
    assert!(up.interrupt().success());
}

#[test]
fn what_cannot_be_served_later_leaves_everything_as_it_was() {
    let home = Home::new();
    let listen = free_address();
    assert!(Up::start(&home, home.root(), &["docs", "--listen", &listen]).interrupt().success());
    let phone = home.read("phone.conf");
    let taken = UdpSocket::bind(&listen).unwrap();
    let run = home.run(["up"]);
    assert!(run.code == 1 && run.stderr.contains("in use"), "{}", run.stderr);
    drop(taken);
    assert!(Up::start(&home, home.root(), &[]).interrupt().success());
    assert_eq!(home.read("phone.conf"), phone);
}

#[test]
fn a_running_daemon_is_not_said_to_serve_what_it_cannot_see() {
    let home = Home::new();
    let up = Up::start(&home, home.root(), &["docs", "--listen", &free_address()]);
    fs::create_dir(home.path("more")).unwrap();
    for _ in 0..2 {
        let run = home.run(["up", "fruit=more"]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert!(run.stderr.contains("does not serve \"fruit\"") && run.stderr.contains("adit stop"), "{}", run.stderr);
    }
    assert!(up.interrupt().success());
    let up = Up::start(&home, home.root(), &["fruit=more"]);
    home.run(["up"]).succeeds();
    assert!(up.interrupt().success());
}

#[test]
fn while_a_daemon_serves_somebody_no_other_device_is_made() {
    let home = Home::new();
    let up = Up::start(&home, home.root(), &["docs", "--listen", &free_address()]);
    home.run(["peer", "revoke", "this-machine"]).succeeds();
    fs::remove_file(home.path("adit/keys/this-machine.conf")).unwrap();
    fs::create_dir(home.path("more")).unwrap();
    let run = home.run(["up", "fruit=more"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("added the collection \"fruit\""), "{}", run.stderr);
    let peers: Value = serde_json::from_str(&home.run(["peer", "list", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(peers["peers"].as_array().unwrap().len(), 1, "{peers}");
    assert!(!home.exists("adit/keys/this-machine.conf"));
    assert!(up.interrupt().success());
}

#[test]
fn a_broken_configuration_stands_in_nobodys_way_while_the_daemon_runs() {
    let home = Home::new();
    let up = Up::start(&home, home.root(), &["docs", "--listen", &free_address()]);
    fs::write(home.path("adit/adit.toml"), "[serve]\n").unwrap();
    for command in [["status"].as_slice(), &["peer", "list"], &["search", "hums"], &["peer", "revoke", "phone"]] {
        let run = home.run(command).succeeds();
        assert!(run.stderr.contains("unknown section [serve]"), "{}", run.stderr);
    }
    home.run(["config", "check"]).fails_with(78, &["unknown section [serve]"]);
    // It waits for the daemon, whom nobody but its parent can see off.
    let mut stop = home.command(["stop"]).spawn().unwrap();
    assert!(up.ended().success() && stop.wait().unwrap().success());
    home.run(["status"]).fails_with(78, &["unknown section [serve]"]);
}

#[test]
fn a_picture_is_to_be_had_while_the_first_devices_configuration_is_there() {
    let home = Home::new();
    let up = Up::start(&home, home.root(), &["docs", "--listen", &free_address(), "--png", "one.png"]);
    assert!(home.read("stdout").contains("one.png"), "{}", home.read("stdout"));
    let again = home.run(["up", "--png", "two.png"]).succeeds();
    assert!(again.stdout.contains("Devices: phone, this-machine."), "{}", again.stdout);
    assert!(again.stdout.contains("still here"), "{}", again.stdout);
    assert_eq!(fs::read(home.path("one.png")).unwrap(), fs::read(home.path("two.png")).unwrap());
    assert_eq!(home.mode("two.png"), 0o600);
    home.run(["up", "--png", "two.png"]).fails_with(7, &["two.png"]);
    fs::remove_file(home.path("phone.conf")).unwrap();
    home.run(["up", "--png", "three.png"]).fails_with(6, &["phone.conf", "adit peer add NAME --png"]);
    assert!(!home.exists("three.png"));
    assert!(up.interrupt().success());
}
