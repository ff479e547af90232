//! What all Office Open XML packages share (ECMA-376 part 2): relationships between parts, and the properties of the document.

use quick_xml::events::Event;

use super::{Events, Package, attribute, join, resolve};
use crate::documents::Extracted;
use crate::documents::extract::{Refusal, parse_date};
use crate::limits::RELATIONS;

/// What one part refers to.
#[derive(Debug, Default)]
pub(in crate::documents) struct Relations(Vec<Relation>);

#[derive(Debug)]
struct Relation {
    id: String,
    /// The last part of the type's address: both dialects of the standard agree in it.
    kind: String,
    target: String,
}

impl Relations {
    /// Those of a part; of the package itself, where the part's name is empty.
    pub(in crate::documents) fn of(package: &mut Package<'_>, part: &str) -> Result<Relations, Refusal> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let file = join(&format!("{folder}/"), &format!("_rels/{name}.rels"));
        let mut relations = Vec::new();
        package.read_if_sound(&file, |events| {
            events.each(|event| {
                let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
                let is_outside = attribute(tag, "TargetMode").is_some_and(|mode| mode == "External");
                if is_outside || relations.len() >= RELATIONS {
                    return;
                }
                if let (Some(kind), Some(target)) = (attribute(tag, "Type"), attribute(tag, "Target")) {
                    let id = attribute(tag, "Id").unwrap_or_default();
                    let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                    relations.push(Relation { id, kind, target: join(part, &target) });
                }
            })
        })?;
        Ok(Relations(relations))
    }

    /// The part with this id.
    pub(in crate::documents) fn target(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|relation| relation.id == id).map(|relation| relation.target.as_str())
    }

    /// The parts of a kind, in order.
    pub(in crate::documents) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |relation| relation.kind == kind).map(|relation| relation.target.as_str())
    }
}

/// Title, author and date out of the core properties.
pub(in crate::documents) fn read_core(package: &mut Package<'_>, metadata: &mut Extracted) -> Result<(), Refusal> {
    package.read_if_sound("docProps/core.xml", |events| {
        each_value(events, |name, value| match name {
            "title" => metadata.title = Some(value),
            "creator" => metadata.author = Some(value),
            "created" => metadata.created = parse_date(&value),
            _ => {}
        })
    })
}

/// The number that the program which wrote the document noted under this name: `Pages`, `Slides`.
pub(in crate::documents) fn read_app(package: &mut Package<'_>, wanted: &str) -> Result<Option<u32>, Refusal> {
    let mut number = None;
    package.read_if_sound("docProps/app.xml", |events| {
        each_value(events, |name, value| {
            if name == wanted {
                number = value.trim().parse().ok().filter(|number| *number > 0);
            }
        })
    })?;
    Ok(number)
}

/// Elements that hold text, with their names.
fn each_value(events: &mut Events<'_>, mut take: impl FnMut(&str, String)) -> Result<(), Refusal> {
    let mut text = String::new();
    events.each(|event| match event {
        Event::Start(_) => text.clear(),
        Event::Text(piece) => text.push_str(piece),
        Event::CData(piece) => text.push_str(piece),
        Event::GeneralRef(reference) => text.extend(resolve(reference)),
        Event::End(tag) => {
            let value = std::mem::take(&mut text);
            if !value.trim().is_empty() {
                take(tag.local_name().as_ref(), value);
            }
        }
        _ => {}
    })
}
