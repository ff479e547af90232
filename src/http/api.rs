//! `/api/…`: the tools' answers for the page and for scripts, asked for by a query string.

use http::StatusCode;
use http::request::Parts;
use serde_json::{Number, Value};

use super::Appliance;
use super::answer::Question;
use super::refusal::Refusal;
use super::reply::Reply;
use super::route::percent_decode;
use super::tools;
use crate::mcp::Arguments;

/// How a parameter of a query string is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Flag,
}

/// Parameters of `/api/search`, and the arguments of `search` that they are.
const SEARCH: &[(&str, &str, Form)] = &[
    ("q", "query", Form::Text),
    ("collection", "collection", Form::Text),
    ("path", "path", Form::Text),
    ("type", "type", Form::Text),
    ("after", "modified_after", Form::Text),
    ("before", "modified_before", Form::Text),
    ("match", "match", Form::Text),
    ("fuzzy", "fuzzy", Form::Flag),
    ("context_lines", "context_lines", Form::Number),
    ("limit", "limit", Form::Number),
    ("cursor", "cursor", Form::Text),
];

/// Parameters of `/api/documents/{id}`, and the arguments of `fetch` that they are.
const DOCUMENT: &[(&str, &str, Form)] = &[
    ("pages", "pages", Form::Text),
    ("section", "section", Form::Text),
    ("offset", "offset", Form::Number),
    ("limit", "limit", Form::Number),
];

/// Parameters of `/api/recent`.
const RECENT: &[(&str, &str, Form)] = &[("limit", "limit", Form::Number)];

/// `/api/search`
pub(super) async fn search(appliance: &Appliance, question: &mut Question, parts: &Parts) -> Result<Reply, Refusal> {
    let arguments = arguments(parts.uri.query(), SEARCH)?;
    let answer = tools::ask(appliance, question, "search", arguments).await?;
    Ok(Reply::json(StatusCode::OK, &answer))
}

/// `/api/documents/{id}`
pub(super) async fn document(
    appliance: &Appliance,
    question: &mut Question,
    id: &str,
    parts: &Parts,
) -> Result<Reply, Refusal> {
    let mut arguments = arguments(parts.uri.query(), DOCUMENT)?;
    arguments.insert("id".to_owned(), Value::from(id));
    let answer = tools::ask(appliance, question, "fetch", arguments).await?;
    Ok(Reply::json(StatusCode::OK, &answer))
}

/// `/api/recent`
pub(super) async fn recent(appliance: &Appliance, question: &mut Question, parts: &Parts) -> Result<Reply, Refusal> {
    let arguments = arguments(parts.uri.query(), RECENT)?;
    let answer = tools::recent(appliance, question, arguments).await?;
    Ok(Reply::json(StatusCode::OK, &answer))
}

/// The arguments that a query string gives. An empty parameter counts as not given, as forms send it.
fn arguments(query: Option<&str>, table: &[(&str, &'static str, Form)]) -> Result<Arguments, Refusal> {
    let mut arguments = Arguments::new();
    for (name, text) in parameters(query)? {
        let Some((_, argument, form)) = table.iter().find(|(known, _, _)| *known == name) else {
            let known: Vec<&str> = table.iter().map(|(known, _, _)| *known).collect();
            let name: String = name.chars().take(40).collect();
            return Err(Refusal::Argument(format!(
                "{name}: there is no such parameter; there are {}",
                known.join(", ")
            )));
        };
        if !text.is_empty() {
            arguments.insert((*argument).to_owned(), value(text, *form));
        }
    }
    Ok(arguments)
}

/// A value that doesn't read as its form stays text: the tool then says what it takes.
fn value(text: String, form: Form) -> Value {
    let read = match form {
        Form::Text => None,
        Form::Number => text.parse::<u64>().ok().map(|number| Value::Number(Number::from(number))),
        Form::Flag => match text.as_str() {
            "1" | "true" | "on" => Some(Value::Bool(true)),
            "0" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
    };
    read.unwrap_or(Value::String(text))
}

/// The pairs of a query string (WHATWG URL, application/x-www-form-urlencoded).
pub(super) fn parameters(query: Option<&str>) -> Result<Vec<(String, String)>, Refusal> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode(&text).map(|text| text.into_owned()).ok_or(Refusal::Malformed("the query is not UTF-8"))
    };
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_string_becomes_arguments() {
        let given = arguments(Some("q=rent+%26+t%C3%A4x&limit=5&fuzzy=on&path=&after=2024"), SEARCH).unwrap();
        let expected = json!({"query": "rent & täx", "limit": 5, "fuzzy": true, "modified_after": "2024"});
        assert_eq!(Value::Object(given), expected);
        assert!(arguments(None, SEARCH).unwrap().is_empty());
        assert_eq!(Value::Object(arguments(Some("limit=ten"), SEARCH).unwrap()), json!({"limit": "ten"}));
    }

    #[test]
    fn what_is_no_parameter_is_refused_by_name() {
        let Err(Refusal::Argument(message)) = arguments(Some("query=x"), SEARCH) else { panic!("taken") };
        assert!(message.starts_with("query: there is no such parameter; there are q, collection"), "{message}");
        assert_eq!(arguments(Some("q=%ff"), SEARCH), Err(Refusal::Malformed("the query is not UTF-8")));
    }
}
