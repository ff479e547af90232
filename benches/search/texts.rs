//! Files of made-up words, and questions for them: the same for the same number of passages.

use std::path::Path;

use anyhow::Result;

const VOCABULARY: usize = 200_000;
/// Words that are asked for: the most frequent ones, down to such as stand in one passage of a few hundred.
const ASKED: usize = 20_000;
const PASSAGE_WORDS: usize = 400;
const PASSAGES_PER_FILE: usize = 3;
const LINE_WORDS: usize = 12;
/// Folders that the files are in.
pub const FOLDERS: usize = 20;

/// Writes files of so many passages; each has a heading.
pub fn write(folder: &Path, passages: usize) -> Result<()> {
    let mut chance = Chance(20_261_122);
    for number in 0..FOLDERS {
        std::fs::create_dir_all(folder.join(format!("folder-{number}")))?;
    }
    for number in 0..passages.div_ceil(PASSAGES_PER_FILE) {
        let mut text = String::new();
        for section in 0..PASSAGES_PER_FILE {
            text.push_str(if section == 0 { "# " } else { "\n## " });
            for end in [" ", " ", "\n\n"] {
                text.push_str(&word(chance.rank()));
                text.push_str(end);
            }
            for at in 1..=PASSAGE_WORDS {
                text.push_str(&word(chance.rank()));
                text.push(if at % LINE_WORDS == 0 { '\n' } else { ' ' });
            }
        }
        std::fs::write(folder.join(format!("folder-{}/document-{number}.md", number % FOLDERS)), text)?;
    }
    Ok(())
}

/// Questions of one to five words of all frequencies.
pub fn questions(count: usize) -> Vec<Vec<String>> {
    let mut chance = Chance(7);
    let mut question = || (0..1 + chance.below(5)).map(|_| word(chance.below(ASKED))).collect();
    (0..count).map(|_| question()).collect()
}

/// The word of this rank: pronounceable, longer the rarer.
fn word(mut rank: usize) -> String {
    const SYLLABLES: [&str; 15] =
        ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu"];
    let mut word = String::new();
    loop {
        word.push_str(SYLLABLES[rank % 15]);
        rank /= 15;
        if rank == 0 {
            return word;
        }
    }
}

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }

    /// A word's rank: the exponential of an even number is spread as Zipf says.
    fn rank(&mut self) -> usize {
        ((VOCABULARY as f64).ln() * (self.next() as f64 / (1u64 << 53) as f64)).exp() as usize
    }
}
