//! A library that holds everything, the devices that ask it, and beside each device a library of what it may see.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adit::access::{Action, Grant, Policy, Scope};
use adit::peer::PeerId;
use adit::search::Library;
use http::Request;
use http_body_util::Full;
use jiff::SignedDuration;
use serde_json::json;

use super::answers::{Seen, next_cursor};
use super::documents::{self, COLLECTIONS, Document, FOLDERS, one};
use super::questions::{self, Asked, Call, Kind};
use crate::bench;
use crate::chance::Chance;
use crate::serving::{Answer, HOST, Server, post};

/// Devices that ask one library.
const DEVICES: u32 = 3;

/// Pages of an answer that are read at once.
const PAGES: usize = 6;

/// How many documents a world begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A few dozen.
    Small,
    /// More than are ranked at once.
    Large,
}

/// Documents by the number of their collection and their path.
type Held = BTreeMap<(usize, String), Document>;

/// A library and its service.
struct Stock {
    server: Server,
    dir: tempfile::TempDir,
}

/// A device, and the library of what it may see.
pub struct Device {
    number: u32,
    rules: Vec<String>,
    actions: Vec<Action>,
    part: Stock,
    /// A question whose answer went on: it may be asked for more, after whatever has changed until then.
    pub reading: Option<Asked>,
}

pub struct World {
    whole: Stock,
    pub devices: Vec<Device>,
    held: Held,
    generation: u64,
    /// Whose turn it is to ask.
    pub asking: usize,
}

/// A change of one collection.
enum Change {
    Put(String, Document),
    Delete(String),
    Rename(String, String),
}

impl World {
    pub fn new(chance: &mut Chance, size: Size) -> World {
        let (documents, devices) = if size == Size::Large { (900, 2) } else { (60, DEVICES) };
        let devices = (1..=devices).map(|number| Device::new(number, chance)).collect();
        let mut world = World { whole: Stock::new(), devices, held: Held::new(), generation: 0, asking: 0 };
        let mut places: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
        for number in 0..documents {
            let (collection, mut path) = documents::place(chance);
            if size == Size::Large {
                path = format!("{}{number:03} {}", &path[..path.rfind('/').map_or(0, |at| at + 1)], file_name(&path));
            }
            let document = documents::document(chance, collection, &path);
            places.entry(collection).or_default().push(Change::Put(path, document));
        }
        for (collection, changes) in places {
            world.apply(collection, changes);
        }
        world
    }

    /// Puts, deletes or moves documents.
    pub fn edit(&mut self, chance: &mut Chance) {
        let (collection, _) = documents::place(chance);
        let held = self.held.iter().filter(|((number, _), document)| *number == collection && !document.fails);
        let held: Vec<&String> = held.map(|((_, path), _)| path).collect();
        if chance.below(4) == 0 && !held.is_empty() {
            let from = held[chance.below(held.len() as u64) as usize].clone();
            let to = format!("{}{}", one(chance, &FOLDERS), file_name(&from));
            if !self.held.contains_key(&(collection, to.clone())) {
                self.apply(collection, vec![Change::Rename(from, to)]);
            }
            return;
        }
        let mut changes = Vec::new();
        for _ in 0..1 + chance.below(6) {
            if chance.below(3) == 0 && !held.is_empty() {
                changes.push(Change::Delete(held[chance.below(held.len() as u64) as usize].clone()));
            } else {
                let (_, path) = documents::place(chance);
                let document = documents::document(chance, collection, &path);
                changes.push(Change::Put(path, document));
            }
        }
        self.apply(collection, changes);
    }

    /// Gives a device another grant: its library is built anew.
    pub fn regrant(&mut self, chance: &mut Chance) {
        let at = chance.below(self.devices.len() as u64) as usize;
        let number = self.devices[at].number;
        self.devices[at] = Device::new(number, chance);
        let device = &self.devices[at];
        let (now, clock) = (self.whole.server.shell.clock.now(), &device.part.server.shell.clock);
        clock.set_by(now.duration_since(clock.now()));
        for (collection, _) in COLLECTIONS.iter().enumerate() {
            let all = self.held.iter().filter(|((number, _), _)| *number == collection);
            let changes = all.map(|((_, path), document)| Change::Put(path.clone(), document.clone()));
            device.part.apply(collection, &device.seen(collection, changes.collect(), &self.held));
        }
        self.settle();
    }

    fn apply(&mut self, collection: usize, changes: Vec<Change>) {
        for device in &self.devices {
            let changes = changes.iter().map(Change::again).collect();
            device.part.apply(collection, &device.seen(collection, changes, &self.held));
        }
        self.whole.apply(collection, &changes);
        for change in changes {
            match change {
                Change::Put(path, document) => drop(self.held.insert((collection, path), document)),
                Change::Delete(path) => drop(self.held.remove(&(collection, path))),
                Change::Rename(from, to) => {
                    if let Some(document) = self.held.remove(&(collection, from)) {
                        self.held.insert((collection, to), document);
                    }
                }
            }
        }
        self.settle();
    }

    /// Puts the grants in force, and lets a minute pass.
    fn settle(&mut self) {
        self.generation += 1;
        let rights = self.devices.iter().map(|device| (device.number, device.rules.clone(), &device.actions));
        self.whole.admit(self.generation, rights.collect::<Vec<_>>());
        self.whole.server.shell.clock.set_by(SignedDuration::from_mins(1));
        for device in &self.devices {
            device.part.admit(self.generation, [(device.number, device.visible(&self.held), &device.actions)]);
            device.part.server.shell.clock.set_by(SignedDuration::from_mins(1));
        }
    }

    /// Asks both libraries the same, page after page; whether there was something in the answers.
    pub async fn compare(&mut self, device: usize, kind: Kind, call: [Call; 2], told: &str) -> bool {
        let device = &mut self.devices[device];
        let mut asked = call;
        let mut fruitful = false;
        for page in 0..PAGES {
            let whole = self.whole.ask(device.number, &asked[0]).await;
            let part = device.part.ask(device.number, &asked[1]).await;
            let (seen, expected) = (Seen::of(&whole), Seen::of(&part));
            let told =
                format!("{told}, page {page}: device {}, {:?}, {:?}", device.number, device.rules, device.actions);
            seen.is(&expected, &format!("{told}\n{asked:#?}"));
            fruitful |= seen.is_fruitful();
            let [first, second] = asked;
            asked = match (next_cursor(&whole), next_cursor(&part)) {
                (Some(whole), Some(part)) => [first.after(&whole), second.after(&part)],
                (None, None) => return fruitful,
                (whole, part) => panic!("{told}: {whole:?} {part:?}"),
            };
        }
        device.reading = Some(Asked { kind, call: asked });
        fruitful
    }

    /// What one device was given, another may not use: a cursor is as good as any text, an id out of scope as one of nothing. Whether
    /// there was something to hand over.
    pub async fn try_what_is_anothers(&mut self, chance: &mut Chance, device: usize, told: &str) -> bool {
        let giver = (device + 1) % self.devices.len();
        let arguments = json!({"query": questions::query(chance), "limit": 1, "fuzzy": true});
        let call = match chance.below(4) {
            0 => Call::tool("list_collections", json!({"path": COLLECTIONS[chance.below(4) as usize]})),
            _ => Call::tool("search", arguments),
        };
        let given = self.whole.ask(self.devices[giver].number, &call).await;
        let Some(cursor) = next_cursor(&given) else { return false };
        let nonsense = "A".repeat(cursor.len());
        let calls = [call.clone().after(&cursor), call.after(&nonsense)];
        let device = &self.devices[device];
        let used = self.whole.ask(device.number, &calls[0]).await;
        let useless = self.whole.ask(device.number, &calls[1]).await;
        let (seen, expected) = (Seen::of(&used), Seen::of(&useless));
        let told = format!("{told}: device {} with what is another's, {calls:#?}", device.number);
        seen.is(&expected, &told);
        assert_eq!(used.body.len(), useless.body.len(), "{told}");
        assert!(!seen.is_fruitful(), "{told}: {seen:?}");
        true
    }

    /// A document's path, as `collection/path`: of one that the asking device sees, of any, or of none.
    pub fn path(&self, chance: &mut Chance) -> String {
        let rules = &self.devices[self.asking].rules;
        let sees = chance.below(2) == 0;
        let known = self.held.keys().filter(|(number, path)| !sees || seen(rules, COLLECTIONS[*number], path));
        let known: Vec<&(usize, String)> = known.collect();
        let (collection, path) = match chance.below(6) {
            1.. if !known.is_empty() => known[chance.below(known.len() as u64) as usize].clone(),
            _ => documents::place(chance),
        };
        format!("{}/{path}", COLLECTIONS[collection])
    }

    /// The id of a document that there is, or was, or never was; or of a passage.
    pub fn id(&self, chance: &mut Chance) -> String {
        let path = self.path(chance);
        let found = self.whole.server.appliance.library.info(&Scope::owner(), &path);
        let id = found.map_or_else(|_| format!("{:A<16}", chance.below(1000)), |info| info.document.id);
        match chance.below(3) {
            0 => format!("{id}.{}", chance.below(3)),
            _ => id,
        }
    }
}

impl Device {
    fn new(number: u32, chance: &mut Chance) -> Device {
        let all = chance.below(3) > 0;
        let actions =
            Action::ALL.into_iter().filter(|action| *action != Action::Metrics && (all || chance.below(3) > 0));
        let actions = actions.collect();
        Device { number, rules: rules(chance), actions, part: Stock::new(), reading: None }
    }

    /// Of these changes what they are to a library of nothing but what this device may see.
    fn seen(&self, collection: usize, changes: Vec<Change>, held: &Held) -> Vec<Change> {
        let sees = |path: &str| seen(&self.rules, COLLECTIONS[collection], path);
        let seen = changes.into_iter().filter_map(|change| match change {
            Change::Put(path, document) => sees(&path).then_some(Change::Put(path, document)),
            Change::Delete(path) => sees(&path).then_some(Change::Delete(path)),
            Change::Rename(from, to) => match (sees(&from), sees(&to)) {
                (true, true) => Some(Change::Rename(from, to)),
                (true, false) => Some(Change::Delete(from)),
                (false, true) => Some(Change::Put(to, held[&(collection, from)].clone())),
                (false, false) => None,
            },
        });
        seen.collect()
    }

    /// The collections that there are for it: those it was given whole or by name, and those of which it sees something.
    fn visible(&self, held: &Held) -> Vec<String> {
        let is_there = |&(number, name): &(usize, &&str)| {
            self.rules.iter().any(|rule| rule.split_once('/').is_some_and(|(named, _)| named == *name))
                || seen(&self.rules, name, "")
                || held.keys().any(|(collection, path)| *collection == number && seen(&self.rules, name, path))
        };
        COLLECTIONS.iter().enumerate().filter(is_there).map(|(_, name)| (*name).to_owned()).collect()
    }
}

impl Stock {
    fn new() -> Stock {
        let dir = tempfile::tempdir().unwrap();
        let library = bench::open(dir.path(), &COLLECTIONS).unwrap();
        let server = Server::new(library, "[limits]\nrequests_burst = 100000\nrequests_per_second = 100000\n");
        Stock { server, dir }
    }

    fn library(&self) -> &Library {
        &self.server.appliance.library
    }

    fn root(&self, collection: usize) -> PathBuf {
        self.dir.path().join("documents").join(COLLECTIONS[collection])
    }

    fn apply(&self, collection: usize, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let root = self.root(collection);
        let mut writer = self.library().writer(&bench::name(COLLECTIONS[collection])).unwrap();
        for change in changes {
            match change {
                Change::Put(path, document) => {
                    document.write(&root, path);
                    match document.fails {
                        true => writer.put_failure(path, document.stamp(), "broken").unwrap(),
                        false => writer.put(path, document.format, document.stamp(), &document.extracted()).unwrap(),
                    }
                }
                Change::Delete(path) => {
                    let _ = std::fs::remove_file(root.join(path));
                    writer.delete(path).unwrap();
                }
                Change::Rename(from, to) => {
                    let stamp = writer.files().get(from).unwrap().stamp;
                    std::fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
                    std::fs::rename(root.join(from), root.join(to)).unwrap();
                    assert!(writer.rename(from, to, stamp).unwrap(), "{from} to {to}");
                }
            }
        }
        writer.commit().unwrap();
        writer.end();
    }

    fn admit<'a>(&self, generation: u64, rights: impl IntoIterator<Item = (u32, Vec<String>, &'a Vec<Action>)>) {
        let rights: Vec<_> = rights.into_iter().collect();
        let keys: Vec<_> = rights.iter().map(|(number, ..)| (PeerId::new(*number), [*number as u8; 32])).collect();
        let grants = rights
            .into_iter()
            .map(|(number, rules, actions)| (PeerId::new(number), Grant::new(rules, actions.iter().copied()).unwrap()));
        self.server.appliance.policy.store(Policy::new(generation, grants).with_keys(keys).into());
    }

    async fn ask(&self, device: u32, call: &Call) -> Answer {
        let request = match &call.message {
            Some(message) => post(&[], message.to_string()),
            None => {
                let request = Request::get(&call.path).header("host", HOST);
                let request = call.range.into_iter().fold(request, |request, range| request.header("range", range));
                request.body(Full::default()).unwrap()
            }
        };
        self.server.send(device, request).await
    }
}

impl Change {
    fn again(&self) -> Change {
        match self {
            Change::Put(path, document) => Change::Put(path.clone(), document.clone()),
            Change::Delete(path) => Change::Delete(path.clone()),
            Change::Rename(from, to) => Change::Rename(from.clone(), to.clone()),
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A random grant.
fn rules(chance: &mut Chance) -> Vec<String> {
    let mut rules = Vec::new();
    for number in 0..1 + chance.below(5) {
        let mut rule = if number > 0 && chance.below(3) == 0 { "!" } else { "" }.to_owned();
        rule.push_str(one(chance, &["alpha", "beta", "gamma", "zeta", "*", "*", "*a", "?eta", "nothing"]));
        for _ in 0..chance.below(3) {
            rule.push('/');
            let parts =
                ["open", "closed", "deep", "shared", "*", "cl*", "closed*", "Übersicht ????", "report.md", "*.pdf"];
            rule.push_str(one(chance, &parts));
        }
        rules.push(rule);
    }
    rules
}

/// Whether a grant covers a document, or the whole of a collection (an empty path): said here once more, and more slowly, than
/// `access` does.
fn seen(rules: &[String], collection: &str, path: &str) -> bool {
    let place: Vec<&str> = [collection].into_iter().chain(path.split('/').filter(|part| !part.is_empty())).collect();
    let (mut deepest, mut admitted) = (0, false);
    for rule in rules {
        let (denies, rule) = rule.strip_prefix('!').map_or((false, rule.as_str()), |rule| (true, rule));
        let parts: Vec<&str> = rule.split('/').collect();
        let covers = parts.len() <= place.len() && parts.iter().zip(&place).all(|(glob, part)| fits(glob, part));
        if covers && (parts.len() > deepest || parts.len() == deepest && denies) {
            (deepest, admitted) = (parts.len(), !denies);
        }
    }
    admitted
}

/// Whether a name fits a pattern of letters, `?` and `*`.
fn fits(glob: &str, name: &str) -> bool {
    let Some(first) = glob.chars().next() else { return name.is_empty() };
    let rest = &glob[first.len_utf8()..];
    let mut letters = name.chars();
    match first {
        '*' => fits(rest, name) || letters.next().is_some() && fits(glob, letters.as_str()),
        '?' => letters.next().is_some() && fits(rest, letters.as_str()),
        letter => letters.next() == Some(letter) && fits(rest, letters.as_str()),
    }
}
