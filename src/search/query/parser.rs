//! Tokens in, a tree out. Nothing is an error: what makes no sense is left out, and said.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::ast::{Ask, Clause, Filter, Form, Node, Sign, Where, Word};
use super::date::moment;
use super::lexer::{Field, Token, tokens};
use crate::documents::{Format, clean};
use crate::limits::{QUERY_BYTES, QUERY_NESTING, QUERY_UNUSED, QUERY_WORDS};
use crate::search::mistyped::meant;
use crate::search::text::pieces;

/// The question that a person typed.
pub(in crate::search) fn parse(typed: &str) -> Ask {
    let cleaned = clean(typed);
    let end = cleaned.floor_char_boundary(QUERY_BYTES);
    let mut parser =
        Parser { tokens: tokens(&cleaned[..end]).into_iter().peekable(), words: 0, depth: 0, unused: Vec::new() };
    if end < cleaned.len() {
        parser.unused.push(format!("everything after the first {QUERY_BYTES} bytes: the question is too long"));
    }
    let mut clauses = Vec::new();
    while parser.tokens.peek().is_some() {
        clauses.append(&mut parser.clauses(Where::Anywhere));
    }
    if parser.words > QUERY_WORDS {
        parser.unused.push(format!("everything after the first {QUERY_WORDS} words: the question is too long"));
    }
    let mut unused = Vec::new();
    for reason in parser.unused {
        if unused.len() < QUERY_UNUSED && !unused.contains(&reason) {
            unused.push(reason);
        }
    }
    Ask { clauses, words: parser.words, unused }
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    words: usize,
    depth: usize,
    unused: Vec<String>,
}

impl Parser {
    /// Parts up to a closing bracket, or the end.
    fn clauses(&mut self, place: Where) -> Vec<Clause> {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut joined = false;
        loop {
            let mut sign = if joined { Sign::Must } else { Sign::Should };
            match self.tokens.peek() {
                None => break,
                Some(Token::Close) => {
                    self.tokens.next();
                    break;
                }
                Some(Token::Bar) => {
                    self.tokens.next();
                    continue;
                }
                Some(Token::And) => {
                    self.tokens.next();
                    joined = true;
                    if let Some(last) = clauses.last_mut().filter(|last| last.sign == Sign::Should) {
                        last.sign = Sign::Must;
                    }
                    continue;
                }
                Some(_) => {}
            }
            joined = false;
            while let Some(signed) = self.sign() {
                sign = signed;
            }
            if let Some(node) = self.alternatives(place) {
                clauses.push(Clause { sign, node });
            }
        }
        clauses
    }

    fn sign(&mut self) -> Option<Sign> {
        let sign = match self.tokens.peek()? {
            Token::Plus => Sign::Must,
            Token::Minus => Sign::Not,
            _ => return None,
        };
        self.tokens.next();
        Some(sign)
    }

    fn alternatives(&mut self, place: Where) -> Option<Node> {
        let mut nodes: Vec<Node> = self.primary(place).into_iter().collect();
        while self.tokens.next_if(|token| *token == Token::Bar).is_some() {
            while self.sign().is_some() {
                self.unused.push("the sign behind \"|\": an alternative has none".to_owned());
            }
            nodes.extend(self.primary(place));
        }
        if nodes.len() > 1 { Some(Node::Any(nodes)) } else { nodes.pop() }
    }

    fn primary(&mut self, place: Where) -> Option<Node> {
        let ends = |token: &Token| matches!(token, Token::Close | Token::Bar | Token::And);
        if self.tokens.peek().is_none_or(ends) {
            return None;
        }
        match self.tokens.next()? {
            Token::Text(text) => self.word(text, place),
            Token::Quoted(text) => self.phrase(text, place),
            Token::Field(field) => self.field(field),
            Token::Open => self.group(place),
            Token::Plus | Token::Minus | Token::Close | Token::Bar | Token::And => None,
        }
    }

    fn group(&mut self, place: Where) -> Option<Node> {
        if self.depth == QUERY_NESTING {
            self.unused.push(format!("brackets nested deeper than {QUERY_NESTING}"));
            return None;
        }
        self.depth += 1;
        let clauses = self.clauses(place);
        self.depth -= 1;
        (!clauses.is_empty()).then_some(Node::Group(clauses))
    }

    fn word(&mut self, typed: String, place: Where) -> Option<Node> {
        self.note_field(&typed);
        let fuzzy =
            typed.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('~').filter(|text| !text.is_empty());
        let (text, form) = match fuzzy {
            Some(text) => (text.to_owned(), Form::Fuzzy),
            None if typed.contains('*') => (typed.clone(), Form::Wild),
            None => (typed.clone(), Form::Plain),
        };
        if form == Form::Wild && typed.starts_with('*') {
            self.unused.push(format!("{typed:?}: before \"*\" a word needs its first letters"));
            return None;
        }
        self.counted(&text).then_some(Node::Word(Word { text, form, place }))
    }

    /// Says of `tpye:pdf` that it was read as words.
    fn note_field(&mut self, typed: &str) {
        let name = typed.split_once(':').map_or("", |(name, _)| name).to_lowercase();
        if let Some(meant) = meant(&name, Field::ALL.map(Field::as_str)) {
            self.unused
                .push(format!("{name}: is no field, so {typed:?} was searched as words; did you mean {meant}:?"));
        }
    }

    fn phrase(&mut self, text: String, place: Where) -> Option<Node> {
        self.counted(&text).then_some(Node::Phrase { text, place })
    }

    /// Whether a text has words, and there is room for them.
    fn counted(&mut self, text: &str) -> bool {
        let words = pieces(text).count();
        if words == 0 {
            self.unused.push(format!("{text:?}: no letter or digit in it"));
            return false;
        }
        self.words += words;
        self.words <= QUERY_WORDS
    }

    fn field(&mut self, field: Field) -> Option<Node> {
        let value =
            match self.tokens.next_if(|token| matches!(token, Token::Text(_) | Token::Quoted(_) | Token::Open))? {
                Token::Open if field == Field::Title => return self.group(Where::Title),
                Token::Open => return self.group(Where::Anywhere),
                Token::Quoted(text) if field == Field::Title => return self.phrase(text, Where::Title),
                Token::Text(text) if field == Field::Title => return self.word(text, Where::Title),
                Token::Text(text) | Token::Quoted(text) => text,
                _ => return None,
            };
        match field {
            Field::Path => Some(Node::Filter(Filter::Path(value))),
            Field::Type => self.kind(&value),
            Field::After | Field::Before => self.date(field, &value),
            Field::Title => None,
        }
    }

    fn kind(&mut self, value: &str) -> Option<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for name in value.split(',').map(|name| name.trim_start_matches('.').to_lowercase()) {
            match (formats(&name), &name) {
                (Some(formats), _) => nodes.push(Node::Filter(Filter::Format(formats))),
                (None, name) if !name.is_empty() => nodes.push(Node::Filter(Filter::Extension(name.clone()))),
                _ => {}
            }
        }
        if nodes.len() > 1 { Some(Node::Any(nodes)) } else { nodes.pop() }
    }

    fn date(&mut self, field: Field, value: &str) -> Option<Node> {
        let Some(moment) = moment(value) else {
            let field = field.as_str();
            self.unused.push(format!("{field}:{value}: not a date; write {field}:2025, 2025-01 or 2025-01-31"));
            return None;
        };
        Some(Node::Filter(if field == Field::After { Filter::After(moment) } else { Filter::Before(moment) }))
    }
}

/// The formats that people call by this name, where it isn't simply how file names end.
fn formats(name: &str) -> Option<Vec<Format>> {
    use Format::*;
    let canonical = match name {
        "mail" => return Some(vec![Email, Mbox]),
        "presentation" | "slides" => return Some(vec![Pptx, Odp]),
        "spreadsheet" | "table" => return Some(vec![Xlsx, Ods, Csv]),
        "book" | "ebook" => "epub",
        "excel" => "xlsx",
        "powerpoint" => "pptx",
        "tsv" => "csv",
        "ipynb" => "notebook",
        "md" => "markdown",
        "txt" => "text",
        "htm" | "xhtml" => "html",
        "word" => "docx",
        "source" | "program" => "code",
        "yml" => "yaml",
        "eml" => "email",
        name => name,
    };
    let deserializer: StrDeserializer<'_, Error> = canonical.into_deserializer();
    Format::deserialize(deserializer).ok().map(|format| vec![format])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        match node {
            Node::Word(word) => {
                let field = if word.place == Where::Title { "title:" } else { "" };
                format!("{field}{}{}", word.text, if word.form == Form::Fuzzy { "~" } else { "" })
            }
            Node::Phrase { text, place } => {
                format!("{}{text:?}", if *place == Where::Title { "title:" } else { "" })
            }
            Node::Any(nodes) => format!("[{}]", nodes.iter().map(show).collect::<Vec<_>>().join("|")),
            Node::Group(clauses) => format!("({})", show_all(clauses)),
            Node::Filter(filter) => format!("{filter:?}"),
        }
    }

    fn show_all(clauses: &[Clause]) -> String {
        let sign = |sign| match sign {
            Sign::Should => "",
            Sign::Must => "+",
            Sign::Not => "-",
        };
        clauses
            .iter()
            .map(|clause| format!("{}{}", sign(clause.sign), show(&clause.node)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn questions_are_read_as_they_are_meant() {
        for (typed, tree) in [
            ("boundary layer", "boundary layer"),
            ("+a -b c", "+a -b c"),
            ("a | b c", "[a|b] c"),
            ("(a b) | \"c d\"", "[(a b)|\"c d\"]"),
            ("a AND b", "+a +b"),
            ("NOT a b", "-a b"),
            ("((a)", "((a))"),
            ("a) b", "a b"),
            ("| a | | b |", "[a|b]"),
            ("word~ word~2 pre*", "word~ word~ pre*"),
            ("title:x title:\"a b\" title:(a b)", "title:x title:\"a b\" (title:a title:b)"),
            ("type:pdf", "Format([Pdf])"),
            ("type:md,pdf", "[Format([Markdown])|Format([Pdf])]"),
            ("type:.rs", "Extension(\"rs\")"),
            ("path:\"a b\"", "Path(\"a b\")"),
            ("after:1970-01-02", "After(86400000000000)"),
            ("-before:1970", "-Before(0)"),
            ("http://a note:b paths", "http://a note:b paths"),
            ("", ""),
        ] {
            let ask = parse(typed);
            assert_eq!(show_all(&ask.clauses), tree, "{typed}");
            assert_eq!(ask.unused, Vec::<String>::new(), "{typed}");
        }
    }

    #[test]
    fn what_is_not_used_is_said() {
        for (typed, said) in [
            ("*ing", "first letters"),
            ("word after:soon", "not a date"),
            ("a | -b", "alternative"),
            ("!!! a", "no letter"),
            ("tpye:pdf heat", "did you mean type:"),
            ("heat Titel:x", "did you mean title:"),
            (&"a ".repeat(QUERY_BYTES), "first 8000 bytes"),
            (&"(".repeat(50), "nested deeper"),
            (&"ab ".repeat(QUERY_WORDS + 1), "words"),
        ] {
            let unused = parse(typed).unused;
            assert!(unused.iter().any(|reason| reason.contains(said)), "{typed}: {unused:?}");
        }
    }
}
