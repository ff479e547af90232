//! Markdown: the source is the text, so that an agent reads it as it was written; its headings are the outline.

use pulldown_cmark::{Event, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::Extracted;
use super::compose::Composer;
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal, parse_date};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let text = decode(bytes, None);
    let mut composer = Composer::source(text, limits.max_text);
    let outline = read_outline(composer.text());
    for heading in &outline.headings {
        composer.mark_heading(heading.level, &heading.title, None, heading.start, heading.end);
    }
    let topmost = || outline.headings.iter().min_by_key(|heading| heading.level).map(|heading| heading.title.clone());
    let metadata = composer.metadata();
    metadata.title = outline.title.clone().or_else(topmost);
    metadata.author = outline.author;
    metadata.created = outline.date.as_deref().and_then(parse_date);
    Ok(composer.finish())
}

#[derive(Debug, Default)]
struct Outline {
    headings: Vec<Heading>,
    title: Option<String>,
    author: Option<String>,
    date: Option<String>,
}

/// A heading in a text.
#[derive(Debug)]
pub(super) struct Heading {
    pub(super) level: u8,
    pub(super) title: String,
    /// First byte.
    pub(super) start: usize,
    /// One past the last.
    pub(super) end: usize,
}

/// The headings of a text in Markdown.
pub(super) fn headings(text: &str) -> Vec<Heading> {
    read_outline(text).headings
}

fn read_outline(text: &str) -> Outline {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut outline = Outline::default();
    let mut heading: Option<Heading> = None;
    let mut front_matter = false;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                heading =
                    Some(Heading { level: level as u8, title: String::new(), start: range.start, end: range.end });
            }
            Event::End(TagEnd::Heading(_)) => outline.headings.extend(heading.take()),
            Event::Start(Tag::MetadataBlock(MetadataBlockKind::YamlStyle | MetadataBlockKind::PlusesStyle)) => {
                front_matter = true;
            }
            Event::End(TagEnd::MetadataBlock(_)) => front_matter = false,
            Event::Text(words) if front_matter => read_front_matter(&words, &mut outline),
            Event::Text(words) | Event::Code(words) => push_words(&mut heading, &words),
            Event::SoftBreak | Event::HardBreak => push_words(&mut heading, " "),
            _ => {}
        }
    }
    outline
}

fn push_words(heading: &mut Option<Heading>, words: &str) {
    if let Some(heading) = heading {
        heading.title.push_str(words);
    }
}

/// `key: value` or `key = "value"` lines; what is nested or listed is left to the text.
fn read_front_matter(text: &str, outline: &mut Outline) {
    for line in text.lines() {
        let Some((key, value)) = line.split_once([':', '=']) else { continue };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        match key.trim() {
            _ if value.is_empty() => {}
            "title" => outline.title = Some(value),
            "author" => outline.author = Some(value),
            "date" => outline.date = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_and_front_matter_are_found() {
        let source = "---\ntitle: \"Bread\"\nauthor: Ada\ndate: 2024-03-01\n---\r\n# Rye *loaf*\n\nintro\n\nSour\n----\n\n\
                      feed it\n\n```\n# not a heading\n```\n\n### Baking `hot`\n\nat 230\u{202e} degrees\n";
        let extracted = extract(source.as_bytes(), &ExtractLimits::default()).unwrap();
        assert_eq!(extracted.title.as_deref(), Some("Bread"));
        assert_eq!(extracted.author.as_deref(), Some("Ada"));
        assert_eq!(extracted.created.unwrap().to_string(), "2024-03-01T00:00:00Z");
        let outline: Vec<_> = extracted.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "Rye loaf"), (2, "Sour"), (3, "Baking hot")]);
        let passage = extracted.passages.iter().find(|p| extracted.text[p.start..p.end].contains("230")).unwrap();
        assert_eq!(passage.place.heading.as_deref(), Some("Baking hot"));
        assert_eq!(passage.place.line, Some(19));
    }

    #[test]
    fn a_note_without_headings_has_no_title() {
        let extracted = extract(b"just words", &ExtractLimits::default()).unwrap();
        assert_eq!((extracted.title, extracted.outline.len(), extracted.passages.len()), (None, 0, 1));
    }
}
