//! An answer before it is sent: status, headers, content; and the headers that every answer carries.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, DATE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use super::body::Content;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For everything but the page: nothing in it may run, load or be framed.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// An answer being put together.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    /// The code of the refusal, where this is one.
    pub(super) refused: Option<&'static str>,
}

impl Reply {
    pub(super) fn new(status: StatusCode, content_type: &'static str, content: Content) -> Reply {
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Reply { status, headers, content, refused: None }
    }

    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Reply {
        Reply { status, headers: HeaderMap::with_capacity(16), content: Content::Empty, refused: None }
    }

    /// An answer in JSON.
    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
        // Our own values have text keys and no failing serialisers: this cannot fail.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        Reply::new(status, "application/json", Content::whole(Bytes::from(bytes)))
    }

    pub(super) fn header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    pub(super) fn content_range(&mut self, value: String) {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(CONTENT_RANGE, value);
        }
    }

    /// Adds what every answer carries and this one hasn't set itself.
    pub(super) fn seal(&mut self, date: HeaderValue, request_id: &str) {
        let fixed = [
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, DATA_POLICY),
            (CACHE_CONTROL, "no-store"),
            (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        ];
        for (name, value) in fixed {
            self.headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            self.headers.insert(X_REQUEST_ID, id);
        }
        self.headers.insert(DATE, date);
    }
}

/// The `Date` of all answers of a second, written once.
#[derive(Debug)]
pub(super) struct Dates(Mutex<(i64, HeaderValue)>);

impl Default for Dates {
    fn default() -> Self {
        Dates(Mutex::new((i64::MIN, HeaderValue::from_static(""))))
    }
}

impl Dates {
    /// This time as a header.
    pub(super) fn header(&self, now: Timestamp) -> HeaderValue {
        let mut latest = self.0.lock();
        if latest.0 != now.as_second() {
            // Letters, digits and spaces: this is a header's value.
            let date = HeaderValue::try_from(http_date(now)).unwrap_or(HeaderValue::from_static(""));
            *latest = (now.as_second(), date);
        }
        latest.1.clone()
    }
}

/// A time as HTTP writes it (RFC 9110 §5.6.7).
pub(super) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        let time: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_new_second_has_a_new_date() {
        let (dates, time) = (Dates::default(), "1994-11-06T08:49:37.9Z".parse::<Timestamp>().unwrap());
        for (later_ms, expected) in [(0, "08:49:37"), (99, "08:49:37"), (100, "08:49:38"), (-1000, "08:49:36")] {
            let date = dates.header(time + SignedDuration::from_millis(later_ms));
            assert_eq!(date, format!("Sun, 06 Nov 1994 {expected} GMT"));
        }
    }
}
