//! Org: the source is the text; lines of stars are the outline, `#+title:` and its like say what the document is.

use super::Extracted;
use super::compose::Composer;
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal, parse_date};

/// Words that say how far a task is, where a document defines none of its own.
const STATES: [&str; 10] =
    ["TODO", "DONE", "NEXT", "WAITING", "HOLD", "CANCELLED", "CANCELED", "STARTED", "SOMEDAY", "PROJECT"];

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut composer = Composer::source(decode(bytes, None), limits.max_text);
    let mut reading = Reading::default();
    let mut start = 0;
    for line in composer.text().split('\n') {
        reading.line(line, start);
        start += line.len() + 1;
    }
    for (level, title, start, end) in reading.headings {
        composer.mark_heading(level, &title, None, start, end);
    }
    let metadata = composer.metadata();
    (metadata.title, metadata.author) = (reading.title, reading.author);
    metadata.created = reading.date.as_deref().map(|date| date.trim_matches(['<', '>', '[', ']'])).and_then(parse_date);
    composer.title_from_outline();
    Ok(composer.finish())
}

#[derive(Debug, Default)]
struct Reading {
    /// Level, title, first byte and end of each heading.
    headings: Vec<(u8, String, usize, usize)>,
    states: Vec<String>,
    /// The kind of the block that is open: what stands in it is no heading.
    block: Option<String>,
    title: Option<String>,
    author: Option<String>,
    date: Option<String>,
}

impl Reading {
    fn line(&mut self, line: &str, start: usize) {
        if let Some(keyword) = line.trim_start().strip_prefix("#+") {
            return self.keyword(keyword);
        }
        let stars = line.bytes().take_while(|byte| *byte == b'*').count();
        // A heading ends any block: one that was never closed hides nothing (Org syntax, "Headings").
        if stars > 0 && line[stars..].starts_with(' ') && self.block.as_deref() != Some("example") {
            self.block = None;
            let title = self.title_of(line[stars..].trim());
            self.headings.push((stars.min(9) as u8, title, start, start + line.len()));
        }
    }

    fn keyword(&mut self, keyword: &str) {
        let Some((name, value)) = keyword.split_once(':') else {
            let words: Vec<String> = keyword.split(['_', ' ']).take(2).map(str::to_ascii_lowercase).collect();
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["begin", kind] => self.block = Some(kind.to_owned()),
                ["end", kind] if self.block.as_deref() == Some(kind) => self.block = None,
                _ => {}
            }
            return;
        };
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match name.to_ascii_lowercase().as_str() {
            "title" => self.title = self.title.take().or(value),
            "author" => self.author = self.author.take().or(value),
            "date" => self.date = self.date.take().or(value),
            "todo" | "seq_todo" | "typ_todo" => {
                let states = value.unwrap_or_default();
                let states = states.split([' ', '|']).map(|state| state.split('(').next().unwrap_or_default());
                self.states.extend(states.filter(|state| !state.is_empty()).map(str::to_owned));
            }
            _ => {}
        }
    }

    /// A heading without its state, its priority and its tags.
    fn title_of(&self, heading: &str) -> String {
        let mut title = heading;
        if let Some((word, rest)) = title.split_once(' ')
            && (STATES.contains(&word) || self.states.iter().any(|state| state == word))
        {
            title = rest.trim_start();
        }
        if let Some(rest) = title.strip_prefix("[#") {
            title = rest.split_once(']').map_or(title, |(_, rest)| rest.trim_start());
        }
        if let Some((before, tags)) = title.rsplit_once(char::is_whitespace) {
            let is_tag = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '%' | ':');
            if tags.len() > 2 && tags.starts_with(':') && tags.ends_with(':') && tags.chars().all(is_tag) {
                title = before.trim_end();
            }
        }
        title.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_found_without_their_state_and_tags() {
        let source = "#+TITLE: The bees\n#+author: Ada\n#+date: <2024-04-02 Tue>\n#+TODO: ASK(a) | TOLD\nwords\n* TODO [#A] Hive one \
                      :spring:work:\nold\n** ASK Queen: seen?\nmarked blue\n#+begin_example\n* no heading\n#+end_example\n\
                      *bold* text\n#+BEGIN_SRC sh\nunclosed\n* Hive :: two\nnew\n";
        let extracted = extract(source.as_bytes(), &ExtractLimits::default()).unwrap();
        let outline: Vec<_> = extracted.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "Hive one"), (2, "Queen: seen?"), (1, "Hive :: two")]);
        assert_eq!((extracted.title.as_deref(), extracted.author.as_deref()), (Some("The bees"), Some("Ada")));
        assert_eq!(extracted.created.unwrap().to_string(), "2024-04-02T00:00:00Z");
        let passage = extracted.passages.iter().find(|p| extracted.text[p.start..p.end].contains("blue")).unwrap();
        assert_eq!((passage.place.heading.as_deref(), passage.place.line), (Some("Queen: seen?"), Some(8)));
    }
}
