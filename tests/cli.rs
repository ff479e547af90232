//! The command line as scripts and people meet it: help, exit codes, files and their modes, odd arguments. What a running daemon
//! answers is tested in `tests/daemon/`.
//!
//! `tests/cli/help/` holds the help texts. `ADIT_BLESS=1 cargo test --test cli` writes them anew: read the difference before committing it.

#![cfg(feature = "server")]

#[path = "cli/client_config.rs"]
mod client_config;
#[path = "cli/config.rs"]
mod config;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/home.rs"]
mod home;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/odd.rs"]
mod odd;
#[path = "cli/peer.rs"]
mod peer;
#[path = "cli/up.rs"]
mod up;
