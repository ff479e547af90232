//! Jupyter notebooks (nbformat 3 and 4): cells in, their sources and the text of their outputs out; cells are parts by number.

use serde::Deserialize;
use serde_json::Value;

use super::Extracted;
use super::compose::Composer;
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal, parse_date};
use super::markdown;
use super::package::damaged;
use crate::limits::OUTPUT_BYTES;

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let text = decode(bytes, None);
    if text.trim().is_empty() {
        return Ok(Extracted::default());
    }
    let notebook: Notebook = serde_json::from_str(&text).map_err(damaged)?;
    let cells = notebook.cells.into_iter().chain(notebook.worksheets.into_iter().flat_map(|sheet| sheet.cells));
    let mut composer = Composer::new(limits.max_text);
    let mut count = 0;
    for (number, cell) in (1..).zip(cells) {
        count = number;
        if !composer.is_full() {
            composer.page(number);
            cell.write(number, &mut composer);
        }
    }
    let metadata = composer.metadata();
    metadata.pages = Some(count);
    let text = |place: &str| notebook.metadata.pointer(place).and_then(Value::as_str).map(str::to_owned);
    metadata.title = text("/title");
    metadata.author = text("/authors/0/name");
    metadata.created = text("/date").as_deref().and_then(parse_date);
    composer.title_from_outline();
    Ok(composer.finish())
}

#[derive(Debug, Deserialize)]
struct Notebook {
    #[serde(default)]
    cells: Vec<Cell>,
    /// Where the cells stand in format 3.
    #[serde(default)]
    worksheets: Vec<Worksheet>,
    #[serde(default)]
    metadata: Value,
}

#[derive(Debug, Deserialize)]
struct Worksheet {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Debug, Deserialize)]
struct Cell {
    #[serde(default)]
    cell_type: String,
    #[serde(default)]
    level: Option<u8>,
    #[serde(default, alias = "input")]
    source: Lines,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Output {
    text: Lines,
    data: Data,
    ename: Option<String>,
    evalue: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "text/plain")]
    plain: Lines,
    #[serde(rename = "text/markdown")]
    markdown: Lines,
}

/// A text, or a list of its lines with their ends; anything else is no text.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Lines {
    Whole(String),
    Parts(Vec<String>),
    #[default]
    None,
    Other(serde::de::IgnoredAny),
}

impl Lines {
    fn text(&self) -> String {
        match self {
            Lines::Whole(text) => text.clone(),
            Lines::Parts(lines) => lines.concat(),
            Lines::None | Lines::Other(_) => String::new(),
        }
    }
}

impl Cell {
    fn write(&self, number: u32, composer: &mut Composer) {
        let source = self.source.text();
        let source = source.trim_end();
        if self.cell_type == "heading" {
            return composer.heading(self.level.unwrap_or(1), source);
        }
        composer.break_paragraph();
        let start = composer.begin();
        composer.push(source);
        if self.cell_type == "markdown" {
            for heading in markdown::headings(&composer.text()[start..]) {
                let (first, end) = (start + heading.start, start + heading.end);
                composer.mark_heading(heading.level, &heading.title, Some(number), first, end);
            }
        }
        for output in &self.outputs {
            composer.paragraph(&output.text());
        }
    }
}

impl Output {
    /// The beginning of what it says: long ones are data.
    fn text(&self) -> String {
        let error = [&self.ename, &self.evalue].map(|part| part.clone().unwrap_or_default()).join(" ");
        let all = [self.text.text(), self.data.markdown.text(), self.data.plain.text(), error];
        let mut text = all.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default();
        text.truncate(text.floor_char_boundary(OUTPUT_BYTES));
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_with_their_outputs() {
        let source = r###"{"nbformat": 4, "metadata": {"authors": [{"name": "Ada"}], "kernelspec": {"name": "python3"}}, "cells": [
            {"cell_type": "markdown", "source": ["# Bees\n", "words"]},
            {"cell_type": "code", "execution_count": 1, "source": "count = 3\ncount", "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["hive 1\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "3", "image/png": "iVBORw0KGgo="}, "metadata": {}},
                {"output_type": "display_data", "data": {"text/plain": {"odd": 1}}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no queen", "traceback": ["x"]}]},
            {"cell_type": "markdown", "source": "## Honey\n\nlate"}]}"###;
        let extracted = extract(source.as_bytes(), &ExtractLimits::default()).unwrap();
        assert_eq!(
            extracted.text,
            "# Bees\nwords\n\ncount = 3\ncount\n\nhive 1\n\n3\n\nValueError no queen\n\n## Honey\n\nlate"
        );
        assert_eq!((extracted.title.as_deref(), extracted.author.as_deref()), (Some("Bees"), Some("Ada")));
        let places: Vec<_> =
            extracted.passages.iter().map(|p| (p.place.page.unwrap(), p.place.heading.as_deref().unwrap())).collect();
        assert_eq!(places, [(1, "Bees"), (2, "Bees"), (3, "Honey")]);
        assert_eq!(extracted.outline[1].page, Some(3));
    }

    #[test]
    fn older_notebooks_and_none_at_all() {
        let old = r#"{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "heading", "level": 2, "source": "Old"},
            {"cell_type": "code", "input": ["x = 1"], "outputs": []}]}]}"#;
        let extracted = extract(old.as_bytes(), &ExtractLimits::default()).unwrap();
        assert_eq!((extracted.text.as_str(), extracted.outline[0].level), ("Old\n\nx = 1", 2));
        assert!(matches!(extract(b"{\"cells\": 3}", &ExtractLimits::default()), Err(Refusal::Damaged(_))));
        assert_eq!(extract(b" ", &ExtractLimits::default()).unwrap().text, "");
    }
}
