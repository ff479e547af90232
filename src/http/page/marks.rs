//! Where the words of a query stand in a text, for showing them. Rough on purpose: the index decides what is found, this only colours it.

/// Shortest word that is looked for, in characters; shorter ones would colour half the page.
const WORD_CHARS: usize = 2;

/// Words of one query that are looked for.
const WORDS: usize = 20;

/// Beginnings of words to colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks(Vec<String>);

impl Marks {
    /// What to look for, from a query as it was typed: its words, without those it excludes and without the names of fields.
    pub(super) fn of(query: &str) -> Marks {
        let wanted =
            query.split_whitespace().filter(|word| !word.starts_with('-')).map(|word| match word.split_once(':') {
                Some((field, rest)) if field.bytes().all(|byte| byte.is_ascii_lowercase()) => rest,
                _ => word,
            });
        let words = wanted.flat_map(|word| word.split(|c: char| !c.is_alphanumeric())).map(beginning);
        Marks(words.filter(|word| word.chars().count() >= WORD_CHARS).take(WORDS).collect())
    }

    /// The text in pieces, each with whether it is to be coloured.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<(&'a str, bool)> {
        let mut pieces = Vec::new();
        let mut plain = 0;
        for (start, end) in words(text) {
            let word = text[start..end].to_lowercase();
            if self.0.iter().any(|beginning| word.starts_with(beginning.as_str())) {
                pieces.push((&text[plain..start], false));
                pieces.push((&text[start..end], true));
                plain = end;
            }
        }
        pieces.push((&text[plain..], false));
        pieces.retain(|(piece, _)| !piece.is_empty());
        pieces
    }
}

/// A word without its ending, so that "increases" also colours "increased".
fn beginning(word: &str) -> String {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let kept = if length > 5 { length - 2 } else { length };
    word.chars().take(kept).collect()
}

/// Byte ranges of the words of a text.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, _) = rest.find(|(_, c)| c.is_alphanumeric())?;
        let mut end = text.len();
        while let Some((at, c)) = rest.peek() {
            if !c.is_alphanumeric() {
                end = *at;
                break;
            }
            rest.next();
        }
        Some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_query_are_coloured() {
        let cases = [
            ("rent", "The rent, Rents and parent.", "The [rent], [Rents] and parent."),
            ("increases", "increase, increased: increasing", "[increase], [increased]: [increasing]"),
            ("\"notice period\" -landlord type:pdf", "notice period of a landlord", "[notice] [period] of a landlord"),
            ("GRÖSSE", "Die größe und Grösse", "Die größe und [Grösse]"),
            ("x", "x y", "x y"),
            ("", "anything", "anything"),
            ("日本", "日本 語", "[日本] 語"),
        ];
        for (query, text, expected) in cases {
            let pieces = Marks::of(query).split(text).into_iter();
            let shown: String =
                pieces.map(|(piece, hit)| if hit { format!("[{piece}]") } else { piece.to_owned() }).collect();
            assert_eq!(shown, expected, "{query}");
        }
    }
}
