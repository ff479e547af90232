//! How a command ends: an exit code that scripts can rely on, and what a person is told.

use std::fmt::Display;
use std::io;

/// Exit codes; a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// Some of it was done.
    Partly = 3,
    /// The daemon is not running.
    NotRunning = 4,
    /// The control socket does not admit this user.
    NotAllowed = 5,
    /// No such peer, collection or document.
    NotFound = 6,
    /// It exists already.
    Exists = 7,
    /// The configuration is bad (`EX_CONFIG`).
    Configuration = 78,
}

/// Why a command ends without having done what it was asked.
#[derive(Debug)]
pub struct Error {
    /// What the program exits with.
    pub exit: Exit,
    /// What failed, why, and what to do; empty where nothing is to be said.
    pub message: String,
}

/// The outcome of a command.
pub type Outcome = Result<Exit, Error>;

impl Error {
    pub fn new(exit: Exit, message: impl Display) -> Error {
        Error { exit, message: message.to_string() }
    }

    /// A plain failure.
    pub fn failed(message: impl Display) -> Error {
        Error::new(Exit::Failed, message)
    }

    /// An argument that cannot be used.
    pub fn usage(message: impl Display) -> Error {
        Error::new(Exit::Usage, message)
    }

    /// Whoever read our results has gone: no failure of ours, and nobody to tell.
    pub fn nobody_reads() -> Error {
        Error::new(Exit::Done, "")
    }

    /// The same with what the person can do about it.
    pub fn advise(mut self, advice: impl Display) -> Error {
        self.message.push_str(&format!("\n{advice}"));
        self
    }
}

/// An input or output error with the sentence that says what was being done.
pub fn io_failed(doing: impl Display) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::failed(format_args!("{doing}: {error}"))
}

#[cfg(feature = "server")]
mod server {
    use super::{Error, Exit};
    use crate::config::{ConfigErrors, KeyFileError};
    use crate::control::{ClientError, Failed, FailedKind};

    impl From<ConfigErrors> for Error {
        fn from(errors: ConfigErrors) -> Error {
            Error::new(Exit::Configuration, errors)
        }
    }

    impl From<KeyFileError> for Error {
        fn from(error: KeyFileError) -> Error {
            Error::failed(error)
        }
    }

    impl From<ClientError> for Error {
        fn from(error: ClientError) -> Error {
            match error {
                ClientError::NotRunning(_) => Error::new(Exit::NotRunning, error),
                ClientError::NotAllowed(_) => Error::new(Exit::NotAllowed, error),
                _ => Error::failed(error),
            }
        }
    }

    impl From<Failed> for Error {
        fn from(failed: Failed) -> Error {
            let exit = match failed.kind {
                FailedKind::Failed => Exit::Failed,
                FailedKind::Usage => Exit::Usage,
                FailedKind::NotAllowed => Exit::NotAllowed,
                FailedKind::NotFound => Exit::NotFound,
                FailedKind::Exists => Exit::Exists,
                FailedKind::Configuration => Exit::Configuration,
            };
            Error::new(exit, failed.message)
        }
    }
}
