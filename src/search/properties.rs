//! What is asked of all files of a catalogue at once, by their slots: numbers side by side, so that a question about a hundred thousand
//! files walks through memory in order and looks at no entry.

use std::sync::OnceLock;

use memchr::memmem::Finder;

use super::bits::Bits;
use super::catalogue::{Catalogue, Entry};
use super::text::fold;
use crate::documents::Format;

/// Properties of the files of one catalogue. Never changes. Slots without a searchable file may be in any answer.
#[derive(Debug, Default)]
pub(super) struct Properties {
    searchable: Bits,
    ranks: Vec<u32>,
    texts: Vec<u64>,
    /// Nanoseconds since 1970; what lies centuries away is as far as the type goes.
    dates: Vec<i64>,
    formats: Vec<Option<Format>>,
    /// Made for the first question about paths.
    paths: OnceLock<Paths>,
}

/// The folded paths, one after the other.
#[derive(Debug)]
struct Paths {
    text: String,
    /// Where the path of each slot ends; it begins where the one before ends.
    ends: Vec<usize>,
}

impl Properties {
    /// Of a catalogue, of which `before` is known but for these slots.
    pub(super) fn new(catalogue: &Catalogue, before: &Properties, changed: &[u32]) -> Properties {
        let slots = catalogue.slots();
        let mut properties = Properties {
            searchable: before.searchable.resized(slots),
            ranks: catalogue.ranks(),
            texts: before.texts.clone(),
            dates: before.dates.clone(),
            formats: before.formats.clone(),
            paths: OnceLock::new(),
        };
        properties.texts.resize(slots as usize, 0);
        properties.dates.resize(slots as usize, 0);
        properties.formats.resize(slots as usize, None);
        for &slot in changed {
            properties.note(slot, catalogue.slot(slot).map(|entry| &**entry));
        }
        properties
    }

    fn note(&mut self, slot: u32, entry: Option<&Entry>) {
        let entry = entry.filter(|entry| entry.is_searchable());
        match entry {
            Some(_) => self.searchable.insert(slot),
            None => self.searchable.remove(slot),
        };
        let at = slot as usize;
        self.texts[at] = entry.map_or(0, |entry| entry.text);
        self.dates[at] = entry.map_or(0, |entry| nearest(entry.date()));
        self.formats[at] = entry.and_then(|entry| entry.format);
    }

    /// Files that can be found.
    pub(super) fn searchable(&self) -> &Bits {
        &self.searchable
    }

    /// The place of a slot in the order of paths.
    pub(super) fn rank(&self, slot: u32) -> u32 {
        self.ranks.get(slot as usize).copied().unwrap_or(u32::MAX)
    }

    /// The number of the text in a slot; 0: none.
    pub(super) fn text(&self, slot: u32) -> u64 {
        self.texts.get(slot as usize).copied().unwrap_or(0)
    }

    /// When a file was dated, in nanoseconds since 1970.
    pub(super) fn date(&self, slot: u32) -> i64 {
        self.dates.get(slot as usize).copied().unwrap_or(i64::MIN)
    }

    /// Files of one of these formats.
    pub(super) fn of_format(&self, formats: &[Format]) -> Bits {
        Bits::of(&self.formats, |format| format.is_some_and(|format| formats.contains(&format)))
    }

    /// Files of this moment, in nanoseconds since 1970, or later.
    pub(super) fn since(&self, moment: i128) -> Bits {
        let moment = nearest(moment);
        Bits::of(&self.dates, |date| date >= moment)
    }

    /// Files of before this moment.
    pub(super) fn before(&self, moment: i128) -> Bits {
        let moment = nearest(moment);
        Bits::of(&self.dates, |date| date < moment)
    }

    /// Files in whose folded paths these parts stand, in this order.
    pub(super) fn with_path(&self, catalogue: &Catalogue, parts: &[&str]) -> Bits {
        self.paths(catalogue).holding(parts)
    }

    /// Files whose folded paths end like this.
    pub(super) fn with_ending(&self, catalogue: &Catalogue, ending: &str) -> Bits {
        self.paths(catalogue).ending(ending)
    }

    fn paths(&self, catalogue: &Catalogue) -> &Paths {
        self.paths.get_or_init(|| Paths::of(catalogue))
    }
}

/// A time as it is kept here.
fn nearest(nanoseconds: i128) -> i64 {
    nanoseconds.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

impl Paths {
    fn of(catalogue: &Catalogue) -> Paths {
        let mut paths = Paths { text: String::new(), ends: Vec::with_capacity(catalogue.slots() as usize) };
        for slot in 0..catalogue.slots() {
            if let Some(entry) = catalogue.slot(slot) {
                fold(&entry.path, &mut paths.text);
            }
            paths.ends.push(paths.text.len());
        }
        paths
    }

    fn ending(&self, ending: &str) -> Bits {
        let mut set = Bits::none(self.ends.len() as u32);
        let mut begin = 0;
        for (slot, &end) in self.ends.iter().enumerate() {
            if self.text.as_bytes()[begin..end].ends_with(ending.as_bytes()) {
                set.insert(slot as u32);
            }
            begin = end;
        }
        set
    }

    fn holding(&self, parts: &[&str]) -> Bits {
        let mut set = Bits::none(self.ends.len() as u32);
        let (first, rest) = parts.split_first().unwrap_or((&"", &[]));
        let finder = Finder::new(first);
        let (mut at, mut slot) = (0, 0);
        // An empty part is found in every path, and past the last.
        while slot < self.ends.len()
            && let Some(found) = self.text.get(at..).and_then(|text| finder.find(text.as_bytes()))
        {
            let (begin, end) = (at + found, at + found + first.len());
            while slot < self.ends.len() && self.ends[slot] < end {
                slot += 1;
            }
            let Some(&last) = self.ends.get(slot) else { break };
            let first_byte = slot.checked_sub(1).map_or(0, |before| self.ends[before]);
            if begin < first_byte {
                // Half of it stands in the path before.
                at = self.text.ceil_char_boundary(begin + 1);
                continue;
            }
            if holds(&self.text[end..last], rest) {
                set.insert(slot as u32);
            }
            (at, slot) = (last, slot + 1);
        }
        set
    }
}

/// Whether a text holds these parts in this order.
fn holds(text: &str, parts: &[&str]) -> bool {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_parts_in_order() {
        let paths = ["work/2024/report.md", "", "a", "work/2023/summary2024.md", "20", "24"];
        let mut all = Paths { text: String::new(), ends: Vec::new() };
        for path in paths {
            all.text.push_str(path);
            all.ends.push(all.text.len());
        }
        for (pattern, expected) in [
            ("2024", &[0, 3][..]),
            ("2024*md", &[0, 3]),
            ("md*2024", &[]),
            ("work*2023*2024", &[3]),
            ("", &[0, 1, 2, 3, 4, 5]),
            ("a", &[2, 3]),
            ("24", &[0, 3, 5]),
            ("mda", &[]),
        ] {
            let found = all.holding(&pattern.split('*').collect::<Vec<_>>());
            let found: Vec<usize> = (0..paths.len()).filter(|&slot| found.contains(slot as u32)).collect();
            assert_eq!(found, expected, "{pattern}");
        }
        let found = all.ending("4.md");
        assert!(found.contains(3) && found.len() == 1);
    }
}
