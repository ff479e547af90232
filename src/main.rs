//! The program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A worker is no verb of the command line: it gives everything up before it reads a word.
    #[cfg(feature = "server")]
    if std::env::args_os().nth(1).is_some_and(|verb| verb == adit::documents::worker::SUBCOMMAND) {
        return adit::documents::worker::main(std::env::args_os().skip(2));
    }
    adit::cli::main()
}
