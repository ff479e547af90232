//! The bar that long work shows, where a person looks at it.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr; none where that is no terminal.
pub fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {msg}");
    ProgressBar::no_length().with_style(style.expect("the template is a literal"))
}

/// Moves it.
pub fn show(bar: &ProgressBar, done: u64, total: u64, activity: &str) {
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(activity.to_owned());
}
