//! Bytes of any encoding in, clean text out: `\n` line ends, and no character that steers a terminal, a layout or a model
//! without being seen.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

/// How much of a text its encoding is guessed from, in bytes: more tells nothing new.
const GUESS_BYTES: usize = 1 << 20;

/// The text of these bytes, cleaned: by byte order mark, else by what the document says of itself, else UTF-8 if it is, else by
/// guess.
pub fn decode(bytes: &[u8], declared: Option<&str>) -> String {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, &bytes[mark..]),
        None => (guess(bytes, declared), bytes),
    };
    clean(&encoding.decode_without_bom_handling(bytes).0)
}

fn guess(bytes: &[u8], declared: Option<&str>) -> &'static Encoding {
    // ISO-2022-JP is ASCII with escapes, hence valid UTF-8 too.
    if bytes.is_ascii() && bytes.windows(3).any(|three| matches!(three, b"\x1b$B" | b"\x1b$@" | b"\x1b(J")) {
        return ISO_2022_JP;
    }
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    if let Some(encoding) = unmarked_utf16(bytes) {
        return encoding;
    }
    // A document that says UTF-8 and is not has been converted since, and only its words tell to what.
    let declared = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    if let Some(encoding) = declared.filter(|encoding| *encoding != UTF_8 && encoding.is_ascii_compatible()) {
        return encoding;
    }
    if is_nearly_utf8(bytes) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(GUESS_BYTES)], true);
    detector.guess(None, Utf8Detection::Deny)
}

/// A long UTF-8 text with a few damaged bytes is still UTF-8: at least as many good sequences as would be chance in another encoding.
fn is_nearly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > 20 * bad
}

/// Whether these bytes begin a UTF-16 text, marked or not.
pub(super) fn is_utf16(head: &[u8]) -> bool {
    matches!(Encoding::for_bom(head), Some((encoding, _)) if encoding != UTF_8) || unmarked_utf16(head).is_some()
}

/// UTF-16 without a mark, of a script in which every other byte is mostly zero.
fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    const SAMPLE: usize = 1024;
    let head = &bytes[..bytes.len().min(SAMPLE) & !1];
    if head.len() < 8 {
        return None;
    }
    let zeros = |parity: usize| head.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), head.len() / 2);
    match (even * 10 > pairs * 7, odd * 10 > pairs * 7) {
        (true, false) if odd == 0 => Some(UTF_16BE),
        (false, true) if even == 0 => Some(UTF_16LE),
        _ => None,
    }
}

/// A text with `\n` line ends and without characters that nobody sees: C0 and C1 controls (but tab), bidirectional overrides,
/// tags, variation selectors beyond the basic ones, zero-width and soft-hyphen characters, byte order marks.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{b}' | '\u{c}' | '\u{85}' => out.push(' '),
            c if is_unseen(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Whether a character has no place in a cleaned text.
pub fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && !matches!(c, '\n' | '\t');
    }
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_many_encodings_are_read() {
        let german =
            "Die Wärmepumpe läuft im Winter länger, und die Größe des Speichers ist wichtig für die Übergangszeit.";
        let latin1: Vec<u8> = german.chars().map(|c| c as u8).collect();
        assert_eq!(decode(&latin1, None), german);
        assert_eq!(decode(&latin1, Some("iso-8859-1")), german);
        assert_eq!(decode(&latin1, Some("utf-8")), german);
        assert_eq!(decode(german.as_bytes(), Some("iso-8859-1")), german);
        let japanese = "今日は天気がよいので、庭で味噌汁を作りました。材料は豆腐とわかめです。";
        for encoding in [encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP, encoding_rs::ISO_2022_JP] {
            assert_eq!(decode(&encoding.encode(japanese).0, None), japanese, "{}", encoding.name());
        }
        for (mark, order) in [(true, true), (true, false), (false, true), (false, false)] {
            let text = if mark { format!("\u{feff}{german}") } else { german.to_owned() };
            let convert = if order { u16::to_le_bytes } else { u16::to_be_bytes };
            let bytes: Vec<u8> = text.encode_utf16().flat_map(convert).collect();
            assert_eq!(decode(&bytes, None), german, "mark {mark}, little endian {order}");
        }
    }

    #[test]
    fn a_damaged_byte_does_not_turn_utf8_into_something_else() {
        let mut bytes = "Grüße aus Köln, schöne Überraschung. ".repeat(20).into_bytes();
        bytes[100] = 0xff;
        assert!(decode(&bytes, None).matches("Köln").count() >= 18);
    }

    #[test]
    fn what_nobody_sees_is_gone() {
        let text = "one\r\ntwo\rthree\u{c}four\x1b[31m\u{202e}five\u{e0041}\u{200b}s\u{ad}ix\0\tseven\u{fe0f}";
        assert_eq!(clean(text), "one\ntwo\nthree four[31mfivesix\tseven\u{fe0f}");
        assert!(!clean(text).chars().any(is_unseen));
    }
}
