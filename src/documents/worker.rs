//! The worker's own end: documents on stdin, what came out of them on stdout, one after the other until stdin ends. Its first word
//! is how it is confined. Started as `adit extract-worker MEMORY_BYTES CPU_SECS` by the daemon's pool, never by a person.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

use super::compose::tidy;
use super::confine::{Bounds, Confinement, allow_cpu, confined};
use super::frame::{Answer, Request, read_frame, write_frame};
use super::{Refusal, extract};
use crate::limits::WORKER_REQUEST_BYTES;

/// The hidden subcommand that makes a process a worker.
pub const SUBCOMMAND: &str = "extract-worker";

/// Runs a worker; `arguments` are those behind [`SUBCOMMAND`].
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let numbers: Option<Vec<u64>> = arguments.map(|argument| argument.to_str()?.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[memory_bytes, cpu_secs]) => match run(Bounds { memory_bytes, cpu_secs }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "adit {SUBCOMMAND}: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            let _ = writeln!(
                io::stderr(),
                "adit {SUBCOMMAND} is started by the daemon, with the memory and the time it may use"
            );
            ExitCode::from(2)
        }
    }
}

fn run(bounds: Bounds) -> io::Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" ({}:{})", file_name(place.file()), place.line()));
        let words = panic.payload_as_str().unwrap_or("without a word");
        *LAST_PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            words.to_owned() + &place.unwrap_or_default();
    }));
    confined(bounds, answer_all)
}

/// What the last panic said: the hook hears it, and who catches it tells.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn answer_all(confinement: Confinement) -> io::Result<()> {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    write_frame(&mut stdout, &confinement, &[])?;
    while let Some((request, document)) = read_frame::<Request>(&mut stdin, WORKER_REQUEST_BYTES)? {
        allow_cpu(request.cpu_secs)?;
        let outcome = catch_unwind(AssertUnwindSafe(|| extract(request.format, &document, &request.limits)));
        drop(document);
        match outcome {
            Ok(Ok(mut extracted)) => {
                let text = std::mem::take(&mut extracted.text);
                write_frame(&mut stdout, &Answer::Extracted(Box::new(extracted)), text.as_bytes())?;
            }
            Ok(Err(refusal)) => write_frame(&mut stdout, &Answer::Refused(refusal), &[])?,
            Err(_) => write_frame(&mut stdout, &Answer::Refused(Refusal::Panic(last_panic())), &[])?,
        }
    }
    Ok(())
}

fn last_panic() -> String {
    let words = std::mem::take(&mut *LAST_PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    tidy(&words).unwrap_or_default()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
