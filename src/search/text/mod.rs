//! Texts and questions in, the words by which they are indexed and found out. Both go the same way: split, folded, stemmed.

mod fold;
mod sieve;
mod split;
mod stem;
mod tokenizer;

pub(super) use fold::{fold, folded};
pub(super) use sieve::Sieve;
pub(super) use split::{Kind, Piece, count_words, pieces};
pub(super) use stem::{Stems, Tongue};
pub(super) use tokenizer::{CJK, FOLDED, STEMMED, STEMS, bigrams, mark, tokenizers};
