//! Copies of a file: equal texts under several names, of which a page of results shows one and names the others.

use blake2::digest::consts::U8;
use blake2::{Blake2s, Digest};

use super::catalogue::Entry;
use super::view::{Part, View};
use crate::limits::{COPIES_NAMED, COPY_BYTES};

/// The number of a text: equal texts have the same, whatever white space is between their words. 0 for a text so short that another
/// may have the same words by chance.
pub(super) fn text_number(text: &str) -> u64 {
    let mut hash = Blake2s::<U8>::new();
    let mut bytes = 0;
    for word in text.split_whitespace() {
        hash.update(word);
        hash.update(b" ");
        bytes += word.len() + 1;
    }
    if bytes < COPY_BYTES { 0 } else { u64::from_le_bytes(hash.finalize().into()) }
}

/// What a text is shown for, once: itself and its copies in all collections, or the document alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shown {
    Text(u64),
    Document { part: u32, slot: u32 },
}

impl Shown {
    /// What a document whose text has this number is shown for.
    pub(super) fn of(part: u32, slot: u32, text: u64) -> Shown {
        if text == 0 { Shown::Document { part, slot } } else { Shown::Text(text) }
    }
}

/// The copies of a document that are in scope, as `collection/path` in their order: the first few, and how many more there are.
pub(super) fn copies(view: &View, part: &Part, entry: &Entry) -> (Vec<String>, u64) {
    let (mut named, mut more) = (Vec::new(), 0);
    if entry.text == 0 {
        return (named, more);
    }
    for other in &view.parts {
        let is_itself = |slot| std::ptr::eq(part, other) && slot == entry.slot;
        let catalogue = &other.snapshot.catalogue;
        let mut slots: Vec<u32> =
            catalogue.with_text(entry.text).filter(|&slot| other.sees(slot) && !is_itself(slot)).collect();
        slots.sort_unstable_by_key(|&slot| other.snapshot.properties.rank(slot));
        let room = COPIES_NAMED - named.len();
        more += slots.len().saturating_sub(room) as u64;
        let paths = slots.iter().take(room).filter_map(|&slot| catalogue.slot(slot));
        named.extend(paths.map(|copy| format!("{}/{}", other.shelf.name, copy.path)));
    }
    (named, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_numbers_but_for_short_ones() {
        let text = "a sentence that is long enough\n".repeat(10);
        assert_eq!(text_number(&text), text_number(&text.replace('\n', "\r\n\r\n")));
        assert_ne!(text_number(&text), text_number(&text.replace("long", "lon g")));
        assert_ne!(text_number(&text), 0);
        assert_eq!(text_number(&" ".repeat(1000)), 0);
        assert_eq!(text_number("to do"), 0);
    }
}
