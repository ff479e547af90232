//! Where the messages of a mailbox begin.

/// The messages of a mailbox, without their `From ` lines.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let body = if rest.starts_with(b"From ") { line_end(rest) } else { 0 };
        let end = next_message(rest, body);
        let message = &rest[body..end];
        rest = &rest[end..];
        Some(message)
    })
}

/// Where the next message begins, from `from` on: at a line that begins with `From `, behind an empty line, before a header field. Many
/// programs leave such lines of a body as they are, so that the neighbours are asked too.
fn next_message(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    let mut behind_empty = false;
    while at < bytes.len() {
        let end = at + line_end(&bytes[at..]);
        let line = bytes[at..end].trim_ascii_end();
        if behind_empty && line.starts_with(b"From ") && begins_with_field(&bytes[end..]) {
            return at;
        }
        behind_empty = line.is_empty();
        at = end;
    }
    bytes.len()
}

fn begins_with_field(bytes: &[u8]) -> bool {
    const LONGEST_NAME: usize = 76;
    let name = bytes.iter().take(LONGEST_NAME).take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
    name > 0 && bytes.get(name) == Some(&b':')
}

/// One past the end of the first line.
fn line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_letter_begins_no_message() {
        let mailbox = b"From a 2024\nA: 1\n\nFrom here on it rains.\n\nFrom b 2024\r\nB: 2\r\n\r\ntext\nFrom c\nC: 3\n";
        let all: Vec<&[u8]> = messages(mailbox).collect();
        assert_eq!(all, [&b"A: 1\n\nFrom here on it rains.\n\n"[..], b"B: 2\r\n\r\ntext\nFrom c\nC: 3\n"]);
        assert_eq!(messages(b"").count(), 0);
        assert_eq!(messages(b"no mailbox").collect::<Vec<_>>(), [b"no mailbox"]);
        assert_eq!(messages(b"From ").count(), 1);
    }
}
