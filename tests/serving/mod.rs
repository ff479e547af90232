//! The HTTP service on streams in memory: a peer's end of a connection, raw or through hyper's client.

#![allow(dead_code)] // Each test binary uses its own part.

mod clock;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use clock::Clock;

use adit::access::audit::Record;
use adit::access::{Action, Grant, Policy};
use adit::config::{Config, Places};
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::http::{Appliance, Health, Metric, Shell, Traffic, serve};
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

/// The server's tunnel address in these tests.
pub const HOST: &str = "10.94.7.1";

/// A peer that may do everything.
pub const LAPTOP: u32 = 1;
/// A peer that may only search.
pub const READER: u32 = 2;
/// A peer without a grant.
pub const STRANGER: u32 = 99;

/// Bytes that a stream takes before its writer waits, as a ring would.
const RING_BYTES: usize = 64 * 1024;

/// Work that blocks.
pub type Work = Box<dyn FnOnce() + Send>;

/// Time of a clock that the test moves, chance, and tokio's threads.
pub struct TestShell {
    pub clock: Clock,
    pub health: Mutex<Health>,
    pub records: Mutex<Vec<Record>>,
    /// Work that waits until the test lets it begin, while it does not.
    pub held: Mutex<Option<Vec<Work>>>,
    /// Whether the records cannot be kept.
    pub unrecorded: AtomicBool,
}

impl Shell for TestShell {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }

    fn blocking(&self, _: PeerId, work: Box<dyn FnOnce() + Send>) {
        match &mut *self.held.lock() {
            Some(held) => held.push(work),
            None => drop(tokio::task::spawn_blocking(work)),
        }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.clock.sleep(duration)
    }

    fn health(&self) -> Health {
        self.health.lock().clone()
    }

    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    fn admits(&self) -> bool {
        !self.unrecorded.load(Ordering::Relaxed)
    }

    fn record(&self, record: Record) {
        self.records.lock().push(record);
    }
}

/// An appliance that serves streams.
pub struct Server {
    pub appliance: Arc<Appliance>,
    pub shell: Arc<TestShell>,
    pub stop: watch::Sender<bool>,
}

/// `adit.toml` of these tests with more keys.
pub fn config(more: &str) -> Config {
    let text = format!(
        "version = 1\n[server]\nendpoint = \"home.example.org:51820\"\ntunnel = [\"10.94.7.1/24\", \"fd7a:5c1e:90ab::1/64\"]\n\
         names = [\"library.home\"]\n[[collection]]\nname = \"notes\"\npath = \"/srv/notes\"\n{more}"
    );
    let places = Places::beside("/srv/adit/adit.toml".as_ref()).unwrap();
    Config::parse(&text, &places).unwrap()
}

/// A library of one empty collection, `notes`, in this folder.
pub fn library(dir: &Path) -> Library {
    std::fs::create_dir_all(dir.join("notes")).unwrap();
    let notes = Collection { name: "notes".parse().unwrap(), root: dir.join("notes") };
    let config = LibraryConfig { index_dir: dir.join("index"), collections: vec![notes], memory: 30 << 20, threads: 1 };
    Library::open(config).unwrap()
}

/// Puts documents into `notes`: the file, and what an extractor would make of it, a passage for each paragraph.
pub fn fill(library: &Library, dir: &Path, documents: &[(&str, &str)]) {
    let mut writer = library.writer(&"notes".parse().unwrap()).unwrap();
    for (path, text) in documents {
        let file = dir.join("notes").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        let stamp = Stamp { size: text.len() as u64, modified_ns: 1_700_000_000_000_000_000, inode: 1 };
        writer.put(path, Format::Text, stamp, &extracted(text)).unwrap();
    }
    writer.commit().unwrap();
    writer.agreed("2026-09-21T00:00:00Z".parse().unwrap());
}

fn extracted(text: &str) -> Extracted {
    let mut passages = Vec::new();
    let mut start = 0;
    for (line, paragraph) in text.split_inclusive("\n\n").enumerate() {
        let end = start + paragraph.len();
        passages.push(Passage { start, end, place: Place { line: Some(2 * line as u32 + 1), ..Place::default() } });
        start = end;
    }
    let title = text.lines().next().map(str::to_owned);
    Extracted { title, text: text.to_owned(), passages, ..Extracted::default() }
}

impl Server {
    /// Serves this library under a configuration with these keys more.
    pub fn new(library: Library, more: &str) -> Server {
        let shell = Arc::new(TestShell {
            clock: Clock::new(),
            health: Mutex::new(Health { indexer: true, watcher: true, pending: 0 }),
            records: Mutex::default(),
            held: Mutex::default(),
            unrecorded: AtomicBool::new(false),
        });
        let appliance = Arc::new(Appliance {
            library: Arc::new(library),
            policy: ArcSwap::from_pointee(policy(1)),
            config: ArcSwap::from_pointee(config(more)),
            cursor_key: [7; 32],
            shell: shell.clone(),
            traffic: Traffic::default(),
        });
        Server { appliance, shell, stop: watch::channel(false).0 }
    }

    /// Gives every peer its allowance back, by moving the clock an hour on.
    pub fn refill(&self) {
        self.shell.clock.set_by(jiff::SignedDuration::from_hours(1));
    }

    /// A peer's end of a new connection.
    pub fn connect(&self, peer: u32) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(RING_BYTES);
        let mut stop = self.stop.subscribe();
        let stop = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::spawn(serve(theirs, PeerId::new(peer), self.appliance.clone(), stop));
        ours
    }

    /// Sends these bytes on a connection of their own, ends our direction, and returns all that comes back.
    pub async fn raw(&self, peer: u32, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect(peer);
        // A server that refuses early may have closed already.
        let _ = stream.write_all(bytes.as_ref()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// One request on a connection of its own, by hyper's client.
    pub async fn send(&self, peer: u32, request: Request<Full<Bytes>>) -> Answer {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.connect(peer))).await.unwrap();
        tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// `GET` by the laptop.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(LAPTOP, get(path)).await
    }

    /// One JSON-RPC message by a peer, with these headers more.
    pub async fn post(&self, peer: u32, headers: &[(&str, &str)], message: &Value) -> Answer {
        self.send(peer, post(headers, message.to_string())).await
    }

    /// Waits until this many calls are recorded, and takes them.
    pub async fn records(&self, number: usize) -> Vec<Record> {
        for _ in 0..1000 {
            if self.shell.records.lock().len() >= number {
                break;
            }
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut self.shell.records.lock())
    }
}

/// The grants of these tests.
pub fn policy(generation: u64) -> Policy {
    let all = Grant::new(["*"], Action::ALL).unwrap();
    let search = Grant::new(["notes"], [Action::Search]).unwrap();
    let grants = [(PeerId::new(LAPTOP), all), (PeerId::new(READER), search)];
    Policy::new(generation, grants).with_keys([LAPTOP, READER].map(|peer| (PeerId::new(peer), [peer as u8; 32])))
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A `GET` request.
pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", HOST).body(Full::default()).unwrap()
}

/// A `POST` to `/mcp`.
pub fn post(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post("/mcp").header("host", HOST).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}
