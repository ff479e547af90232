//! What stands around every page: its head, the search form with its filters, its foot.

use super::super::refusal::Refusal;
use super::Main;
use super::assets::{ICON, SCRIPT, STYLE};
use super::html::Html;

/// What the address bar asks for. Everything as it came; unknown parameters are left alone, as people's bookmarks have them.
#[derive(Debug, Default, Clone)]
pub(super) struct Search {
    pub(super) q: String,
    pub(super) collection: String,
    pub(super) kind: String,
    pub(super) after: String,
    pub(super) before: String,
    pub(super) matching: String,
    pub(super) cursor: String,
    pub(super) document: String,
    pub(super) offset: String,
}

impl Search {
    pub(super) fn read(parameters: Vec<(String, String)>) -> Search {
        let mut search = Search::default();
        for (name, value) in parameters {
            match name.as_str() {
                "q" => search.q = value,
                "collection" => search.collection = value,
                "type" => search.kind = value,
                "after" => search.after = value,
                "before" => search.before = value,
                "match" => search.matching = value,
                "cursor" => search.cursor = value,
                "document" => search.document = value,
                "offset" => search.offset = value,
                _ => {}
            }
        }
        search
    }

    /// The parameters of the search itself, without where one stands in it.
    pub(super) fn parameters(&self) -> [(&'static str, &str); 6] {
        [
            ("q", &self.q),
            ("collection", &self.collection),
            ("type", &self.kind),
            ("after", &self.after),
            ("before", &self.before),
            ("match", &self.matching),
        ]
    }

    fn is_filtered(&self) -> bool {
        self.parameters()[1..].iter().any(|(_, value)| !value.is_empty())
    }
}

/// A whole page.
pub(super) fn page(search: &Search, collections: &[String], main: Main) -> Html {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>").text(&main.title);
    html.raw("</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"").text(STYLE.path());
    html.raw("\"><link rel=\"icon\" type=\"image/svg+xml\" href=\"").text(ICON.path());
    html.raw("\"><script defer src=\"").text(SCRIPT.path()).raw("\"></script></head>\n<body>");
    html.raw("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\"><div class=\"wide\">");
    html.raw("<a class=\"brand\" href=\"/\">adit</a>");
    form(&mut html, search, collections);
    html.raw("</div></header>\n<main id=\"main\" class=\"wide\" tabindex=\"-1\">");
    html.html(main.html);
    html.raw("</main>\n<footer class=\"wide\"><p>Only your devices reach this page: through the tunnel, and by no other way.</p>");
    html.raw("<p class=\"keys\"><kbd>/</kbd> search <kbd>j</kbd> <kbd>k</kbd> next, previous <kbd>Enter</kbd> open ");
    html.raw("<kbd>Esc</kbd> back</p></footer></body></html>\n");
    html
}

fn form(html: &mut Html, search: &Search, collections: &[String]) {
    html.raw("<form id=\"search\" role=\"search\" action=\"/\" method=\"get\"><div class=\"box\">");
    html.raw("<label class=\"unseen\" for=\"q\">Search the library</label>");
    html.raw("<input id=\"q\" name=\"q\" type=\"search\" placeholder=\"Search the library\" autocomplete=\"off\" ");
    html.raw("autocapitalize=\"none\" spellcheck=\"false\" enterkeyhint=\"search\" maxlength=\"1000\" value=\"");
    html.text(&search.q).raw("\"><button type=\"submit\">Search</button></div>");
    html.raw("<details class=\"filters\"").raw(if search.is_filtered() { " open" } else { "" });
    html.raw("><summary>Filters</summary><div class=\"fields\">");
    let names: Vec<&str> = collections.iter().map(String::as_str).collect();
    select(html, "Collection", "collection", "All collections", &names, &search.collection);
    let types = crate::mcp::tools::TYPES;
    select(html, "Type", "type", "All types", types, &search.kind);
    select(html, "Words", "match", "any", &["all"], &search.matching);
    date(html, "From", "after", &search.after);
    date(html, "Before", "before", &search.before);
    html.raw("</div></details></form>");
}

fn select(html: &mut Html, label: &'static str, name: &'static str, none: &'static str, values: &[&str], chosen: &str) {
    html.raw("<label>")
        .raw(label)
        .raw(" <select name=\"")
        .raw(name)
        .raw("\"><option value=\"\">")
        .raw(none)
        .raw("</option>");
    for value in values {
        html.raw("<option value=\"").text(value).raw("\"").raw(if *value == chosen { " selected>" } else { ">" });
        html.text(value).raw("</option>");
    }
    html.raw("</select></label>");
}

fn date(html: &mut Html, label: &'static str, name: &'static str, value: &str) {
    html.raw("<label>")
        .raw(label)
        .raw(" <input type=\"date\" name=\"")
        .raw(name)
        .raw("\" value=\"")
        .text(value)
        .raw("\"></label>");
}

/// What is shown instead of an answer.
pub(super) fn apology(refusal: &Refusal) -> Main {
    let mut html = Html::default();
    html.raw("<h1 class=\"sorry\">That did not work</h1><p role=\"status\">").text(&refusal.message()).raw("</p>");
    html.raw("<p><a href=\"/\">Begin anew</a></p>");
    Main { title: "adit".to_owned(), html }
}
