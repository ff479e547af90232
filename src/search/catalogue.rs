//! What is known of every file of a collection, in memory: small, so that a hundred thousand files take some thirty megabytes, and
//! rebuilt from the index whenever it is opened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::DocumentId;
use super::schema::Searched;
use super::text::Tongue;
use crate::documents::{Format, Stamp, clean};
use crate::limits::{REASON_BYTES, TITLE_BYTES};
use crate::name::CollectionName;

/// What is known of a file. Written into the index as the file's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its number: small, its own as long as it is known, given to another afterwards.
    #[serde(rename = "n")]
    pub(super) slot: u32,
    /// Path below the collection's root.
    #[serde(rename = "p")]
    pub(super) path: Box<str>,
    /// What it looked like when it was read.
    #[serde(rename = "s")]
    pub(super) stamp: Stamp,
    /// Its form; none where it could not be read.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Format>,
    /// The date it bears itself, in seconds since 1970, where its form has one that counts ([`Format::bears_its_date`]).
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) dated: Option<i64>,
    /// Its own title.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<Box<str>>,
    /// Why it could not be read.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<Box<str>>,
    /// The number of its tongue.
    #[serde(rename = "l", default)]
    pub(super) tongue: u8,
    /// Its passages.
    #[serde(rename = "c", default)]
    pub(super) passages: u32,
    /// Words in each searched field, over all passages.
    #[serde(rename = "w", default)]
    pub(super) words: [u32; Searched::COUNTED],
    /// Bytes of its text.
    #[serde(rename = "b", default)]
    pub(super) text_bytes: u64,
    /// Whether its text was cut.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) truncated: bool,
    /// The number of its text; 0: none.
    #[serde(rename = "h", default, skip_serializing_if = "is_zero")]
    pub(super) text: u64,
    /// Its id; follows from collection and path.
    #[serde(skip)]
    pub(super) id: DocumentId,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// A file of which nothing else is known yet.
    pub(super) fn new(slot: u32, collection: &CollectionName, path: &str, stamp: Stamp) -> Entry {
        Entry {
            slot,
            path: path.into(),
            stamp,
            format: None,
            dated: None,
            title: None,
            failure: None,
            tongue: 0,
            passages: 0,
            words: Default::default(),
            text_bytes: 0,
            truncated: false,
            text: 0,
            id: DocumentId::of(collection, path),
        }
    }

    /// Whether it can be found.
    pub(super) fn is_searchable(&self) -> bool {
        self.failure.is_none()
    }

    /// Its date in nanoseconds since 1970: the one it bears, or when its file was modified.
    pub(super) fn date(&self) -> i128 {
        self.dated.map_or(self.stamp.modified_ns, |seconds| i128::from(seconds) * 1_000_000_000)
    }

    /// Its own title, or its file name.
    pub(super) fn shown_title(&self) -> &str {
        self.title.as_deref().unwrap_or_else(|| self.file_name())
    }

    /// The last part of its path.
    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether its name ends in a point and this.
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        self.file_name().rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(extension))
    }

    /// A title as it is kept: one line, not too long.
    pub(super) fn kept_title(title: &str) -> Option<Box<str>> {
        kept(title, TITLE_BYTES)
    }

    /// A reason as it is kept.
    pub(super) fn kept_reason(reason: &str) -> Box<str> {
        kept(reason, REASON_BYTES).unwrap_or_else(|| "unknown".into())
    }
}

fn kept(text: &str, most: usize) -> Option<Box<str>> {
    let mut line = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    line.truncate(line.floor_char_boundary(most));
    (!line.is_empty()).then(|| line.into())
}

/// Sums over documents that can be found: what scores are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) documents: u64,
    pub(super) passages: u64,
    pub(super) text_bytes: u64,
    pub(super) words: [u64; Searched::COUNTED],
    /// Documents per tongue.
    pub(super) tongues: BTreeMap<Tongue, u64>,
}

impl Totals {
    pub(super) fn add(&mut self, entry: &Entry) {
        if !entry.is_searchable() {
            return;
        }
        self.documents += 1;
        self.passages += u64::from(entry.passages);
        self.text_bytes += entry.text_bytes;
        for (sum, words) in self.words.iter_mut().zip(entry.words) {
            *sum += u64::from(words);
        }
        *self.tongues.entry(tongue(entry)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        if !entry.is_searchable() {
            return;
        }
        self.documents -= 1;
        self.passages -= u64::from(entry.passages);
        self.text_bytes -= entry.text_bytes;
        for (sum, words) in self.words.iter_mut().zip(entry.words) {
            *sum -= u64::from(words);
        }
        if let Some(count) = self.tongues.get_mut(&tongue(entry)) {
            *count -= 1;
        }
        self.tongues.retain(|_, count| *count > 0);
    }

    pub(super) fn merge(&mut self, other: &Totals) {
        self.documents += other.documents;
        self.passages += other.passages;
        self.text_bytes += other.text_bytes;
        for (sum, words) in self.words.iter_mut().zip(other.words) {
            *sum += words;
        }
        for (tongue, count) in &other.tongues {
            *self.tongues.entry(*tongue).or_default() += count;
        }
    }
}

fn tongue(entry: &Entry) -> Tongue {
    Tongue::from_number(entry.tongue).unwrap_or(Tongue::ENGLISH)
}

/// Every file of a collection. A copy shares the entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    slots: Vec<Option<Arc<Entry>>>,
    free: Vec<u32>,
    by_path: Vec<u32>,
    by_id: HashMap<DocumentId, u32>,
    /// Numbers of texts, each with a slot of that text.
    by_text: BTreeSet<(u64, u32)>,
    totals: Totals,
}

impl Catalogue {
    /// The file in this slot.
    pub(super) fn slot(&self, slot: u32) -> Option<&Arc<Entry>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// One past the highest slot.
    pub(super) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// The file at this path.
    pub(super) fn at_path(&self, path: &str) -> Option<&Arc<Entry>> {
        let at = self.place(path).ok()?;
        self.slot(self.by_path[at])
    }

    /// The file with this id.
    pub(super) fn with_id(&self, id: DocumentId) -> Option<&Arc<Entry>> {
        self.slot(*self.by_id.get(&id)?)
    }

    /// Slots of the files whose text has this number.
    pub(super) fn with_text(&self, text: u64) -> impl Iterator<Item = u32> {
        self.by_text.range((text, 0)..=(text, u32::MAX)).map(|&(_, slot)| slot)
    }

    /// All files, by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_path.iter().filter_map(|&slot| self.slot(slot))
    }

    /// Files whose path is this folder's or below, by path. `""` is the root.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = &Arc<Entry>> {
        self.slots_below(folder).filter_map(|slot| self.slot(slot))
    }

    /// Their slots, in the same order.
    pub(super) fn slots_below(&self, folder: &str) -> impl Iterator<Item = u32> {
        let at = |path: &str| self.place(path).unwrap_or_else(|at| at);
        let (itself, below) = match folder {
            "" => (0..0, 0..self.by_path.len()),
            // What follows a slash in the order of bytes is a zero.
            _ => {
                (self.place(folder).map_or(0..0, |at| at..at + 1), at(&format!("{folder}/"))..at(&format!("{folder}0")))
            }
        };
        self.by_path[itself].iter().chain(&self.by_path[below]).copied()
    }

    /// The place of every slot in the order of paths.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut ranks = vec![u32::MAX; self.slots.len()];
        for (rank, &slot) in self.by_path.iter().enumerate() {
            ranks[slot as usize] = rank as u32;
        }
        ranks
    }

    /// Slots whose files are others than in an earlier catalogue.
    pub(super) fn changed_since(&self, before: &Catalogue) -> Vec<u32> {
        let is_same = |slot| match (self.slot(slot), before.slot(slot)) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (None, None) => true,
            _ => false,
        };
        (0..self.slots().max(before.slots())).filter(|&slot| !is_same(slot)).collect()
    }

    /// Sums over all that can be found.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The slot a file at this path has, or is to have.
    pub(super) fn slot_for(&self, path: &str) -> u32 {
        match self.place(path) {
            Ok(at) => self.by_path[at],
            Err(_) => self.free.last().copied().unwrap_or(self.slots.len() as u32),
        }
    }

    /// Puts an entry into its slot, which is [`Catalogue::slot_for`] of its path.
    pub(super) fn put(&mut self, entry: Entry) {
        self.delete(&entry.path.clone());
        let slot = entry.slot as usize;
        if slot >= self.slots.len() {
            self.free.extend((self.slots.len()..slot).rev().map(|free| free as u32));
            self.slots.resize(slot + 1, None);
        }
        match self.free.last() {
            Some(&last) if last == entry.slot => drop(self.free.pop()),
            _ => self.free.retain(|&free| free != entry.slot),
        }
        if let Err(at) = self.place(&entry.path) {
            self.by_path.insert(at, entry.slot);
        }
        self.by_id.insert(entry.id, entry.slot);
        self.note_text(&entry);
        self.totals.add(&entry);
        self.slots[slot] = Some(Arc::new(entry));
    }

    /// Takes a file out.
    pub(super) fn delete(&mut self, path: &str) -> Option<Arc<Entry>> {
        let at = self.place(path).ok()?;
        let slot = self.by_path.remove(at);
        let entry = self.slots[slot as usize].take()?;
        self.by_id.remove(&entry.id);
        self.by_text.remove(&(entry.text, slot));
        self.totals.remove(&entry);
        self.free.push(slot);
        Some(entry)
    }

    /// The catalogue of these entries; none if two of them share a slot or a path.
    pub(super) fn rebuilt(name: &CollectionName, mut entries: Vec<Entry>) -> Option<Catalogue> {
        let mut catalogue = Catalogue::default();
        let slots = entries.iter().map(|entry| entry.slot as usize + 1).max().unwrap_or(0);
        // Slots are given out densely: far more of them than files means that the records are not ours.
        if slots > entries.len().saturating_mul(64).saturating_add(1 << 20) {
            return None;
        }
        catalogue.slots.resize(slots, None);
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for mut entry in entries {
            entry.id = DocumentId::of(name, &entry.path);
            let slot = entry.slot as usize;
            let repeated = catalogue.by_path.last().and_then(|&last| catalogue.slot(last)).map(|last| &*last.path);
            if catalogue.slots[slot].is_some() || repeated == Some(&*entry.path) {
                return None;
            }
            catalogue.by_path.push(entry.slot);
            catalogue.by_id.insert(entry.id, entry.slot);
            catalogue.note_text(&entry);
            catalogue.totals.add(&entry);
            catalogue.slots[slot] = Some(Arc::new(entry));
        }
        let free = (0..slots).rev().filter(|&slot| catalogue.slots[slot].is_none());
        catalogue.free = free.map(|slot| slot as u32).collect();
        Some(catalogue)
    }

    fn note_text(&mut self, entry: &Entry) {
        if entry.text != 0 {
            self.by_text.insert((entry.text, entry.slot));
        }
    }

    fn place(&self, path: &str) -> Result<usize, usize> {
        self.by_path.binary_search_by(|&slot| self.slot(slot).map_or("", |entry| &entry.path).cmp(path))
    }
}
