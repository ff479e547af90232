//! A quick look at words: most of those in a text begin with another letter than all that are looked for, and need no stemming to be told
//! apart from them.

use super::fold::fold;
use super::stem::Tongue;

/// The letters, folded, that the words begin with which are looked for.
#[derive(Debug, Clone, Default)]
pub(in crate::search) struct Sieve {
    /// A bit per letter of ASCII.
    ascii: u128,
    others: Vec<char>,
    /// Lets everything through.
    open: bool,
}

impl Sieve {
    /// Lets through what begins like one of these folded words, in texts of this language. Words are told by their stems.
    pub(in crate::search) fn new<'a>(tongue: Tongue, words: impl IntoIterator<Item = &'a str>) -> Sieve {
        let mut sieve = Sieve { open: !tongue.keeps_beginnings(), ..Sieve::default() };
        for letter in words.into_iter().filter_map(|word| word.chars().next()) {
            match u7(letter) {
                Some(bit) => sieve.ascii |= 1 << bit,
                None => sieve.others.push(letter),
            }
        }
        sieve
    }

    /// Whether a word as it is written may be one of those looked for.
    pub(in crate::search) fn passes(&self, word: &str) -> bool {
        let letter = match word.bytes().next() {
            Some(byte) if byte.is_ascii() => Some(char::from(byte.to_ascii_lowercase())),
            _ => first_folded(word),
        };
        // What begins with a mark alone begins, folded, with what comes next.
        letter.is_none_or(|letter| u7(letter).map_or(self.others.contains(&letter), |bit| self.ascii >> bit & 1 == 1))
            || self.open
    }
}

fn u7(letter: char) -> Option<u32> {
    letter.is_ascii().then_some(letter as u32)
}

fn first_folded(word: &str) -> Option<char> {
    let mut folded = String::new();
    fold(word.get(..word.chars().next()?.len_utf8())?, &mut folded);
    folded.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::text::{Stems, folded};

    #[test]
    fn words_pass_that_begin_alike() {
        let sieve = Sieve::new(Tongue::ENGLISH, ["run", "état", "日本"].map(folded).iter().map(String::as_str));
        for (word, passes) in [
            ("Running", true),
            ("Épée", true),
            ("east", true),
            ("walk", false),
            ("日", true),
            ("東", false),
            ("ß", false),
        ] {
            assert_eq!(sieve.passes(word), passes, "{word}");
        }
    }

    /// Words of letters of all kinds that our languages have, with their usual beginnings and ends.
    fn words() -> impl Iterator<Item = String> {
        let begins =
            ["", "ge", "be", "un", "in", "re", "al", "ye", "ß", "ï", "ë", "qu", "ae", "ue", "y", "ال", "ول", "ξε"];
        let middles = "a e i o u ä ö ü é è ê ñ ç ş ș ğ ı å ø æ ij ł ő ű ё ж т α ξ ω ά ي م و ة t st kk".split(' ');
        let ends =
            ["", "s", "es", "ing", "en", "ung", "heid", "mente", "ность", "ов", "ους", "ar", "ler", "nak", "ات", "ية"];
        let stems: Vec<String> = middles.map(|middle| format!("{middle}tr{middle}n")).collect();
        begins.into_iter().flat_map(move |begin| {
            stems.clone().into_iter().flat_map(move |stem| ends.map(|end| format!("{begin}{stem}{end}")))
        })
    }

    #[test]
    fn stems_begin_as_their_words_do() {
        for tongue in (0..u8::MAX).map_while(Tongue::from_number).filter(|tongue| tongue.keeps_beginnings()) {
            let mut stems = Stems::new(tongue);
            let mut stem = String::new();
            for word in words() {
                stem.clear();
                stems.stem(&word, &mut stem);
                let sieve = Sieve::new(tongue, [stem.as_str()]);
                assert!(sieve.passes(&word), "{tongue:?} {word} {stem}");
            }
        }
    }
}
