//! Dates as people write them in, moments out.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// First moment of a date in nanoseconds since 1970 (UTC): `2025`, `2025-01`, `2025-01-31`, or a time as in RFC 3339.
pub(super) fn moment(text: &str) -> Option<i128> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_nanosecond());
    }
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let digits = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.iter().all(digits) || parts[0].len() != 4 || parts.len() > 3 {
        return None;
    }
    let number = |at: usize| parts.get(at).map_or(Some(1), |part| part.parse::<i8>().ok());
    let first = Date::new(parts[0].parse().ok()?, number(1)?, number(2)?).ok()?;
    Some(first.to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_at_its_first_moment() {
        for (text, begin) in [
            ("2025", "2025-01-01T00:00:00Z"),
            ("2025-12", "2025-12-01T00:00:00Z"),
            ("2024-02-28", "2024-02-28T00:00:00Z"),
            ("2025/1/5", "2025-01-05T00:00:00Z"),
            ("2025-01-01T12:00:00Z", "2025-01-01T12:00:00Z"),
        ] {
            assert_eq!(moment(text), Some(begin.parse::<Timestamp>().unwrap().as_nanosecond()), "{text}");
        }
        for bad in ["", "yesterday", "25", "2025-13", "2025-02-30", "2025-01-01-01", "-", "2025-", "0000-00"] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
