//! An event stream (`text/event-stream`) in pieces in, the data of its events out, each as one line.

use crate::limits::BRIDGE_ANSWER_BYTES;

/// Reads an event stream as the HTML standard (§9.2, server-sent events) parses it; only `data` matters here.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    data: Vec<u8>,
    after_cr: bool,
}

/// An event that does not end within [`BRIDGE_ANSWER_BYTES`].
#[derive(Debug, PartialEq)]
pub(super) struct TooLong;

impl EventReader {
    /// Takes the next bytes; answers the data of the events they complete. Events without data are passed over.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            // CR, LF and CR LF all end a line.
            let is_second_half = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                _ if is_second_half => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ if self.line.len() + self.data.len() >= BRIDGE_ANSWER_BYTES => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Some(std::mem::take(&mut self.data)).filter(|data| !data.trim_ascii().is_empty());
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
            None => (line.as_slice(), [].as_slice()),
        };
        if field == b"data" {
            // Between two lines of JSON there is only white space: a blank serves as well as the line end it stands for.
            if !self.data.is_empty() {
                self.data.push(b' ');
            }
            self.data.extend_from_slice(value);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: &str, expected: &[&str]) {
        let whole = EventReader::default().take(stream.as_bytes()).unwrap();
        let mut reader = EventReader::default();
        let bytewise: Vec<_> = stream.bytes().flat_map(|byte| reader.take(&[byte]).unwrap()).collect();
        for events in [whole, bytewise] {
            let texts: Vec<_> = events.iter().map(|event| std::str::from_utf8(event).unwrap()).collect();
            assert_eq!(texts, expected, "{stream:?}");
        }
    }

    #[test]
    fn data_comes_out_and_the_rest_does_not() {
        check("data: {}\n\n", &["{}"]);
        check(": a comment\nid: 1\nevent: message\nretry: 3\ndata:{\"a\":1}\n\ndata\n\n", &["{\"a\":1}"]);
        check("data: {\ndata: }\r\n\r\ndata: 2\r\r", &["{ }", "2"]);
        check("data: never ended\n", &[]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = EventReader::default();
        let piece = [b'x'; 1 << 20];
        let refused = (0..=BRIDGE_ANSWER_BYTES / piece.len()).any(|_| reader.take(&piece) == Err(TooLong));
        assert!(refused);
    }
}
