//! The contents of a book: a navigation document (EPUB 3) or an NCX (EPUB 2) in, titles with their places out.

use quick_xml::events::Event;

use super::unescape;
use crate::documents::extract::Refusal;
use crate::documents::package::{Events, Package, attribute, join, resolve};
use crate::limits::{OUTLINE_DEPTH, OUTLINE_ENTRIES};

/// A title in the contents.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) level: u8,
    pub(super) title: String,
    pub(super) file: String,
    /// The id of the element where it begins, if that is not the file's beginning.
    pub(super) fragment: Option<String>,
}

pub(super) fn read_contents(
    package: &mut Package<'_>,
    navigation: Option<&str>,
    ncx: Option<&str>,
) -> Result<Vec<Entry>, Refusal> {
    let mut entries = Vec::new();
    if let Some(file) = navigation {
        package.read_if_sound(file, |events| read_navigation(events, file, &mut entries))?;
    }
    if let (true, Some(file)) = (entries.is_empty(), ncx) {
        package.read_if_sound(file, |events| read_ncx(events, file, &mut entries))?;
    }
    entries.truncate(OUTLINE_ENTRIES);
    Ok(entries)
}

/// `<nav epub:type="toc">`: lists within lists of links (EPUB 3.3, §7.4).
fn read_navigation(events: &mut Events<'_>, file: &str, entries: &mut Vec<Entry>) -> Result<(), Refusal> {
    let (mut within, mut level, mut link) = (false, 0u8, None);
    let mut text = String::new();
    events.each(|event| match event {
        Event::Start(tag) if tag.local_name().as_ref() == "nav" => {
            within = attribute(tag, "type").is_some_and(|kind| kind.split_whitespace().any(|kind| kind == "toc"));
        }
        Event::End(tag) if tag.local_name().as_ref() == "nav" => within = false,
        _ if !within => {}
        Event::Start(tag) => match tag.local_name().as_ref() {
            "ol" => level = level.saturating_add(1),
            "a" => {
                link = attribute(tag, "href");
                text.clear();
            }
            _ => {}
        },
        Event::End(tag) => match tag.local_name().as_ref() {
            "ol" => level = level.saturating_sub(1),
            "a" => entries.extend(link.take().and_then(|link| entry(level, &text, file, &link, entries.len()))),
            _ => {}
        },
        Event::Text(piece) => text.push_str(piece),
        Event::GeneralRef(reference) => text.extend(resolve(reference)),
        _ => {}
    })
}

/// `navPoint` within `navPoint` (OPF 2.0.1, §2.4.1).
fn read_ncx(events: &mut Events<'_>, file: &str, entries: &mut Vec<Entry>) -> Result<(), Refusal> {
    let (mut level, mut in_label) = (0u8, false);
    let mut text = String::new();
    events.each(|event| match event {
        Event::Start(tag) | Event::Empty(tag) => match tag.local_name().as_ref() {
            "navPoint" => {
                level = level.saturating_add(1);
                text.clear();
            }
            "text" => in_label = level > 0,
            "content" if level > 0 => {
                let link = attribute(tag, "src").unwrap_or_default();
                entries.extend(entry(level, &std::mem::take(&mut text), file, &link, entries.len()));
            }
            _ => {}
        },
        Event::End(tag) => match tag.local_name().as_ref() {
            "navPoint" => level = level.saturating_sub(1),
            "text" => in_label = false,
            _ => {}
        },
        Event::Text(piece) if in_label => text.push_str(piece),
        Event::GeneralRef(reference) if in_label => text.extend(resolve(reference)),
        _ => {}
    })
}

fn entry(level: u8, title: &str, from: &str, link: &str, before: usize) -> Option<Entry> {
    let (file, fragment) = link.split_once('#').map_or((link, None), |(file, id)| (file, Some(unescape(id))));
    let fits = before < OUTLINE_ENTRIES && (1..=OUTLINE_DEPTH).contains(&level) && !title.trim().is_empty();
    let file = if file.is_empty() { from.to_owned() } else { join(from, &unescape(file)) };
    fits.then(|| Entry { level, title: title.to_owned(), file, fragment: fragment.filter(|id| !id.is_empty()) })
}
