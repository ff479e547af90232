//! The log's files: whole lines in, appended. `audit.jsonl` is the newest, `audit.jsonl.1` the one before, and so on; together they stay below
//! the configured size, and what is older than configured goes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use nix::fcntl::OFlag;
use serde::Deserialize;

use crate::config::AuditConfig;
use crate::limits::{AUDIT_FILES, AUDIT_LINE_BYTES, AUDIT_SHARES};

/// The files of one audit log.
#[derive(Debug)]
pub(super) struct LogFiles {
    path: PathBuf,
    /// Bytes of all files together.
    max_size: u64,
    keep: Duration,
    open: Option<Current>,
}

/// The file that is written.
#[derive(Debug)]
struct Current {
    file: File,
    length: u64,
    /// When its first line was written.
    began: Timestamp,
}

/// A file that is written no longer.
struct Older {
    number: u32,
    path: PathBuf,
    length: u64,
    /// When its last line was written.
    ended: Timestamp,
}

impl LogFiles {
    pub(super) fn new(config: &AuditConfig) -> LogFiles {
        LogFiles { path: config.file.clone(), max_size: config.max_size, keep: config.keep, open: None }
    }

    /// How long one file is written at most.
    pub(super) fn span(&self) -> Duration {
        self.keep / AUDIT_SHARES
    }

    /// Appends these lines and takes from them what is written, whole lines always: after an error the rest can be tried again. Without
    /// lines it makes sure that the file could be written, and removes what is too old.
    pub(super) fn write(&mut self, now: Timestamp, lines: &mut Vec<u8>) -> io::Result<()> {
        let written = self.write_lines(now, lines);
        if written.is_err() {
            // Whatever was wrong with it, the next attempt looks at the file anew.
            self.open = None;
        }
        written
    }

    fn write_lines(&mut self, now: Timestamp, lines: &mut Vec<u8>) -> io::Result<()> {
        let share = self.max_size / u64::from(AUDIT_SHARES);
        loop {
            let current = self.current(now)?;
            let first = lines.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let full = current.length > 0 && current.length + first as u64 > share;
            let aged = current.length > 0 && age(current.began, now) >= self.span();
            if full || aged {
                self.rotate(now)?;
                continue;
            }
            if lines.is_empty() {
                return self.remove_expired(now);
            }
            let current = self.current(now)?;
            let room = usize::try_from(share.saturating_sub(current.length)).unwrap_or(usize::MAX).min(lines.len());
            // At least one line: none is longer than a share.
            let piece = lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(first, |at| at + 1);
            if current.length == 0 {
                current.began = now;
            }
            current.append(&lines[..piece])?;
            lines.drain(..piece);
            if lines.is_empty() {
                return Ok(());
            }
        }
    }

    /// The file in use, opened again when another stands in its place or none.
    fn current(&mut self, now: Timestamp) -> io::Result<&mut Current> {
        let there = fs::symlink_metadata(&self.path);
        let same = |current: &Current| {
            let (ours, theirs) = (current.file.metadata().ok()?, there.as_ref().ok()?);
            Some((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()))
        };
        let current = match self.open.take().filter(|current| same(current) == Some(true)) {
            Some(current) => current,
            None => Current::open(&self.path, now)?,
        };
        Ok(self.open.insert(current))
    }

    /// Begins a new file; every older one moves one number on, and the oldest make room.
    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let length = self.current(now)?.length;
        self.remove_expired(now)?;
        let mut older = self.older()?;
        let share = self.max_size / u64::from(AUDIT_SHARES);
        let mut kept = length + older.iter().map(|file| file.length).sum::<u64>();
        while kept > self.max_size - share || older.len() + 1 > AUDIT_FILES as usize {
            let Some(oldest) = older.pop() else { break };
            fs::remove_file(&oldest.path)?;
            kept -= oldest.length;
        }
        for file in older.iter().rev() {
            fs::rename(&file.path, self.numbered(file.number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.open = None;
        Ok(())
    }

    fn remove_expired(&self, now: Timestamp) -> io::Result<()> {
        let expired = |file: &Older| age(file.ended, now) > self.keep;
        self.older()?.iter().filter(|file| expired(file)).try_for_each(|file| fs::remove_file(&file.path))
    }

    /// The files before the current one, newest first.
    fn older(&self) -> io::Result<Vec<Older>> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let prefix = format!("{}.", self.path.file_name().unwrap_or_default().to_string_lossy());
        let mut older = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.strip_prefix(&prefix)?.parse::<u32>().ok());
            let Some(number) = number.filter(|number| (1..=2 * AUDIT_FILES).contains(number)) else { continue };
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                let ended = metadata.modified()?.try_into().unwrap_or(Timestamp::UNIX_EPOCH);
                older.push(Older { number, path: entry.path(), length: metadata.len(), ended });
            }
        }
        older.sort_unstable_by_key(|file| file.number);
        Ok(older)
    }

    /// All files that there are, or were a moment ago, newest first.
    pub(super) fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let older = self.older()?.into_iter().map(|file| file.path);
        Ok(std::iter::once(self.path.clone()).chain(older).collect())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Current {
    /// Opens or makes the file, 0600, and ends a line that a crash has torn.
    fn open(path: &Path, now: Timestamp) -> io::Result<Current> {
        // Neither a link nor something that makes us wait, such as a pipe.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).append(true).create(true).mode(0o600).custom_flags(flags.bits()).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if metadata.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let began = first_time(&mut file)?.unwrap_or(now);
        let mut current = Current { file, length: metadata.len(), began };
        let mut last = [b'\n'];
        if current.length > 0 {
            current.file.read_exact_at(&mut last, current.length - 1)?;
        }
        if last != [b'\n'] {
            current.append(b"\n")?;
        }
        Ok(current)
    }

    /// All of it or nothing.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Where even this fails, the torn line is ended when the file is opened again.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }
}

/// When the first line of a file was written, if it says so.
fn first_time(file: &mut File) -> io::Result<Option<Timestamp>> {
    #[derive(Deserialize)]
    struct First {
        time: Timestamp,
    }
    let mut head = Vec::new();
    file.take(AUDIT_LINE_BYTES as u64).read_to_end(&mut head)?;
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice::<First>(line).ok().map(|first| first.time))
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(since).try_into().unwrap_or_default()
}
