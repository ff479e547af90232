//! What an index knows of its collection's files, for whoever keeps the two in step.

use std::sync::Arc;

use super::catalogue::{Catalogue, Entry};
use crate::documents::Stamp;

/// What the index knows of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// What it looked like.
    pub stamp: Stamp,
    /// Whether it could not be read.
    pub failed: bool,
}

/// Every file that an index knows, by path, as of one moment. Shares the index's own memory: whoever holds it while the index is written
/// makes the writer copy it.
#[derive(Debug, Clone, Default)]
pub struct Files(pub(super) Arc<Catalogue>);

impl Files {
    /// The file at this path.
    pub fn get(&self, path: &str) -> Option<Known> {
        self.0.at_path(path).map(|entry| known(entry))
    }

    /// Paths below this folder, in order. `""` is the root.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.below(folder).map(|entry| &*entry.path).filter(move |path| *path != folder)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Known)> {
        self.0.iter().map(|entry| (&*entry.path, known(entry)))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().next().is_none()
    }
}

fn known(entry: &Entry) -> Known {
    Known { stamp: entry.stamp, failed: !entry.is_searchable() }
}

#[cfg(test)]
impl FromIterator<(String, Known)> for Files {
    fn from_iter<T: IntoIterator<Item = (String, Known)>>(files: T) -> Files {
        let name = "test".parse().expect("a name");
        let mut catalogue = Catalogue::default();
        for (path, Known { stamp, failed }) in files {
            let entry = Entry::new(catalogue.slot_for(&path), &name, &path, stamp);
            catalogue.put(Entry { failure: failed.then(|| "failed".into()), ..entry });
        }
        Files(Arc::new(catalogue))
    }
}
