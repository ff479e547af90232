//! Walking a collection: its root folder in, every file that belongs to it out, with what could not be looked at.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

use super::Stamp;
use super::beneath::look_at;
use super::format::could_be_a_document;
use super::visible::{Rule, Trail, Visibility};
use crate::limits::{WALK_FILES, WALK_REFUSED};

/// What a walk saw.
#[derive(Debug, Default)]
pub struct Walk {
    /// Files that belong to the collection, in the order of their paths. Whether they are documents, their content will tell.
    pub files: Vec<Found>,
    /// Files and folders that belong to the collection but cannot be read, and why.
    pub refused: Vec<Refused>,
    /// Folders that were not looked into, with `/` at their end (`""`: the root). Nothing is known of what is below them.
    pub unseen: Vec<String>,
    /// Device numbers of the root (`""`) and of every folder on another file system than the one above it.
    pub mounts: BTreeMap<String, u64>,
    /// Of those, the ones that hold nothing at all: where something was mounted before, it probably is not now.
    pub empty_mounts: Vec<String>,
    /// What does not belong to it, or cannot be read, by reason.
    pub passed_over: PassedOver,
}

/// What a walk passed over, by reason. A folder that is passed over counts once, whatever lies in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Dotfiles, temporary files, and what programs keep for themselves.
    pub hidden: u64,
    /// By `exclude` of the configuration or an `.aditignore`.
    pub excluded: u64,
    /// Larger than `max_file`.
    pub too_large: u64,
    /// Symbolic links: none is followed, so none leads out.
    pub links: u64,
    /// Devices, sockets, pipes.
    pub special: u64,
    /// What could not be looked at: named among the failures.
    pub unreadable: u64,
    /// Files that hold no text: pictures, programs, archives. A walk does not open them; reading tells.
    pub no_documents: u64,
}

impl PassedOver {
    fn count(&mut self, rule: &Rule) {
        let which = match rule {
            Rule::Dotfile(_) | Rule::Bookkeeping(_) | Rule::Temporary(_) => &mut self.hidden,
            Rule::Excluded(_) | Rule::Ignored { .. } => &mut self.excluded,
            Rule::TooLarge { .. } => &mut self.too_large,
            Rule::Link(_) => &mut self.links,
            Rule::NotAFile(_) => &mut self.special,
            Rule::TooDeep => &mut self.unreadable,
        };
        *which += 1;
    }
}

/// A file that belongs to a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path below the root.
    pub path: String,
    /// What it looks like.
    pub stamp: Stamp,
}

/// Something that belongs to a collection but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its path below the root (`.` for the root itself).
    pub path: String,
    /// What it looks like, as far as could be seen.
    pub stamp: Stamp,
    /// Why, in a sentence.
    pub reason: String,
}

impl Visibility {
    /// Walks the whole collection. An error means that its root cannot be opened; `stop` ends the walk early with
    /// [`io::ErrorKind::Interrupted`].
    pub fn walk(&self, stop: &AtomicBool) -> io::Result<Walk> {
        self.walk_from("", stop)
    }

    /// Walks one folder of the collection, by its path below the root (empty: the whole).
    pub fn walk_from(&self, folder: &str, stop: &AtomicBool) -> io::Result<Walk> {
        let mut trail = Trail::begin(self.root())?;
        for name in folder.split('/').filter(|name| !name.is_empty()) {
            let stat = look_at(trail.folder(), name)?;
            if self.rule(&trail, name, &stat).is_some() {
                return Ok(Walk::default());
            }
            trail.enter(name)?;
        }
        let mut walker = Walker { rule: self, stop, trail, walk: Walk::default() };
        let device = rustix::fs::fstat(walker.trail.folder())?.st_dev;
        walker.walk.mounts.insert(walker.trail.path_of(""), device);
        walker.folder(device)?;
        let mut walk = walker.walk;
        walk.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(walk)
    }
}

struct Walker<'a> {
    rule: &'a Visibility,
    stop: &'a AtomicBool,
    trail: Trail,
    walk: Walk,
}

impl Walker<'_> {
    /// Looks at everything in the innermost folder of the trail. An error ends the walk.
    fn folder(&mut self, device: u64) -> io::Result<()> {
        let names = match names_in(self.trail.folder()) {
            Ok(names) => names,
            Err(error) => {
                self.unseen(&self.trail.path_of(""), Stamp::NONE, &error.to_string());
                return Ok(());
            }
        };
        let here = self.trail.path_of("");
        if names.is_empty() && self.walk.mounts.contains_key(&here) {
            self.walk.empty_mounts.push(here);
        }
        for name in names {
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match name {
                Ok(name) => self.entry(&name, device)?,
                Err(bytes) => {
                    self.walk.passed_over.unreadable += 1;
                    let path = self.trail.path_of(&String::from_utf8_lossy(&bytes));
                    self.refuse(path, Stamp::NONE, "its name is not UTF-8: rename it");
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, name: &str, device: u64) -> io::Result<()> {
        let path = self.trail.path_of(name);
        let stat = match look_at(self.trail.folder(), name) {
            Ok(stat) => stat,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.unseen(&format!("{path}/"), Stamp::NONE, &error.to_string());
                return Ok(());
            }
        };
        let stamp = Stamp::from_stat(&stat);
        let rule = self.rule.rule(&self.trail, name, &stat);
        if let Some(rule) = &rule {
            self.walk.passed_over.count(rule);
        }
        match rule {
            Some(rule @ Rule::TooLarge { .. }) if could_be_a_document(name) => {
                self.refuse(path, stamp, &rule.to_string())
            }
            Some(rule @ Rule::TooDeep) => self.refuse(path, stamp, &rule.to_string()),
            Some(_) => {}
            None if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                if stat.st_dev != device {
                    self.walk.mounts.insert(format!("{path}/"), stat.st_dev);
                }
                match self.trail.enter(name) {
                    Ok(()) => {
                        let result = self.folder(stat.st_dev);
                        self.trail.leave();
                        result?;
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => self.unseen(&format!("{path}/"), stamp, &error.to_string()),
                }
            }
            None if self.walk.files.len() >= WALK_FILES => return Err(too_many()),
            None => self.walk.files.push(Found { path, stamp }),
        }
        Ok(())
    }

    /// Notes a folder whose content is unknown.
    fn unseen(&mut self, folder: &str, stamp: Stamp, reason: &str) {
        self.walk.unseen.push(folder.to_owned());
        self.walk.passed_over.unreadable += 1;
        let path = match folder.trim_end_matches('/') {
            "" => ".",
            path => path,
        };
        self.refuse(path.to_owned(), stamp, reason);
    }

    fn refuse(&mut self, path: String, stamp: Stamp, reason: &str) {
        if self.walk.refused.len() < WALK_REFUSED {
            self.walk.refused.push(Refused { path, stamp, reason: reason.to_owned() });
        }
    }
}

fn too_many() -> io::Error {
    io::Error::other(format!("more than {WALK_FILES} files: divide it into collections"))
}

/// Names in a folder; those that are not UTF-8 as bytes.
fn names_in(folder: impl AsFd) -> io::Result<Vec<Result<String, Vec<u8>>>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            _ if names.len() >= WALK_FILES => return Err(too_many()),
            name => names.push(String::from_utf8(name.to_vec()).map_err(|error| error.into_bytes())),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::documents::Dotfiles;

    fn walk(root: &std::path::Path) -> Walk {
        Visibility::new(root, &[], Dotfiles::Hidden, 100).unwrap().walk(&AtomicBool::new(false)).unwrap()
    }

    fn paths(walk: &Walk) -> Vec<&str> {
        walk.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_walk_finds_what_the_rule_shows() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        fs::create_dir_all(root.join(".hidden")).unwrap();
        for path in ["a.txt", "b/c/d.md", "b/x.md~", ".hidden/e.txt", "b.txt"] {
            fs::write(root.join(path), "text").unwrap();
        }
        fs::write(root.join(".aditignore"), "b.txt").unwrap();
        std::os::unix::fs::symlink(".", root.join("b/loop")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe.txt"), 0o600.into()).unwrap();

        let walk = walk(root);

        assert_eq!(paths(&walk), ["a.txt", "b/c/d.md"]);
        assert_eq!(walk.refused, []);
        // `.aditignore`, `.hidden` and `b/x.md~`; what it ignores; a link; a pipe.
        let expected = PassedOver { hidden: 3, excluded: 1, links: 1, special: 1, ..PassedOver::default() };
        assert_eq!(walk.passed_over, expected);
        let rule = Visibility::new(root, &[], Dotfiles::Hidden, 100).unwrap();
        for file in &walk.files {
            assert_eq!(rule.explains(&file.path), crate::documents::Verdict::Visible(file.stamp));
        }
        let below = rule.walk_from("b/c", &AtomicBool::new(false)).unwrap();
        assert_eq!(paths(&below), ["b/c/d.md"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::write(root.join(OsStr::from_bytes(b"caf\xe9.txt")), "text").unwrap();
        fs::write(root.join("large.pdf"), [0; 101]).unwrap();
        fs::write(root.join("large.mp4"), [0; 101]).unwrap();
        fs::create_dir(root.join("broken")).unwrap();
        fs::write(root.join("broken/.aditignore"), "[z-a]").unwrap();
        fs::write(root.join("broken/x.txt"), "text").unwrap();

        let mut walk = walk(root);

        assert_eq!(paths(&walk), [""; 0]);
        walk.refused.sort_by(|a, b| a.path.cmp(&b.path));
        let refused: Vec<&str> = walk.refused.iter().map(|refused| refused.path.as_str()).collect();
        assert_eq!(refused, ["broken", "caf\u{fffd}.txt", "large.pdf"]);
        assert_eq!(walk.unseen, ["broken/"]);
        assert_eq!(walk.passed_over, PassedOver { too_large: 2, unreadable: 2, ..PassedOver::default() });
    }

    #[test]
    fn an_empty_or_missing_root_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(walk(dir.path()).empty_mounts, [""]);
        let missing = Visibility::new(&dir.path().join("no"), &[], Dotfiles::Hidden, 1).unwrap();
        assert_eq!(missing.walk(&AtomicBool::new(false)).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn depth_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut path = dir.path().to_owned();
        for _ in 0..crate::limits::WALK_DEPTH + 2 {
            path.push("d");
        }
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("deep.txt"), "text").unwrap();
        let walk = walk(dir.path());
        assert_eq!(paths(&walk), [""; 0]);
        assert_eq!(walk.refused.len(), 1);
    }
}
