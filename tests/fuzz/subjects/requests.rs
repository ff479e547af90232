//! The bytes of a connection, from a device that may see all of one collection but a folder, from one that may only search it, and from
//! one without a grant. Nobody is told of what is not theirs, and what is answered is HTTP.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use adit::access::audit::Record;
use adit::access::{Action, Grant, Policy, Scope};
use adit::config::{Config, Places};
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::http::{Appliance, Health, Metric, Shell, Traffic, serve};
use adit::peer::PeerId;
use adit::search::{Collection, Library, LibraryConfig, SearchRequest};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Stands where no device may look.
const SECRET: &str = "quizzaciously";
/// Bytes that a connection holds either way.
const RING: usize = 1 << 20;
/// Turns after which a connection whose input has ended must have ended too.
const TURNS: usize = 1 << 16;

/// A clock that stands, and no other threads.
struct Still;

impl Shell for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_790_000_000).expect("a time")
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn blocking(&self, _: PeerId, work: Box<dyn FnOnce() + Send>) {
        work();
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn health(&self) -> Health {
        Health { indexer: true, watcher: true, pending: 0 }
    }

    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    fn admits(&self) -> bool {
        true
    }

    fn record(&self, _: Record) {}
}

struct House {
    _dir: tempfile::TempDir,
    library: Arc<Library>,
    config: Arc<Config>,
    policy: Arc<Policy>,
}

fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let collections = ["notes", "letters"].map(|name| Collection {
            name: name.parse().expect("a name"),
            root: dir.path().join(name),
        });
        for (collection, path, text) in DOCUMENTS {
            let file = dir.path().join(collection).join(path);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("it is made");
            std::fs::write(&file, text).expect("it is written");
        }
        let index_dir = dir.path().join("index");
        let config = LibraryConfig { index_dir, collections: collections.into(), memory: 15_000_000, threads: 1 };
        let library = Library::open(config).expect("it opens");
        for name in ["notes", "letters"] {
            let mut writer = library.writer(&name.parse().expect("a name")).expect("nobody else writes");
            for (_, path, text) in DOCUMENTS.into_iter().filter(|(collection, ..)| *collection == name) {
                let stamp = Stamp { size: text.len() as u64, modified_ns: 1_700_000_000_000_000_000, inode: 1 };
                writer.put(path, Format::Markdown, stamp, &extracted(text)).expect("it is put");
            }
            writer.commit().expect("it is committed");
        }
        let places = Places::beside("/srv/adit/adit.toml".as_ref()).expect("an absolute path");
        let text = "version = 1\n[server]\nendpoint = \"home.example.org:51820\"\ntunnel = [\"10.94.7.1/24\"]\n[[collection]]\n\
                    name = \"notes\"\npath = \"/srv/notes\"\n[[collection]]\nname = \"letters\"\npath = \"/srv/letters\"\n";
        let all = Grant::new(["notes", "!notes/private"], Action::ALL).expect("a grant");
        let search = Grant::new(["notes", "!notes/private"], [Action::Search]).expect("a grant");
        let grants = [(PeerId::new(0), all), (PeerId::new(1), search)];
        let policy = Policy::new(1, grants).with_keys([0, 1].map(|peer| (PeerId::new(peer), [peer as u8; 32])));
        House {
            _dir: dir,
            library: Arc::new(library),
            config: Arc::new(Config::parse(text, &places).expect("it is in order")),
            policy: Arc::new(policy),
        }
    })
}

/// Collection, path, text.
const DOCUMENTS: [(&str, &str, &str); 5] = [
    ("notes", "boiler.md", "# Boiler\n\nThe heat pump needs a new valve & filter.\n\n## Dates\n\nservice <2025-01-31>"),
    ("notes", "kitchen/bread.md", "sourdough bread, naïve 検索エンジン words"),
    ("notes", "kitchen/empty.md", "x"),
    ("notes", "private/plan.md", "the boiler plan is quizzaciously written"),
    ("letters", "boiler.md", "a letter of quizzaciously few words about the boiler"),
];

fn extracted(text: &str) -> Extracted {
    let passage = Passage { start: 0, end: text.len(), place: Place { line: Some(1), ..Place::default() } };
    Extracted { text: text.to_owned(), passages: vec![passage], ..Extracted::default() }
}

/// A connection: the first byte says whose, the others are what it sends.
pub(super) fn requests(bytes: &[u8]) {
    let Some((peer, bytes)) = bytes.split_first() else { return };
    let (peer, answer) = (u32::from(peer % 3), answer(u32::from(peer % 3), bytes));
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.starts_with("HTTP/1."), "what is answered is HTTP: {text}");
    assert!(
        !["HTTP/1.1 500 ", "HTTP/1.0 500 "].iter().any(|fault| text.contains(fault)),
        "nothing that is asked is a fault of ours: {text}"
    );
    let is_asked = |word: &str| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    assert!(!text.contains(SECRET) || is_asked(SECRET), "nobody is told of what is not theirs: {text}");
    if peer == 2 {
        assert!(text.is_empty() || text.as_bytes().get(9) == Some(&b'4'), "nothing is there without a grant: {text}");
    }
    if text.matches("HTTP/1.").count() == 1 && !bytes.starts_with(b"HEAD") {
        check_body(&text, answer.len());
    }
}

/// The only answer has the length that it says, and is JSON if it says so.
fn check_body(text: &str, length: usize) {
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let header = |name: &str| {
        let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    };
    if let Some(said) = header("content-length").filter(|_| !head[9..].starts_with("304")) {
        assert_eq!(said.parse(), Ok(length - head.len() - 4), "as long as it says: {text}");
    }
    if header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(body);
        assert!(parsed.is_ok(), "JSON as it says: {text}");
    }
}

fn answer(peer: u32, bytes: &[u8]) -> Vec<u8> {
    let house = house();
    let appliance = Arc::new(Appliance {
        library: house.library.clone(),
        policy: ArcSwap::new(house.policy.clone()),
        config: ArcSwap::new(house.config.clone()),
        cursor_key: [7; 32],
        shell: Arc::new(Still),
        traffic: Traffic::default(),
    });
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    RUNTIME.get_or_init(runtime).block_on(async {
        let (mut ours, theirs) = tokio::io::duplex(RING);
        let _ = ours.write_all(&bytes[..bytes.len().min(RING)]).await;
        let _ = ours.shutdown().await;
        let mut answer = Vec::new();
        let served = serve(theirs, PeerId::new(peer), appliance, std::future::pending());
        let ends = async { tokio::join!(served, ours.read_to_end(&mut answer)).1 };
        let patience = async {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = ends => {}
            () = patience => panic!("a connection ends with its input"),
        }
        answer
    })
}

/// Connections worth changing.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let request = SearchRequest { query: "boiler".into(), limit: 3, snippet_budget: 900, ..SearchRequest::default() };
    let found = house().library.search(&Scope::owner(), &request).expect("it is found");
    let notes = found.results.iter().find(|hit| hit.path == "boiler.md" && hit.collection.as_str() == "notes");
    let id = notes.expect("it is there").id.to_string();
    let get = |path: &str, more: &str| format!("\0GET {path} HTTP/1.1\r\nHost: 10.94.7.1\r\n{more}\r\n").into_bytes();
    let post = |more: &str, body: &str| {
        let length = body.len();
        let head = "Host: 10.94.7.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream";
        format!("\0POST /mcp HTTP/1.1\r\n{head}\r\n{more}Content-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    let call = |tool: &str, arguments: &str| {
        let revision = "MCP-Protocol-Version: 2025-06-18\r\n";
        let params = format!("{{\"name\":\"{tool}\",\"arguments\":{arguments}}}");
        post(revision, &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{params}}}"))
    };
    let document = format!("/api/documents/{id}");
    let hello = "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\
                 \"capabilities\":{},\"clientInfo\":{\"name\":\"x\",\"version\":\"1\"}}}";
    let list = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}";
    vec![
        get("/", ""),
        get("/?q=heat+pump&collection=notes", "Accept-Encoding: gzip\r\n"),
        get("/api/search?q=boiler%20-letter&limit=5&match=all&fuzzy=true&after=2020", ""),
        get("/api/recent?limit=3", "Origin: http://10.94.7.1\r\n"),
        get(&document, ""),
        get(&format!("{document}/original"), "Range: bytes=0-10\r\n"),
        get(&format!("{document}/original"), "Range: bytes=-5\r\nIf-None-Match: \"x\"\r\nIf-Range: \"x\"\r\n"),
        get("/_health", "Connection: close\r\n"),
        get("/metrics", ""),
        get("/assets/style.css", ""),
        [get("/", ""), get("/api/recent", "")[1..].to_vec()].concat(),
        post("", hello),
        post("MCP-Protocol-Version: 2025-06-18\r\n", list),
        post("MCP-Protocol-Version: 2025-03-26\r\n", &format!("[{list},{list}]")),
        call(
            "search",
            "{\"query\":\"heat pump\",\"limit\":3,\"match\":\"any\",\"path\":\"kitchen\",\"modified_after\":\"2020-01\"}",
        ),
        call("search_multiple", "{\"queries\":[\"bread\",\"boiler\"]}"),
        call("fetch", &format!("{{\"id\":\"{id}\",\"offset\":2}}")),
        call("get_document_info", &format!("{{\"id\":\"{id}\"}}")),
        call("find_document", "{\"query\":\"boiler\"}"),
        call("list_collections", "{}"),
        call("recent", "{\"limit\":2}"),
    ]
}
