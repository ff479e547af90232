//! XML of a hostile document: bytes in, events out, up to a bound, with nothing expanded that could grow.

use std::io::BufRead;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::damaged;
use crate::documents::extract::Refusal;
use crate::limits::UNPACKED_BYTES;

/// The events of one part, up to [`UNPACKED_BYTES`] of it.
pub(in crate::documents) struct Events<'a> {
    reader: Reader<&'a mut dyn BufRead>,
    buffer: Vec<u8>,
}

impl<'a> Events<'a> {
    pub(in crate::documents) fn new(source: &'a mut dyn BufRead) -> Events<'a> {
        let mut reader = Reader::from_reader(source);
        reader.config_mut().allow_dangling_amp = true;
        reader.config_mut().allow_unmatched_ends = true;
        reader.config_mut().check_end_names = false;
        Events { reader, buffer: Vec::new() }
    }

    /// Hands every event over. No entity is ever expanded but the five of XML and characters by number, so none can grow.
    pub(in crate::documents) fn each(&mut self, mut take: impl FnMut(&Event<'_>)) -> Result<(), Refusal> {
        loop {
            self.buffer.clear();
            match self.reader.read_event_into(&mut self.buffer) {
                Ok(Event::Eof) => return Ok(()),
                Ok(event) => take(&event),
                Err(error) => return Err(damaged(error)),
            }
            if self.reader.buffer_position() > UNPACKED_BYTES {
                return Err(Refusal::Inflates { limit: UNPACKED_BYTES });
            }
        }
    }

    /// Hands every event over but those of elements that `is_hidden`, with all that is in them.
    pub(in crate::documents) fn each_shown(
        &mut self,
        is_hidden: impl Fn(&BytesStart<'_>) -> bool,
        mut take: impl FnMut(&Event<'_>),
    ) -> Result<(), Refusal> {
        let mut depth = 0usize;
        self.each(|event| match event {
            Event::Start(tag) if depth > 0 || is_hidden(tag) => depth += 1,
            Event::End(_) if depth > 0 => depth -= 1,
            event if depth == 0 => take(event),
            _ => {}
        })
    }
}

/// An attribute by its name without prefix.
pub(in crate::documents) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found =
        tag.attributes().with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == name);
    found.and_then(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned()))
}

/// The character that a reference stands for, if it is one of XML's own or given by number.
pub(in crate::documents) fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}
