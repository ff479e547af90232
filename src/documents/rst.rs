//! reStructuredText: the source is the text; titles are lines with a line of punctuation below (and perhaps above) them.

use super::Extracted;
use super::compose::Composer;
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal, parse_date};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut composer = Composer::source(decode(bytes, None), limits.max_text);
    let titles = titles(composer.text());
    for title in &titles {
        composer.mark_heading(title.level, &title.text, None, title.start, title.end);
    }
    let author = field(composer.text(), "author");
    let date = field(composer.text(), "date");
    let metadata = composer.metadata();
    metadata.title = titles.into_iter().find(|title| title.level == 1).map(|title| title.text);
    metadata.author = author;
    metadata.created = date.as_deref().and_then(parse_date);
    Ok(composer.finish())
}

#[derive(Debug)]
struct Title {
    level: u8,
    text: String,
    start: usize,
    end: usize,
}

/// Titles in order. A style of adornment that appears for the first time is one level below those seen before.
fn titles(text: &str) -> Vec<Title> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        lines.push((start, line.trim_end()));
        start += line.len() + 1;
    }
    let mut styles: Vec<(u8, bool)> = Vec::new();
    let mut titles = Vec::new();
    let mut n = 0;
    while n + 1 < lines.len() {
        let over = n.checked_sub(1).map(|above| lines[above].1);
        let ((start, title), (below, under)) = (lines[n], lines[n + 1]);
        match adornment(title, under) {
            // A transition or a table's rule looks like an underline, but has an empty line or a rule above.
            Some(mark) if is_title(title) => {
                let overlined = over == Some(under);
                let begins_block = over.is_none_or(str::is_empty) || overlined;
                if begins_block {
                    let style = (mark, overlined);
                    let known = styles.iter().position(|seen| *seen == style);
                    let level = known.unwrap_or_else(|| {
                        styles.push(style);
                        styles.len() - 1
                    });
                    let start = if overlined { lines[n - 1].0 } else { start };
                    let level = (level + 1).min(9) as u8;
                    titles.push(Title { level, text: title.trim().to_owned(), start, end: below + under.len() });
                }
                n += 2;
            }
            _ => n += 1,
        }
    }
    titles
}

/// The character of a line of punctuation that is at least as long as the title above it.
fn adornment(title: &str, line: &str) -> Option<u8> {
    let mark = *line.as_bytes().first()?;
    let wide_enough = line.len() >= title.trim_end().chars().count().min(4);
    let uniform = mark.is_ascii_punctuation() && line.bytes().all(|byte| byte == mark);
    (uniform && wide_enough && line.len() >= 2).then_some(mark)
}

fn is_title(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric) && line.len() < 400
}

/// A bibliographic field of the docinfo, as `:Author: Ada`.
fn field(text: &str, name: &str) -> Option<String> {
    const WITHIN_LINES: usize = 40;
    text.lines().take(WITHIN_LINES).find_map(|line| {
        let (key, value) = line.strip_prefix(':')?.split_once(':')?;
        (key.eq_ignore_ascii_case(name) && !value.trim().is_empty()).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_have_levels_by_their_first_appearance() {
        let source = "=====\nPlane\n=====\n\n:Author: Ada\n:Date: 2023-01-02\n\nwords\n\nBlade\n-----\n\nset it\n\n\
                      Angle\n~~~~~\n\n25 degrees\n\nSole\n----\n\nflat\n\n====  ====\nA     B\n====  ====\n";
        let extracted = extract(source.as_bytes(), &ExtractLimits::default()).unwrap();
        let outline: Vec<_> = extracted.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "Plane"), (2, "Blade"), (3, "Angle"), (2, "Sole")]);
        assert_eq!(extracted.title.as_deref(), Some("Plane"));
        assert_eq!(extracted.author.as_deref(), Some("Ada"));
        let passage = extracted.passages.iter().find(|p| extracted.text[p.start..p.end].contains("25")).unwrap();
        assert_eq!((passage.place.heading.as_deref(), passage.place.line), (Some("Angle"), Some(15)));
    }
}
