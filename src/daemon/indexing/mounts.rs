//! What is mounted where: remembered, so that a disk that is not there is not taken for one that was emptied.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::write_atomically;
use crate::documents::Walk;
use crate::name::CollectionName;

/// Device numbers by folder (`""`: the root, others with `/` at their end), as of the last walk that saw anything there.
pub(super) type Mounts = BTreeMap<String, u64>;

/// Folders below which documents are away, not gone: something else was mounted there, and now there is nothing.
pub(super) fn away(remembered: &Mounts, walk: &Walk) -> Vec<String> {
    let is_away = |(folder, device): &(&String, &u64)| match walk.mounts.get(*folder) {
        Some(now) => now != *device && walk.empty_mounts.contains(folder),
        None => !walk.files.iter().any(|file| file.path.starts_with(folder.as_str())),
    };
    remembered.iter().filter(is_away).map(|(folder, _)| folder.clone()).collect()
}

/// The file in which mounts are remembered between starts.
#[derive(Debug)]
pub(super) struct MountsFile {
    path: PathBuf,
    all: BTreeMap<CollectionName, Mounts>,
}

impl MountsFile {
    /// Reads the file. What cannot be read is forgotten: then an empty folder counts as emptied.
    pub(super) fn open(state_dir: &Path) -> MountsFile {
        let path = state_dir.join("mounts.json");
        let all = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        MountsFile { path, all }
    }

    pub(super) fn of(&self, collection: &CollectionName) -> Mounts {
        self.all.get(collection).cloned().unwrap_or_default()
    }

    /// Remembers what a collection consists of, where that is new.
    pub(super) fn remember(&mut self, collection: &CollectionName, mounts: &Mounts) {
        if self.all.get(collection) == Some(mounts) {
            return;
        }
        self.all.insert(collection.clone(), mounts.clone());
        if let Err(error) = self.write() {
            tracing::warn!(path = %self.path.display(), %error, "mounts are not remembered");
        }
    }

    fn write(&self) -> io::Result<()> {
        write_atomically(&self.path, &serde_json::to_vec(&self.all)?, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(of: &[(&str, u64)]) -> Mounts {
        of.iter().map(|(folder, device)| (folder.to_string(), *device)).collect()
    }

    #[test]
    fn an_empty_folder_on_another_device_is_away_and_an_emptied_one_is_not() {
        let remembered = mounts(&[("", 1), ("nas/", 7), ("usb/", 8), ("sd/", 9)]);
        let walk = Walk {
            mounts: mounts(&[("", 1), ("nas/", 1), ("sd/", 9)]),
            empty_mounts: vec!["nas/".into(), "sd/".into()],
            ..Walk::default()
        };
        assert_eq!(away(&remembered, &walk), ["nas/", "usb/"]);
        let stamp = crate::documents::Stamp::NONE;
        let copied = vec![crate::documents::Found { path: "nas/letter.txt".into(), stamp }];
        let walk = Walk { mounts: mounts(&[("", 1), ("sd/", 9)]), files: copied, ..Walk::default() };
        assert_eq!(away(&remembered, &walk), ["usb/"]);
        let walk = Walk { mounts: mounts(&[("", 2)]), empty_mounts: vec!["".into()], ..Walk::default() };
        assert_eq!(away(&mounts(&[("", 1)]), &walk), [""]);
        assert_eq!(away(&mounts(&[("", 2)]), &walk), [""; 0]);
    }

    #[test]
    fn mounts_are_remembered_between_starts() {
        let dir = tempfile::tempdir().unwrap();
        let name: CollectionName = "documents".parse().unwrap();
        let mut file = MountsFile::open(dir.path());
        file.remember(&name, &mounts(&[("", 5)]));
        assert_eq!(MountsFile::open(dir.path()).of(&name), mounts(&[("", 5)]));
    }
}
