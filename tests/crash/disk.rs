//! What was done to a folder, in order, and what a disk may hold of it when the power goes: what was synced is there; of the rest
//! nothing, all, or some.
//!
//! Changes of names (made, renamed, removed) are durable when their folder was synced after them, and happen in order: all file systems
//! that people keep a server on have a journal. Bytes are durable when their file was synced after them, whatever became of its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::script::Chance;

/// A file, whatever its names are.
pub type Inode = usize;

/// Everything that was done.
#[derive(Debug, Default)]
pub struct Disk {
    changes: Vec<Change>,
    /// Lengths and names as of now.
    lengths: Vec<u64>,
    names: BTreeMap<PathBuf, Inode>,
    /// How many system calls there were that change something.
    pub calls: usize,
}

#[derive(Debug)]
enum Change {
    MakeFile(PathBuf, Inode),
    MakeFolder(PathBuf),
    Link(Inode, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Write(Inode, u64, Vec<u8>),
    Truncate(Inode, u64),
    /// A sync that covers everything before this number of changes.
    SyncFile(Inode, usize),
    SyncFolder(PathBuf, usize),
    Acknowledge(u64),
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unsynced {
    /// None of it is there.
    Dropped,
    /// All of it: a process that was killed, no power cut.
    Kept,
    /// Names are as they were last, files hold what was synced: how a file comes to be empty.
    NamesKept,
    /// Names up to some moment; of each file the writes up to some moment, the last of them in part.
    Partly(u64),
}

/// Granule in which a disk writes, in bytes: a write that is cut ends between two of them.
const SECTOR: u64 = 512;

impl Disk {
    /// How many changes there are.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }

    /// The length of a file.
    pub fn length(&self, inode: Inode) -> u64 {
        self.lengths[inode]
    }

    /// The file with this name, made where there is none.
    pub fn open(&mut self, path: &Path) -> Inode {
        if let Some(inode) = self.names.get(path) {
            return *inode;
        }
        let inode = self.lengths.len();
        self.lengths.push(0);
        self.names.insert(path.to_owned(), inode);
        self.changes.push(Change::MakeFile(path.to_owned(), inode));
        inode
    }

    pub fn make_folder(&mut self, path: PathBuf) {
        self.changes.push(Change::MakeFolder(path));
    }

    pub fn write(&mut self, inode: Inode, at: u64, bytes: &[u8]) {
        self.lengths[inode] = self.lengths[inode].max(at + bytes.len() as u64);
        self.changes.push(Change::Write(inode, at, bytes.to_owned()));
    }

    pub fn truncate(&mut self, inode: Inode, length: u64) {
        self.lengths[inode] = length;
        self.changes.push(Change::Truncate(inode, length));
    }

    pub fn link(&mut self, from: &Path, to: PathBuf) {
        if let Some(&inode) = self.names.get(from) {
            self.names.insert(to.clone(), inode);
            self.changes.push(Change::Link(inode, to));
        }
    }

    pub fn rename(&mut self, from: &Path, to: PathBuf) {
        rename(&mut self.names, from, &to);
        self.changes.push(Change::Rename(from.to_owned(), to));
    }

    pub fn remove(&mut self, path: PathBuf) {
        self.names.remove(&path);
        self.changes.push(Change::Remove(path));
    }

    pub fn sync_file(&mut self, inode: Inode, covers: usize) {
        self.changes.push(Change::SyncFile(inode, covers));
    }

    pub fn sync_folder(&mut self, path: PathBuf, covers: usize) {
        self.changes.push(Change::SyncFolder(path, covers));
    }

    pub fn acknowledge(&mut self, number: u64) {
        self.changes.push(Change::Acknowledge(number));
    }

    /// The highest number that was acknowledged before a cut.
    pub fn acknowledged(&self, cut: usize) -> Option<u64> {
        let number = |change: &Change| if let Change::Acknowledge(number) = change { Some(*number) } else { None };
        self.changes[..cut].iter().filter_map(number).max()
    }

    /// Makes below `root` what a disk holds when the power goes after so many changes.
    pub fn restore(&self, cut: usize, unsynced: Unsynced, root: &Path) {
        let changes = &self.changes[..cut];
        let mut chance = Chance(if let Unsynced::Partly(seed) = unsynced { seed | 1 } else { 1 });
        let (folders, names) = names_after(changes, unsynced, &mut chance);
        fs::create_dir_all(root).unwrap();
        for folder in folders {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let mut written: HashMap<Inode, PathBuf> = HashMap::new();
        for (name, inode) in names {
            let path = root.join(name);
            match written.get(&inode) {
                Some(first) => fs::hard_link(first, &path).unwrap(),
                None => fs::write(&path, bytes_after(changes, inode, unsynced, &mut chance)).unwrap(),
            }
            written.insert(inode, path);
        }
    }
}

/// Folders and names after these changes.
fn names_after(
    changes: &[Change],
    unsynced: Unsynced,
    chance: &mut Chance,
) -> (BTreeSet<PathBuf>, BTreeMap<PathBuf, Inode>) {
    let mut synced: HashMap<&Path, usize> = HashMap::new();
    for change in changes {
        if let Change::SyncFolder(folder, covers) = change {
            let most = synced.entry(folder).or_default();
            *most = (*most).max(*covers);
        }
    }
    // A journal keeps the order: with a change that is durable, all before it are.
    let durable = synced.values().copied().max().unwrap_or(0);
    let until = match unsynced {
        Unsynced::Dropped => durable,
        Unsynced::Kept | Unsynced::NamesKept => changes.len(),
        Unsynced::Partly(_) => durable + chance.below((changes.len() - durable) as u64 + 1) as usize,
    };
    let (mut folders, mut names) = (BTreeSet::new(), BTreeMap::new());
    for change in &changes[..until.min(changes.len())] {
        match change {
            Change::MakeFile(path, inode) | Change::Link(inode, path) => drop(names.insert(path.clone(), *inode)),
            Change::MakeFolder(path) => drop(folders.insert(path.clone())),
            Change::Rename(from, to) => {
                rename(&mut names, from, to);
                let moved: Vec<PathBuf> = folders.iter().filter(|path| path.starts_with(from)).cloned().collect();
                for path in moved {
                    folders.remove(&path);
                    folders.insert(to.join(path.strip_prefix(from).expect("it begins so")));
                }
            }
            Change::Remove(path) => {
                names.remove(path);
                folders.remove(path);
            }
            _ => {}
        }
    }
    (folders, names)
}

/// Renames a file, or a folder with all in it.
fn rename(names: &mut BTreeMap<PathBuf, Inode>, from: &Path, to: &Path) {
    let moved: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in moved {
        let inode = names.remove(&path).expect("it was there a moment ago");
        let below = path.strip_prefix(from).expect("it begins so");
        let new = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        names.insert(new, inode);
    }
}

/// The content of a file after these changes.
fn bytes_after(changes: &[Change], inode: Inode, unsynced: Unsynced, chance: &mut Chance) -> Vec<u8> {
    let covers = |change: &Change| match change {
        Change::SyncFile(synced, covers) if *synced == inode => Some(*covers),
        _ => None,
    };
    let durable = changes.iter().filter_map(covers).max().unwrap_or(0);
    let until = match unsynced {
        Unsynced::Dropped | Unsynced::NamesKept => durable,
        Unsynced::Kept => changes.len(),
        Unsynced::Partly(_) => durable + chance.below((changes.len() - durable) as u64 + 1) as usize,
    };
    let mut bytes = Vec::new();
    for (number, change) in changes.iter().enumerate().take(until) {
        match change {
            Change::Write(of, at, what) if *of == inode => {
                let is_last = number >= durable && unsynced != Unsynced::Kept && number + 1 == until;
                let length = if is_last { torn(what.len(), chance) } else { what.len() };
                let (start, end) = (*at as usize, *at as usize + length);
                bytes.resize(bytes.len().max(end), 0);
                bytes[start..end].copy_from_slice(&what[..length]);
            }
            Change::Truncate(of, length) if *of == inode => bytes.resize(*length as usize, 0),
            _ => {}
        }
    }
    bytes
}

/// How much of a write is there that was cut.
fn torn(length: usize, chance: &mut Chance) -> usize {
    let sectors = (length as u64).div_ceil(SECTOR);
    (chance.below(sectors + 1) * SECTOR).min(length as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is replaced as it should be: written beside, synced, renamed, and its folder synced.
    fn replaced() -> Disk {
        let mut disk = Disk::default();
        for (number, text) in [(1, "old"), (2, "new")] {
            let inode = disk.open(Path::new("a.new"));
            disk.write(inode, 0, text.as_bytes());
            disk.sync_file(inode, disk.changes());
            disk.rename(Path::new("a.new"), "a".into());
            disk.sync_folder("".into(), disk.changes());
            disk.acknowledge(number);
        }
        disk
    }

    fn at(disk: &Disk, cut: usize, unsynced: Unsynced) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        disk.restore(cut, unsynced, dir.path());
        fs::read_to_string(dir.path().join("a")).ok()
    }

    #[test]
    fn what_was_not_synced_is_dropped_kept_or_there_in_part() {
        let disk = replaced();
        let all = disk.changes();
        for unsynced in [Unsynced::Dropped, Unsynced::Kept, Unsynced::NamesKept, Unsynced::Partly(7)] {
            assert_eq!(at(&disk, all, unsynced).as_deref(), Some("new"), "{unsynced:?}");
        }
        assert_eq!(disk.acknowledged(all), Some(2));
        // Before the folder was synced the second time.
        assert_eq!(at(&disk, all - 2, Unsynced::Dropped).as_deref(), Some("old"));
        assert_eq!(at(&disk, all - 2, Unsynced::Kept).as_deref(), Some("new"));
        assert_eq!(disk.acknowledged(all - 2), Some(1));

        let mut careless = Disk::default();
        let inode = careless.open(Path::new("a"));
        careless.write(inode, 0, b"text");
        let all = careless.changes();
        assert_eq!(at(&careless, all, Unsynced::Dropped), None);
        assert_eq!(at(&careless, all, Unsynced::NamesKept).as_deref(), Some(""));
        assert_eq!(at(&careless, all, Unsynced::Kept).as_deref(), Some("text"));
    }
}
