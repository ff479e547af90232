//! Before anything is asked: the documents of the latest date, where the caller may look around.

use serde_json::Value;

use super::super::answer::Question;
use super::super::refusal::Refusal;
use super::super::{Appliance, tools};
use super::Main;
use super::html::{Html, query};
use super::results::{day, text};
use crate::access::Action;
use crate::mcp::Arguments;

pub(super) async fn content(appliance: &Appliance, question: &mut Question) -> Result<Main, Refusal> {
    let mut html = Html::default();
    html.raw("<h1 class=\"unseen\">Your library</h1>");
    if question.scope.allows(Action::Browse) {
        let recent = tools::recent(appliance, question, Arguments::new()).await?;
        list(&mut html, question.scope.allows(Action::Read), &recent);
    } else {
        html.raw("<p class=\"note\" id=\"status\" role=\"status\">Type what you are looking for.</p>");
    }
    Ok(Main { title: "adit".to_owned(), html })
}

fn list(html: &mut Html, readable: bool, recent: &Value) {
    let documents = recent["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
    if documents.is_empty() {
        html.raw("<p class=\"note\" id=\"status\" role=\"status\">No documents yet. They appear here once they are indexed.</p>");
        return;
    }
    html.raw("<h2 class=\"section\">Recent documents</h2><ol class=\"hits recent\">");
    for document in documents {
        html.raw("<li><article><h3>");
        if readable {
            html.raw("<a class=\"open\" href=\"/").text(&query(&[("document", text(document, "id"))])).raw("\">");
        }
        html.text(text(document, "title")).raw(if readable { "</a>" } else { "" });
        html.raw("</h3><p class=\"place\"><span class=\"type\">").text(text(document, "type"));
        html.raw("</span> <span class=\"path\">")
            .text(text(document, "collection"))
            .raw(" / ")
            .text(text(document, "path"))
            .raw("</span>");
        day(html, text(document, "date"));
        html.raw("</p></article></li>");
    }
    html.raw("</ol>");
}
