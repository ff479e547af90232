//! Why a document is or is not found: a path in, how it stands in each collection out, with what to do about it. Looks at the disk and
//! at the index, and asks the one visibility rule; nothing is kept for it.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::config::{CollectionConfig, Config};
use crate::control::{Failed, FailedKind, WhyReport, WhyState, owner_scope};
use crate::documents::{
    Dotfiles, HEAD_BYTES, IGNORE_FILE, Kind, Rule, Stamp, Verdict, Visibility, detect, is_no_document, open_beneath,
};
use crate::name::CollectionName;
use crate::search::{FileRecord, Library};

/// Whether somebody is there to read what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// The daemon that answers.
    Running,
    /// Nobody, at present.
    Stopped,
}

/// How a path stands, in the order of the configuration; and all collections with their folders, for whoever looks outside of them.
pub(super) type Places = (Vec<WhyReport>, Vec<(CollectionName, PathBuf)>);

/// How a path stands in every collection that it lies in: one of the absolute `paths`, or else `collection/path` as it was `typed`.
pub(super) fn why(
    library: &Library,
    config: &Config,
    reader: Reader,
    typed: &str,
    paths: &[PathBuf],
) -> Result<Places, Failed> {
    let mut found = Vec::new();
    for collection in &config.collections {
        let below = paths.iter().find_map(|path| below(&collection.path, path));
        found.extend(below.map(|below| (collection, below)));
    }
    if found.is_empty() {
        let (name, below) = typed.split_once('/').unwrap_or((typed, ""));
        let named = config.collections.iter().find(|collection| collection.name.as_str() == name);
        found.extend(named.map(|collection| (collection, below.trim_end_matches('/').to_owned())));
    }
    let places = found.into_iter().map(|(collection, path)| Question { library, collection, reader, path }.answer());
    Ok((
        places.collect::<Result<_, _>>()?,
        config.collections.iter().map(|it| (it.name.clone(), it.path.clone())).collect(),
    ))
}

/// A path below a root, with `/` between its components. The root may be a link: it is the owner's.
fn below(root: &Path, path: &Path) -> Option<String> {
    let resolved = root.canonicalize().ok();
    let below =
        [Some(root), resolved.as_deref()].into_iter().flatten().find_map(|root| path.strip_prefix(root).ok())?;
    below.to_str().map(str::to_owned)
}

/// One path of one collection.
struct Question<'a> {
    library: &'a Library,
    collection: &'a CollectionConfig,
    reader: Reader,
    path: String,
}

impl Question<'_> {
    fn answer(self) -> Result<WhyReport, Failed> {
        let failed = |message: String| Failed { kind: FailedKind::Failed, message };
        let CollectionConfig { name, path: root, exclude, hidden, max_file } = self.collection;
        let dotfiles = if *hidden { Dotfiles::Shown } else { Dotfiles::Hidden };
        let rule = Visibility::new(root, exclude, dotfiles, *max_file).map_err(|error| failed(error.to_string()))?;
        let known = self.library.file(&owner_scope(), name, &self.path).map_err(|error| failed(error.to_string()))?;
        let verdict = match self.path.as_str() {
            "" => Verdict::Folder,
            path => rule.explains(path),
        };
        let (state, reason, advice) = match verdict {
            Verdict::Visible(stamp) => self.file(stamp, known.as_ref()),
            Verdict::Folder => self.folder(known.as_ref()),
            Verdict::Hidden(rule) => (WhyState::Hidden, rule.to_string(), self.way_around(&rule)),
            Verdict::Gone => (WhyState::Missing, self.gone(known.is_some()), String::new()),
            Verdict::Unreadable(problem) => {
                let advice =
                    "let adit read the folders on the way to it; what the index knows of them is kept meanwhile";
                (WhyState::Unknown, problem, advice.to_owned())
            }
        };
        let known = known.filter(|_| matches!(state, WhyState::Searchable | WhyState::Waiting | WhyState::Unreadable));
        Ok(WhyReport {
            collection: name.clone(),
            path: self.path,
            state,
            reason,
            advice,
            format: known.as_ref().and_then(|known| known.format),
            read: known.as_ref().and_then(|known| known.read),
            passages: known.as_ref().map_or(0, |known| known.passages),
        })
    }

    /// A file that the rule shows and that looks like this.
    fn file(&self, stamp: Stamp, known: Option<&FileRecord>) -> (WhyState, String, String) {
        match known {
            Some(FileRecord { failure: Some(reason), stamp: then, .. }) if *then == stamp || *then == Stamp::NONE => {
                let advice = format!(
                    "it is left alone until it changes: mend or replace it; after an upgrade of adit, have everything tried again \
                     with `adit index rebuild {}`",
                    self.collection.name
                );
                (WhyState::Unreadable, reason.clone(), advice)
            }
            Some(record) if record.failure.is_none() && record.stamp == stamp => {
                (WhyState::Searchable, shortfall(record), String::new())
            }
            Some(record) if record.failure.is_none() => {
                self.waiting("it has changed since it was read; what is found is what it was")
            }
            Some(_) => self.waiting("it has changed since it could not be read"),
            None => self.unread(),
        }
    }

    /// A file that the index has not heard of.
    fn unread(&self) -> (WhyState, String, String) {
        let no_document = || {
            let reason = "it is a picture, a program, an archive or the like: there is no text in it that adit reads";
            (WhyState::NoDocument, reason.to_owned(), String::new())
        };
        if is_no_document(&self.path) {
            return no_document();
        }
        let mut head = Vec::new();
        let opened = open_beneath(&self.collection.path, &self.path)
            .and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
        match opened.map(|_| detect(&self.path, &head)) {
            Ok(Kind::NoDocument) => no_document(),
            Ok(Kind::Refused(reason)) => self.waiting(&format!("it has not been read yet, and cannot be: {reason}")),
            Ok(Kind::Document(_)) => self.waiting("it has not been read yet"),
            Err(error) => (WhyState::Unknown, error.to_string(), "make it readable for adit".to_owned()),
        }
    }

    fn waiting(&self, reason: &str) -> (WhyState, String, String) {
        let advice = match self.reader {
            Reader::Running => "nothing: it will be read shortly (`adit index status` shows how many wait)",
            Reader::Stopped => "start the daemon: it reads what has changed",
        };
        (WhyState::Waiting, reason.to_owned(), advice.to_owned())
    }

    fn folder(&self, known: Option<&FileRecord>) -> (WhyState, String, String) {
        // A folder of which the index has a record is one that could not be looked into.
        if let Some(reason) = known.and_then(|known| known.failure.as_deref()) {
            return (
                WhyState::Unreadable,
                reason.to_owned(),
                "what the index knows of it is kept meanwhile".to_owned(),
            );
        }
        let (documents, failed) = self.library.below(&owner_scope(), &self.collection.name, &self.path);
        let advice = if failed > 0 { "`adit index failures` names what could not be read" } else { "" };
        (WhyState::Folder, format!("{documents} searchable below it, {failed} unreadable"), advice.to_owned())
    }

    fn gone(&self, is_known: bool) -> String {
        match (is_known, self.reader) {
            (false, _) => "there is nothing at this path".to_owned(),
            (true, Reader::Running) => {
                "there is nothing at this path any more; the index is about to forget it".to_owned()
            }
            (true, Reader::Stopped) => {
                "there is nothing at this path any more; the index forgets it when the daemon runs".to_owned()
            }
        }
    }

    /// How to have in the collection what a rule keeps out.
    fn way_around(&self, rule: &Rule) -> String {
        let name = &self.collection.name;
        match rule {
            Rule::Dotfile(_) => {
                format!("to have dotfiles searched, set `hidden = true` of collection {name} in adit.toml")
            }
            Rule::Excluded(pattern) => {
                format!("to have it searched, take {pattern:?} out of `exclude` of collection {name} in adit.toml")
            }
            Rule::Ignored { file, pattern } => format!("to have it searched, take {pattern:?} out of {file}"),
            Rule::TooLarge { .. } => format!("to have it searched, raise `max_file` of collection {name} in adit.toml"),
            Rule::Link(_) => {
                "to have it searched, put it into the collection itself, or make its folder a collection".to_owned()
            }
            Rule::Temporary(_) => "to have it searched, give it another name".to_owned(),
            Rule::TooDeep => "to have it searched, make a folder on the way to it a collection".to_owned(),
            Rule::Bookkeeping(name) if name == IGNORE_FILE => String::new(),
            Rule::Bookkeeping(_) | Rule::NotAFile(_) => String::new(),
        }
    }
}

/// What of a document is not searchable; empty: all of it is.
fn shortfall(record: &FileRecord) -> String {
    let mut parts = Vec::new();
    if record.truncated {
        parts.push("only its beginning is: it is longer than `extract.max_text`".to_owned());
    }
    if let (Some(pages), empty @ 1..) = (record.pages, record.empty_pages) {
        parts.push(format!("{empty} of its {pages} pages hold no text (scans?)"));
    }
    parts.join("; ")
}
