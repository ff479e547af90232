//! What is to be done: what a collection looks like and what the index knows of it in, changes and files to read out.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;

use crate::documents::{Found, Refused, Rule, Stamp, Verdict, Visibility, Walk, could_be_a_document};
use crate::search::{Files, Known};

/// What the index knows of the files, of which some are to be read again whatever they look like.
#[derive(Debug, Clone)]
pub(super) struct Catalogue<'a> {
    files: Files,
    outdated: &'a HashSet<String>,
}

impl<'a> Catalogue<'a> {
    pub(super) fn new(files: Files, outdated: &'a HashSet<String>) -> Catalogue<'a> {
        Catalogue { files, outdated }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn get(&self, path: &str) -> Option<Known> {
        let known = self.files.get(path)?;
        let stamp = if self.outdated.contains(path) { Stamp::NONE } else { known.stamp };
        Some(Known { stamp, ..known })
    }
}

/// What was seen of a collection, or of some of its paths.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Files that belong to it.
    pub(super) files: Vec<Found>,
    /// What belongs to it but cannot be read.
    pub(super) refused: Vec<Refused>,
    /// Paths that the index knows and that are certainly not there any more.
    pub(super) gone: Vec<String>,
}

/// A change to the index that needs no reading.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A document lies at another path now.
    Rename { from: String, to: String, stamp: Stamp },
    /// A document is gone.
    Delete { path: String },
    /// Something cannot be read.
    Fail { path: String, stamp: Stamp, reason: String },
}

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// Files to read, as they looked.
    pub(super) read: Vec<Found>,
}

impl Sight {
    /// What a walk of the whole collection saw; nothing is said of what lies below the folders that are `away`.
    pub(super) fn of_walk(walk: Walk, known: &Catalogue, rule: &Visibility, away: &[String]) -> Sight {
        let mut sight = Sight { files: walk.files, refused: walk.refused, gone: Vec::new() };
        sight.find_gone(known, rule, "", &[&walk.unseen, away]);
        sight
    }

    /// What is at these paths now: files, folders with all below them, or nothing. `None` where only a walk of everything can tell.
    pub(super) fn of_paths(paths: &[String], known: &Catalogue, rule: &Visibility, away: &[String]) -> Option<Sight> {
        let mut sight = Sight::default();
        let mut folder: Option<String> = None;
        for path in paths {
            // Paths come sorted: what is below a folder that was just walked has been seen.
            if folder.as_ref().is_some_and(|folder| path.starts_with(folder.as_str())) {
                continue;
            }
            match rule.explains(path) {
                Verdict::Visible(stamp) => sight.files.push(Found { path: path.clone(), stamp }),
                Verdict::Folder => {
                    let walk = rule.walk_from(path, &AtomicBool::new(false)).ok()?;
                    sight.files.extend(walk.files);
                    sight.refused.extend(walk.refused);
                    sight.gone.extend(known.get(path).map(|_| path.clone()));
                    sight.find_gone(known, rule, path, &[&walk.unseen, away]);
                    folder = Some(format!("{path}/"));
                    continue;
                }
                Verdict::Hidden(rule @ Rule::TooLarge { stamp, .. }) if could_be_a_document(path) => {
                    let reason = rule.to_string();
                    sight.refused.push(Refused { path: path.clone(), stamp, reason });
                }
                Verdict::Hidden(_) | Verdict::Gone => {
                    sight.gone.extend(known.get(path).map(|_| path.clone()));
                }
                Verdict::Unreadable(_) => return None,
            }
            sight.find_gone(known, rule, path, &[away]);
        }
        Some(sight)
    }

    /// Known paths below a folder that were not seen. A walk takes time: what it missed is looked at once more.
    fn find_gone(&mut self, known: &Catalogue, rule: &Visibility, folder: &str, unknown: &[&[String]]) {
        let mut candidates = known.files.below(folder).peekable();
        if candidates.peek().is_none() {
            return;
        }
        let mut seen: Vec<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        seen.extend(self.refused.iter().map(|refused| refused.path.as_str()));
        seen.sort_unstable();
        let gone: Vec<String> = candidates
            .filter(|path| seen.binary_search(path).is_err())
            .filter(|path| !unknown.iter().copied().flatten().any(|folder| path.starts_with(folder.as_str())))
            .filter(|path| matches!(rule.explains(path), Verdict::Gone | Verdict::Hidden(_) | Verdict::Folder))
            .map(str::to_owned)
            .collect();
        self.gone.extend(gone);
    }

    /// Compares it with what the index knows. `skip` says which files need no look.
    pub(super) fn plan(self, known: &Catalogue, skip: impl Fn(&Found) -> bool) -> Plan {
        let mut plan = Plan::default();
        let mut moved: HashMap<(u64, u64, i128), &String> = HashMap::new();
        for path in &self.gone {
            if let Some(Known { stamp, failed: false }) = known.get(path) {
                moved.insert((stamp.inode, stamp.size, stamp.modified_ns), path);
            }
        }
        let mut renamed = HashSet::new();
        for found in self.files {
            let before = known.get(&found.path);
            if before.is_some_and(|known| known.stamp == found.stamp) || skip(&found) {
                continue;
            }
            let stamp = found.stamp;
            let key = (stamp.inode, stamp.size, stamp.modified_ns);
            match moved.get(&key).filter(|from| before.is_none() && extension(from) == extension(&found.path)) {
                Some(from) => {
                    plan.changes.push(Change::Rename { from: from.to_string(), to: found.path, stamp });
                    renamed.insert(from.to_string());
                    moved.remove(&key);
                }
                None => plan.read.push(found),
            }
        }
        for path in self.gone {
            if !renamed.contains(&path) {
                plan.changes.push(Change::Delete { path });
            }
        }
        for Refused { path, stamp, reason } in self.refused {
            if known.get(&path) != Some(Known { stamp, failed: true }) {
                plan.changes.push(Change::Fail { path, stamp, reason });
            }
        }
        plan
    }
}

/// A file under another extension may be of another format.
fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::LazyLock;

    use super::*;
    use crate::documents::Dotfiles;

    fn rule(dir: &tempfile::TempDir) -> Visibility {
        Visibility::new(dir.path(), &[], Dotfiles::Hidden, 1000).unwrap()
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in files {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), path).unwrap();
        }
        dir
    }

    fn catalogue(rule: &Visibility) -> Catalogue<'static> {
        static NONE: LazyLock<HashSet<String>> = LazyLock::new(HashSet::new);
        let walk = rule.walk(&AtomicBool::new(false)).unwrap();
        let known = walk.files.into_iter().map(|file| (file.path, Known { stamp: file.stamp, failed: false }));
        Catalogue::new(known.collect(), &NONE)
    }

    fn whole(known: &Catalogue, rule: &Visibility, away: &[&str]) -> Plan {
        let away: Vec<String> = away.iter().map(|folder| folder.to_string()).collect();
        let walk = rule.walk(&AtomicBool::new(false)).unwrap();
        Sight::of_walk(walk, known, rule, &away).plan(known, |_| false)
    }

    fn partly(known: &Catalogue, rule: &Visibility, paths: &[&str]) -> Plan {
        let paths: Vec<String> = paths.iter().map(|path| path.to_string()).collect();
        Sight::of_paths(&paths, known, rule, &[]).unwrap().plan(known, |_| false)
    }

    fn read(plan: &Plan) -> Vec<&str> {
        plan.read.iter().map(|found| found.path.as_str()).collect()
    }

    fn delete(path: &str) -> Change {
        Change::Delete { path: path.into() }
    }

    #[test]
    fn what_is_as_it_was_needs_nothing() {
        let dir = folder(&["a.txt", "b/c.txt"]);
        let rule = rule(&dir);
        let known = catalogue(&rule);
        assert_eq!(whole(&known, &rule, &[]), Plan::default());
        assert_eq!(partly(&known, &rule, &["a.txt", "b", "b/c.txt"]), Plan::default());
    }

    #[test]
    fn new_changed_moved_and_deleted_files_are_told_apart() {
        let dir = folder(&["old.txt", "gone.txt", "changed.txt", "d/e.txt", "d/f.txt"]);
        let rule = rule(&dir);
        let known = catalogue(&rule);
        let at = |path: &str| dir.path().join(path);
        fs::rename(at("old.txt"), at("moved.txt")).unwrap();
        fs::rename(at("d"), at("g")).unwrap();
        fs::remove_file(at("gone.txt")).unwrap();
        fs::write(at("changed.txt"), "longer than before").unwrap();
        fs::write(at("new.txt"), "new").unwrap();

        for plan in [
            whole(&known, &rule, &[]),
            partly(&known, &rule, &["changed.txt", "d", "g", "gone.txt", "moved.txt", "new.txt", "old.txt"]),
        ] {
            assert_eq!(read(&plan), ["changed.txt", "new.txt"]);
            let renames: Vec<(&str, &str)> = plan
                .changes
                .iter()
                .filter_map(|change| match change {
                    Change::Rename { from, to, .. } => Some((from.as_str(), to.as_str())),
                    _ => None,
                })
                .collect();
            assert_eq!(renames.len(), 3);
            for pair in [("old.txt", "moved.txt"), ("d/e.txt", "g/e.txt"), ("d/f.txt", "g/f.txt")] {
                assert!(renames.contains(&pair), "{pair:?}");
            }
            assert!(plan.changes.contains(&delete("gone.txt")));
            assert_eq!(plan.changes.len(), 4);
        }
    }

    #[test]
    fn a_file_that_became_another_format_is_read_again() {
        let dir = folder(&["a.txt"]);
        let rule = rule(&dir);
        let known = catalogue(&rule);
        fs::rename(dir.path().join("a.txt"), dir.path().join("a.md")).unwrap();
        let plan = whole(&known, &rule, &[]);
        assert_eq!((read(&plan), &plan.changes), (vec!["a.md"], &vec![delete("a.txt")]));
    }

    #[test]
    fn what_is_outdated_is_read_again_as_it_is() {
        let dir = folder(&["a.txt", "b.txt"]);
        let rule = rule(&dir);
        let outdated = HashSet::from(["a.txt".to_owned()]);
        let known = Catalogue::new(catalogue(&rule).files, &outdated);
        assert_eq!(read(&whole(&known, &rule, &[])), ["a.txt"]);
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_none() {
        let dir = folder(&["a.txt"]);
        let rule = rule(&dir);
        let known = catalogue(&rule);
        fs::remove_file(dir.path().join("a.txt")).unwrap();
        fs::create_dir(dir.path().join("a.txt")).unwrap();
        fs::write(dir.path().join("a.txt/b.txt"), "b").unwrap();
        for plan in [whole(&known, &rule, &[]), partly(&known, &rule, &["a.txt"])] {
            assert_eq!((read(&plan), &plan.changes), (vec!["a.txt/b.txt"], &vec![delete("a.txt")]));
        }
    }

    #[test]
    fn what_becomes_hidden_is_deleted_and_what_is_away_is_not() {
        let dir = folder(&["a.txt", "b/c.txt", "nas/d.txt", "e/f.txt"]);
        let rule = rule(&dir);
        let known = catalogue(&rule);
        fs::write(dir.path().join(".aditignore"), "/b\na.txt").unwrap();
        fs::remove_dir_all(dir.path().join("nas")).unwrap();
        fs::write(dir.path().join("e/.aditignore"), "[z-a]").unwrap();
        let plan = whole(&known, &rule, &["nas/"]);
        assert_eq!(plan.changes[..2], [delete("a.txt"), delete("b/c.txt")]);
        assert!(matches!(&plan.changes[2..], [Change::Fail { path, .. }] if path == "e"));
        assert_eq!(partly(&known, &rule, &["a.txt"]).changes, [delete("a.txt")]);
    }

    #[test]
    fn a_root_that_is_gone_takes_nothing_with_it() {
        let dir = folder(&["a.txt"]);
        let rule = rule(&dir);
        let known = catalogue(&rule);
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(Sight::of_paths(&["a.txt".into()], &known, &rule, &[]).is_none());
    }
}
