//! A device that was cut off is cut off: whatever it was doing, no byte reaches it soon after the command has returned, and none ever after.
//!
//! `ADIT_REVOCATIONS` says how often each way of cutting off is tried during each activity (the whole measure is 30); what was measured is
//! printed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adit::control::{Client, DeviceKeys, NewPeer, Request, Response, Terms, When};
use adit::key::{PresharedKey, PrivateKey};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::appliance::Appliance;
use crate::device::Device;

/// Rounds of each kind without `ADIT_REVOCATIONS`.
const ROUNDS: u64 = 2;

/// A device that has had no byte for so long gets none any more.
const QUIET: Duration = Duration::from_millis(250);

/// A device that still gets some after this time was not cut off. The promise is a second; the rest is for a loaded machine.
const LATEST: Duration = Duration::from_secs(5);

/// Bytes of the file that is downloaded: seconds, as slowly as these devices read.
const FILE_BYTES: usize = 12 << 20;

/// How a device is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Revoke,
    Disable,
    Expire,
    Narrow,
}

/// What it does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Download,
    Searches,
    Nothing,
}

fn rounds() -> u64 {
    std::env::var("ADIT_REVOCATIONS").map_or(ROUNDS, |it| it.parse().expect("ADIT_REVOCATIONS is a number"))
}

/// Asks the daemon what a command would ask of it.
async fn ask(socket: &std::path::Path, request: Request) -> Response {
    let socket = socket.to_owned();
    let asked = move || Client::connect(&socket).unwrap().ask(&request).unwrap();
    let response = tokio::task::spawn_blocking(asked).await.unwrap();
    assert!(!matches!(response, Response::Failed(_)), "{response:?}");
    response
}

/// What has reached a device: how much, and when the last of it.
#[derive(Default)]
struct Heard {
    bytes: AtomicU64,
    answers: AtomicU64,
    last: Mutex<Option<Instant>>,
}

impl Heard {
    fn hear(&self, bytes: usize) {
        *self.last.lock() = Some(Instant::now());
        self.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Waits until no more bytes come, after a moment.
    async fn quiet_after(&self, moment: Instant) {
        while self.last.lock().is_some_and(|last| last.max(moment).elapsed() < QUIET) {
            assert!(moment.elapsed() < LATEST, "bytes still come {:?} after it was cut off", moment.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// How long after a moment the last byte came.
    fn last_after(&self, moment: Instant) -> Duration {
        self.last.lock().map_or(Duration::ZERO, |last| last.saturating_duration_since(moment))
    }
}

/// A device that is busy, until its stream ends or for ever.
struct Busy {
    device: Arc<Device>,
    heard: Arc<Heard>,
    task: JoinHandle<()>,
}

impl Busy {
    async fn new(conf: &std::path::Path, doing: Doing, document: &str) -> Busy {
        let device = Arc::new(Device::new(conf));
        let heard = Arc::new(Heard::default());
        let mut stream = device.connect().await;
        let request = match doing {
            Doing::Download => format!("{}\r\n", device.request(&format!("/api/documents/{document}/original"))),
            Doing::Searches => format!("{}\r\n", device.request("/api/search?q=k*+v*+kettle&fuzzy=true&limit=50")),
            Doing::Nothing => device.request("/api/search?q=kettle"),
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        let task = tokio::spawn({
            let heard = heard.clone();
            async move {
                let mut buffer = vec![0; 32 << 10];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    heard.hear(length);
                    match doing {
                        // As slowly as a phone on a bad network: much waits on the way.
                        Doing::Download => sleep(Duration::from_millis(5)).await,
                        // The next question as soon as there is the end of an answer.
                        Doing::Searches if buffer[..length].ends_with(b"}") => {
                            heard.answers.fetch_add(1, Ordering::SeqCst);
                            if stream.write_all(request.as_bytes()).await.is_err() {
                                return;
                            }
                        }
                        _ => {}
                    }
                }
            }
        });
        let busy = Busy { device, heard, task };
        busy.wait_until_busy(doing).await;
        busy
    }

    async fn wait_until_busy(&self, doing: Doing) {
        let begun = Instant::now();
        loop {
            let is_busy = match doing {
                Doing::Download => self.heard.bytes() > 300_000,
                Doing::Searches => self.heard.answers.load(Ordering::SeqCst) >= 2,
                Doing::Nothing => begun.elapsed() > Duration::from_millis(50),
            };
            if is_busy {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60) && !self.task.is_finished(), "{doing:?} never began");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

struct Library {
    appliance: Appliance,
    socket: PathBuf,
    document: String,
}

impl Library {
    fn new() -> Library {
        let mut appliance = Appliance::new();
        // What comes behind the last bracket of an RTF file is nobody's text.
        let mut long = b"{\\rtf1 A film of the kettle.}".to_vec();
        long.resize(FILE_BYTES, b' ');
        appliance.write("papers", "film.rtf", long);
        for number in 0..40 {
            appliance.write(
                "papers",
                &format!("more/{number}.md"),
                "# Kettles\n\nVinegar for kettles, and vases.\n".repeat(20),
            );
        }
        let text = std::fs::read_to_string(appliance.config()).unwrap();
        let limits = "[limits]\nrequests_per_second = 100000\nrequests_burst = 100000\n";
        std::fs::write(appliance.config(), format!("{text}\n{limits}")).unwrap();
        appliance.serve();
        crate::appliance::wait_until("all is read", || {
            (appliance.json(&["index", "status"])["documents"].as_u64() >= Some(44)).then_some(())
        });
        let found = appliance.json(&["search", "film"]);
        let document = found["results"][0]["id"].as_str().unwrap().split('.').next().unwrap().to_owned();
        Library { socket: appliance.path("state/control.sock"), appliance, document }
    }

    /// Cuts a device off; returns the moment from which on it is to be so.
    async fn cut(&self, name: &str, cut: Cut) -> Instant {
        let name = name.parse().unwrap();
        let set = |change| Request::PeerSet { name: "phone".parse().unwrap(), change };
        let request = match cut {
            Cut::Revoke => Request::PeerRevoke { name },
            Cut::Disable => Request::PeerSwitch { name, on: false },
            Cut::Narrow => set(Terms { collections: Some(vec!["private".to_owned()]), ..Terms::default() }),
            Cut::Expire => {
                let wait = Duration::from_millis(150);
                let (at, moment) = (Timestamp::now() + SignedDuration::try_from(wait).unwrap(), Instant::now() + wait);
                ask(&self.socket, set(Terms { expires: Some(When::At(at)), ..Terms::default() })).await;
                tokio::time::sleep_until(moment.into()).await;
                return moment;
            }
        };
        ask(&self.socket, request).await;
        Instant::now()
    }

    /// Lets a device in again.
    async fn restore(&self, cut: Cut) {
        let name = || "phone".parse().unwrap();
        let set = |change| Request::PeerSet { name: name(), change };
        match cut {
            Cut::Revoke => drop(std::fs::remove_file(self.appliance.path("phone.conf"))),
            Cut::Disable => drop(ask(&self.socket, Request::PeerSwitch { name: name(), on: true }).await),
            Cut::Narrow => {
                let collections = Some(vec!["papers".to_owned()]);
                drop(ask(&self.socket, set(Terms { collections, ..Terms::default() })).await);
            }
            Cut::Expire => drop(ask(&self.socket, set(Terms { expires: Some(When::Never), ..Terms::default() })).await),
        }
    }

    /// One device, cut off while it does something: how long after it the last byte came.
    async fn round(&self, cut: Cut, doing: Doing) -> (Duration, Busy) {
        let conf = self.appliance.path("phone.conf");
        if !conf.exists() {
            self.appliance.device("phone", &["--collections", "papers"]);
        }
        let busy = Busy::new(&conf, doing, &self.document).await;
        let moment = self.cut("phone", cut).await;
        busy.heard.quiet_after(moment).await;
        match cut {
            // A device that is not served meets silence, whatever it tries.
            Cut::Revoke | Cut::Disable => {
                assert!(busy.device.connect_within(QUIET).await.is_none(), "{cut:?}, {doing:?}")
            }
            // The daemon's clock may be late on a loaded machine.
            Cut::Expire => {
                while busy.device.connect_within(QUIET).await.is_some() {
                    assert!(moment.elapsed() < LATEST, "still served {:?} after its time", moment.elapsed());
                }
            }
            Cut::Narrow => {
                let answer = busy.device.get("/api/search?q=kettle").await;
                assert!(answer.contains("\"total\":0"), "{doing:?}: under its new rights\n{answer}");
            }
        }
        let after = busy.heard.last_after(moment);
        self.restore(cut).await;
        (after, busy)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_device_was_cut_off_no_byte_reaches_it() {
    let library = Library::new();
    for cut in [Cut::Revoke, Cut::Disable, Cut::Expire, Cut::Narrow] {
        for doing in [Doing::Download, Doing::Searches, Doing::Nothing] {
            let (mut times, mut past) = (Vec::new(), Vec::new());
            for _ in 0..rounds() {
                let (after, busy) = library.round(cut, doing).await;
                times.push(after);
                past.push((busy.heard.bytes(), busy));
            }
            for (bytes, busy) in past {
                assert_eq!(busy.heard.bytes(), bytes, "{cut:?} during {doing:?}: nothing came later either");
                busy.task.abort();
            }
            times.sort_unstable();
            let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
            eprintln!(
                "{cut:?} during {doing:?}: the last byte {median:.1?} after it, at most {most:.1?} ({} rounds)",
                times.len()
            );
        }
    }
}

/// What a process holds: open descriptors, threads, and anonymous memory in KiB.
fn held(pid: u32) -> (usize, u64, u64) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (count("fd"), line("Threads:"), line("RssAnon:"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_come_and_go_leave_nothing_but_their_tombstones() {
    let appliance = Appliance::serving();
    let socket = appliance.path("state/control.sock");
    let pid = appliance.daemon.as_ref().unwrap().id();
    let cycles = 40 * rounds();
    let mut begun = None;
    let mut seed = [0; 32];
    for cycle in 0..cycles {
        if cycle == cycles / 4 {
            begun = Some(held(pid));
        }
        if cycle % 20 == 0 {
            // Now and then one that has really been there.
            let conf = appliance.device("phone", &[]);
            let device = Device::new(&conf);
            assert!(device.get("/api/search?q=kettle").await.contains("\"total\":1"));
            std::fs::remove_file(conf).unwrap();
        } else {
            getrandom::fill(&mut seed).unwrap();
            let public_key = PrivateKey::from_entropy(seed).public().to_string();
            let preshared_key = Some(PresharedKey::from_entropy(seed).to_base64().to_string());
            let keys = DeviceKeys { public_key, preshared_key };
            let new = NewPeer { name: "phone".parse().unwrap(), keys, terms: Terms::default() };
            ask(&socket, Request::PeerAdd(new)).await;
        }
        ask(&socket, Request::PeerRevoke { name: "phone".parse().unwrap() }).await;
    }
    let (before, after) = (begun.unwrap(), held(pid));
    let bytes = std::fs::metadata(appliance.path("state/peers.toml")).unwrap().len();
    eprintln!(
        "{cycles} devices added and revoked: descriptors, threads, KiB of memory {before:?} and then {after:?}; a tombstone is {} bytes",
        bytes / cycles
    );
    assert!(after.0 <= before.0 + 4, "descriptors: {before:?} and then {after:?}");
    // A tombstone is held in memory too, and twice while the list is written; the allocator keeps some of what was freed.
    let tombstones = cycles * 2;
    assert!(after.2 <= before.2 + tombstones + 6 * 1024, "memory: {before:?} and then {after:?}");
    let knows = appliance.json(&["peer", "list"]);
    assert_eq!(knows["peers"].as_array().unwrap().len(), 0);
}
