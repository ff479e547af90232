//! RTF's syntax (RTF 1.9.1, "RTF Syntax"): bytes in, groups, control words and text out.

/// A piece of RTF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    /// A control word, with its number.
    Word(&'a str, Option<i32>),
    /// A backslash before something that is no letter.
    Symbol(u8),
    /// `\'hh`, or a byte as it stands.
    Byte(u8),
}

#[derive(Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Tokens<'a> {
        Tokens { rest: bytes }
    }

    /// Passes over raw bytes (`\bin`).
    pub(super) fn pass_over(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes.min(self.rest.len())..];
    }

    fn control(&mut self) -> Option<Token<'a>> {
        let letters = self.rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if letters == 0 {
            let (symbol, rest) = self.rest.split_first()?;
            self.rest = rest;
            if *symbol != b'\'' {
                return Some(Token::Symbol(*symbol));
            }
            let code = rest.get(..2).and_then(|code| std::str::from_utf8(code).ok());
            return match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
                Some(byte) => {
                    self.rest = &rest[2..];
                    Some(Token::Byte(byte))
                }
                None => self.next(),
            };
        }
        let (word, rest) = self.rest.split_at(letters);
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..sign + digits]).ok().filter(|_| digits > 0);
        let behind = if digits > 0 { &rest[sign + digits..] } else { rest };
        self.rest = behind.strip_prefix(b" ").unwrap_or(behind);
        Some(Token::Word(std::str::from_utf8(word).ok()?, number.map(|number| number.parse().unwrap_or(0))))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            return match first {
                b'{' => Some(Token::Open),
                b'}' => Some(Token::Close),
                b'\\' => self.control(),
                b'\r' | b'\n' | 0 => continue,
                byte => Some(Token::Byte(*byte)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_bytes_are_told_apart() {
        use Token::*;

        let tokens: Vec<Token<'_>> =
            Tokens::new(b"{\\rtf1\\u-10 ?a\\'e4\\~\r\nb\\par-x\\'zz\\b99999999999999 \\").collect();
        assert_eq!(
            tokens,
            [
                Open,
                Word("rtf", Some(1)),
                Word("u", Some(-10)),
                Byte(b'?'),
                Byte(b'a'),
                Byte(0xe4),
                Symbol(b'~'),
                Byte(b'b'),
                Word("par", None),
                Byte(b'-'),
                Byte(b'x'),
                Byte(b'z'),
                Byte(b'z'),
                Word("b", Some(0)),
            ]
        );
    }
}
