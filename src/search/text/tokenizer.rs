//! The ways in which tantivy is told to take a text apart: stemmed words, folded words, pairs of characters.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

use super::fold::fold;
use super::split::{Kind, Pieces, pieces};
use super::stem::{KnownStems, Stems, Tongue};
use crate::limits::WORD_BYTES;

/// Stemmed words; the text begins with the [`mark`] of its language.
pub(in crate::search) const STEMMED: &str = "stemmed";
/// The same, but for words that are their own stems.
pub(in crate::search) const STEMS: &str = "stems";
/// Folded words.
pub(in crate::search) const FOLDED: &str = "folded";
/// Pairs of characters of scripts without spaces.
pub(in crate::search) const CJK: &str = "cjk";

/// First of the characters (of private use) that tell the stemming tokenizer a text's language.
const MARKS: u32 = 0xe000;

/// The character to put before a text of this language, for fields that are [`STEMMED`].
pub(in crate::search) fn mark(tongue: Tongue) -> char {
    char::from_u32(MARKS + u32::from(tongue.number())).unwrap_or('\u{e000}')
}

fn split_mark(text: &str) -> (Tongue, &str) {
    let mut chars = text.chars();
    let number = chars.next().and_then(|c| u8::try_from(u32::from(c).wrapping_sub(MARKS)).ok());
    match number.and_then(Tongue::from_number) {
        Some(tongue) => (tongue, chars.as_str()),
        None => (Tongue::ENGLISH, text),
    }
}

/// All of them, by name.
pub(in crate::search) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(STEMMED, Stemming { keep: Keep::All, known: KnownStems::default() });
    manager.register(STEMS, Stemming { keep: Keep::Changed, known: KnownStems::default() });
    manager.register(FOLDED, Folding);
    manager.register(CJK, Pairing);
    manager
}

#[derive(Clone)]
struct Stemming {
    keep: Keep,
    known: KnownStems,
}

/// Which stems are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    All,
    /// Those that are others than the folded word.
    Changed,
}

#[derive(Clone)]
struct Folding;

#[derive(Clone)]
struct Pairing;

impl Tokenizer for Stemming {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        let (tongue, text) = split_mark(text);
        let stems = Some((Stems::new(tongue), &mut self.known, self.keep));
        WordStream { text, pieces: pieces(text), stems, folded: String::new(), token: Token::default() }
    }
}

impl Tokenizer for Folding {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { text, pieces: pieces(text), stems: None, folded: String::new(), token: Token::default() }
    }
}

struct WordStream<'a> {
    text: &'a str,
    pieces: Pieces<'a>,
    stems: Option<(Stems, &'a mut KnownStems, Keep)>,
    folded: String,
    token: Token,
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        for piece in self.pieces.by_ref() {
            if piece.kind != Kind::Word || piece.end - piece.start > WORD_BYTES {
                continue;
            }
            let word = &self.text[piece.start..piece.end];
            (self.token.offset_from, self.token.offset_to) = (piece.start, piece.end);
            self.token.position = piece.ordinal;
            self.token.text.clear();
            match &mut self.stems {
                Some((stems, known, keep)) => {
                    known.stem(stems, word, &mut self.token.text);
                    self.folded.clear();
                    fold(word, &mut self.folded);
                    if *keep == Keep::Changed && self.folded == self.token.text {
                        continue;
                    }
                }
                None => fold(word, &mut self.token.text),
            }
            return true;
        }
        false
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

impl Tokenizer for Pairing {
    type TokenStream<'a> = PairStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> PairStream<'a> {
        PairStream { text, pieces: pieces(text), run: Vec::new(), at: 0, ordinal: 0, token: Token::default() }
    }
}

struct PairStream<'a> {
    text: &'a str,
    pieces: Pieces<'a>,
    run: Vec<String>,
    at: usize,
    ordinal: usize,
    token: Token,
}

impl TokenStream for PairStream<'_> {
    fn advance(&mut self) -> bool {
        while self.at == self.run.len() {
            let Some(piece) = self.pieces.next() else { return false };
            if piece.kind == Kind::Cjk {
                // Folding may take a character apart: the run before may reach beyond where this one stands, and positions never fall.
                let free = self.ordinal + self.at;
                self.run = bigrams(&self.text[piece.start..piece.end]);
                (self.at, self.ordinal) = (0, piece.ordinal.max(free));
            }
        }
        self.token.position = self.ordinal + self.at;
        self.token.text.clear();
        self.token.text.push_str(&self.run[self.at]);
        self.at += 1;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// The pairs of neighbouring characters of a run, and its last character alone: so that every character begins a token.
pub(in crate::search) fn bigrams(run: &str) -> Vec<String> {
    let mut plain = String::new();
    fold(run, &mut plain);
    let chars: Vec<char> = plain.chars().collect();
    (0..chars.len()).map(|at| chars[at..chars.len().min(at + 2)].iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(name: &str, text: &str) -> Vec<(usize, String)> {
        let mut analyzer = tokenizers().get(name).unwrap();
        let mut stream = analyzer.token_stream(text);
        let mut out = Vec::new();
        while let Some(token) = stream.next() {
            out.push((token.position, token.text.clone()));
        }
        out
    }

    #[test]
    fn texts_are_taken_apart_by_field() {
        let german = format!("{}Die Häuser", mark(Tongue::of(Some("deu"))));
        assert_eq!(tokens(STEMMED, &german), [(0, "die".into()), (1, "haus".into())]);
        assert_eq!(tokens(STEMMED, "running"), [(0, "run".into())]);
        assert_eq!(tokens(STEMS, &german), [(1, "haus".into())]);
        assert_eq!(tokens(FOLDED, "Running 東京 Café"), [(0, "running".into()), (3, "cafe".into())]);
        assert_eq!(tokens(CJK, "in 東京都 x"), [(1, "東京".into()), (2, "京都".into()), (3, "都".into())]);
        assert_eq!(tokens(FOLDED, &"x".repeat(WORD_BYTES + 1)), []);
    }

    /// tantivy keeps differences of positions, as unsigned numbers.
    #[test]
    fn positions_never_fall() {
        for text in ["がぎぐ、か゚がぎぐ x がぎ", "각각 각각 각각", "㍿㍿ ㍿ 株式会社", "ﬁﬁ ﬁ ㌔ ㌔ x"]
        {
            for name in [CJK, FOLDED, STEMS, STEMMED] {
                let positions: Vec<usize> = tokens(name, text).into_iter().map(|(position, _)| position).collect();
                assert!(positions.is_sorted(), "{name}, {text}: {positions:?}");
            }
        }
    }
}
