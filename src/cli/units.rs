//! Figures as people read them, and tables.

/// Bytes with a binary unit, three digits or so: `1.4 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10).min(6);
    let value = bytes as f64 / 2f64.powi(10 * power as i32);
    format!("{value:.*} {}", usize::from(value < 99.95), UNITS[power as usize - 1])
}

/// A time in its two largest units: `3 hours, 12 minutes`.
pub fn seconds(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        let number = rest / length;
        rest %= length;
        // Two units, the second directly below the first.
        if number > 0 && parts.len() < 2 {
            parts.push(count(number, unit));
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { count(0, "second") } else { parts.join(", ") }
}

/// A number with its noun: `1 document`, `1,204 documents`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with its thousands set off.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Rows with their columns aligned, two spaces between them.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text from outside that cannot steer a terminal: no control character but the line ends.
pub fn harmless(text: &str) -> String {
    let bidi = |char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |char: char| if (char.is_control() && char != '\n') || bidi(char) { '\u{fffd}' } else { char };
    text.chars().map(|char| if char == '\t' { ' ' } else { shown(char) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_468_006, "1.4 MiB"),
            (500 << 20, "500 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (value, text) in table {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn times_have_two_units_at_most() {
        let table = [
            (0, "0 seconds"),
            (1, "1 second"),
            (61, "1 minute, 1 second"),
            (3600, "1 hour"),
            (3601, "1 hour"),
            (11_520, "3 hours, 12 minutes"),
            (2 * 86_400 + 3_600, "2 days, 1 hour"),
        ];
        for (value, text) in table {
            assert_eq!(seconds(value), text);
        }
    }

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!(count(1, "document"), "1 document");
        assert_eq!(count(1_234_567, "document"), "1,234,567 documents");
        assert_eq!(grouped(123), "123");
    }

    #[test]
    fn columns_are_aligned_without_space_at_the_end() {
        let rows = [vec!["a".to_owned(), "bé".to_owned()], vec!["ccc".to_owned(), String::new()]];
        assert_eq!(table(&rows), "a    bé\nccc\n");
    }

    #[test]
    fn texts_from_outside_steer_no_terminal() {
        assert_eq!(harmless("a\x1b[31mb\r\tc\u{202e}\n"), "a\u{fffd}[31mb\u{fffd} c\u{fffd}\n");
    }
}
