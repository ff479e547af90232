//! Reading one file: its path in, what came of it out.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::daemon::workers::{ExtractError, Pool};
use crate::documents::{
    ExtractLimits, Extracted, Format, Found, HEAD_BYTES, Kind, Stamp, Visibility, detect, is_no_document, open_beneath,
};

/// What came of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its text.
    Document(Format, Stamp, Box<Extracted>),
    /// A reason why it cannot be read, as long as it stays as it is.
    Failed(Stamp, String),
    /// It is a picture, a program, an archive.
    NoDocument(Stamp),
    /// It is no longer there, or no longer a file.
    Gone,
    /// It was written to meanwhile.
    Changed,
    /// It cost a worker.
    Struck(Stamp, String),
    /// Something else was in the way.
    NotNow(String),
}

/// Reads a file that the rule shows.
pub(super) async fn read(
    pool: &Pool,
    rule: Arc<Visibility>,
    found: Found,
    limits: &ExtractLimits,
) -> (Outcome, Duration) {
    let begun = Instant::now();
    let opened = tokio::task::spawn_blocking(move || open(&rule, &found.path)).await;
    let outcome = match opened {
        Ok(Ok((format, stamp, file))) => extract(pool, format, stamp, file, limits).await,
        Ok(Err(outcome)) => outcome,
        Err(error) => Outcome::NotNow(error.to_string()),
    };
    (outcome, begun.elapsed())
}

fn open(rule: &Visibility, path: &str) -> Result<(Format, Stamp, File), Outcome> {
    let mut file = open_beneath(rule.root(), path).map_err(|error| missing(&error))?;
    let not_now = |error: io::Error| Outcome::NotNow(error.to_string());
    let stamp = Stamp::of(&file).map_err(not_now)?;
    if is_no_document(path) {
        return Err(Outcome::NoDocument(stamp));
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(not_now)?;
    file.rewind().map_err(not_now)?;
    match detect(path, &head) {
        Kind::Document(format) => Ok((format, stamp, file)),
        Kind::NoDocument => Err(Outcome::NoDocument(stamp)),
        Kind::Refused(reason) => Err(Outcome::Failed(stamp, reason.to_owned())),
    }
}

fn missing(error: &io::Error) -> Outcome {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | NotADirectory | InvalidInput => Outcome::Gone,
        // A link has taken its place.
        _ if error.raw_os_error() == Some(Errno::ELOOP as i32) => Outcome::Gone,
        // Being made readable changes nothing that a stamp holds: with none, it is tried whenever it is seen.
        PermissionDenied => Outcome::Failed(Stamp::NONE, "permission denied: make it readable for adit".to_owned()),
        _ => Outcome::NotNow(error.to_string()),
    }
}

async fn extract(pool: &Pool, format: Format, stamp: Stamp, file: File, limits: &ExtractLimits) -> Outcome {
    let kept = match file.try_clone() {
        Ok(kept) => kept,
        Err(error) => return Outcome::NotNow(error.to_string()),
    };
    let outcome = match pool.extract(format, file, stamp.size, limits).await {
        Ok(extracted) => Outcome::Document(format, stamp, Box::new(extracted)),
        Err(ExtractError::Refused(refusal)) => Outcome::Failed(stamp, refusal.to_string()),
        Err(ExtractError::Killed(death)) => Outcome::Struck(stamp, death.to_string()),
        Err(ExtractError::File(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Outcome::Changed,
        Err(error @ (ExtractError::File(_) | ExtractError::NoWorker(_))) => Outcome::NotNow(error.to_string()),
    };
    // Half of what it was and half of what it is now is nothing at all.
    match Stamp::of(&kept) {
        Ok(now) if now == stamp => outcome,
        _ => Outcome::Changed,
    }
}
