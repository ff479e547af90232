//! The log read back: whole records, oldest first, over all its files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::file::LogFiles;
use crate::config::AuditConfig;
use crate::limits::AUDIT_LINE_BYTES;

/// The records of a log.
#[derive(Debug)]
pub struct Records {
    /// Oldest last.
    files: Vec<BufReader<File>>,
    /// Lines that are no records: cut short by a power cut, or not ours.
    pub damaged: u64,
}

impl Records {
    /// Opens all files of a log. Those that rotate away meanwhile are read all the same.
    pub fn open(config: &AuditConfig) -> io::Result<Records> {
        let (mut files, mut known) = (Vec::new(), HashSet::new());
        // Newest first: what is rotated between two of these comes up again under its next name, and is known.
        for path in LogFiles::new(config).paths()? {
            let file = match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file?,
            };
            let metadata = file.metadata()?;
            if known.insert((metadata.dev(), metadata.ino())) {
                files.push(BufReader::new(file));
            }
        }
        Ok(Records { files, damaged: 0 })
    }

    /// The next record, if there is one.
    fn read(&mut self) -> io::Result<Option<Value>> {
        let mut line = Vec::new();
        while let Some(file) = self.files.last_mut() {
            line.clear();
            if file.by_ref().take(AUDIT_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
                self.files.pop();
                continue;
            }
            match serde_json::from_slice(&line) {
                Ok(record @ Value::Object(_)) if line.ends_with(b"\n") => return Ok(Some(record)),
                _ => self.damaged += 1,
            }
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = io::Result<Value>;

    fn next(&mut self) -> Option<io::Result<Value>> {
        self.read().transpose()
    }
}
