//! The command line: words people read and type, and exit codes.

use std::process::ExitCode;

/// Runs the program: arguments from the environment, results on stdout, talk on stderr.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
