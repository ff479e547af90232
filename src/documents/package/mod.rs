//! A document that is a package (ZIP): its bytes in, its parts out by name, none of them larger than it may be.

mod office;
mod xml;

use std::io::{BufReader, Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::compose::tidy;
use super::extract::Refusal;
use crate::limits::UNPACKED_BYTES;

pub(super) use office::{Relations, read_app, read_core};
pub(super) use xml::{Events, attribute, resolve};

/// An opened package.
#[derive(Debug)]
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Package<'a>, Refusal> {
        ZipArchive::new(Cursor::new(bytes)).map(|archive| Package { archive }).map_err(damaged)
    }

    /// Names of its parts, in the order of their names.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.archive.file_names().flatten().map(|name| name.into_owned()).collect();
        names.sort();
        names
    }

    /// Reads one part as XML, if it is there.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Events<'_>) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        let Some(mut part) = self.part(name)? else { return Ok(None) };
        let mut source = BufReader::new((&mut part as &mut dyn Read).take(UNPACKED_BYTES + 1));
        read(&mut Events::new(&mut source)).map(Some)
    }

    /// Reads a part that the document can do without: what is wrong with it loses only what stands behind.
    pub(super) fn read_if_sound(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Events<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        match self.read(name, read) {
            Ok(_) | Err(Refusal::Damaged(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// The bytes of one part, if it is there: as many as `limit`, else it is refused.
    pub(super) fn bytes(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(part) = self.part(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        // What ends early or fails its checksum still has what stands before.
        let _ = part.take(limit + 1).read_to_end(&mut bytes);
        match bytes.len() as u64 > limit {
            true => Err(Refusal::Inflates { limit }),
            false => Ok(Some(bytes)),
        }
    }

    /// How many bytes a part says it unpacks to; 0 where it is not there.
    pub(super) fn size(&mut self, name: &str) -> u64 {
        self.archive.by_name_raw(name.as_bytes()).map_or(0, |part| part.size())
    }

    fn part(&mut self, name: &str) -> Result<Option<impl Read + use<'_, 'a>>, Refusal> {
        match self.archive.by_name(name) {
            Ok(part) => Ok(Some(part)),
            Err(ZipError::FileNotFound) => Ok(None),
            Err(ZipError::UnsupportedArchive(reason)) if reason.contains("assword") => Err(Refusal::Encrypted),
            Err(error) => Err(damaged(error)),
        }
    }
}

/// A refusal that says in one line what is wrong.
pub(super) fn damaged(error: impl std::fmt::Display) -> Refusal {
    Refusal::Damaged(tidy(&error.to_string()).unwrap_or_default())
}

/// The part that `target` names, as seen from the part `from`: relative to its folder, or from the root. `..` leads no further up.
pub(super) fn join(from: &str, target: &str) -> String {
    let mut names: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => from.rsplit_once('/').map_or("", |(folder, _)| folder).split('/').collect(),
    };
    for name in target.split('/') {
        match name {
            ".." => drop(names.pop()),
            "." | "" => {}
            name => names.push(name),
        }
    }
    names.retain(|name| !name.is_empty());
    names.join("/")
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// A package of these parts.
    pub(crate) fn package(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn parts_are_found_from_where_they_are_named() {
        for (from, target, expected) in [
            ("ppt/presentation.xml", "slides/slide1.xml", "ppt/slides/slide1.xml"),
            ("ppt/slides/slide1.xml", "../notesSlides/n.xml", "ppt/notesSlides/n.xml"),
            ("ppt/slides/slide1.xml", "/ppt/media/a.xml", "ppt/media/a.xml"),
            ("content.opf", "./text/a.xhtml", "text/a.xhtml"),
            ("a/b.xml", "../../../../etc/passwd", "etc/passwd"),
            ("", "a.xml", "a.xml"),
        ] {
            assert_eq!(join(from, target), expected);
        }
    }

    #[test]
    fn a_part_is_read_up_to_its_bound() {
        let bytes = package(&[("a", "12345")]);
        let mut package = Package::open(&bytes).unwrap();
        assert_eq!(package.bytes("a", 5), Ok(Some(b"12345".to_vec())));
        assert_eq!(package.bytes("a", 4), Err(Refusal::Inflates { limit: 4 }));
        assert_eq!(package.bytes("b", 4), Ok(None));
    }
}
