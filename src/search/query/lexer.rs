//! What a person typed in, tokens out.

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// `+` before something.
    Plus,
    /// `-` before something.
    Minus,
    /// `|`, or `OR`.
    Bar,
    /// `AND`.
    And,
    /// `(`
    Open,
    /// `)`
    Close,
    /// Between quotes.
    Quoted(String),
    /// Anything else up to the next space, bracket or bar.
    Text(String),
    /// `name:` right before something.
    Field(Field),
}

/// What may stand before a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    Path,
    Type,
    After,
    Before,
}

impl Field {
    /// Its name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Field::Title => "title",
            Field::Path => "path",
            Field::Type => "type",
            Field::After => "after",
            Field::Before => "before",
        }
    }

    /// All there are.
    pub(super) const ALL: [Field; 5] = [Field::Title, Field::Path, Field::Type, Field::After, Field::Before];

    fn named(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.as_str().eq_ignore_ascii_case(name))
    }
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: text, tokens: Vec::new() };
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'a> {
    rest: &'a str,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn step(&mut self) -> bool {
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else { return false };
        let after = chars.as_str();
        let joined = after.chars().next().is_some_and(|next| !next.is_whitespace());
        match first {
            c if c.is_whitespace() => self.rest = after,
            '(' | '（' => self.push(Token::Open, after),
            ')' | '）' => self.push(Token::Close, after),
            '|' => self.push(Token::Bar, after.trim_start_matches('|')),
            '+' if joined => self.push(Token::Plus, after),
            '-' | '−' if joined && !after.starts_with('-') => self.push(Token::Minus, after),
            c if is_quote(c) => {
                let end = after.find(is_quote);
                let quoted = &after[..end.unwrap_or(after.len())];
                let rest = end.map_or("", |end| skip_char(&after[end..]));
                self.push(Token::Quoted(quoted.to_owned()), rest);
            }
            _ => self.text(),
        }
        true
    }

    fn push(&mut self, token: Token, rest: &str) {
        // The slice is always one of the same text; its length finds it again.
        self.rest = &self.rest[self.rest.len() - rest.len()..];
        self.tokens.push(token);
    }

    fn text(&mut self) {
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '（' | '）' | '|') || is_quote(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if let Some((name, value)) = word.split_once(':')
            && let Some(field) = Field::named(name)
            && (!value.is_empty() || rest.starts_with(|c: char| is_quote(c) || c == '('))
        {
            let length = word.len() - value.len();
            self.tokens.push(Token::Field(field));
            self.rest = &self.rest[length..];
            return;
        }
        let token = match word {
            "OR" => Token::Bar,
            "AND" => Token::And,
            "NOT" => Token::Minus,
            word => Token::Text(word.to_owned()),
        };
        self.tokens.push(token);
        self.rest = rest;
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '＂' | '「' | '」')
}

fn skip_char(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next();
    chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::Token::*;
    use super::*;

    #[test]
    fn a_text_falls_into_tokens() {
        let text = |word: &str| Text(word.to_owned());
        for (typed, expected) in [
            ("plain words", vec![text("plain"), text("words")]),
            ("\"a b\" c", vec![Quoted("a b".into()), text("c")]),
            ("\"open", vec![Quoted("open".into())]),
            ("“a b”", vec![Quoted("a b".into())]),
            ("-a +b - + c", vec![Minus, text("a"), Plus, text("b"), text("-"), text("+"), text("c")]),
            ("e-mail", vec![text("e-mail")]),
            ("a|b || c OR d", vec![text("a"), Bar, text("b"), Bar, text("c"), Bar, text("d")]),
            ("(a)", vec![Open, text("a"), Close]),
            ("title:x Type:pdf", vec![Field(super::Field::Title), text("x"), Field(super::Field::Type), text("pdf")]),
            ("title:\"a b\"", vec![Field(super::Field::Title), Quoted("a b".into())]),
            ("title: x", vec![text("title:"), text("x")]),
            ("http://x", vec![text("http://x")]),
            ("-title:x", vec![Minus, Field(super::Field::Title), text("x")]),
            ("--force", vec![text("--force")]),
            ("", vec![]),
        ] {
            assert_eq!(tokens(typed), expected, "{typed}");
        }
    }
}
