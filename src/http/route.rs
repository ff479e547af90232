//! The table of paths: a path in, what it is, which methods it takes and what a caller must be allowed for it.

use std::borrow::Cow;

use http::Method;

use super::page::assets::FOLDER;
use crate::access::Action;

/// A path that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/mcp`
    Mcp,
    /// `/`
    Page,
    /// `/assets/…`
    Asset(&'a str),
    /// `/api/search`
    Search,
    /// `/api/documents/{id}`
    Document(Cow<'a, str>),
    /// `/api/documents/{id}/original`
    Original(Cow<'a, str>),
    /// `/api/recent`
    Recent,
    /// `/_health`
    Health,
    /// `/metrics`
    Metrics,
}

/// The names of all paths, as records and metrics have them.
pub const ROUTES: [&str; 9] = [
    "/mcp",
    "/",
    "/assets/{name}",
    "/api/search",
    "/api/documents/{id}",
    "/api/documents/{id}/original",
    "/api/recent",
    "/_health",
    "/metrics",
];

impl<'a> Route<'a> {
    /// Its place in [`ROUTES`].
    fn number(&self) -> usize {
        match self {
            Route::Mcp => 0,
            Route::Page => 1,
            Route::Asset(_) => 2,
            Route::Search => 3,
            Route::Document(_) => 4,
            Route::Original(_) => 5,
            Route::Recent => 6,
            Route::Health => 7,
            Route::Metrics => 8,
        }
    }

    /// What this path is. Exact: no trailing slash, no dots, nothing decoded but an id.
    pub(super) fn of(path: &'a str) -> Option<Route<'a>> {
        match path {
            "/mcp" => Some(Route::Mcp),
            "/" => Some(Route::Page),
            "/api/search" => Some(Route::Search),
            "/api/recent" => Some(Route::Recent),
            "/_health" => Some(Route::Health),
            "/metrics" => Some(Route::Metrics),
            _ if path.starts_with(FOLDER) => Some(Route::Asset(path)),
            _ => {
                let rest = path.strip_prefix("/api/documents/")?;
                match rest.strip_suffix("/original") {
                    Some(id) => decode(id).map(Route::Original),
                    None => decode(rest).map(Route::Document),
                }
            }
        }
    }

    /// Its name in records and metrics.
    pub(super) fn name(&self) -> &'static str {
        ROUTES[self.number()]
    }

    /// The methods it takes, as `Allow` lists them.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Route::Mcp => "POST",
            _ => "GET, HEAD",
        }
    }

    /// Whether it takes this method.
    pub(super) fn takes(&self, method: &Method) -> bool {
        match self {
            Route::Mcp => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }

    /// What a caller must be allowed. MCP asks for each tool by itself.
    pub(super) fn action(&self) -> Option<Action> {
        match self {
            Route::Mcp => None,
            Route::Page | Route::Asset(_) | Route::Search => Some(Action::Search),
            Route::Document(_) | Route::Original(_) => Some(Action::Read),
            Route::Recent => Some(Action::Browse),
            Route::Health => Some(Action::Health),
            Route::Metrics => Some(Action::Metrics),
        }
    }
}

/// One segment of a path, decoded (RFC 3986 §2.1); nothing for an empty one, one with a slash in it, or one that isn't UTF-8.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if segment.is_empty() || segment.contains('/') {
        return None;
    }
    percent_decode(segment)
}

/// Text with its `%XX` decoded, if it is UTF-8 then.
pub(super) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let [high, low, tail @ ..] = tail else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_exact() {
        assert_eq!(Route::of("/mcp"), Some(Route::Mcp));
        assert_eq!(Route::of("/api/documents/a%2Eb"), Some(Route::Document("a.b".into())));
        for nothing in ["", "*", "/mcp/", "//mcp", "/./mcp", "/MCP", "/api/documents/", "/api/documents/a/b/c", "/api"]
        {
            assert_eq!(Route::of(nothing), None, "{nothing}");
        }
        for undecodable in ["/api/documents/%", "/api/documents/%4", "/api/documents/%zz", "/api/documents/%ff"] {
            assert_eq!(Route::of(undecodable), None, "{undecodable}");
        }
    }
}
