//! Bytes from the agent in, lines out, none longer than [`BRIDGE_LINE_BYTES`].

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::limits::BRIDGE_LINE_BYTES;

/// Reads lines. May be dropped while it waits and asked again: nothing is lost.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    too_long: bool,
}

/// What was read.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// A line without its end.
    Whole(Bytes),
    /// A line that was longer than the limit, and is gone.
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Lines<R> {
        Lines { reader: BufReader::new(reader), line: Vec::new(), too_long: false }
    }

    /// The next line that is not blank; `None` at the end. A last line needs no line end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            let at_end = bytes.is_empty();
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            self.too_long |= self.line.len() + piece.len() > BRIDGE_LINE_BYTES;
            if !self.too_long {
                self.line.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_none() && !at_end {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.too_long) {
                return Ok(Some(Line::TooLong));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Line::Whole(Bytes::from(line))));
            }
            if at_end {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(input: &[u8], expected: &[Option<&str>]) {
        let mut lines = Lines::new(input);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        let expected: Vec<Line> = expected
            .iter()
            .map(|line| line.map_or(Line::TooLong, |line| Line::Whole(Bytes::copy_from_slice(line.as_bytes()))))
            .collect();
        assert!(found == expected, "{} lines of {} bytes", found.len(), input.len());
    }

    #[tokio::test]
    async fn lines_come_one_by_one() {
        check(b"", &[]).await;
        check(b"\n \n\r\n", &[]).await;
        check(b"{}\n{\"a\":1}\r\nlast", &[Some("{}"), Some("{\"a\":1}\r"), Some("last")]).await;
    }

    #[tokio::test]
    async fn a_line_without_end_costs_no_memory_and_no_neighbour() {
        let long = vec![b'x'; 2 * BRIDGE_LINE_BYTES];
        check(&[b"a\n", long.as_slice(), b"\nb\n"].concat(), &[Some("a"), None, Some("b")]).await;
        check(&long, &[None]).await;
        let fits = vec![b'x'; BRIDGE_LINE_BYTES];
        check(&fits, &[Some(std::str::from_utf8(&fits).unwrap())]).await;
    }
}
