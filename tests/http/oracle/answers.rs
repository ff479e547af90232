//! Answers, made comparable: without what is drawn anew for each request, and without what a device may know of the library as a whole.

use http::StatusCode;
use serde_json::Value;

use crate::serving::Answer;

/// Headers that say nothing of the answer, or follow from it (the length, of bodies with a request's number in them).
const FRESH_HEADERS: [&str; 3] = ["date", "x-request-id", "content-length"];

/// Parts of answers that are drawn anew, or excepted: how old the index is, and what waits to be indexed.
const FRESH_PARTS: [&str; 4] = ["request_id", "index_age_seconds", "indexing", "pending"];

/// An answer as it is compared.
#[derive(Debug, PartialEq)]
pub struct Seen {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug, PartialEq)]
enum Body {
    Json(Value),
    Page(String),
    Bytes(Vec<u8>),
}

impl Seen {
    pub fn of(answer: &Answer) -> Seen {
        let fresh = |name: &str| FRESH_HEADERS.contains(&name);
        let headers = answer.headers.iter().filter(|(name, _)| !fresh(name.as_str()));
        let mut headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
        headers.sort();
        let kind = answer.header("content-type");
        let body = match () {
            () if kind.starts_with("application/json") && !answer.headers.contains_key("content-disposition") => {
                let mut value = answer.json();
                settle(&mut value);
                Body::Json(value)
            }
            () if kind.starts_with("text/html") => Body::Page(without_cursors(&answer.text())),
            () => Body::Bytes(answer.body.to_vec()),
        };
        Seen { status: answer.status, headers, body }
    }

    /// Fails where it is another answer than expected, and shows where they part.
    #[track_caller]
    pub fn is(&self, expected: &Seen, told: &str) {
        if self == expected {
            return;
        }
        let (seen, expected) = (format!("{self:?}"), format!("{expected:?}"));
        let at = seen.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
        let [seen, expected] = [seen, expected].map(|text| {
            let (from, to) = (text.floor_char_boundary(at.saturating_sub(300)), text.floor_char_boundary(at + 700));
            text[from..to].to_owned()
        });
        panic!("{told}\n\nseen:     …{seen}…\n\nexpected: …{expected}…");
    }

    /// Whether there is something in it that came out of a document.
    pub fn is_fruitful(&self) -> bool {
        let text = match &self.body {
            Body::Json(value) => value.to_string(),
            Body::Page(text) => text.clone(),
            Body::Bytes(bytes) => return self.status.is_success() && !bytes.is_empty(),
        };
        let signs =
            ["\"id\":\"", "\"folders\":[{", "\"documents\":[{", "<article", "\"tools\":[{", "\"status\":\"ok\""];
        self.status.is_success() && !text.contains("\"isError\":true") && signs.iter().any(|sign| text.contains(sign))
    }
}

/// Takes out of JSON what is not compared. The text of a tool's answer is JSON again.
fn settle(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if FRESH_PARTS.contains(&name.as_str()) {
                    *value = Value::Null;
                } else if name == "next_cursor" {
                    *value = Value::from("there is one");
                } else if let ("text", Some(Ok(mut inner))) =
                    (name.as_str(), value.as_str().map(serde_json::from_str::<Value>))
                    && inner.is_object()
                {
                    settle(&mut inner);
                    *value = inner;
                } else {
                    settle(value);
                }
            }
            fields.retain(|_, value| !value.is_null());
        }
        Value::Array(values) => values.iter_mut().for_each(settle),
        _ => {}
    }
}

/// A page without the cursors in its links.
fn without_cursors(page: &str) -> String {
    let mut parts = page.split("cursor=");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(part.len());
        text.push_str("cursor=…");
        text.push_str(&part[end..]);
    }
    text
}

/// The cursor for the next page, where a tool's answer has one.
pub fn next_cursor(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    let answer = value["result"].get("structuredContent").unwrap_or(&value);
    answer["next_cursor"].as_str().map(str::to_owned)
}
