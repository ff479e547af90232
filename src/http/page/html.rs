//! HTML being written. What isn't a literal of this program can only be added escaped, so nothing that a document or a person wrote can
//! become markup.

use std::fmt::Write as _;

/// A piece of HTML.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup of ours.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Text of anybody's, good in elements and in quoted attributes.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                character => self.0.push(character),
            }
        }
        self
    }

    /// HTML that is written already.
    pub(super) fn html(&mut self, html: Html) -> &mut Html {
        self.0.push_str(&html.0);
        self
    }

    /// A number.
    pub(super) fn number(&mut self, number: u64) -> &mut Html {
        let _ = write!(self.0, "{number}");
        self
    }

    /// The page.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A query string of these parameters, those without a value left out.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => query.push(char::from(byte)),
                byte => {
                    let _ = write!(query, "%{byte:02X}");
                }
            }
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        let mut html = Html::default();
        html.raw("<p title=\"").text("\"><script>alert('x')</script>&amp;").raw("\">");
        let expected = "<p title=\"&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\">";
        assert_eq!(html.into_string(), expected);
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(query(&[("q", "a&b=c d"), ("type", ""), ("after", "2024-01")]), "?q=a%26b%3Dc%20d&after=2024-01");
        assert_eq!(query(&[("q", "")]), "");
    }
}
