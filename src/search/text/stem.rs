//! Words in, their stems out, by the rules of the language that a document is in.

use frostem::{Algorithm, Stemmer};

use super::fold::fold;
use crate::limits::KNOWN_STEMS;

/// A language whose words have stems here: an index into [`TONGUES`], and so part of the index's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::search) struct Tongue(u8);

/// ISO 639-3 and the rules. New ones are added at the end.
const TONGUES: [(&str, Algorithm); 17] = [
    ("eng", Algorithm::English),
    ("deu", Algorithm::German),
    ("fra", Algorithm::French),
    ("spa", Algorithm::Spanish),
    ("ita", Algorithm::Italian),
    ("por", Algorithm::Portuguese),
    ("nld", Algorithm::Dutch),
    ("swe", Algorithm::Swedish),
    ("nob", Algorithm::Norwegian),
    ("dan", Algorithm::Danish),
    ("fin", Algorithm::Finnish),
    ("rus", Algorithm::Russian),
    ("ron", Algorithm::Romanian),
    ("hun", Algorithm::Hungarian),
    ("tur", Algorithm::Turkish),
    ("ell", Algorithm::Greek),
    ("ara", Algorithm::Arabic),
];

impl Tongue {
    /// English, which is also taken for what is unknown.
    pub(in crate::search) const ENGLISH: Tongue = Tongue(0);

    /// The tongue of a document whose language is this one (ISO 639-3).
    pub(in crate::search) fn of(language: Option<&str>) -> Tongue {
        let known = language.and_then(|code| TONGUES.iter().position(|(iso, _)| *iso == code));
        known.map_or(Tongue::ENGLISH, |index| Tongue(index as u8))
    }

    /// The tongue with this number, if there is one.
    pub(in crate::search) fn from_number(number: u8) -> Option<Tongue> {
        (usize::from(number) < TONGUES.len()).then_some(Tongue(number))
    }

    /// Whether stems begin with the letter that their words begin with: but for two languages, rules change words at their ends.
    pub(in crate::search) fn keeps_beginnings(self) -> bool {
        !matches!(TONGUES[usize::from(self.0)].1, Algorithm::Arabic | Algorithm::Dutch)
    }

    /// Its number.
    pub(in crate::search) fn number(self) -> u8 {
        self.0
    }
}

/// Stems of words that were met lately. Few words make up most of a text, and to remember one takes a tenth of stemming it.
#[derive(Debug, Clone, Default)]
pub(in crate::search) struct KnownStems {
    /// Each word has one place, where the last one stays that was met: language and word, and its stem.
    places: Vec<(String, String)>,
    key: String,
}

impl KnownStems {
    /// Appends the folded stem of a word, as [`Stems::stem`] does.
    pub(in crate::search) fn stem(&mut self, stems: &mut Stems, word: &str, out: &mut String) {
        self.key.clear();
        self.key.push(char::from(stems.tongue.number()));
        match word.is_ascii() {
            true => fold(word, &mut self.key),
            false => self.key.push_str(word),
        }
        if self.places.is_empty() {
            self.places.resize(KNOWN_STEMS, Default::default());
        }
        let (known, stem) = &mut self.places[place(&self.key)];
        if *known != self.key {
            known.clear();
            stem.clear();
            known.push_str(&self.key);
            stems.stem(word, stem);
        }
        out.push_str(stem);
    }
}

/// The place of a word (FNV-1a). Nobody gains by choosing words that share one: they are stemmed, as all would be.
fn place(key: &str) -> usize {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ hash >> 32) as usize % KNOWN_STEMS
}

/// Stems words of one language.
#[derive(Clone)]
pub(in crate::search) struct Stems {
    tongue: Tongue,
    stemmer: Stemmer,
    lower: String,
}

impl Stems {
    pub(in crate::search) fn new(tongue: Tongue) -> Stems {
        Stems { tongue, stemmer: Stemmer::new(TONGUES[usize::from(tongue.0)].1), lower: String::new() }
    }

    /// Appends the folded stem of a word. Its diacritics count for the rules of the language, and are folded afterwards.
    pub(in crate::search) fn stem(&mut self, word: &str, out: &mut String) {
        self.lower.clear();
        match word.is_ascii() {
            true => fold(word, &mut self.lower),
            false => self.lower.extend(word.chars().flat_map(char::to_lowercase)),
        }
        let stem = self.stemmer.stem(&self.lower);
        fold(if stem.is_empty() { &self.lower } else { &stem }, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_follow_the_language() {
        let mut known = KnownStems::default();
        for (language, word, stem) in [
            (Some("eng"), "Running", "run"),
            (Some("deu"), "Häuser", "haus"),
            (Some("deu"), "running", "running"),
            (Some("fra"), "Éducations", "educ"),
            (Some("spa"), "canciones", "cancion"),
            (None, "libraries", "librari"),
            (Some("zzz"), "libraries", "librari"),
        ] {
            let mut out = String::new();
            let mut stems = Stems::new(Tongue::of(language));
            stems.stem(word, &mut out);
            assert_eq!(out, stem, "{language:?} {word}");
            for _ in 0..2 {
                out.clear();
                known.stem(&mut stems, word, &mut out);
                assert_eq!(out, stem, "{language:?} {word}, remembered");
            }
        }
    }
}
