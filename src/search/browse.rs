//! Folders looked into, and documents found by their names.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use globset::GlobBuilder;

use super::catalogue::Entry;
use super::error::LibraryError;
use super::expand::Nearness;
use super::text::{folded, pieces};
use super::types::{Folder, Listing};
use super::view::{Part, View};

/// A part of a view and one of its files.
pub(super) type Located<'a> = (&'a Part, &'a Arc<Entry>);

/// What is directly below a place: folders first. `documents` are made of the files by the caller.
pub(super) fn list<'a>(
    view: &'a View,
    path: &str,
    offset: usize,
    limit: usize,
) -> Result<(Listing, Vec<Located<'a>>), LibraryError> {
    let path = path.trim_matches('/');
    let mut listing = Listing { path: path.to_owned(), ..Listing::default() };
    if path.is_empty() {
        let folder = |part: &Part| Folder { path: part.shelf.name.to_string(), documents: part.totals().documents };
        listing.folders = view.parts.iter().map(folder).collect();
        page(&mut listing, &mut Vec::new(), offset, limit);
        return Ok((listing, Vec::new()));
    }
    let (part, folder) = view.place(path).ok_or(LibraryError::NotFound)?;
    let (mut folders, mut files) = (BTreeMap::<&str, u64>::new(), Vec::new());
    let below = part.snapshot.catalogue.below(folder).filter(|entry| part.sees(entry.slot) && entry.is_searchable());
    for entry in below {
        let rest = entry.path[folder.len()..].trim_start_matches('/');
        match rest.split_once('/') {
            Some((name, _)) => *folders.entry(name).or_default() += 1,
            None if !rest.is_empty() => files.push((part, entry)),
            None => return Err(LibraryError::NotFound),
        }
    }
    if folders.is_empty() && files.is_empty() && !folder.is_empty() {
        return Err(LibraryError::NotFound);
    }
    let whole = |name: &str| format!("{path}/{name}");
    listing.folders = folders.into_iter().map(|(name, documents)| Folder { path: whole(name), documents }).collect();
    page(&mut listing, &mut files, offset, limit);
    Ok((listing, files))
}

/// Cuts a page out of folders and files, counted through.
fn page(listing: &mut Listing, files: &mut Vec<Located<'_>>, offset: usize, limit: usize) {
    let all = listing.folders.len() + files.len();
    let end = offset.saturating_add(limit.max(1));
    let folders = listing.folders.len();
    listing.folders.truncate(end);
    listing.folders.drain(..offset.min(listing.folders.len()));
    files.truncate(end.saturating_sub(folders));
    files.drain(..offset.saturating_sub(folders).min(files.len()));
    listing.next_offset = (end < all).then_some(end);
}

/// Files by name: a glob, or part of a name or path, or the words of name and title in any order, or with typos; best first.
pub(super) fn find<'a>(view: &'a View, query: &str, limit: usize) -> Result<Vec<Located<'a>>, LibraryError> {
    let query = query.trim();
    let files = view.parts.iter().flat_map(|part| part.entries().map(move |entry| (part, entry)));
    let files = files.filter(|(_, entry)| entry.is_searchable());
    let mut found: Vec<(u32, Located<'a>)> = match query.contains(['*', '?', '[', '{']) {
        true => {
            let glob = GlobBuilder::new(query).case_insensitive(true).literal_separator(query.contains('/')).build();
            let glob = glob.map_err(|error| LibraryError::Argument {
                argument: "query",
                problem: format!("not a glob: {}; write \"*.pdf\" or \"2024/**/report*\"", error.kind()),
            })?;
            let matcher = glob.compile_matcher();
            let fits = |part: &Part, entry: &Entry| {
                matcher.is_match(&*entry.path)
                    || matcher.is_match(entry.file_name())
                    || matcher.is_match(format!("{}/{}", part.shelf.name, entry.path))
            };
            files.filter(|(part, entry)| fits(part, entry)).map(|found| (0, found)).collect()
        }
        false => {
            let wanted = Wanted::new(query);
            files.filter_map(|located| Some((wanted.grade(located.0, located.1)?, located))).collect()
        }
    };
    found.sort_by(|(a, (part_a, file_a)), (b, (part_b, file_b))| {
        let key = |grade: &u32, file: &Entry| (*grade, file.path.len());
        key(a, file_a)
            .cmp(&key(b, file_b))
            .then_with(|| part_a.shelf.name.cmp(&part_b.shelf.name))
            .then_with(|| file_a.path.cmp(&file_b.path))
    });
    Ok(found.into_iter().take(limit).map(|(_, located)| located).collect())
}

/// A name that is looked for.
struct Wanted {
    plain: String,
    words: Vec<String>,
    near: Vec<Nearness>,
}

impl Wanted {
    fn new(query: &str) -> Wanted {
        let plain = folded(query.trim_matches('/'));
        let words: Vec<String> =
            pieces(&plain).map(|piece| plain[piece.start..piece.end].to_owned()).take(16).collect();
        let near = words.iter().map(|word| Nearness::of(word)).collect();
        Wanted { plain, words, near }
    }

    /// How well a file fits, 0 best; none if not at all.
    fn grade(&self, part: &Part, entry: &Entry) -> Option<u32> {
        if self.words.is_empty() {
            return None;
        }
        let path = folded(&entry.path);
        let name = path.rsplit('/').next().unwrap_or(&path);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let title = entry.title.as_deref().map(folded).unwrap_or_default();
        let whole = || format!("{}/{path}", folded(part.shelf.name.as_str()));
        if path == self.plain || name == self.plain || whole() == self.plain {
            return Some(0);
        }
        if stem == self.plain || title == self.plain {
            return Some(1);
        }
        if name.starts_with(&self.plain) || title.starts_with(&self.plain) {
            return Some(2);
        }
        if name.contains(&self.plain) || title.contains(&self.plain) {
            return Some(3);
        }
        let all_in = |text: &str| self.words.iter().all(|word| text.contains(word.as_str()));
        if all_in(name) || all_in(&title) {
            return Some(4);
        }
        if whole().contains(&self.plain) {
            return Some(5);
        }
        let both = format!("{path} {title}");
        if all_in(&both) {
            return Some(6);
        }
        let near = self.near.iter().try_fold(0, |sum, near| Some(sum + near.nearest(&both)?))?;
        Some(10 + near)
    }
}

/// The files of the latest date, newest first.
pub(super) fn recent(view: &View, limit: usize) -> Vec<Located<'_>> {
    let mut files: Vec<(i64, &Part, u32)> = Vec::new();
    for part in &view.parts {
        files.extend(part.searchable().iter().map(|slot| (part.snapshot.properties.date(slot), part, slot)));
    }
    // Few are wanted of many: those as late as the last of these are put in order, the others not.
    let Some(last) = limit.min(files.len()).checked_sub(1) else { return Vec::new() };
    let (_, &mut (oldest, ..), _) = files.select_nth_unstable_by_key(last, |&(date, ..)| Reverse(date));
    let files = files.into_iter().filter(|&(date, ..)| date >= oldest);
    let files = files.filter_map(|(_, part, slot)| Some((part, part.snapshot.catalogue.slot(slot)?)));
    let mut found: Vec<Located<'_>> = files.collect();
    found.sort_by(|(part_a, a), (part_b, b)| {
        let newest = b.date().cmp(&a.date());
        newest.then_with(|| part_a.shelf.name.cmp(&part_b.shelf.name)).then_with(|| a.path.cmp(&b.path))
    });
    found.truncate(limit);
    found
}
