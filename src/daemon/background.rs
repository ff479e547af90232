//! Going into the background, for machines without a service manager. The parent waits for the daemon's own word: it returns
//! success only once the daemon serves, and the daemon's own error otherwise.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use daemonize::{Daemonize, Outcome};

use crate::control::{Failed, FailedKind};

/// Longest last word of a daemon in bytes: an error with its remedy.
const LAST_WORD_BYTES: u64 = 64 << 10;

/// What the daemon says when it serves. An error is a JSON object, so the two cannot be confused.
const SERVING: &[u8] = b"serving";

/// Why there is no process in the background.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// The process could not be made, or its files not opened.
    #[error("the daemon could not be started: {0}")]
    Io(#[from] io::Error),
    /// It could not leave its parent: the pid file is another daemon's, or the system refused.
    #[error("the daemon could not go into the background: {0}")]
    Detach(String),
    /// It died without a word.
    #[error("the daemon ended before it served; its log may say why: {0}")]
    Silent(PathBuf),
}

/// Which of the two processes we are.
#[derive(Debug)]
pub enum Side {
    /// The one that was called: the daemon has said that it serves, or why it does not.
    Parent(Result<(), Failed>),
    /// The daemon itself.
    Daemon(Readiness),
}

/// The daemon's word to whoever waits for it to serve.
#[derive(Debug)]
pub struct Readiness(PipeWriter);

impl Readiness {
    /// It serves. (Nobody may be waiting any more; that is no reason not to serve.)
    pub fn serving(mut self) {
        let _ = self.0.write_all(SERVING);
    }

    /// It does not serve, and this is why.
    pub fn failed(mut self, failed: &Failed) {
        let _ = serde_json::to_writer(&mut self.0, failed);
    }
}

/// Splits off the daemon. Must run before any thread is made. `log` receives what the daemon writes to stderr; both paths are
/// absolute.
pub fn detach(log: &Path, pid_file: Option<&Path>) -> Result<Side, BackgroundError> {
    let (reader, writer) = io::pipe()?;
    let mut daemon = Daemonize::new().working_directory("/").umask(0o077).stderr(append(log)?);
    if let Some(pid_file) = pid_file {
        // Written and locked by the daemon; a second daemon on the same file is refused.
        daemon = daemon.pid_file(pid_file);
    }
    match daemon.execute() {
        Outcome::Parent(Err(error)) => Err(BackgroundError::Detach(error.to_string())),
        Outcome::Parent(Ok(_)) => {
            // Our own end must go, or the pipe never ends when the daemon dies.
            drop(writer);
            last_word(reader, log).map(Side::Parent)
        }
        Outcome::Child(Ok(_)) => Ok(Side::Daemon(Readiness(writer))),
        Outcome::Child(Err(error)) => {
            // Told once, by the parent.
            let error = BackgroundError::Detach(error.to_string());
            Readiness(writer).failed(&Failed { kind: FailedKind::Failed, message: error.to_string() });
            std::process::exit(1)
        }
    }
}

fn append(log: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(log)
}

fn last_word(reader: PipeReader, log: &Path) -> Result<Result<(), Failed>, BackgroundError> {
    let mut word = Vec::new();
    reader.take(LAST_WORD_BYTES).read_to_end(&mut word)?;
    match word.as_slice() {
        SERVING => Ok(Ok(())),
        other => match serde_json::from_slice(other) {
            Ok(failed) => Ok(Err(failed)),
            Err(_) => Err(BackgroundError::Silent(log.to_owned())),
        },
    }
}
