//! A tool's arguments: one table that makes the schema and enforces it. Whatever doesn't fit is refused with a sentence that names the
//! argument, what it takes and an example, so that a model can do better the next time.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// What an argument takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text of 1 to so many characters.
    Text(usize),
    /// A whole number in this range; the last is what is taken without it.
    Number(u64, u64, Option<u64>),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// true or false; false without it.
    Flag,
    /// A day, month, year or time.
    Date,
    /// 1 to so many texts of 1 to so many characters.
    Texts(usize, usize),
}

/// One argument of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// As it would stand in JSON.
    pub(super) example: &'static str,
}

/// What is wrong with an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The whole sentence, beginning with the argument's name.
    pub message: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Arguments as they came: names and values.
pub type Arguments = Map<String, Value>;

/// Arguments that fit their table.
#[derive(Debug, Clone)]
pub(super) struct Given(Arguments);

/// The JSON Schema of a tool's arguments.
pub(super) fn schema(table: &[Argument]) -> Map<String, Value> {
    let properties: Map<String, Value> =
        table.iter().map(|argument| (argument.name.to_owned(), argument.schema())).collect();
    let required: Vec<&str> = table.iter().filter(|argument| argument.required).map(|argument| argument.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema.insert("additionalProperties".into(), json!(false));
    schema
}

/// Checks arguments against their table. `null` counts as not given: models write it for what they leave out.
pub(super) fn check(table: &[Argument], mut given: Arguments) -> Result<Given, Misfit> {
    given.retain(|_, value| !value.is_null());
    if let Some(unknown) = given.keys().find(|name| table.iter().all(|argument| argument.name != *name)) {
        let known: Vec<&str> = table.iter().map(|argument| argument.name).collect();
        let name: String = unknown.chars().take(40).collect();
        return Err(Misfit { message: format!("{name}: there is no such argument; there are {}", known.join(", ")) });
    }
    for argument in table {
        match given.get(argument.name) {
            Some(value) if !argument.fits(value) => return Err(argument.misfit("takes")),
            None if argument.required => return Err(argument.misfit("is required:")),
            _ => {}
        }
    }
    Ok(Given(given))
}

impl Argument {
    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text(max) => json!({ "type": "string", "minLength": 1, "maxLength": max }),
            Kind::Number(min, max, None) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Kind::Number(min, max, Some(default)) => {
                json!({ "type": "integer", "minimum": min, "maximum": max, "default": default })
            }
            Kind::Choice(words) => json!({ "type": "string", "enum": words }),
            Kind::Flag => json!({ "type": "boolean", "default": false }),
            Kind::Date => json!({ "type": "string" }),
            Kind::Texts(items, max) => json!({
                "type": "array", "minItems": 1, "maxItems": items,
                "items": { "type": "string", "minLength": 1, "maxLength": max },
            }),
        };
        schema["description"] = json!(format!("{} Example: {}", self.about, self.example));
        schema
    }

    fn fits(&self, value: &Value) -> bool {
        let text_fits = |text: &str, max: usize| !text.trim().is_empty() && text.chars().count() <= max;
        match (self.kind, value) {
            (Kind::Text(max), Value::String(text)) => text_fits(text, max),
            (Kind::Number(min, max, _), Value::Number(number)) => {
                whole(number).is_some_and(|number| (min..=max).contains(&number))
            }
            (Kind::Choice(words), Value::String(text)) => words.contains(&text.as_str()),
            (Kind::Flag, Value::Bool(_)) => true,
            (Kind::Date, Value::String(text)) => parse_date(text).is_some(),
            (Kind::Texts(items, max), Value::Array(texts)) => {
                (1..=items).contains(&texts.len())
                    && texts.iter().all(|text| text.as_str().is_some_and(|text| text_fits(text, max)))
            }
            _ => false,
        }
    }

    /// The sentence that says what this argument takes.
    pub(super) fn misfit(&self, verb: &str) -> Misfit {
        let takes = match self.kind {
            Kind::Text(max) => format!("text of 1 to {max} characters"),
            Kind::Number(min, u64::MAX, _) => format!("a whole number from {min}"),
            Kind::Number(min, max, _) => format!("a whole number from {min} to {max}"),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Flag => "true or false".to_owned(),
            Kind::Date => "a day, a month, a year or a time".to_owned(),
            Kind::Texts(items, max) => format!("1 to {items} texts of 1 to {max} characters"),
        };
        Misfit { message: format!("{}: {verb} {takes}, for example {}", self.name, self.example) }
    }
}

/// A number without a fraction, however it is written (`10`, `10.0`).
fn whole(number: &serde_json::Number) -> Option<u64> {
    let whole_float = |value: f64| (value >= 0.0 && value.fract() == 0.0 && value < 1e15).then_some(value as u64);
    number.as_u64().or_else(|| number.as_f64().and_then(whole_float))
}

/// `2025`, `2025-01`, `2025-01-31` (their first moment, UTC) or a time as RFC 3339 writes it.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next().unwrap_or("1"), parts.next().unwrap_or("1"));
    let plain = [year, month, day].iter().all(|part| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !plain || year.len() != 4 {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl Given {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        let number = self.0.get(name)?.as_number().and_then(whole)?;
        usize::try_from(number).ok()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn date(&self, name: &str) -> Option<Timestamp> {
        self.text(name).and_then(parse_date)
    }

    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let texts = self.0.get(name).and_then(Value::as_array);
        texts.map(|texts| texts.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// The question as one text, without what may change from page to page.
    pub(super) fn question(&self, tool: &str) -> String {
        let mut question = self.0.clone();
        for name in ["cursor", "limit", "context_lines"] {
            question.remove(name);
        }
        question.sort_keys();
        format!("{tool} {}", Value::Object(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Argument] = &[
        Argument { name: "query", about: "Words.", kind: Kind::Text(10), required: true, example: "\"rent\"" },
        Argument {
            name: "limit",
            about: "How many.",
            kind: Kind::Number(1, 50, Some(10)),
            required: false,
            example: "10",
        },
        Argument {
            name: "match",
            about: "Which.",
            kind: Kind::Choice(&["any", "all"]),
            required: false,
            example: "\"all\"",
        },
        Argument { name: "after", about: "When.", kind: Kind::Date, required: false, example: "\"2025-01-31\"" },
        Argument { name: "fuzzy", about: "Typos.", kind: Kind::Flag, required: false, example: "true" },
        Argument { name: "queries", about: "All.", kind: Kind::Texts(2, 5), required: false, example: "[\"rent\"]" },
    ];

    fn try_(arguments: Value) -> Result<Given, String> {
        let Value::Object(arguments) = arguments else { panic!("an object is wanted") };
        check(TABLE, arguments).map_err(|misfit| misfit.message)
    }

    #[test]
    fn what_fits_is_taken() {
        let given = try_(json!({"query": "rent", "limit": 5.0, "match": "all", "after": "2025-02", "fuzzy": true,
            "queries": ["a", "b"]}))
        .unwrap();
        assert_eq!((given.text("query"), given.number("limit"), given.flag("fuzzy")), (Some("rent"), Some(5), true));
        assert_eq!(given.date("after").unwrap().to_string(), "2025-02-01T00:00:00Z");
        assert_eq!(given.texts("queries"), ["a", "b"]);
        assert!(try_(json!({"query": "rent", "limit": null})).unwrap().number("limit").is_none());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name_with_its_range_and_an_example() {
        let cases = [
            (json!({}), "query: is required: text of 1 to 10 characters, for example \"rent\""),
            (json!({"query": ""}), "query: takes text of 1 to 10 characters, for example \"rent\""),
            (json!({"query": "01234567890"}), "query: takes"),
            (json!({"query": 5}), "query: takes"),
            (json!({"query": "a", "limit": 0}), "limit: takes a whole number from 1 to 50, for example 10"),
            (json!({"query": "a", "limit": 51}), "limit: takes"),
            (json!({"query": "a", "limit": -1}), "limit: takes"),
            (json!({"query": "a", "limit": 1.5}), "limit: takes"),
            (json!({"query": "a", "limit": "10"}), "limit: takes"),
            (json!({"query": "a", "match": "some"}), "match: takes one of any, all, for example \"all\""),
            (json!({"query": "a", "after": "soon"}), "after: takes a day, a month, a year or a time"),
            (json!({"query": "a", "after": "2025-13"}), "after: takes"),
            (json!({"query": "a", "fuzzy": "yes"}), "fuzzy: takes true or false"),
            (json!({"query": "a", "queries": []}), "queries: takes 1 to 2 texts of 1 to 5 characters"),
            (json!({"query": "a", "queries": ["a", "b", "c"]}), "queries: takes"),
            (json!({"query": "a", "q": "b"}), "q: there is no such argument; there are query, limit, match"),
        ];
        for (arguments, expected) in cases {
            let message = try_(arguments.clone()).unwrap_err();
            assert!(message.starts_with(expected), "{arguments}: {message}");
        }
    }

    #[test]
    fn a_question_is_the_same_on_every_page_and_in_any_order() {
        let first = try_(json!({"query": "rent", "fuzzy": true, "limit": 5})).unwrap();
        let second = try_(json!({"fuzzy": true, "query": "rent"})).unwrap();
        let other = try_(json!({"query": "rents", "fuzzy": true})).unwrap();
        assert_eq!(first.question("search"), second.question("search"));
        assert_ne!(first.question("search"), other.question("search"));
        assert_ne!(first.question("search"), first.question("find_document"));
    }
}
