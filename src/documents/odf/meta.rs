//! What an OpenDocument says of itself: `meta.xml` in, title, author, date and number of pages out.

use quick_xml::events::Event;

use crate::documents::Extracted;
use crate::documents::extract::{Refusal, parse_date};
use crate::documents::package::{Events, attribute, resolve};

pub(super) fn read(events: &mut Events<'_>, metadata: &mut Extracted) -> Result<(), Refusal> {
    let (mut within, mut text) = (false, String::new());
    let (mut last_author, mut last_date) = (None, None);
    let outcome = events.each(|event| match event {
        Event::Start(tag) if tag.name().as_ref() == "office:meta" => within = true,
        Event::End(tag) if tag.name().as_ref() == "office:meta" => within = false,
        _ if !within => {}
        Event::Start(_) => text.clear(),
        Event::Empty(tag) if tag.local_name().as_ref() == "document-statistic" => {
            let pages = attribute(tag, "page-count").and_then(|pages| pages.parse().ok());
            metadata.pages = metadata.pages.or(pages.filter(|pages| *pages > 0));
        }
        Event::Text(piece) => text.push_str(piece),
        Event::GeneralRef(reference) => text.extend(resolve(reference)),
        Event::End(tag) => {
            let value = Some(std::mem::take(&mut text)).filter(|value| !value.trim().is_empty());
            match tag.name().as_ref() {
                "dc:title" => metadata.title = value,
                "meta:initial-creator" => metadata.author = value,
                "dc:creator" => last_author = value,
                "meta:creation-date" => metadata.created = value.as_deref().and_then(parse_date),
                "dc:date" => last_date = value.as_deref().and_then(parse_date),
                _ => {}
            }
        }
        _ => {}
    });
    metadata.author = metadata.author.take().or(last_author);
    metadata.created = metadata.created.or(last_date);
    outcome
}
