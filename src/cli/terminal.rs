//! Results to stdout, talk to stderr.

use std::io::{self, Write};

use super::outcome::Error;

/// Prints results. Nobody reading is no failure of ours.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::nobody_reads()),
        Err(error) => Err(Error::failed(format_args!("cannot write the result: {error}"))),
    }
}

/// Says something to the person, beside the results.
pub fn say(text: impl std::fmt::Display) {
    // Who closed stderr does not want to hear.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a value as JSON.
#[cfg(feature = "server")]
pub fn print_json(value: &serde_json::Value) -> Result<(), Error> {
    print(&format!("{value:#}\n"))
}
