//! A document, opened at the hit: its text with the query's words marked, what it is, its outline, and the file itself.

use serde_json::Value;

use super::super::answer::Question;
use super::super::refusal::Refusal;
use super::super::{Appliance, tools};
use super::Main;
use super::frame::Search;
use super::html::{Html, query};
use super::marks::Marks;
use super::results::{day, part, text};
use crate::access::Action;
use crate::mcp::Arguments;

/// Bytes of text shown at a time.
const PART_BYTES: u64 = 20_000;

/// Bytes shown before a hit, so that it stands in its context.
const LEAD_BYTES: u64 = 2_000;

/// Entries of an outline that are shown.
const OUTLINE_ENTRIES: usize = 200;

pub(super) async fn content(appliance: &Appliance, question: &mut Question, search: &Search) -> Result<Main, Refusal> {
    if !question.scope.allows(Action::Read) {
        return Err(Refusal::NotAllowed);
    }
    let opened = open(appliance, question, search).await?;
    let outline = match question.scope.allows(Action::Browse) {
        true => outline(appliance, question, text(&opened.part["metadata"], "id")).await,
        false => Vec::new(),
    };
    let title = format!("{} · adit", text(&opened.part, "title"));
    Ok(Main { title, html: render(search, &opened, &outline) })
}

/// A part of a document, and the bytes of its text that are the hit.
struct Opened {
    part: Value,
    hit: Option<(u64, u64)>,
}

/// The part at the given offset; or else the part around the passage, where the id is one's; or else the beginning.
async fn open(appliance: &Appliance, question: &mut Question, search: &Search) -> Result<Opened, Refusal> {
    if !search.offset.is_empty() {
        let offset = search.offset.parse().map_err(|_| Refusal::Argument("offset: takes a whole number".to_owned()))?;
        return Ok(Opened { part: fetch(appliance, question, &search.document, offset).await?, hit: None });
    }
    let found = fetch(appliance, question, &search.document, 0).await?;
    let document = text(&found["metadata"], "id").to_owned();
    if document == search.document || document.is_empty() {
        return Ok(Opened { part: found, hit: None });
    }
    let first = found["start"].as_u64().unwrap_or(0);
    let hit = (first, first + found["total_bytes"].as_u64().unwrap_or(0));
    let part = fetch(appliance, question, &document, first.saturating_sub(LEAD_BYTES)).await?;
    Ok(Opened { part, hit: Some(hit) })
}

async fn fetch(appliance: &Appliance, question: &mut Question, id: &str, offset: u64) -> Result<Value, Refusal> {
    let mut arguments = Arguments::new();
    arguments.insert("id".to_owned(), Value::from(id));
    arguments.insert("offset".to_owned(), Value::from(offset));
    arguments.insert("limit".to_owned(), Value::from(PART_BYTES));
    tools::ask(appliance, question, "fetch", arguments).await
}

/// A document without an outline is shown without one.
async fn outline(appliance: &Appliance, question: &mut Question, id: &str) -> Vec<Value> {
    let mut arguments = Arguments::new();
    arguments.insert("id".to_owned(), Value::from(id));
    match tools::ask(appliance, question, "get_document_info", arguments).await {
        Ok(mut info) => match info["outline"].take() {
            Value::Array(outline) => outline,
            _ => Vec::new(),
        },
        Err(_) => Vec::new(),
    }
}

fn render(search: &Search, opened: &Opened, outline: &[Value]) -> Html {
    let part = &opened.part;
    let document = &part["metadata"];
    let id = text(document, "id");
    let mut html = Html::default();
    html.raw("<article class=\"reader\">");
    if !search.q.is_empty() {
        html.raw("<p class=\"back\"><a id=\"back\" href=\"/")
            .text(&query(&search.parameters()))
            .raw("\">Back to the results</a></p>");
    }
    html.raw("<h1>").text(text(part, "title")).raw("</h1>");
    facts(&mut html, document);
    html.raw("<p class=\"actions\"><a class=\"button\" download href=\"/api/documents/").text(&encoded(id));
    html.raw("/original\">Download the original</a></p>");
    contents(&mut html, search, id, outline);
    let offset = part["offset"].as_u64().unwrap_or(0);
    if offset > 0 {
        let before = offset.saturating_sub(PART_BYTES - LEAD_BYTES).to_string();
        let link = query(&[("document", id), ("offset", before.as_str()), ("q", &search.q)]);
        html.raw("<p class=\"more\"><a rel=\"prev\" class=\"button\" href=\"/")
            .text(&link)
            .raw("\">Earlier in this document</a></p>");
    }
    html.raw("<div class=\"text\" dir=\"auto\">");
    let show = if self::part(document) == "sheet" { rows } else { marked };
    body(&mut html, &Marks::of(&search.q), text(part, "text"), offset, opened.hit, show);
    html.raw("</div>");
    if let Some(next) = part["next_offset"].as_u64() {
        let link = query(&[("document", id), ("offset", next.to_string().as_str()), ("q", &search.q)]);
        html.raw("<p class=\"more\"><a rel=\"next\" class=\"button\" href=\"/")
            .text(&link)
            .raw("\">Continue reading</a></p>");
    }
    html.raw("</article>");
    html
}

fn facts(html: &mut Html, document: &Value) {
    html.raw("<p class=\"place\"><span class=\"type\">")
        .text(text(document, "type"))
        .raw("</span> <span class=\"path\">");
    html.text(text(document, "collection")).raw(" / ").text(text(document, "path")).raw("</span>");
    if let Some(pages) = document["pages"].as_u64() {
        html.raw(" <span class=\"where\">").number(pages).raw(" ").text(part(document));
        html.raw(if pages == 1 { "</span>" } else { "s</span>" });
    }
    if let Some(author) = document["author"].as_str() {
        html.raw(" <span class=\"where\">").text(author).raw("</span>");
    }
    let (size, unit) = rounded(document["size"].as_u64().unwrap_or(0));
    html.raw(" <span class=\"where\">").number(size).raw(unit).raw("</span>");
    day(html, text(document, "date"));
    html.raw("</p>");
}

/// A size in bytes as a number and its unit, rounded up: a page has room for four digits.
fn rounded(bytes: u64) -> (u64, &'static str) {
    match bytes.div_ceil(1 << 10) {
        kib @ ..10_000 => (kib, " KiB"),
        kib => (kib.div_ceil(1 << 10), " MiB"),
    }
}

fn contents(html: &mut Html, search: &Search, id: &str, outline: &[Value]) {
    if outline.len() < 2 {
        return;
    }
    html.raw("<details class=\"outline\"><summary>Contents</summary><ul>");
    for entry in outline.iter().take(OUTLINE_ENTRIES) {
        let offset = entry["offset"].as_u64().unwrap_or(0).to_string();
        let link = query(&[("document", id), ("offset", offset.as_str()), ("q", &search.q)]);
        let level = entry["level"].as_u64().unwrap_or(1).clamp(1, 4);
        html.raw("<li class=\"level").number(level).raw("\"><a href=\"/").text(&link).raw("\">");
        html.text(text(entry, "title")).raw("</a></li>");
    }
    html.raw("</ul></details>");
}

/// Writes a piece of text with its words marked.
type Show = fn(&mut Html, &Marks, &str);

/// The text, with the hit set off and the words marked.
fn body(html: &mut Html, marks: &Marks, text: &str, offset: u64, hit: Option<(u64, u64)>, show: Show) {
    let cut = |at: u64| {
        let mut at = usize::try_from(at.saturating_sub(offset)).unwrap_or(text.len()).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let Some((first, last)) = hit.map(|(first, last)| (cut(first), cut(last))).filter(|(first, last)| first < last)
    else {
        return show(html, marks, text);
    };
    // What leads up to the hit begins with a whole line.
    let lead = match text[..first].find('\n') {
        Some(end) if offset > 0 => end + 1,
        _ => 0,
    };
    show(html, marks, &text[lead..first]);
    html.raw("<section id=\"hit\" tabindex=\"-1\" aria-label=\"The passage that was found\">");
    show(html, marks, &text[first..last]);
    html.raw("</section>");
    show(html, marks, &text[last..]);
}

fn marked(html: &mut Html, marks: &Marks, text: &str) {
    for (piece, hit) in marks.split(text) {
        match hit {
            true => html.raw("<mark>").text(piece).raw("</mark>"),
            false => html.text(piece),
        };
    }
}

/// The rows of a sheet as a table, its other lines as paragraphs; rows that hold nothing are left out.
fn rows(html: &mut Html, marks: &Marks, text: &str) {
    let mut in_table = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let is_row = line.contains('|');
        if is_row != in_table {
            html.raw(if is_row { "<table>" } else { "</table>" });
            in_table = is_row;
        }
        let (cells, begin, end) = match is_row {
            true => (line.split('|').collect(), "<td>", "</td>"),
            false => (vec![line], "<p>", "</p>"),
        };
        html.raw(if is_row { "<tr>" } else { "" });
        for cell in cells {
            html.raw(begin);
            marked(html, marks, cell.trim());
            html.raw(end);
        }
        html.raw(if is_row { "</tr>" } else { "" });
    }
    html.raw(if in_table { "</table>" } else { "" });
}

/// An id as a segment of a path.
fn encoded(id: &str) -> String {
    query(&[("", id)]).split_off(if id.is_empty() { 0 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_a_table_without_empty_rows_and_other_text_is_as_it_was() {
        let text = "Costs\nMonth | Sum\nMay | <9>\n\n\n\nTotal |  | 9\nsigned\n";
        let shown = |show: Show| {
            let mut html = Html::default();
            body(&mut html, &Marks::of("may"), text, 0, None, show);
            html.into_string()
        };
        assert_eq!(
            shown(rows),
            "<p>Costs</p><table><tr><td>Month</td><td>Sum</td></tr><tr><td><mark>May</mark></td><td>&lt;9&gt;</td></tr>\
             <tr><td>Total</td><td></td><td>9</td></tr></table><p>signed</p>"
        );
        assert_eq!(shown(marked), "Costs\nMonth | Sum\n<mark>May</mark> | &lt;9&gt;\n\n\n\nTotal |  | 9\nsigned\n");
    }
}
