//! Paragraph styles of a Word document in, what they say of a paragraph's rank out.

use std::collections::HashMap;

use quick_xml::events::Event;

use crate::documents::extract::Refusal;
use crate::documents::package::{Events, attribute};
use crate::limits::STYLES;

/// What a paragraph style says of a paragraph's rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Title,
    Heading(u8),
    Text,
}

/// Ranks by style id.
pub(super) type Styles = HashMap<String, Rank>;

pub(super) fn read_styles(events: &mut Events<'_>) -> Result<Styles, Refusal> {
    let mut own: HashMap<String, (Option<Rank>, Option<String>)> = HashMap::new();
    let mut id = String::new();
    events.each(|event| {
        let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
        let value = || attribute(tag, "val");
        match tag.local_name().as_ref() {
            "style" if own.len() < STYLES => {
                id = attribute(tag, "styleId").unwrap_or_default();
                own.insert(id.clone(), (None, None));
            }
            "name" => {
                if let (Some(style), Some(name)) = (own.get_mut(&id), value()) {
                    style.0 = style.0.or(rank_of_name(&name));
                }
            }
            "basedOn" => {
                if let Some(style) = own.get_mut(&id) {
                    style.1 = value();
                }
            }
            "outlineLvl" => {
                if let (Some(style), Some(level)) = (own.get_mut(&id), value().as_deref().and_then(rank_of_level)) {
                    style.0 = Some(style.0.filter(|rank| *rank == Rank::Title).unwrap_or(level));
                }
            }
            _ => {}
        }
    })?;
    Ok(own.keys().map(|id| (id.clone(), inherited(&own, id))).collect())
}

fn inherited(own: &HashMap<String, (Option<Rank>, Option<String>)>, id: &str) -> Rank {
    const LONGEST_CHAIN: usize = 10;
    let mut id = id;
    for _ in 0..LONGEST_CHAIN {
        match own.get(id) {
            Some((Some(rank), _)) => return *rank,
            Some((None, Some(base))) => id = base,
            _ => break,
        }
    }
    Rank::Text
}

fn rank_of_name(name: &str) -> Option<Rank> {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("heading ") {
        Some(level) => level.trim().parse().ok().filter(|level| (1..=9).contains(level)).map(Rank::Heading),
        None if name == "title" => Some(Rank::Title),
        None => None,
    }
}

/// `outlineLvl` counts from 0; 9 is body text.
pub(super) fn rank_of_level(value: &str) -> Option<Rank> {
    match value.parse::<u8>() {
        Ok(level @ 0..=8) => Some(Rank::Heading(level + 1)),
        Ok(_) => Some(Rank::Text),
        Err(_) => None,
    }
}
