//! What can go wrong with an index, sorted by what is to be done about it.

use std::io;
use std::path::{Path, PathBuf};

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

/// Why the library could not be opened, written or asked.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// An input or output error; the documents are unharmed and the last commit still answers.
    #[error("the index in {path}: {}", plain(source))]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds something else than what was written: it is to be checked, and built again.
    #[error("the index in {path} is damaged: {reason}")]
    Damaged {
        /// The index's folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process, or another writer of this one, has the index open for writing.
    #[error("the index in {path} is being written by another process")]
    Busy {
        /// The index's folder.
        path: PathBuf,
    },
    /// Anything else that the index said.
    #[error("the index: {0}")]
    Index(String),
    /// Not there, or not to be seen by this caller: the two are one.
    #[error("no such document")]
    NotFound,
    /// An argument that cannot be used: its name, what is wrong with it, and an example.
    #[error("{argument}: {problem}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// What is wrong, what the range is, and an example.
        problem: String,
    },
}

/// What an error at opening calls for.
pub(super) enum Fault {
    /// The index is of no use: move it aside and build it again.
    Damaged(String),
    /// The index may be well: leave it alone and say what happened.
    Other(LibraryError),
}

impl LibraryError {
    pub(super) fn io(path: &Path, source: io::Error) -> LibraryError {
        LibraryError::Io { path: path.to_owned(), source }
    }

    pub(super) fn damaged(dir: &Path, reason: impl Into<String>) -> LibraryError {
        LibraryError::Damaged { path: dir.to_owned(), reason: reason.into() }
    }

    /// What tantivy said of the index in this folder.
    pub(super) fn of(dir: &Path, error: TantivyError) -> LibraryError {
        match (io_error(&error), error) {
            (Some(source), _) if is_damage(&source) => LibraryError::damaged(dir, source.to_string()),
            (Some(source), _) => LibraryError::io(dir, source),
            (None, TantivyError::LockFailure(LockError::LockBusy, _)) => LibraryError::Busy { path: dir.to_owned() },
            (None, error @ (TantivyError::DataCorruption(_) | TantivyError::OpenReadError(_))) => {
                LibraryError::damaged(dir, error.to_string())
            }
            (None, error) => LibraryError::Index(error.to_string()),
        }
    }

    /// Whether the index itself may be what is wrong.
    pub fn is_damage(&self) -> bool {
        matches!(self, LibraryError::Damaged { .. })
    }
}

/// What the machine is short of, and what helps.
fn plain(source: &io::Error) -> String {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let advice = match source.kind() {
        StorageFull => "the disk is full: make room on it",
        QuotaExceeded => "this user's share of the disk is used up: make room",
        ReadOnlyFilesystem => {
            "the disk is read-only: mount it for writing (a disk with errors is often made read-only by the system)"
        }
        PermissionDenied => "permission denied: it has to belong to the user that adit runs as",
        _ => return source.to_string(),
    };
    advice.to_owned()
}

/// A missing file, one that ends too early, and what a decoder rather than the system complained of are damage; a full disk, a
/// permission, a lock are not.
fn is_damage(source: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};
    match source.kind() {
        NotFound | UnexpectedEof | InvalidData => true,
        InvalidInput | Other => source.raw_os_error().is_none(),
        _ => false,
    }
}

impl Fault {
    /// Whether an error at opening speaks of the index's contents or of the machine.
    pub(super) fn of(dir: &Path, error: TantivyError) -> Fault {
        match io_error(&error) {
            Some(source) if !is_damage(&source) => Fault::Other(LibraryError::io(dir, source)),
            Some(source) => Fault::Damaged(source.to_string()),
            None if matches!(error, TantivyError::LockFailure(..) | TantivyError::SystemError(_)) => {
                Fault::Other(LibraryError::of(dir, error))
            }
            None => Fault::Damaged(error.to_string()),
        }
    }
}

fn io_error(error: &TantivyError) -> Option<io::Error> {
    let source = match error {
        TantivyError::IoError(source) => source,
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) => io_error,
        TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. }) => io_error,
        TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => io_error,
        TantivyError::LockFailure(LockError::IoError(source), _) => source,
        _ => return None,
    };
    Some(match source.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(source.kind(), source.to_string()),
    })
}
