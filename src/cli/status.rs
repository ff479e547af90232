//! `adit status`: how everything is, on one screen.

use std::io::{self, IsTerminal};

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::outcome::{Error, Exit, Outcome};
use super::peer::standing;
use super::places;
use super::style::Style;
use super::terminal::{print, print_json, versioned};
use super::units::{bytes, count, grouped, harmless, seconds, table};
use super::when;
use crate::config::Places;
use crate::control::{
    Client, IndexReport, LockdownReport, PeerReport, Request, Response, SandboxReport, StatusReport, WakeupReport,
};

/// Show how everything is: devices, traffic, index, warnings
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show it anew at every change, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Only say whether it is well: exit code 0, or 1
    ///
    /// It is well where questions are answered, calls are recorded if they must be, and something keeps the index up to date. What fails is
    /// printed.
    #[arg(long, conflicts_with_all = ["watch", "wakeups"])]
    pub check: bool,
    /// Say besides how often the tunnel woke, and why
    ///
    /// Where nobody asks anything, it should not.
    #[arg(long)]
    pub wakeups: bool,
    /// Print it as JSON, with all counters; with --watch, a line each time
    #[arg(long)]
    pub json: bool,
}

pub fn run(places: &Places, arguments: Arguments) -> Outcome {
    if arguments.check {
        return check(places, arguments.json);
    }
    if arguments.watch {
        return watch(places, &arguments);
    }
    let report = report(places::ask(places, &Request::Status)?)?;
    match arguments.json {
        true => print_json(&report)?,
        false => print(&page(&report, arguments.wakeups, Style::of_stdout()))?,
    }
    Ok(Exit::Done)
}

fn report(response: Response) -> Result<Box<StatusReport>, Error> {
    match response {
        Response::Status(report) => Ok(report),
        Response::Failed(failed) => Err(failed.into()),
        other => Err(places::unexpected(&other)),
    }
}

fn check(places: &Places, json: bool) -> Outcome {
    let failing = match places::ask(places, &Request::Check)? {
        Response::Checked { failing } => failing,
        other => return Err(places::unexpected(&other)),
    };
    match json {
        true => print_json(&json!({ "healthy": failing.is_empty(), "failing": failing }))?,
        false if failing.is_empty() => print("well\n")?,
        false => print(&failing.iter().map(|it| harmless(it) + "\n").collect::<String>())?,
    }
    Ok(if failing.is_empty() { Exit::Done } else { Exit::Failed })
}

/// A terminal shows the present screen in the place of the last one; elsewhere one follows the other.
fn watch(places: &Places, arguments: &Arguments) -> Outcome {
    let mut client = Client::connect(&places::control_socket(places)?)?;
    let is_screen = io::stdout().is_terminal() && !arguments.json;
    let mut response = Some(client.ask(&Request::Watch)?);
    let mut last = String::new();
    while let Some(next) = response {
        let report = report(next)?;
        let text = match arguments.json {
            true => format!("{}\n", versioned(&report)?),
            false => page(&report, arguments.wakeups, Style::of_stdout()),
        };
        if text != last {
            match is_screen {
                // Home, each line to its end, and what is below.
                true => print(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))?,
                false if arguments.json || last.is_empty() => print(&text)?,
                false => print(&format!("\n{text}"))?,
            }
            last = text;
        }
        response = client.receive()?;
    }
    Err(Error::failed("the daemon has ended"))
}

/// `adit metrics`: all figures, for Prometheus's node exporter (its textfile collector) or for a look.
pub fn metrics(places: &Places) -> Outcome {
    match places::ask(places, &Request::Metrics)? {
        Response::Metrics { text } => print(&text)?,
        other => return Err(places::unexpected(&other)),
    }
    Ok(Exit::Done)
}

fn page(report: &StatusReport, with_wakeups: bool, style: Style) -> String {
    let mut text = screen(report, style);
    if with_wakeups {
        text.push('\n');
        text.push_str(&wakeups(&report.wakeups, report.uptime_seconds));
    }
    text
}

fn wakeups(wakeups: &WakeupReport, uptime_seconds: u64) -> String {
    let hours = uptime_seconds.max(1) as f64 / 3600.0;
    let row = |why: &str, times: u64| vec![why.to_owned(), grouped(times), format!("{:.1}", times as f64 / hours)];
    table(&[
        ["WOKEN BY", "TIMES", "AN HOUR"].map(str::to_owned).to_vec(),
        row("datagrams", wakeups.datagrams),
        row("something to send", wakeups.activity),
        row("WireGuard's timers", wakeups.session),
        row("TCP's timers", wakeups.stream),
    ])
}

fn screen(report: &StatusReport, style: Style) -> String {
    let server = &report.server;
    let mut text = format!(
        "{} {}, serving for {} (pid {})\n",
        style.strong("adit"),
        report.program,
        seconds(report.uptime_seconds),
        report.pid
    );
    text.push_str(&field("configuration", &report.config.display().to_string()));
    text.push_str(&field("listening", &format!("{}/udp", server.listen)));
    text.push_str(&field("endpoint", &server.endpoint));
    if let Some(until) = server.former_key_until {
        text.push_str(&field("former key", &former_key_line(until, &report.peers)));
    }
    let urls: Vec<_> = server.addresses.iter().map(|address| url(*address)).collect();
    text.push_str(&field("inside the tunnel", &urls.join(" ")));
    text.push_str(&field("index", &index_line(&report.index)));
    text.push_str(&field("sandbox", &sandbox_line(&report.sandbox)));
    if let Some(lockdown) = &report.lockdown {
        text.push_str(&field("lockdown", &lockdown_line(lockdown)));
    }
    for peer in &report.peers {
        text.push_str(&format!("\n{}: {}\n", style.strong("peer"), peer.name));
        text.push_str(&peer_lines(peer));
    }
    if report.peers.is_empty() {
        text.push_str("\nNo device yet: adit peer add NAME --qr\n");
    }
    if !report.warnings.is_empty() {
        text.push('\n');
    }
    for warning in &report.warnings {
        text.push_str(&format!("{} {}\n", style.warning("warning:"), harmless(warning)));
    }
    text
}

/// What `status` and `peer show` say of a device.
pub fn peer_lines(peer: &PeerReport) -> String {
    let addresses: Vec<_> = peer.addresses.iter().map(|address| address.to_string()).collect();
    let mut text = field("addresses", &addresses.join(", "));
    if let Some(endpoint) = peer.endpoint {
        text.push_str(&field("endpoint", &endpoint.to_string()));
    }
    if let Some(standing) = standing(peer) {
        text.push_str(&field("not served", &standing));
    }
    text.push_str(&field("latest handshake", &handshake(peer)));
    if peer.uses_former_server_key {
        text.push_str(&field("server key", "the former one"));
    }
    if peer.received_bytes + peer.sent_bytes > 0 {
        let transfer = format!("{} received, {} sent", bytes(peer.received_bytes), bytes(peer.sent_bytes));
        text.push_str(&field("transfer", &transfer));
    }
    text.push_str(&field("collections", &list(&peer.collections)));
    text.push_str(&field("may", &list(&peer.scopes)));
    if let Some(begin) = peer.not_before {
        text.push_str(&field("not before", &when::shown(begin)));
    }
    if let Some(end) = peer.expires {
        text.push_str(&field("until", &when::shown(end)));
    }
    if !peer.from.is_empty() {
        text.push_str(&field("only from", &peer.from.join(", ")));
    }
    text
}

/// How long ago a device's latest handshake was.
pub fn handshake(peer: &PeerReport) -> String {
    match peer.latest_handshake_seconds {
        Some(0) => "now".to_owned(),
        Some(ago) => format!("{} ago", seconds(ago)),
        None => "never".to_owned(),
    }
}

/// Until when the server's former key is answered, and for whom that matters.
fn former_key_line(until: Timestamp, peers: &[PeerReport]) -> String {
    let using: Vec<_> = peers.iter().filter(|it| it.uses_former_server_key).map(|it| it.name.to_string()).collect();
    let using = if using.is_empty() { "no device".to_owned() } else { using.join(", ") };
    let unseen = peers.iter().filter(|it| it.latest_handshake_seconds.is_none()).count();
    let unseen = match unseen {
        0 => String::new(),
        _ => format!(", and perhaps by {} not seen since the start", count(unseen as u64, "device")),
    };
    format!("answered too until {}; used by {using}{unseen}", when::shown(until))
}

/// Who is locked out, and what ends it.
fn lockdown_line(lockdown: &LockdownReport) -> String {
    let names: Vec<_> = lockdown.except.iter().map(|name| name.as_str()).collect();
    let but = if names.is_empty() { String::new() } else { format!(" but {}", names.join(", ")) };
    format!("all devices{but} are locked out since {}; adit unlock admits them again", when::shown(lockdown.since))
}

/// What the index holds and how fresh it is, in a line.
pub fn index_line(index: &IndexReport) -> String {
    let mut parts = vec![count(index.documents, "document"), count(index.passages, "passage")];
    if index.pending > 0 {
        parts.push(format!("{} waiting", count(index.pending, "file")));
    }
    if index.failed > 0 {
        parts.push(format!("{} unreadable", count(index.failed, "file")));
    }
    let doing = match (index.activity.as_str(), index.age_seconds) {
        ("", Some(age)) => format!("as of {} ago", seconds(age)),
        ("", None) => "not yet compared with the folders".to_owned(),
        (activity, _) => harmless(activity),
    };
    format!("{}; {doing}", parts.join(", "))
}

/// What the kernel holds the daemon and its workers to.
fn sandbox_line(sandbox: &SandboxReport) -> String {
    let landlock = |abi| if abi == 0 { "no landlock".to_owned() } else { format!("landlock (version {abi})") };
    let limits =
        format!("{} and {} per document", bytes(sandbox.worker_memory_bytes), seconds(sandbox.worker_timeout_seconds));
    let workers = match sandbox.workers {
        Some(workers) => {
            let calls = if workers.seccomp { "seccomp" } else { "no seccomp" };
            format!("{}, {calls}, {limits}", landlock(workers.landlock_abi))
        }
        None => limits,
    };
    format!("{}; workers: {workers}", landlock(sandbox.landlock_abi))
}

/// Where a browser finds the library.
pub fn url(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => format!("http://{address}/"),
        std::net::IpAddr::V6(address) => format!("http://[{address}]/"),
    }
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn field(name: &str, value: &str) -> String {
    format!("  {name}: {value}\n")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::control::{ServerReport, Standing};
    use crate::documents::confine::Confinement;

    pub fn peer() -> PeerReport {
        PeerReport {
            name: "phone".parse().unwrap(),
            public_key: "QGqjFqHUyjLUGFbxGSKXkPBJyYkWNBYnfFsRTk7rVVE=".to_owned(),
            fingerprint: "0011aabb".to_owned(),
            addresses: vec!["10.94.7.2".parse().unwrap(), "fd7a:5c1e:90ab::2".parse().unwrap()],
            preshared_key: true,
            collections: vec!["documents".to_owned()],
            scopes: vec!["search".to_owned(), "read".to_owned()],
            standing: Standing::Served,
            not_before: None,
            expires: None,
            from: Vec::new(),
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
            endpoint: Some("192.0.2.9:4711".parse().unwrap()),
            latest_handshake_seconds: Some(61),
            received_bytes: 1_468_006,
            sent_bytes: 500 << 20,
            streams: 1,
            uses_former_server_key: false,
        }
    }

    fn report() -> StatusReport {
        StatusReport {
            program: "0.1.0".to_owned(),
            pid: 42,
            uptime_seconds: 11_520,
            config: "/etc/adit/adit.toml".into(),
            server: ServerReport {
                public_key: "x".to_owned(),
                former_key_until: None,
                endpoint: "home.example.org:51820".to_owned(),
                addresses: vec!["10.94.7.1".parse().unwrap(), "fd7a:5c1e:90ab::1".parse().unwrap()],
                mtu: 1280,
                listen: "[::]:51820".parse().unwrap(),
            },
            lockdown: None,
            peers: vec![
                peer(),
                PeerReport {
                    name: "tablet".parse().unwrap(),
                    endpoint: None,
                    latest_handshake_seconds: None,
                    received_bytes: 0,
                    sent_bytes: 0,
                    collections: Vec::new(),
                    ..peer()
                },
            ],
            index: IndexReport {
                documents: 1204,
                passages: 1,
                failed: 2,
                age_seconds: Some(12),
                ..IndexReport::default()
            },
            sandbox: SandboxReport {
                landlock_abi: 5,
                workers: Some(Confinement { landlock_abi: 6, seccomp: true }),
                worker_memory_bytes: 512 << 20,
                worker_timeout_seconds: 30,
            },
            wakeups: WakeupReport { datagrams: 36, activity: 7200, session: 1, stream: 0 },
            counters: serde_json::Map::new(),
            warnings: vec!["the clock jumped".to_owned()],
        }
    }

    #[test]
    fn one_screen_says_how_everything_is() {
        let expected = "\
adit 0.1.0, serving for 3 hours, 12 minutes (pid 42)
  configuration: /etc/adit/adit.toml
  listening: [::]:51820/udp
  endpoint: home.example.org:51820
  inside the tunnel: http://10.94.7.1/ http://[fd7a:5c1e:90ab::1]/
  index: 1,204 documents, 1 passage, 2 files unreadable; as of 12 seconds ago
  sandbox: landlock (version 5); workers: landlock (version 6), seccomp, 512 MiB and 30 seconds per document

peer: phone
  addresses: 10.94.7.2, fd7a:5c1e:90ab::2
  endpoint: 192.0.2.9:4711
  latest handshake: 1 minute, 1 second ago
  transfer: 1.4 MiB received, 500 MiB sent
  collections: documents
  may: search, read

peer: tablet
  addresses: 10.94.7.2, fd7a:5c1e:90ab::2
  latest handshake: never
  collections: nothing
  may: search, read

warning: the clock jumped
";
        assert_eq!(screen(&report(), Style::Plain), expected);
    }

    #[test]
    fn what_a_kernel_does_not_enforce_is_said() {
        let line = |landlock_abi, workers| sandbox_line(&SandboxReport { landlock_abi, workers, ..report().sandbox });
        let bare = Some(Confinement { landlock_abi: 0, seccomp: false });
        assert_eq!(line(0, bare), "no landlock; workers: no landlock, no seccomp, 512 MiB and 30 seconds per document");
        assert_eq!(line(5, None), "landlock (version 5); workers: 512 MiB and 30 seconds per document");
    }

    #[test]
    fn wakeups_are_counted_by_the_hour() {
        let expected = "\
WOKEN BY            TIMES  AN HOUR
datagrams           36     18.0
something to send   7,200  3600.0
WireGuard's timers  1      0.5
TCP's timers        0      0.0
";
        assert_eq!(wakeups(&report().wakeups, 7200), expected);
        assert!(page(&report(), true, Style::Plain).ends_with(&wakeups(&report().wakeups, report().uptime_seconds)));
    }

    #[test]
    fn json_begins_with_its_version() {
        let value = crate::cli::terminal::versioned(&report()).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys[0], "version");
        for key in ["peers", "counters", "index", "sandbox", "warnings"] {
            assert!(keys.contains(&key), "{key}");
        }
    }
}
