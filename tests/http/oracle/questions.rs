//! Random questions: every tool, every path, every argument, well put or not.

use adit::http::ROUTES;
use adit::mcp::tools::TYPES;
use serde_json::{Value, json};

use super::documents::{COLLECTIONS, FOLDERS, LOCAL, WORDS, one};
use super::world::World;
use crate::chance::Chance;

/// What is asked: a tool, or a path that is more than a tool in another dress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Search,
    SearchMultiple,
    Fetch,
    FindDocument,
    ListCollections,
    GetDocumentInfo,
    Tools,
    ApiSearch,
    ApiDocument,
    ApiOriginal,
    ApiRecent,
    Page,
    Health,
}

impl Kind {
    pub const ALL: [Kind; 13] = [
        Kind::Search,
        Kind::SearchMultiple,
        Kind::Fetch,
        Kind::FindDocument,
        Kind::ListCollections,
        Kind::GetDocumentInfo,
        Kind::Tools,
        Kind::ApiSearch,
        Kind::ApiDocument,
        Kind::ApiOriginal,
        Kind::ApiRecent,
        Kind::Page,
        Kind::Health,
    ];

    /// The tool's name, or the path's.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Search => "search",
            Kind::SearchMultiple => "search_multiple",
            Kind::Fetch => "fetch",
            Kind::FindDocument => "find_document",
            Kind::ListCollections => "list_collections",
            Kind::GetDocumentInfo => "get_document_info",
            Kind::Tools => "/mcp",
            Kind::ApiSearch => "/api/search",
            Kind::ApiDocument => "/api/documents/{id}",
            Kind::ApiOriginal => "/api/documents/{id}/original",
            Kind::ApiRecent => "/api/recent",
            Kind::Page => "/",
            Kind::Health => "/_health",
        }
    }
}

/// A request, as it is sent to both libraries.
#[derive(Debug, Clone)]
pub struct Call {
    pub path: String,
    /// The part of a file that is wanted.
    pub range: Option<&'static str>,
    /// What is posted to `/mcp`.
    pub message: Option<Value>,
}

impl Call {
    fn get(path: impl Into<String>) -> Call {
        Call { path: path.into(), range: None, message: None }
    }

    /// A call of a tool.
    pub fn tool(name: &str, arguments: Value) -> Call {
        Call::message(json!({"method": "tools/call", "params": {"name": name, "arguments": arguments}}))
    }

    fn message(mut message: Value) -> Call {
        (message["jsonrpc"], message["id"]) = (json!("2.0"), json!(1));
        Call { path: "/mcp".to_owned(), range: None, message: Some(message) }
    }

    /// The same question, going on at a cursor.
    pub fn after(mut self, cursor: &str) -> Call {
        match &mut self.message {
            Some(message) => message["params"]["arguments"]["cursor"] = json!(cursor),
            None => {
                let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
                let others = query.split('&').filter(|part| !part.starts_with("cursor=") && !part.is_empty());
                let parts: Vec<String> =
                    others.map(str::to_owned).chain([format!("cursor={}", encoded(cursor))]).collect();
                self.path = format!("{path}?{}", parts.join("&"));
            }
        }
        self
    }
}

/// A question, as each of the two libraries is asked it: cursors are each library's own.
#[derive(Debug, Clone)]
pub struct Asked {
    pub kind: Kind,
    pub call: [Call; 2],
}

/// A question of any kind.
pub fn question(world: &World, chance: &mut Chance) -> Asked {
    // What is made of several parts is asked more often.
    let kind = match chance.below(20) {
        number if number < 13 => Kind::ALL[number as usize],
        13 | 14 => Kind::ApiSearch,
        15 => Kind::Page,
        16 => Kind::FindDocument,
        17 => Kind::ListCollections,
        _ => Kind::Search,
    };
    let call = call(kind, world, chance);
    Asked { kind, call: [call.clone(), call] }
}

fn call(kind: Kind, world: &World, chance: &mut Chance) -> Call {
    match kind {
        Kind::Search => Call::tool("search", search(world, chance)),
        Kind::SearchMultiple => {
            let queries: Vec<String> = (0..1 + chance.below(10)).map(|_| query(chance)).collect();
            let mut arguments = json!({"queries": queries});
            places(&mut arguments, world, chance);
            Call::tool("search_multiple", arguments)
        }
        Kind::Fetch => Call::tool("fetch", reading(world, chance)),
        Kind::FindDocument => {
            Call::tool("find_document", json!({"query": name(world, chance), "limit": 1 + chance.below(50)}))
        }
        Kind::ListCollections => match chance.below(4) {
            0 => Call::tool("list_collections", json!({})),
            _ => Call::tool("list_collections", json!({"path": folder(world, chance)})),
        },
        Kind::GetDocumentInfo => match chance.below(2) {
            0 => Call::tool("get_document_info", json!({"id": world.id(chance)})),
            _ => Call::tool("get_document_info", json!({"path": world.path(chance)})),
        },
        Kind::Tools => Call::message(json!({"method": "tools/list", "params": {}})),
        Kind::ApiSearch => {
            let names = [("query", "q"), ("modified_after", "after"), ("modified_before", "before")];
            Call::get(format!("/api/search?{}", parameters(&search(world, chance), &names)))
        }
        Kind::ApiDocument => {
            let mut arguments = reading(world, chance);
            let id = arguments["id"].take();
            arguments.as_object_mut().unwrap().remove("id");
            let id = encoded(id.as_str().unwrap_or_default());
            Call::get(format!("/api/documents/{id}?{}", parameters(&arguments, &[])))
        }
        Kind::ApiOriginal => {
            let range = [None, None, Some("bytes=0-9"), Some("bytes=-5"), Some("bytes=100000-")];
            let range = range[chance.below(5) as usize];
            let id = encoded(&world.id(chance));
            Call { range, ..Call::get(format!("/api/documents/{id}/original")) }
        }
        Kind::ApiRecent => Call::get(format!("/api/recent?limit={}", 1 + chance.below(50))),
        Kind::Page => page(world, chance),
        Kind::Health => Call::get("/_health"),
    }
}

fn page(world: &World, chance: &mut Chance) -> Call {
    let asked = encoded(&query(chance));
    match chance.below(4) {
        0 => Call::get("/"),
        1 => Call::get(format!("/?document={}&q={asked}", encoded(&world.id(chance)))),
        2 => Call::get(format!("/?q={asked}&collection={}&match=all", collection(chance))),
        _ => Call::get(format!("/?q={asked}")),
    }
}

/// What a person, or an agent, might type.
pub fn query(chance: &mut Chance) -> String {
    let mut query = String::new();
    for _ in 0..1 + chance.below(4) {
        let word = word(chance);
        query.push_str(&match chance.below(16) {
            0 => format!("+{word}"),
            1 => format!("-{word}"),
            2 => format!("\"{word} {}\"", one(chance, &WORDS)),
            3 => format!("{}*", word.chars().take(2).collect::<String>()),
            4 => format!("{word}~"),
            5 => format!("title:{word}"),
            6 => format!("({word} | {})", one(chance, &LOCAL)),
            7 => format!("path:{}", one(chance, &["open", "closed", "deep", "report*", "Übersicht"])),
            8 => format!("type:{}", one(chance, &["pdf", "md", "eml", "py", "txt", "pfd", "rs"])),
            9 => format!("after:{}", one(chance, &["2022-01-15", "2022", "2021-12", "soon"])),
            10 => format!("{}*{}", one(chance, &["b", "re", "ga"]), one(chance, &["s", "r", "ler"])),
            _ => word,
        });
        query.push(' ');
    }
    query
}

/// A word that stands somewhere, or one with a typo.
fn word(chance: &mut Chance) -> String {
    let word = if chance.below(3) == 0 { one(chance, &LOCAL) } else { one(chance, &WORDS) };
    let mut letters: Vec<char> = word.chars().collect();
    if chance.below(3) == 0 && letters.len() > 3 {
        let at = chance.below(letters.len() as u64 - 1) as usize;
        match chance.below(4) {
            0 => drop(letters.remove(at)),
            1 => letters.swap(at, at + 1),
            2 => letters[at] = 'x',
            _ => letters.insert(at, 'e'),
        }
    }
    letters.into_iter().collect()
}

fn search(world: &World, chance: &mut Chance) -> Value {
    // Long pages lead beyond the documents that are ranked at once.
    let limit = if chance.below(5) == 0 { 50 } else { 1 + chance.below(12) };
    let mut arguments = json!({"query": query(chance), "limit": limit});
    places(&mut arguments, world, chance);
    for (name, value) in [
        ("type", json!(TYPES[chance.below(TYPES.len() as u64) as usize])),
        ("modified_after", json!("2022-01-20")),
        ("modified_before", json!("2022-02")),
        ("match", json!("all")),
    ] {
        if chance.below(12) == 0 {
            arguments[name] = value;
        }
    }
    if chance.below(3) == 0 {
        arguments["fuzzy"] = json!(true);
    }
    if chance.below(4) == 0 {
        arguments["context_lines"] = json!(chance.below(4));
    }
    arguments
}

fn places(arguments: &mut Value, world: &World, chance: &mut Chance) {
    if chance.below(5) == 0 {
        arguments["collection"] = json!(collection(chance));
    }
    if chance.below(5) == 0 {
        arguments["path"] = json!(match chance.below(3) {
            0 => one(chance, &FOLDERS[1..]).to_owned(),
            1 => world.path(chance),
            _ => folder(world, chance),
        });
    }
}

fn reading(world: &World, chance: &mut Chance) -> Value {
    let id = match chance.below(5) {
        0 => world.path(chance),
        _ => world.id(chance),
    };
    let mut arguments = json!({"id": id});
    match chance.below(6) {
        0 => arguments["pages"] = json!(["1", "2-3", "9", "x"][chance.below(4) as usize]),
        1 => arguments["section"] = json!(one(chance, &WORDS)),
        2 => {
            arguments["offset"] = json!(chance.below(200));
            arguments["limit"] = json!(1 + chance.below(100));
        }
        _ => {}
    }
    arguments
}

/// A name, part of it, a pattern, or with a typo.
fn name(world: &World, chance: &mut Chance) -> String {
    let path = world.path(chance);
    match chance.below(6) {
        0 => path,
        1 => path.rsplit('/').next().unwrap_or_default().to_owned(),
        2 => one(chance, &["*.pdf", "**/deep/*", "report*", "alpha/**", "*/shared/*.md", "[a"]).to_owned(),
        3 => one(chance, &["reprot", "gardem", "boiler manual", "lettr", "closed shared", "übersicht"]).to_owned(),
        _ => word(chance),
    }
}

fn folder(world: &World, chance: &mut Chance) -> String {
    match chance.below(8) {
        0 => world.path(chance),
        1 => "nowhere/open".to_owned(),
        _ => format!("{}/{}", collection(chance), one(chance, &FOLDERS).trim_end_matches('/')),
    }
}

fn collection(chance: &mut Chance) -> &'static str {
    match chance.below(10) {
        0 => "nowhere",
        _ => COLLECTIONS[chance.below(4) as usize],
    }
}

/// A tool's arguments as the query of an address, some of them by other names.
fn parameters(arguments: &Value, names: &[(&str, &str)]) -> String {
    let pairs = arguments.as_object().into_iter().flatten().map(|(name, value)| {
        let name = names.iter().find(|(argument, _)| argument == name).map_or(name.as_str(), |(_, name)| name);
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", encoded(&value))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[test]
fn every_path_and_every_tool_is_asked() {
    // Assets are the program's own, and figures the machine's: no document has a part in them.
    let spared = ["/assets/{name}", "/metrics"];
    for path in ROUTES.into_iter().filter(|path| !spared.contains(path)) {
        assert!(Kind::ALL.iter().any(|kind| kind.name() == path), "nobody asks {path}");
    }
}
