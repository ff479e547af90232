//! `Range`, read for a file of known length (RFC 9110 §14.1.2). One part is served; who asks for several gets the whole.

/// What of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: nothing else was asked for, or nothing we understand.
    Whole,
    /// From the first byte to the last, both counted from 0.
    Part(u64, u64),
    /// A part it doesn't have.
    Nothing,
}

/// Reads the header's value for a file of `length` bytes.
pub(super) fn wanted(value: &str, length: u64) -> Wanted {
    let Some((unit, ranges)) = value.split_once('=') else { return Wanted::Whole };
    let Some((first, last)) = ranges.trim().split_once('-') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return Wanted::Whole;
    }
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(first), _) if first >= length && digits_or_nothing(last) => Wanted::Nothing,
        (Some(first), Some(last)) => Wanted::Part(first, last.min(length - 1)),
        (Some(first), None) if last.trim().is_empty() => Wanted::Part(first, length - 1),
        (None, Some(suffix)) if first.trim().is_empty() => match suffix.min(length) {
            0 => Wanted::Nothing,
            suffix => Wanted::Part(length - suffix, length - 1),
        },
        _ => Wanted::Whole,
    }
}

/// Digits as a number; one that is too large is larger than any file.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn digits_or_nothing(text: &str) -> bool {
    text.trim().bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let cases = [
            ("bytes=0-0", Wanted::Part(0, 0)),
            ("bytes=2-5", Wanted::Part(2, 5)),
            ("bytes=2-", Wanted::Part(2, 9)),
            ("bytes=2-100", Wanted::Part(2, 9)),
            ("bytes=9-99999999999999999999999", Wanted::Part(9, 9)),
            ("bytes=-3", Wanted::Part(7, 9)),
            ("bytes=-100", Wanted::Part(0, 9)),
            ("Bytes = 2-5", Wanted::Part(2, 5)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-12", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=1-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("", Wanted::Whole),
        ];
        for (value, expected) in cases {
            assert_eq!(wanted(value, 10), expected, "{value}");
        }
        for value in ["bytes=0-0", "bytes=0-", "bytes=-1"] {
            assert_eq!(wanted(value, 0), Wanted::Nothing, "{value} of nothing");
        }
    }
}
