//! A text in, its words and its runs of writing without spaces out.

use crate::limits::WORD_BYTES;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) enum Kind {
    /// A word: letters and digits.
    Word,
    /// A run of a script that puts no spaces between words.
    Cjk,
}

/// A piece of text by its bytes, and its ordinal: how many words, or characters of spaceless scripts, stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) struct Piece {
    pub(in crate::search) start: usize,
    pub(in crate::search) end: usize,
    pub(in crate::search) kind: Kind,
    pub(in crate::search) ordinal: usize,
}

/// Words and runs of a text, in order.
pub(in crate::search) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { text, at: 0, ordinal: 0 }
}

/// How many words that are indexed, and how many characters of spaceless scripts, a text has.
pub(in crate::search) fn count_words(text: &str) -> (u64, u64) {
    let (mut words, mut characters) = (0, 0);
    for piece in pieces(text) {
        match piece.kind {
            Kind::Word => words += u64::from(piece.end - piece.start <= WORD_BYTES),
            Kind::Cjk => characters += text[piece.start..piece.end].chars().count() as u64,
        }
    }
    (words, characters)
}

#[derive(Debug, Clone)]
pub(in crate::search) struct Pieces<'a> {
    text: &'a str,
    at: usize,
    ordinal: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let bytes = self.text.as_bytes();
        let mut start = self.at;
        let first = loop {
            let class = class_at(self.text, bytes, start)?;
            match class {
                (Class::Other, length) => start += length,
                (class, length) => break (class, length),
            }
        };
        let (class, mut end) = (first.0, start + first.1);
        let mut characters = 1;
        while let Some((next, length)) = class_at(self.text, bytes, end) {
            if next != class && next != Class::Mark {
                break;
            }
            end += length;
            characters += 1;
        }
        self.at = end;
        let ordinal = self.ordinal;
        let kind = if class == Class::Cjk { Kind::Cjk } else { Kind::Word };
        self.ordinal += if kind == Kind::Cjk { characters } else { 1 };
        Some(Piece { start, end, kind, ordinal })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Cjk,
    Mark,
    Other,
}

fn class_at(text: &str, bytes: &[u8], at: usize) -> Option<(Class, usize)> {
    let byte = *bytes.get(at)?;
    if byte.is_ascii() {
        return Some((if byte.is_ascii_alphanumeric() { Class::Word } else { Class::Other }, 1));
    }
    let c = text[at..].chars().next()?;
    Some((class_of(c), c.len_utf8()))
}

fn class_of(c: char) -> Class {
    match c {
        // Han, kana, bopomofo, Hangul; Thai, Lao, Myanmar, Khmer.
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{318f}' | '\u{31a0}'..='\u{31bf}' => {
            Class::Cjk
        }
        '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}' => {
            Class::Cjk
        }
        '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ffdc}' => Class::Cjk,
        '\u{1100}'..='\u{11ff}' | '\u{20000}'..='\u{3ffff}' => Class::Cjk,
        '\u{0e01}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' if !c.is_numeric() => Class::Cjk,
        c if c.is_alphanumeric() => Class::Word,
        c if unicode_normalization::char::is_combining_mark(c) => Class::Mark,
        '\u{0640}' => Class::Mark,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(&str, Kind, usize)> {
        pieces(text).map(|piece| (&text[piece.start..piece.end], piece.kind, piece.ordinal)).collect()
    }

    #[test]
    fn words_and_runs() {
        use Kind::*;
        assert_eq!(
            split("It's 3.5 foo_bar"),
            [("It", Word, 0), ("s", Word, 1), ("3", Word, 2), ("5", Word, 3), ("foo", Word, 4), ("bar", Word, 5)]
        );
        assert_eq!(split("東京tower 2階"), [("東京", Cjk, 0), ("tower", Word, 2), ("2", Word, 3), ("階", Cjk, 4)]);
        assert_eq!(split("cafe\u{301}s हिन्दी"), [("cafe\u{301}s", Word, 0), ("हिन्दी", Word, 1)]);
        assert_eq!(split(" ... "), []);
        assert_eq!(count_words("a b 東京 c"), (3, 2));
    }
}
