//! Names of documents and passages that tell nothing: the same as long as collection and path are, opaque, safe in URLs.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blake2::digest::consts::U12;
use blake2::{Blake2s, Digest};

use crate::name::CollectionName;

/// A document's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct DocumentId([u8; 12]);

/// What a caller may ask for by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The document.
    pub(super) document: DocumentId,
    /// One passage of it.
    pub(super) passage: Option<u32>,
}

impl DocumentId {
    /// The id of the document at this path.
    pub(super) fn of(collection: &CollectionName, path: &str) -> DocumentId {
        let hash = Blake2s::<U12>::new().chain_update(collection.as_str()).chain_update([0]).chain_update(path);
        DocumentId(hash.finalize().into())
    }

    /// The id of one of its passages, as text.
    pub(super) fn passage(self, number: u32) -> String {
        format!("{self}.{number}")
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for Wanted {
    type Err = ();

    fn from_str(text: &str) -> Result<Wanted, ()> {
        let (document, passage) = match text.split_once('.') {
            Some((document, number)) => (document, Some(number.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let bytes = URL_SAFE_NO_PAD.decode(document).map_err(|_| ())?;
        Ok(Wanted { document: DocumentId(bytes.try_into().map_err(|_| ())?), passage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_as_they_are_written() {
        let id = DocumentId::of(&"notes".parse().unwrap(), "a/b.md");
        assert_eq!(id.to_string().len(), 16);
        assert_eq!(id.to_string().parse(), Ok(Wanted { document: id, passage: None }));
        assert_eq!(id.passage(7).parse(), Ok(Wanted { document: id, passage: Some(7) }));
        assert_ne!(id, DocumentId::of(&"note".parse().unwrap(), "sa/b.md"));
        for bad in ["", ".", "abc", "AAAAAAAAAAAAAAAA.x", "AAAAAAAAAAAAAAAA.-1", "é", "AAAAAAAAAAAAAAAA."] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }
}
