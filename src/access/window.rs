//! When a grant holds.

use jiff::Timestamp;

/// From when and until when a grant holds; without bounds, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// From here on.
    pub not_before: Option<Timestamp>,
    /// Not any more from here on.
    pub expires: Option<Timestamp>,
}

/// How a time stands to a [`Window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    /// Before it.
    Early,
    /// Within it.
    Open,
    /// After it.
    Over,
}

impl Window {
    /// How this time stands to it.
    pub fn season(&self, now: Timestamp) -> Season {
        if self.expires.is_some_and(|end| end <= now) {
            Season::Over
        } else if self.not_before.is_some_and(|begin| now < begin) {
            Season::Early
        } else {
            Season::Open
        }
    }

    /// When that changes next.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        [self.not_before, self.expires].into_iter().flatten().filter(|bound| *bound > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_holds_within_its_window() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = |from: Option<i64>, to: Option<i64>| Window { not_before: from.map(at), expires: to.map(at) };
        for (window, now, season, next) in [
            (window(None, None), 5, Season::Open, None),
            (window(Some(10), None), 9, Season::Early, Some(10)),
            (window(Some(10), None), 10, Season::Open, None),
            (window(None, Some(20)), 19, Season::Open, Some(20)),
            (window(None, Some(20)), 20, Season::Over, None),
            (window(Some(10), Some(20)), 9, Season::Early, Some(10)),
            (window(Some(10), Some(20)), 15, Season::Open, Some(20)),
            // One that ends before it begins never holds.
            (window(Some(20), Some(10)), 15, Season::Over, Some(20)),
        ] {
            assert_eq!(
                (window.season(at(now)), window.next_change(at(now))),
                (season, next.map(at)),
                "{window:?} at {now}"
            );
        }
    }
}
