//! Everything that is not answered, with the status and the sentence the caller gets: nothing of paths, and nothing of causes.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::reply::Reply;
use crate::access::limits::Exceeded;

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not a request we can read: says in what.
    Malformed(&'static str),
    /// `Host` names somebody else (DNS rebinding).
    ForeignHost,
    /// `Origin` is another site.
    ForeignOrigin,
    /// This peer may do nothing, or not this: one answer for both.
    NotAllowed,
    /// Nothing there, or nothing this peer may see.
    NotFound,
    /// Another method is wanted: which.
    Method(&'static str),
    /// The body is of another type than is wanted: which.
    MediaType(&'static str),
    /// The caller accepts only what we don't have.
    NotAcceptable,
    /// The body is too large: the limit in bytes.
    BodyTooLarge(usize),
    /// The header is too large: the limit in bytes.
    HeaderTooLarge(usize),
    /// The body didn't come in time, or not to its end.
    BodyMissing,
    /// A limit of this peer.
    Exceeded(Exceeded),
    /// An argument that cannot be used: what is wrong with it.
    Argument(String),
    /// No such part of a file of this many bytes.
    Range(u64),
    /// It took too long.
    Timeout,
    /// It could not be recorded, and nothing is to go unrecorded.
    Unrecorded,
    /// A fault of ours.
    Internal,
}

impl Refusal {
    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Refusal::Malformed(_) | Refusal::Argument(_) => StatusCode::BAD_REQUEST,
            Refusal::ForeignHost | Refusal::ForeignOrigin | Refusal::NotAllowed => StatusCode::FORBIDDEN,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Refusal::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::HeaderTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::BodyMissing => StatusCode::REQUEST_TIMEOUT,
            Refusal::Exceeded(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Refusal::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Unrecorded => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reason in one word, for programs, records and metrics.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::ForeignHost => "foreign_host",
            Refusal::ForeignOrigin => "foreign_origin",
            Refusal::NotAllowed => "not_allowed",
            Refusal::NotFound => "not_found",
            Refusal::Method(_) => "method",
            Refusal::MediaType(_) => "media_type",
            Refusal::NotAcceptable => "not_acceptable",
            Refusal::BodyTooLarge(_) => "body_too_large",
            Refusal::HeaderTooLarge(_) => "header_too_large",
            Refusal::BodyMissing => "body_missing",
            Refusal::Exceeded(Exceeded::Rate(_)) => "rate",
            Refusal::Exceeded(Exceeded::AtOnce) => "at_once",
            Refusal::Exceeded(Exceeded::Bytes(_)) => "bytes_per_day",
            Refusal::Argument(_) => "argument",
            Refusal::Range(_) => "range",
            Refusal::Timeout => "timeout",
            Refusal::Unrecorded => "unrecorded",
            Refusal::Internal => "internal",
        }
    }

    /// The sentence for people.
    pub(super) fn message(&self) -> Cow<'static, str> {
        match self {
            Refusal::Malformed(what) => Cow::Borrowed(what),
            Refusal::ForeignHost => "this name is not one of this server's: use its tunnel address".into(),
            Refusal::ForeignOrigin => "pages of other sites may not ask here".into(),
            Refusal::NotAllowed => "this device may not do that; its owner grants it with `adit peer set`".into(),
            Refusal::NotFound => "no such document or page".into(),
            Refusal::Method(allowed) => format!("this path takes {allowed}").into(),
            Refusal::MediaType(wanted) => format!("the body must be {wanted}").into(),
            Refusal::NotAcceptable => "the answer is application/json, which Accept excludes".into(),
            Refusal::BodyTooLarge(limit) => format!("the body is larger than {limit} bytes").into(),
            Refusal::HeaderTooLarge(limit) => format!("the header is larger than {limit} bytes").into(),
            Refusal::BodyMissing => "the body did not come to its end".into(),
            Refusal::Exceeded(Exceeded::Rate(_)) => "too many requests: see Retry-After".into(),
            Refusal::Exceeded(Exceeded::AtOnce) => "too many requests at the same time".into(),
            Refusal::Exceeded(Exceeded::Bytes(_)) => "the bytes of this day are used up: see Retry-After".into(),
            Refusal::Argument(what) => Cow::Owned(what.clone()),
            Refusal::Range(length) => format!("no such part: the file has {length} bytes").into(),
            Refusal::Timeout => "the answer took too long".into(),
            Refusal::Unrecorded => "the server cannot record calls at the moment, and answers none until it can".into(),
            Refusal::Internal => "something went wrong here; the server's log names this request".into(),
        }
    }

    /// The answer that says so.
    pub(super) fn into_reply(self, request_id: &str) -> Reply {
        let error = json!({ "code": self.code(), "message": self.message(), "request_id": request_id });
        let mut reply = Reply::json(self.status(), &json!({ "error": error }));
        match &self {
            Refusal::Method(allowed) => reply.header(ALLOW, HeaderValue::from_static(allowed)),
            Refusal::Exceeded(exceeded) => reply.header(RETRY_AFTER, retry_after(*exceeded)),
            // The shell tries again every second.
            Refusal::Unrecorded => reply.header(RETRY_AFTER, HeaderValue::from_static("1")),
            Refusal::Range(length) => reply.content_range(format!("bytes */{length}")),
            _ => {}
        }
        reply.refused = Some(self.code());
        reply
    }
}

/// Whole seconds, rounded up: a caller that waits this long finds room.
fn retry_after(exceeded: Exceeded) -> HeaderValue {
    let wait = match exceeded {
        Exceeded::Rate(wait) | Exceeded::Bytes(wait) => wait,
        Exceeded::AtOnce => Duration::from_secs(1),
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}
