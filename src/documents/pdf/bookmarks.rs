//! Where the bookmarks of a PDF stand in its text: bookmarks and blocks of text in, headings out. A bookmark names a page at best, and
//! often not even that (a named destination is not resolved), so it is looked for by its words.

use std::collections::HashMap;

use unpdf::model::OutlineItem;

use crate::documents::compose::{Composer, tidy};
use crate::limits::{OUTLINE_DEPTH, OUTLINE_ENTRIES};

/// Places that are remembered of one bookmark's words: the contents, a running head, the heading itself.
const SIGHTINGS: usize = 8;

/// The bookmarks of one document, in order.
#[derive(Debug, Default)]
pub(super) struct Bookmarks {
    bookmarks: Vec<Bookmark>,
    by_words: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Bookmark {
    level: u8,
    title: String,
    page: Option<u32>,
    sightings: Vec<Sighting>,
}

/// A block of text that says what a bookmark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// First byte.
    pub(super) start: usize,
    /// One past the last.
    pub(super) end: usize,
    pub(super) page: u32,
    /// Whether it is set as a heading.
    pub(super) is_heading: bool,
}

impl Bookmarks {
    pub(super) fn new(items: &[OutlineItem]) -> Bookmarks {
        let mut all = Bookmarks::default();
        for item in items {
            all.add(item, 1);
        }
        for (number, bookmark) in all.bookmarks.iter().enumerate() {
            all.by_words.entry(words(&bookmark.title)).or_default().push(number);
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bookmarks.is_empty()
    }

    fn add(&mut self, item: &OutlineItem, level: u8) {
        if self.bookmarks.len() >= OUTLINE_ENTRIES || level > OUTLINE_DEPTH {
            return;
        }
        if let Some(title) = tidy(&item.title) {
            self.bookmarks.push(Bookmark { level, title, page: item.page, sightings: Vec::new() });
        }
        for child in &item.children {
            self.add(child, level + 1);
        }
    }

    /// Notes a block of text, if it says, or begins with a line that says, what a bookmark says.
    pub(super) fn see(&mut self, text: &str, sighting: Sighting) {
        let first_line = text.lines().next().unwrap_or_default();
        let numbers = [text, first_line]
            .into_iter()
            .filter(|text| text.len() <= 1000)
            .find_map(|text| self.by_words.get(&words(text)));
        for number in numbers.into_iter().flatten() {
            let bookmark = &mut self.bookmarks[*number];
            let on_page = bookmark.page.is_none_or(|page| page == sighting.page);
            if on_page && bookmark.sightings.len() < SIGHTINGS {
                bookmark.sightings.push(sighting);
            }
        }
    }

    /// Makes headings of all that were seen, and outline entries of all.
    pub(super) fn settle(self, composer: &mut Composer) {
        let starts = composer.page_starts();
        let mut after = 0;
        for bookmark in self.bookmarks {
            let place = bookmark.place(after);
            let page = place.map(|place| place.page).or(bookmark.page);
            match place {
                Some(place) => {
                    after = place.end;
                    composer.mark_heading(bookmark.level, &bookmark.title, page, place.start, place.end);
                }
                None => {
                    let start = page.and_then(|page| starts.get(&page).copied()).unwrap_or(after);
                    composer.mark_outline(bookmark.level, &bookmark.title, page, start);
                }
            }
        }
    }
}

impl Bookmark {
    /// The first heading behind the bookmark before this one; else the last mere mention, since contents come first.
    fn place(&self, after: usize) -> Option<Sighting> {
        let behind = || self.sightings.iter().filter(|sighting| sighting.start >= after);
        behind().find(|sighting| sighting.is_heading).or_else(|| behind().next_back()).copied()
    }
}

/// The words of a text in lower case, without a number in front.
fn words(text: &str) -> String {
    let mut words = text.split_whitespace().peekable();
    let is_number = |word: &&str| word.chars().all(|c| c.is_ascii_digit() || c == '.');
    if words.peek().is_some_and(is_number) && words.clone().nth(1).is_some() {
        words.next();
    }
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(start: usize, page: u32, is_heading: bool) -> Sighting {
        Sighting { start, end: start + 5, page, is_heading }
    }

    fn outline(items: &[(&str, Option<u32>)], seen: &[(&str, Sighting)]) -> Vec<(String, Option<u32>, usize)> {
        let items: Vec<OutlineItem> = items.iter().map(|(title, page)| OutlineItem::new(*title, *page, 0)).collect();
        let mut bookmarks = Bookmarks::new(&items);
        for (text, sighting) in seen {
            bookmarks.see(text, *sighting);
        }
        let mut composer = Composer::new(1000);
        composer.page(1);
        composer.push(&"x".repeat(100));
        composer.page(2);
        composer.push(&"y".repeat(100));
        bookmarks.settle(&mut composer);
        composer.finish().outline.into_iter().map(|entry| (entry.title, entry.page, entry.offset)).collect()
    }

    #[test]
    fn a_heading_is_preferred_to_the_contents_and_the_order_is_kept() {
        let found = outline(
            &[("Safety", None), ("Notes", None), ("Use", None), ("Notes", None)],
            &[
                ("Safety", sighting(0, 1, false)),
                ("1. SAFETY\nThe gas", sighting(20, 1, true)),
                ("Notes", sighting(30, 1, true)),
                ("Use", sighting(102, 2, true)),
                ("Notes", sighting(120, 2, true)),
            ],
        );
        let places: Vec<_> = found.iter().map(|(_, page, offset)| (page.unwrap(), *offset)).collect();
        assert_eq!(places, [(1, 20), (1, 30), (2, 102), (2, 120)]);
    }

    #[test]
    fn a_bookmark_whose_words_are_not_there_points_to_its_page() {
        let found = outline(&[("Picture", Some(2)), ("Nowhere", None)], &[("Picture", sighting(3, 1, true))]);
        assert_eq!(found, [("Picture".into(), Some(2), 102), ("Nowhere".into(), None, 0)]);
    }

    #[test]
    fn a_number_in_front_does_not_count() {
        assert_eq!(words("3.2  Weekly\nChecks"), "weekly checks");
        assert_eq!(words("2023"), "2023");
    }
}
