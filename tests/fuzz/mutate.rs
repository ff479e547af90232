//! Sound bytes in, the same changed in a few places out; by a seed, so that every run can be had again.

/// Bytes that parsers look for, and numbers at the edges of what they count with.
const WORDS: [&[u8]; 44] = [
    b"<",
    b">",
    b"</",
    b"/>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml ",
    b"&",
    b"&#x0;",
    b"&#1114112;",
    b"&lt;",
    b"=\"",
    b"'",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"\n\n",
    b"\r\n",
    b"\t",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u{202e}".as_bytes(),
    "ﷺ".as_bytes(),
    b"0",
    b"-1",
    b"255",
    b"65536",
    b"2147483648",
    b"18446744073709551616",
    b"99999999999999999999",
    b"--",
    b"\nFrom ",
    b"title:",
    b"* ",
];

/// Longest input in bytes: large ones find little that small ones don't, and find it later.
const LONGEST: usize = 16 << 10;

/// Makes inputs.
pub struct Mutator {
    state: u64,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Mutator {
        Mutator { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, seeds }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % bound.max(1) as u64) as usize
    }

    /// The next input.
    pub fn next(&mut self) -> Vec<u8> {
        let which = self.below(self.seeds.len());
        let mut bytes = self.seeds[which].clone();
        if bytes.len() > LONGEST {
            // A window of it, at its beginning most often: there stands what leads to the rest.
            let start = if self.below(4) == 0 { self.below(bytes.len() - LONGEST) } else { 0 };
            bytes = bytes[start..start + LONGEST].to_vec();
        }
        for _ in 0..1 + self.below(8) {
            self.change(&mut bytes);
        }
        bytes.truncate(2 * LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let length = self.below((bytes.len() - at).min(64) + 1);
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].repeat(1 + self.below(60));
                bytes.splice(at..at, piece);
            }
            4 => {
                let from = self.below(bytes.len() + 1);
                let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
                bytes.splice(at..at + length, piece);
            }
            5 => {
                let other = self.below(self.seeds.len());
                let from = self.below(self.seeds[other].len() + 1);
                let piece = self.seeds[other][from..].iter().take(200).copied().collect::<Vec<_>>();
                bytes.splice(at..at + length, piece);
            }
            6 if self.below(4) == 0 => bytes.truncate(at),
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let times = if self.below(12) == 0 { 1 + self.below(300) } else { 1 };
                bytes.splice(at..at + length.min(at % 3), word.repeat(times));
            }
        }
    }
}
