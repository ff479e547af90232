//! What was found: hits with their place and their words, and where to go on.

use serde::Deserialize;
use serde_json::Value;

use super::super::answer::Question;
use super::super::refusal::Refusal;
use super::super::{Appliance, tools};
use super::Main;
use super::frame::Search;
use super::html::{Html, query};
use crate::documents::Format;
use crate::mcp::Arguments;
use crate::mcp::tools::NOTHING_FOUND;

pub(super) async fn content(appliance: &Appliance, question: &mut Question, search: &Search) -> Result<Main, Refusal> {
    let mut arguments = Arguments::new();
    let given = [
        ("query", &search.q),
        ("collection", &search.collection),
        ("type", &search.kind),
        ("modified_after", &search.after),
        ("modified_before", &search.before),
        ("match", &search.matching),
        ("cursor", &search.cursor),
    ];
    for (name, value) in given.into_iter().filter(|(_, value)| !value.is_empty()) {
        arguments.insert(name.to_owned(), Value::from(value.as_str()));
    }
    let answer = tools::ask(appliance, question, "search", arguments).await?;
    Ok(Main { title: format!("{} · adit", search.q), html: render(search, &answer) })
}

fn render(search: &Search, answer: &Value) -> Html {
    let mut html = Html::default();
    html.raw("<h1 class=\"unseen\">Results</h1><p id=\"status\" role=\"status\">");
    count(&mut html, answer);
    html.raw("</p>");
    for unused in texts(answer, "unused") {
        html.raw("<p class=\"note\">Not used: ").text(unused).raw("</p>");
    }
    let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    if results.is_empty() {
        advice(&mut html, search, text(answer, "suggestion"));
        return html;
    }
    html.raw("<ol class=\"hits\">");
    for result in results {
        hit(&mut html, search, result);
    }
    html.raw("</ol>");
    if let Some(cursor) = answer["next_cursor"].as_str() {
        let mut parameters = search.parameters().to_vec();
        parameters.push(("cursor", cursor));
        html.raw("<p class=\"more\"><a rel=\"next\" class=\"button\" href=\"/")
            .text(&query(&parameters))
            .raw("\">More results</a></p>");
    }
    html
}

/// What to try where nothing was found: the words that were meant, or what people can do (the tool's words are for agents).
fn advice(html: &mut Html, search: &Search, suggestion: &str) {
    html.raw("<p class=\"note\">");
    if suggestion.is_empty() || suggestion == NOTHING_FOUND {
        html.raw("Try fewer or other words, or no filters.</p>");
        return;
    }
    let mut parameters = search.parameters();
    parameters[0].1 = suggestion;
    html.raw("Did you mean <a href=\"/").text(&query(&parameters)).raw("\">").text(suggestion).raw("</a>?</p>");
}

fn count(html: &mut Html, answer: &Value) {
    let total = answer["total"].as_u64().unwrap_or(0);
    match total {
        0 => html.raw("Nothing found"),
        1 => html.raw("One document"),
        total => {
            let more = answer["total_is_exact"] == false;
            html.raw(if more { "More than " } else { "" }).number(total).raw(" documents")
        }
    };
    let age = answer["index_age_seconds"].as_u64().unwrap_or(0);
    if age > 120 {
        html.raw(" · index checked ").number(age / 60).raw(" minutes ago");
    }
    if let Some(note) = answer["indexing"]["note"].as_str() {
        html.raw(" · ").text(note);
    }
}

fn hit(html: &mut Html, search: &Search, result: &Value) {
    let link = query(&[("document", text(result, "id")), ("q", &search.q)]);
    html.raw("<li><article><h2><a class=\"open\" href=\"/").text(&link).raw("#hit\">");
    html.text(text(result, "title"))
        .raw("</a></h2><p class=\"place\"><span class=\"type\">")
        .text(text(result, "type"));
    html.raw("</span> <span class=\"path\">").text(text(result, "collection")).raw(" / ").text(text(result, "path"));
    html.raw("</span>");
    if let Some(page) = result["page"].as_u64() {
        html.raw(" <span class=\"where\">").text(part(result)).raw(" ").number(page).raw("</span>");
    }
    match (result["heading"].as_str(), result["line"].as_u64()) {
        (Some(heading), _) => html.raw(" <span class=\"where\">").text(heading).raw("</span>"),
        (None, Some(line)) => html.raw(" <span class=\"where\">line ").number(line).raw("</span>"),
        (None, None) => html,
    };
    day(html, text(result, "date"));
    if result["fuzzy"] == true {
        html.raw(" <span class=\"fuzzy\">similar word</span>");
    }
    html.raw("</p><p class=\"snippet\">");
    snippet(html, text(result, "snippet"), &result["highlights"]);
    html.raw("</p>");
    copies(html, result);
    html.raw("</article></li>");
}

/// The other places of the same text.
fn copies(html: &mut Html, result: &Value) {
    let Some(copies) = result["copies"].as_array() else { return };
    html.raw("<p class=\"place copies\">also in ");
    for (at, copy) in copies.iter().filter_map(Value::as_str).enumerate() {
        html.raw(if at > 0 { ", " } else { "" }).raw("<span class=\"path\">").text(copy).raw("</span>");
    }
    if let Some(more) = result["more_copies"].as_u64() {
        html.raw(" and in ").number(more).raw(" more");
    }
    html.raw("</p>");
}

/// What the numbered parts of a document of this type are called.
pub(super) fn part(document: &Value) -> &'static str {
    Format::deserialize(&document["type"]).map_or("page", Format::part)
}

/// The snippet with its hits marked. Ranges that don't fit are left out.
fn snippet(html: &mut Html, snippet: &str, highlights: &Value) {
    let mut plain = 0;
    for range in highlights.as_array().map(Vec::as_slice).unwrap_or_default() {
        let end = |number: usize| range.get(number).and_then(Value::as_u64).and_then(|end| usize::try_from(end).ok());
        let (Some(first), Some(last)) = (end(0), end(1)) else { continue };
        let (Some(before), Some(hit)) = (snippet.get(plain..first), snippet.get(first..last)) else { continue };
        html.text(before).raw("<mark>").text(hit).raw("</mark>");
        plain = last;
    }
    html.text(snippet.get(plain..).unwrap_or_default());
}

/// The day of a time in RFC 3339.
pub(super) fn day(html: &mut Html, time: &str) {
    let day = time.get(..10).unwrap_or_default();
    html.raw(" <time datetime=\"").text(time).raw("\">").text(day).raw("</time>");
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn texts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    value[name].as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_meant_is_a_link_that_keeps_the_filters() {
        let search = Search { q: "strianer".to_owned(), kind: "pdf".to_owned(), ..Search::default() };
        let cases = [
            ("a <b>", "Did you mean <a href=\"/?q=a%20%3Cb%3E&amp;type=pdf\">a &lt;b&gt;</a>?"),
            (NOTHING_FOUND, "Try fewer or other words, or no filters."),
            ("", "Try fewer or other words, or no filters."),
        ];
        for (suggestion, expected) in cases {
            let mut html = Html::default();
            advice(&mut html, &search, suggestion);
            assert_eq!(html.into_string(), format!("<p class=\"note\">{expected}</p>"));
        }
    }

    #[test]
    fn the_count_says_where_it_is_not_of_all_documents() {
        let note = "still indexing: 50 of 51 files read; the answer may be incomplete";
        let cases = [
            (json!({"total": 0}), "Nothing found".to_owned()),
            (json!({"total": 1, "indexing": {"note": note}}), format!("One document · {note}")),
        ];
        for (answer, expected) in cases {
            let mut html = Html::default();
            count(&mut html, &answer);
            assert_eq!(html.into_string(), expected);
        }
    }

    #[test]
    fn hits_in_a_snippet_are_marked_and_nothing_else_is_markup() {
        let cases = [
            ("a <b> c", json!([[2, 5]]), "a <mark>&lt;b&gt;</mark> c"),
            ("äb", json!([[0, 2], [2, 3]]), "<mark>ä</mark><mark>b</mark>"),
            ("äb", json!([[1, 2], [9, 12], [3, 2], "x", [0]]), "äb"),
        ];
        for (text, highlights, expected) in cases {
            let mut html = Html::default();
            snippet(&mut html, text, &highlights);
            assert_eq!(html.into_string(), expected);
        }
    }
}
