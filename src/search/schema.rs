//! The shape of an index: a tantivy document per passage, and one per file that says what is known of it (its record).

use tantivy::schema::{
    BytesOptions, FAST, Field, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing, TextOptions,
};

use super::text;

/// Rises with every change of what is written into an index, or of how words are made of it; an index of another version is built
/// again from the documents.
pub(super) const FORMAT_VERSION: u32 = 6;

/// Passage number of a record.
pub(super) const RECORD: u64 = u32::MAX as u64;

/// Fields that are searched, and whose lengths count for the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Searched {
    /// Title, headings and text, every word folded: quotes, beginnings of words, typos; and words that are stems already.
    Word,
    /// Title and heading alone, stemmed.
    Title,
    /// Words of the path, folded, on the first passage of a document.
    Name,
    /// Pairs of characters of scripts without spaces, in title, headings and text.
    Cjk,
    /// The stems of the words of [`Searched::Word`], at the same places, where they are others than the words: two words in three
    /// are their own stems, and stand in the index once.
    Stem,
}

impl Searched {
    /// The fields whose words are counted; the others' lengths follow from these.
    pub(super) const COUNTED: usize = 4;
}

/// The fields of an index.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// The file's slot: its number in the catalogue.
    pub(super) slot: Field,
    /// The passage's number in the file, counted from 0; [`RECORD`] for the record.
    pub(super) passage: Field,
    /// First byte of the passage in the file's text.
    pub(super) start: Field,
    /// The passage's page; 0 where there is none.
    pub(super) page: Field,
    /// The record, as the catalogue keeps it.
    pub(super) record: Field,
    /// Of a passage its place, of a record the rest of what is known of the file; as JSON.
    pub(super) detail: Field,
    /// The passage's text.
    pub(super) body: Field,
    searched: [Field; 5],
}

impl Fields {
    /// A searched field.
    pub(super) fn searched(&self, which: Searched) -> Field {
        self.searched[which as usize]
    }

    /// Which searched field this is.
    pub(super) fn which(&self, field: Field) -> Option<Searched> {
        use Searched::*;
        [Word, Title, Name, Cjk, Stem].into_iter().find(|&which| self.searched(which) == field)
    }
}

/// Names of the columns that are read by name.
pub(super) mod column {
    pub(in crate::search) const SLOT: &str = "slot";
    pub(in crate::search) const PASSAGE: &str = "passage";
    pub(in crate::search) const START: &str = "start";
    pub(in crate::search) const PAGE: &str = "page";
    pub(in crate::search) const RECORD: &str = "record";
}

/// The schema of every index, and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexed = |tokenizer, record| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record).set_fieldnorms(true),
        )
    };
    let positions = IndexRecordOption::WithFreqsAndPositions;
    let number = NumericOptions::default() | FAST;
    let fields = Fields {
        slot: schema.add_u64_field(column::SLOT, number.clone().set_indexed()),
        passage: schema.add_u64_field(column::PASSAGE, number.clone()),
        start: schema.add_u64_field(column::START, number.clone()),
        page: schema.add_u64_field(column::PAGE, number),
        record: schema.add_bytes_field(column::RECORD, BytesOptions::default().set_fast()),
        detail: schema.add_bytes_field("detail", STORED),
        body: schema.add_text_field("body", TextOptions::default() | STORED),
        searched: [
            schema.add_text_field("word", indexed(text::FOLDED, positions)),
            schema.add_text_field("title", indexed(text::STEMMED, positions)),
            schema.add_text_field("name", indexed(text::FOLDED, positions)),
            schema.add_text_field("cjk", indexed(text::CJK, positions)),
            schema.add_text_field("stem", indexed(text::STEMS, positions)),
        ],
    };
    (schema.build(), fields)
}
