//! Results to stdout, talk to stderr.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

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

/// Prints a report as JSON, with the version of its shape first.
pub fn print_json(report: &impl Serialize) -> Result<(), Error> {
    print(&format!("{:#}\n", versioned(report)?))
}

pub(super) fn versioned(report: &impl Serialize) -> Result<Value, Error> {
    let mut object = Map::new();
    object.insert("version".to_owned(), json!(1));
    match serde_json::to_value(report).map_err(Error::failed)? {
        Value::Object(fields) => object.extend(fields),
        other => {
            object.insert("value".to_owned(), other);
        }
    }
    Ok(Value::Object(object))
}
