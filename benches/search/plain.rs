//! tantivy as its examples use it: one stemmed field, stored, its own snippets, passages of the same size.

use std::path::Path;

use anyhow::Result;
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions};
use tantivy::snippet::SnippetGenerator;
use tantivy::{Index, TantivyDocument, Term, doc};

use super::cost::Asked;
use super::{QUESTIONS, files_of, texts};

/// Characters of a snippet: a tenth of what ours may take together.
const SNIPPET_CHARS: usize = 400;

fn schema() -> (Schema, Field, Field) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default().set_tokenizer("en_stem");
    let options = TextOptions::default()
        .set_indexing_options(indexing.set_index_option(IndexRecordOption::WithFreqsAndPositions))
        .set_stored();
    let path = schema.add_text_field("path", STRING | STORED);
    let text = schema.add_text_field("text", options);
    (schema.build(), path, text)
}

/// Indexes a folder.
pub fn index(files: &Path, index: &Path) -> Result<()> {
    let (schema, path, text) = schema();
    let index = Index::create_in_dir(index, schema)?;
    let mut writer = index.writer_with_num_threads(2, 100 << 20)?;
    for file in files_of(files)? {
        let content = std::fs::read_to_string(&file)?;
        let name = file.to_string_lossy().into_owned();
        for (at, passage) in content.split("\n## ").enumerate() {
            writer.add_document(doc!(path => format!("{name}#{at}"), text => passage))?;
        }
    }
    writer.commit()?;
    Ok(())
}

/// Asks for any of the words.
pub fn ask(index: &Path) -> Result<Asked> {
    let (_, _, text) = schema();
    let index = Index::open_in_dir(index)?;
    let searcher = index.reader()?.searcher();
    let mut analyzer = index.tokenizer_for_field(text)?;
    let mut asked = Asked::new();
    asked.measure("words", &texts::questions(QUESTIONS), |words| {
        let mut parts: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        analyzer.token_stream(&words.join(" ")).process(&mut |token| {
            let term = TermQuery::new(Term::from_field_text(text, &token.text), IndexRecordOption::WithFreqs);
            parts.push((Occur::Should, Box::new(term)));
        });
        let query = BooleanQuery::new(parts);
        let mut snippets = SnippetGenerator::create(&searcher, &query, text)?;
        snippets.set_max_num_chars(SNIPPET_CHARS);
        for (_, address) in searcher.search(&query, &TopDocs::with_limit(10).order_by_score())? {
            let document: TantivyDocument = searcher.doc(address)?;
            std::hint::black_box(snippets.snippet_from_doc(&document).to_html());
        }
        Ok(())
    })?;
    Ok(asked)
}
