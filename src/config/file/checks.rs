//! What a single value of `adit.toml` may be: readers for [`Section::read`](super::reader::Section::read).

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use toml_edit::Value;

use super::reader::{Checked, expected};
use super::values::{format_size, format_time, parse_size, parse_time};

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Checked<bool> {
    value.as_bool().map_or_else(|| expected(value, "true or false"), Ok)
}

/// A whole number in a range.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&Value) -> Checked<T>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |value| {
        let number = value.as_integer().and_then(|number| T::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(number),
            None => expected(value, format_args!("a whole number from {} to {}", range.start(), range.end())),
        }
    }
}

/// A size in bytes in a range.
pub(super) fn size<T>(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Checked<T>
where
    T: TryFrom<u64>,
{
    move |value| {
        let bytes = match value {
            Value::String(text) => parse_size(text.value()),
            Value::Integer(number) => u64::try_from(*number.value()).ok(),
            _ => None,
        };
        let in_range = bytes.filter(|bytes| range.contains(bytes)).and_then(|bytes| T::try_from(bytes).ok());
        let (from, to) = (format_size(*range.start()), format_size(*range.end()));
        match (in_range, bytes) {
            (Some(bytes), _) => Ok(bytes),
            (None, Some(_)) => expected(value, format_args!("a size from {from} to {to}")),
            (None, None) => expected(value, "a size such as \"100 MiB\" (B, KiB, MiB, GiB)"),
        }
    }
}

/// A time in a range of seconds.
pub(super) fn time(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Checked<Duration> {
    move |value| {
        let time = value.as_str().and_then(parse_time);
        let (from, to) = (Duration::from_secs(*range.start()), Duration::from_secs(*range.end()));
        match time {
            Some(time) if range.contains(&time.as_secs()) => Ok(time),
            Some(_) => expected(value, format_args!("a time from {} to {}", format_time(from), format_time(to))),
            None => expected(value, "a time such as \"30s\" (s, m, h, d)"),
        }
    }
}

/// A text that is not empty and has no control characters.
pub(super) fn text(what: &'static str) -> impl Fn(&Value) -> Checked<String> {
    text_that(what, |_| true)
}

/// A text of a certain form.
pub(super) fn text_that(what: &'static str, fits: impl Fn(&str) -> bool) -> impl Fn(&Value) -> Checked<String> {
    move |value| {
        let plain = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
        match value.as_str().filter(plain).filter(|text| fits(text)) {
            Some(text) => Ok(text.to_owned()),
            None => expected(value, what),
        }
    }
}

/// A text that is parsed into a type of its own.
pub(super) fn parsed<T: FromStr>(what: impl Fn(T::Err) -> String) -> impl Fn(&Value) -> Checked<T> {
    move |value| match value.as_str().map(T::from_str) {
        Some(Ok(parsed)) => Ok(parsed),
        Some(Err(error)) => expected(value, what(error)),
        None => expected(value, "a text"),
    }
}

/// One of several words, each with its meaning.
pub(super) fn choice<T: Clone>(words: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Checked<T> {
    move |value| {
        let chosen = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        match chosen {
            Some((_, meaning)) => Ok(meaning.clone()),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                expected(value, format_args!("one of {}", words.join(", ")))
            }
        }
    }
}

/// A list, each element read by itself: all that are wrong are reported.
pub(super) fn list<T>(
    what: &'static str,
    lengths: RangeInclusive<usize>,
    read: impl Fn(&Value) -> Checked<T>,
) -> impl Fn(&Value) -> Checked<Vec<T>> {
    move |value| {
        let Some(array) = value.as_array() else { return expected(value, format_args!("a list of {what}")) };
        if !lengths.contains(&array.len()) {
            let (from, to) = (lengths.start(), lengths.end());
            return expected(value, format_args!("a list of {from} to {to} {what}"));
        }
        let mut elements = Vec::with_capacity(array.len());
        let mut problems = Vec::new();
        for value in array {
            match read(value) {
                Ok(element) => elements.push(element),
                Err(wrong) => problems.extend(wrong),
            }
        }
        if problems.is_empty() { Ok(elements) } else { Err(problems) }
    }
}
