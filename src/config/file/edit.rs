//! Changes to the text of an `adit.toml` that keep everything else in it: comments, order, spelling.

use std::path::Path;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::name::CollectionName;

/// Why a text was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Not TOML, or collections in a form that cannot be edited.
    #[error("the file cannot be edited: {0}")]
    Malformed(String),
    /// No collection has that name.
    #[error("there is no collection \"{0}\"")]
    NoCollection(CollectionName),
}

/// The text with one collection more, after the others. Whether it is then valid, [`Config::parse`](super::Config::parse) says.
pub fn with_collection(text: &str, name: &CollectionName, path: &Path) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let mut table = Table::new();
    table["name"] = value(name.as_str());
    table["path"] = value(path.to_string_lossy().into_owned());
    table.decor_mut().set_prefix("\n");
    let tables = collections(&mut document)?;
    // Directly behind the last one, so that the sections after it stay where they are.
    let behind = tables.iter().filter_map(Table::position).max();
    table.set_position(behind);
    tables.push(table);
    Ok(document.to_string())
}

/// The text without a collection.
pub fn without_collection(text: &str, name: &CollectionName) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let tables = collections(&mut document)?;
    let found = tables.iter().position(|table| table.get("name").and_then(Item::as_str) == Some(name.as_str()));
    let index = found.ok_or_else(|| EditError::NoCollection(name.clone()))?;
    tables.remove(index);
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| EditError::Malformed(error.message().to_owned()))
}

fn collections(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, EditError> {
    let item = document.entry("collection").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut()
        .ok_or_else(|| EditError::Malformed("write each collection as a [[collection]] section first".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# mine\nversion = 1\n\n[[collection]] # first\nname = \"a\"\npath = \"/a\" # why\n\n\
                        # the second\n[[collection]]\nname = \"b\"\npath = \"/b\"\n\n# limits\n[limits]\nbody = 1024\n";

    fn name(text: &str) -> CollectionName {
        text.parse().unwrap()
    }

    #[test]
    fn a_collection_is_added_behind_the_others() {
        let text = with_collection(TEXT, &name("c"), Path::new("/c")).unwrap();
        let added = "path = \"/b\"\n\n[[collection]]\nname = \"c\"\npath = \"/c\"\n\n# limits\n";
        assert!(text.contains(added), "{text}");
        assert_eq!(text.replace("\n[[collection]]\nname = \"c\"\npath = \"/c\"\n", ""), TEXT);
    }

    #[test]
    fn a_first_collection_is_added_at_the_end() {
        let text = with_collection("version = 1\n[page]\nenabled = true\n", &name("c"), Path::new("/c \"d\"")).unwrap();
        assert!(text.starts_with("version = 1\n[page]\nenabled = true\n"), "{text}");
        assert!(text.ends_with("\n[[collection]]\nname = \"c\"\npath = '/c \"d\"'\n"), "{text}");
    }

    #[test]
    fn a_collection_is_removed_with_its_own_comments_alone() {
        let text = without_collection(TEXT, &name("b")).unwrap();
        let expected = TEXT.replace("\n# the second\n[[collection]]\nname = \"b\"\npath = \"/b\"\n", "");
        assert_eq!(text, expected);
        assert_eq!(without_collection(TEXT, &name("x")), Err(EditError::NoCollection(name("x"))));
    }

    #[test]
    fn what_cannot_be_edited_is_left_alone() {
        for text in ["version =", "collection = []"] {
            let error = with_collection(text, &name("c"), Path::new("/c"));
            assert!(matches!(error, Err(EditError::Malformed(_))), "{text:?}: {error:?}");
        }
    }
}
