//! Times as people write them: `30d`, `2027-01-31`, `2027-01-31T18:00`, `never`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, Zoned};

use crate::control::When;

/// Until when: a date means the end of that day, a span the time that long from now.
pub fn until(text: &str) -> Result<When, String> {
    let now = Zoned::now();
    let when = parse(text, &now, |date| date.tomorrow())?;
    match when.bound() {
        Some(time) if time <= now.timestamp() => {
            Err(format!("{text} is over already; to cut a device off: adit peer disable"))
        }
        _ => Ok(when),
    }
}

/// Until when two things are there at once: at most a year, and not for ever.
pub fn overlap(text: &str) -> Result<Timestamp, String> {
    let latest = Zoned::now().checked_add(Span::new().years(1)).map_err(|_| beyond(text))?;
    match until(text)?.bound() {
        Some(time) if time <= latest.timestamp() => Ok(time),
        _ => Err(format!("{text} is too long: an overlap ends within a year")),
    }
}

/// From when on: a date means its beginning, a span the time that long from now.
pub fn not_before(text: &str) -> Result<When, String> {
    parse(text, &Zoned::now(), Ok)
}

/// A time in the past: a date means its beginning, a span the time that long ago.
pub fn since(text: &str) -> Result<Timestamp, String> {
    let now = Zoned::now();
    let wrong = || format!("{text:?} is no time; write 2h, 7d, 2026-11-01, or 2026-11-01T18:00");
    match text.parse::<Span>() {
        Ok(span) => now.checked_sub(span.abs()).map(|time| time.timestamp()).map_err(|_| beyond(text)),
        Err(_) => parse(text, &now, Ok).ok().and_then(When::bound).ok_or_else(wrong),
    }
}

fn parse(text: &str, now: &Zoned, day: fn(Date) -> Result<Date, jiff::Error>) -> Result<When, String> {
    let text = text.trim();
    if text == "never" {
        return Ok(When::Never);
    }
    let here = |time: DateTime| time.to_zoned(now.time_zone().clone()).map(|time| time.timestamp());
    let is_span = text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_lowercase());
    let time = if is_span {
        let span: Span = text.parse().map_err(|_| wrong(text))?;
        // A span is no more exact than whoever types it.
        now.checked_add(span).and_then(|time| time.timestamp().round(Unit::Second))
    } else if let Ok(time) = text.parse::<Timestamp>() {
        Ok(time)
    } else if text.len() == "2027-01-31".len() {
        text.parse::<Date>()
            .map_err(|_| wrong(text))
            .map(|date| day(date).and_then(|date| here(date.at(0, 0, 0, 0))))?
    } else {
        text.parse::<DateTime>().map_err(|_| wrong(text)).map(here)?
    };
    time.map(When::At).map_err(|_| beyond(text))
}

/// A time as people read it, in their own time zone.
pub fn shown(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

fn wrong(text: &str) -> String {
    format!("{text:?} is no time; write 30d, 12h, 2027-01-31, 2027-01-31T18:00, or never")
}

fn beyond(text: &str) -> String {
    format!("{text} is further away than years are counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let now: Zoned = "2026-11-22T10:00:00+01:00[+01:00]".parse().unwrap();
        for (text, expected) in [
            ("30d", "2026-12-22T09:00:00Z"),
            ("2w", "2026-12-06T09:00:00Z"),
            ("12h", "2026-11-22T21:00:00Z"),
            ("1y", "2027-11-22T09:00:00Z"),
            ("2027-01-31", "2027-01-30T23:00:00Z"),
            ("2027-07-31T18:00", "2027-07-31T17:00:00Z"),
            ("2027-07-31 18:00", "2027-07-31T17:00:00Z"),
            ("2027-07-31T18:00:00Z", "2027-07-31T18:00:00Z"),
        ] {
            assert_eq!(parse(text, &now, Ok), Ok(When::At(expected.parse().unwrap())), "{text}");
        }
        assert_eq!(parse("never", &now, Ok), Ok(When::Never));
        // The end of a day is the beginning of the next.
        let end = parse("2027-01-31", &now, |date| date.tomorrow());
        assert_eq!(end, Ok(When::At("2027-01-31T23:00:00Z".parse().unwrap())));
        for text in ["", "soon", "30", "30 parsecs", "2027-02-30", "2027-13-01", "99999y", "-5d"] {
            assert!(parse(text, &now, Ok).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_over_is_no_end() {
        assert!(until("2020-01-01").unwrap_err().contains("over already"));
        assert!(until("1d").is_ok() && until("never") == Ok(When::Never));
        assert!(not_before("2020-01-01").is_ok());
        assert!(since("1d").unwrap() < Timestamp::now() && since("2020-01-01").is_ok());
        assert!(since("never").is_err() && since("yore").is_err());
    }
}
