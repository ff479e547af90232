//! The one visibility rule: which of a folder's files belong to its collection. The walk, the watcher, the reader and
//! `adit why` all ask here, so that what is found can be read, and what is hidden is hidden everywhere.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{FileType, OFlags, Stat};

use super::Stamp;
use super::beneath::{look_at, open_at, open_folder, open_root};
use crate::limits::{IGNORE_FILE_BYTES, WALK_DEPTH};

/// The file in which a folder says what of it is not to be found, in gitignore syntax.
pub const IGNORE_FILE: &str = ".aditignore";

/// Which files of one root folder belong to its collection.
#[derive(Debug, Clone)]
pub struct Visibility {
    root: PathBuf,
    excludes: Gitignore,
    dotfiles: Dotfiles,
    max_file: u64,
}

/// Whether names that begin with a dot belong to a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dotfiles {
    /// They don't.
    Hidden,
    /// They do, except for the folders of version control and `.aditignore` itself.
    Shown,
}

/// What the rule says of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A file that belongs to the collection, and what it looks like.
    Visible(Stamp),
    /// A folder that belongs to the collection.
    Folder,
    /// Something that does not, and why.
    Hidden(Rule),
    /// There is nothing at this path.
    Gone,
    /// It can't be told: something on the way could not be read.
    Unreadable(String),
}

/// Why something does not belong to a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Its name, or that of a folder above it, begins with a dot.
    Dotfile(String),
    /// A folder of a version control or sync program.
    Bookkeeping(String),
    /// A temporary or partial file of an editor, a browser or a sync program.
    Temporary(String),
    /// A symbolic link: none is ever followed, so none leads out.
    Link(String),
    /// A device, a socket or a pipe.
    NotAFile(String),
    /// A pattern of `exclude` in the configuration.
    Excluded(String),
    /// A pattern in an `.aditignore`.
    Ignored {
        /// That file, below the root.
        file: String,
        /// The pattern.
        pattern: String,
    },
    /// It is larger than `max_file`.
    TooLarge {
        /// Its size in bytes, and what else it looks like.
        stamp: Stamp,
        /// The cap in bytes.
        cap: u64,
    },
    /// It lies more than [`WALK_DEPTH`] folders deep.
    TooDeep,
}

/// A pattern of `exclude` that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exclude pattern {pattern:?}: {problem}")]
pub struct PatternError {
    /// The pattern as it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Visibility {
    /// The rule of a root folder: further `excludes` in gitignore syntax, and the largest file in bytes.
    pub fn new(
        root: &Path,
        excludes: &[String],
        dotfiles: Dotfiles,
        max_file: u64,
    ) -> Result<Visibility, PatternError> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in excludes {
            let error = |error: ignore::Error| PatternError { pattern: pattern.clone(), problem: error.to_string() };
            builder.add_line(None, pattern).map_err(error)?;
        }
        let excludes = builder
            .build()
            .map_err(|error| PatternError { pattern: excludes.join(" "), problem: error.to_string() })?;
        Ok(Visibility { root: root.to_owned(), excludes, dotfiles, max_file })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the rule says of a path below the root, `/` between its components. Looks at the disk.
    pub fn explains(&self, path: &str) -> Verdict {
        let mut trail = match Trail::begin(&self.root) {
            Ok(trail) => trail,
            // A root that is gone takes nothing with it: it may be a disk that is not plugged in.
            Err(error) => return Verdict::Unreadable(error.to_string()),
        };
        let mut components = path.split('/').peekable();
        while let Some(name) = components.next() {
            if matches!(name, "" | "." | "..") {
                return Verdict::Gone;
            }
            let stat = match look_at(trail.folder(), name) {
                Ok(stat) => stat,
                Err(error) => return unreadable(error),
            };
            if let Some(rule) = self.rule(&trail, name, &stat) {
                return Verdict::Hidden(rule);
            }
            match (FileType::from_raw_mode(stat.st_mode), components.peek().is_some()) {
                (FileType::RegularFile, false) => return Verdict::Visible(Stamp::from_stat(&stat)),
                (FileType::RegularFile, true) => return Verdict::Gone,
                (_, false) => return Verdict::Folder,
                (_, true) => {
                    if let Err(error) = trail.enter(name) {
                        return unreadable(error);
                    }
                }
            }
        }
        Verdict::Gone
    }

    /// Why something directly below the innermost folder of a trail does not belong to the collection.
    pub(super) fn rule(&self, trail: &Trail, name: &str, stat: &Stat) -> Option<Rule> {
        let path = trail.path_of(name);
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Symlink => return Some(Rule::Link(path)),
            FileType::RegularFile | FileType::Directory => {}
            _ => return Some(Rule::NotAFile(path)),
        }
        let folder = kind == FileType::Directory;
        self.rule_of_name(name, folder)
            .or_else(|| match self.excludes.matched(&path, folder) {
                Match::Ignore(glob) => Some(Rule::Excluded(glob.original().to_owned())),
                _ => None,
            })
            .or_else(|| trail.ignored(&path, folder))
            .or_else(|| (folder && trail.depth() >= WALK_DEPTH).then_some(Rule::TooDeep))
            .or_else(|| {
                let stamp = Stamp::from_stat(stat);
                (!folder && stamp.size > self.max_file).then_some(Rule::TooLarge { stamp, cap: self.max_file })
            })
    }

    fn rule_of_name(&self, name: &str, folder: bool) -> Option<Rule> {
        if is_bookkeeping(name) {
            Some(Rule::Bookkeeping(name.to_owned()))
        } else if !folder && is_temporary(name) {
            Some(Rule::Temporary(name.to_owned()))
        } else if self.dotfiles == Dotfiles::Hidden && name.starts_with('.') {
            Some(Rule::Dotfile(name.to_owned()))
        } else {
            None
        }
    }
}

/// Folders that programs keep for themselves, and our own file of patterns: no documents even where dotfiles are shown.
fn is_bookkeeping(name: &str) -> bool {
    matches!(
        name,
        IGNORE_FILE
            | ".git"
            | ".hg"
            | ".svn"
            | ".jj"
            | ".bzr"
            | "CVS"
            | ".stfolder"
            | ".stversions"
            | ".sync"
            | ".dropbox.cache"
            | ".rclone_chunks"
            | "@eaDir"
            | "$RECYCLE.BIN"
            | "lost+found"
            | ".Trash"
            | "System Volume Information"
    ) || name.starts_with(".Trash-")
        || name.starts_with(".syncthing.")
        || name.starts_with(".sync_")
}

/// Files that an editor, a browser or a sync program will rename or remove in a moment.
fn is_temporary(name: &str) -> bool {
    const ENDINGS: [&str; 12] = [
        "~",
        ".swp",
        ".swo",
        ".swx",
        ".part",
        ".partial",
        ".crdownload",
        ".download",
        ".tmp",
        ".temp",
        ".!sync",
        ".lck",
    ];
    let lower = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| lower.ends_with(ending))
        || ["~$", ".~lock.", ".#", "~wrl", ".goutputstream-", ".nfs", "~syncthing~"]
            .iter()
            .any(|start| lower.starts_with(start))
        || (lower.len() > 2 && lower.starts_with('#') && lower.ends_with('#'))
}

fn unreadable(error: io::Error) -> Verdict {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Verdict::Gone,
        _ => Verdict::Unreadable(error.to_string()),
    }
}

/// The folders from the root down to one place, each held open and with its `.aditignore`.
#[derive(Debug)]
pub(super) struct Trail {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    folder: OwnedFd,
    /// Path below the root with a `/` at its end; empty for the root.
    path: String,
    ignore: Option<Gitignore>,
}

impl Trail {
    pub(super) fn begin(root: &Path) -> io::Result<Trail> {
        let mut trail = Trail { steps: Vec::new() };
        trail.push(open_root(root)?, String::new())?;
        Ok(trail)
    }

    /// Goes down into a folder of the innermost one.
    pub(super) fn enter(&mut self, name: &str) -> io::Result<()> {
        let folder = open_folder(self.folder(), name)?;
        let path = format!("{}{name}/", self.innermost().path);
        self.push(folder, path)
    }

    /// Goes back up.
    pub(super) fn leave(&mut self) {
        self.steps.pop();
    }

    pub(super) fn folder(&self) -> &OwnedFd {
        &self.innermost().folder
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}{name}", self.innermost().path)
    }

    fn depth(&self) -> usize {
        self.steps.len()
    }

    fn innermost(&self) -> &Step {
        self.steps.last().expect("a trail begins with its root, which is never left")
    }

    fn push(&mut self, folder: OwnedFd, path: String) -> io::Result<()> {
        let ignore = read_patterns(&folder)?;
        self.steps.push(Step { folder, path, ignore });
        Ok(())
    }

    /// The innermost `.aditignore` that has a word to say decides.
    fn ignored(&self, path: &str, folder: bool) -> Option<Rule> {
        for step in self.steps.iter().rev() {
            let Some(ignore) = &step.ignore else { continue };
            match ignore.matched(&path[step.path.len()..], folder) {
                Match::Ignore(glob) => {
                    let file = format!("{}{IGNORE_FILE}", step.path);
                    return Some(Rule::Ignored { file, pattern: glob.original().to_owned() });
                }
                Match::Whitelist(_) => return None,
                Match::None => {}
            }
        }
        None
    }
}

/// The patterns of a folder's `.aditignore`. One that cannot be read is an error: what it would hide must not show.
fn read_patterns(folder: impl AsFd) -> io::Result<Option<Gitignore>> {
    use std::io::Read;

    let file = match open_at(folder, IGNORE_FILE, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(file) => std::fs::File::from(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{IGNORE_FILE}: {error}"))),
    };
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidData, format!("{IGNORE_FILE}: {problem}"));
    let mut text = String::new();
    file.take(IGNORE_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| invalid(error.to_string()))?;
    if text.len() as u64 > IGNORE_FILE_BYTES {
        return Err(invalid(format!("longer than {IGNORE_FILE_BYTES} bytes")));
    }
    let mut builder = GitignoreBuilder::new("");
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        builder.add_line(None, line).map_err(|error| invalid(format!("line {}: {error}", number + 1)))?;
    }
    builder.build().map(Some).map_err(|error| invalid(error.to_string()))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Dotfile(name) => write!(f, "{name:?} begins with a dot, and `hidden` is false"),
            Rule::Bookkeeping(name) => write!(f, "{name:?} is kept by a program for itself"),
            Rule::Temporary(name) => write!(f, "{name:?} is a temporary or partial file"),
            Rule::Link(path) => write!(f, "{path:?} is a symbolic link; links are not followed"),
            Rule::NotAFile(path) => write!(f, "{path:?} is neither a file nor a folder"),
            Rule::Excluded(pattern) => write!(f, "the configuration excludes {pattern:?}"),
            Rule::Ignored { file, pattern } => write!(f, "{file} ignores {pattern:?}"),
            Rule::TooLarge { stamp, cap } => {
                write!(f, "its {} bytes are more than `max_file` allows ({cap})", stamp.size)
            }
            Rule::TooDeep => write!(f, "it lies more than {WALK_DEPTH} folders deep"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn collection(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn rule(dir: &tempfile::TempDir, excludes: &[&str], dotfiles: Dotfiles) -> Visibility {
        let excludes: Vec<String> = excludes.iter().map(|text| text.to_string()).collect();
        Visibility::new(dir.path(), &excludes, dotfiles, 1000).unwrap()
    }

    fn is_visible(rule: &Visibility, path: &str) -> bool {
        matches!(rule.explains(path), Verdict::Visible(_))
    }

    #[test]
    fn dotfiles_are_hidden_unless_asked_for_and_bookkeeping_always() {
        let dir = collection(&[("a/.plan", ""), (".config/x.txt", ""), (".git/config", ""), ("a/b.txt", "")]);
        let hidden = rule(&dir, &[], Dotfiles::Hidden);
        let shown = rule(&dir, &[], Dotfiles::Shown);
        for path in ["a/.plan", ".config/x.txt"] {
            assert!(matches!(hidden.explains(path), Verdict::Hidden(Rule::Dotfile(_))), "{path}");
            assert!(is_visible(&shown, path), "{path}");
        }
        for rule in [hidden, shown] {
            assert!(matches!(rule.explains(".git/config"), Verdict::Hidden(Rule::Bookkeeping(_))));
            assert!(is_visible(&rule, "a/b.txt"));
            assert_eq!(rule.explains("a"), Verdict::Folder);
            assert_eq!(rule.explains("a/c.txt"), Verdict::Gone);
            assert_eq!(rule.explains("a/b.txt/c"), Verdict::Gone);
            assert_eq!(rule.explains("a/../a/b.txt"), Verdict::Gone);
        }
    }

    #[test]
    fn patterns_hide_and_the_innermost_decides() {
        let dir = collection(&[
            (".aditignore", "drafts/\n*.log\n!keep.log\n/top.txt\n"),
            ("a/.aditignore", "!inner.log\nsecret*\n"),
            ("drafts/x.txt", ""),
            ("a/drafts/x.txt", ""),
            ("a/x.log", ""),
            ("a/keep.log", ""),
            ("a/inner.log", ""),
            ("a/secrets.txt", ""),
            ("secrets.txt", ""),
            ("top.txt", ""),
            ("a/top.txt", ""),
            ("tax/2020/a.txt", ""),
        ]);
        let rule = rule(&dir, &["/tax/2020"], Dotfiles::Hidden);
        for path in ["a/keep.log", "a/inner.log", "secrets.txt", "a/top.txt"] {
            assert!(is_visible(&rule, path), "{path}");
        }
        for path in ["drafts/x.txt", "a/drafts/x.txt", "a/x.log", "a/secrets.txt", "top.txt", "tax/2020/a.txt"] {
            assert!(matches!(rule.explains(path), Verdict::Hidden(_)), "{path}");
        }
        let expected = Rule::Ignored { file: "a/.aditignore".into(), pattern: "secret*".into() };
        assert_eq!(rule.explains("a/secrets.txt"), Verdict::Hidden(expected));
        assert_eq!(rule.explains("tax/2020/a.txt"), Verdict::Hidden(Rule::Excluded("/tax/2020".into())));
    }

    #[test]
    fn what_is_hidden_by_the_configuration_cannot_be_shown_again_by_a_folder() {
        let dir = collection(&[(".aditignore", "!private.txt\n"), ("private.txt", "")]);
        assert!(!is_visible(&rule(&dir, &["private.txt"], Dotfiles::Hidden), "private.txt"));
    }

    #[test]
    fn patterns_that_cannot_be_read_hide_their_folder() {
        let dir = collection(&[("a/.aditignore", "[z-a]\n"), ("a/x.txt", ""), ("b/x.txt", "")]);
        symlink("/nowhere", dir.path().join("b/.aditignore")).unwrap();
        let rule = rule(&dir, &[], Dotfiles::Hidden);
        for path in ["a/x.txt", "b/x.txt"] {
            assert!(matches!(rule.explains(path), Verdict::Unreadable(_)), "{path}");
        }
        assert!(Visibility::new(dir.path(), &["[z-a]".into()], Dotfiles::Hidden, 1).is_err());
    }

    #[test]
    fn temporary_files_links_and_large_files_are_no_documents() {
        let large = "x".repeat(1001);
        let temporary =
            ["~$x.docx", ".#x.md", "#x.md#", "x.md~", "x.swp", "x.pdf.part", "x.crdownload", "X.TMP", ".~lock.x.odt#"];
        let mut files: Vec<(&str, &str)> = temporary.iter().map(|name| (*name, "")).collect();
        files.extend([("real/x.txt", ""), ("large.txt", large.as_str()), ("#", ""), ("c#", "")]);
        let dir = collection(&files);
        symlink("real", dir.path().join("link")).unwrap();
        symlink("real/x.txt", dir.path().join("x.txt")).unwrap();
        let rule = rule(&dir, &[], Dotfiles::Shown);
        for path in temporary {
            assert!(matches!(rule.explains(path), Verdict::Hidden(Rule::Temporary(_))), "{path}");
        }
        for path in ["link", "link/x.txt", "x.txt"] {
            assert!(matches!(rule.explains(path), Verdict::Hidden(Rule::Link(_))), "{path}");
        }
        assert!(matches!(rule.explains("large.txt"), Verdict::Hidden(Rule::TooLarge { cap: 1000, .. })));
        for path in ["#", "c#", "real/x.txt"] {
            assert!(is_visible(&rule, path), "{path}");
        }
    }
}
