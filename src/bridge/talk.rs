//! What the bridge says to the person on stderr: stdout belongs to the protocol.

use std::io::Write as _;

/// Says a line. Nobody listening is no reason to stop.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "adit bridge: {text}");
}
