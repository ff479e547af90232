//! Cross-origin requests (Fetch §3.2): off, unless the owner has configured the origin; then that one is named, never `*`.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};

use super::reply::Reply;
use super::route::Route;

/// Headers that MCP and the API use.
const REQUEST_HEADERS: &str =
    "content-type, accept, range, if-none-match, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id";

/// Headers of answers that a page may read.
const ANSWER_HEADERS: &str = "x-request-id, retry-after, content-range, etag";

/// Answers the question whether an admitted origin may ask.
pub(super) fn preflight(parts: &Parts, route: &Route<'_>) -> Reply {
    let mut reply = Reply::empty(StatusCode::NO_CONTENT);
    reply.header(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(route.methods()));
    reply.header(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    reply.header(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    // A public page that asks a private address needs this too (Private Network Access).
    if parts.headers.contains_key("access-control-request-private-network") {
        let name = HeaderName::from_static("access-control-allow-private-network");
        reply.header(name, HeaderValue::from_static("true"));
    }
    reply
}

/// Names the origin in an answer, so that its page may read it.
pub(super) fn allow(reply: &mut Reply, origin: Option<&HeaderValue>) {
    let Some(origin) = origin else { return };
    reply.header(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    reply.header(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
    reply.header(VARY, HeaderValue::from_static("origin"));
}
