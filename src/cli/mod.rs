//! The command line: what a person typed in, words they read and an exit code out. One file per family of verbs.

use std::process::ExitCode;

#[cfg(feature = "server")]
use clap::CommandFactory;
use clap::{Parser, Subcommand};

mod bridge;
mod client_config;
mod doctor;
mod outcome;
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the device's end needs part of it"))]
mod style;
mod terminal;
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the device's end needs part of it"))]
mod units;

#[cfg(feature = "server")]
mod audit;
#[cfg(feature = "server")]
mod config;
#[cfg(feature = "server")]
mod device;
#[cfg(feature = "server")]
mod index;
#[cfg(feature = "server")]
mod init;
#[cfg(feature = "server")]
mod lockdown;
#[cfg(feature = "server")]
mod network;
#[cfg(feature = "server")]
mod pages;
#[cfg(feature = "server")]
mod peer;
#[cfg(feature = "server")]
mod places;
#[cfg(feature = "server")]
mod progress;
#[cfg(feature = "server")]
mod qr;
#[cfg(feature = "server")]
mod search;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod server_key;
#[cfg(feature = "server")]
mod status;
#[cfg(feature = "server")]
mod up;
#[cfg(feature = "server")]
mod when;
#[cfg(feature = "server")]
mod why;

pub use outcome::Exit;
use outcome::Outcome;

/// A private library on a home server: its documents, searched by your own devices and agents through a WireGuard tunnel, and by
/// no other way.
///
#[cfg_attr(
    feature = "server",
    doc = "`adit up DIR` sets everything up and serves. The host opens one UDP port, which answers nothing to whoever holds no key. \
           Devices use any WireGuard client; an agent on a machine without one starts `adit bridge`."
)]
#[cfg_attr(
    not(feature = "server"),
    doc = "This program is the device's end: an agent on a machine without a WireGuard client starts `adit bridge` with the \
           configuration that the server made for it."
)]
#[derive(Debug, Parser)]
#[command(name = "adit", version, max_term_width = 100, propagate_version = false, disable_help_subcommand = true)]
#[command(
    after_long_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 partly done, 4 the daemon is not running, 5 not allowed on \
    the control socket, 6 no such peer, collection or document, 7 exists already, 78 bad configuration."
)]
struct Arguments {
    /// Use this adit.toml, with keys and state beside it
    ///
    /// Without it, root uses the system's places (/etc/adit, /var/lib/adit), and everybody else their own
    /// (~/.config/adit, ~/.local/state/adit).
    #[cfg(feature = "server")]
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    config: Option<std::path::PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "server")]
    Up(up::Arguments),
    #[cfg(feature = "server")]
    Init(init::Arguments),
    #[cfg(feature = "server")]
    Serve(serve::ServeArguments),
    /// Stop the running daemon
    #[cfg(feature = "server")]
    Stop,
    /// Apply a changed configuration without dropping a tunnel
    #[cfg(feature = "server")]
    Reload,
    #[cfg(feature = "server")]
    #[command(subcommand)]
    Peer(peer::Command),
    #[cfg(feature = "server")]
    Lockdown(lockdown::Arguments),
    /// Admit devices again after a lockdown
    #[cfg(feature = "server")]
    Unlock,
    #[cfg(feature = "server")]
    #[command(subcommand)]
    ServerKey(server_key::Command),
    #[cfg(feature = "server")]
    Status(status::Arguments),
    /// Print all figures in the Prometheus text format, as /metrics has them
    #[cfg(feature = "server")]
    Metrics,
    #[cfg(feature = "server")]
    #[command(subcommand)]
    Index(index::Command),
    #[cfg(feature = "server")]
    Search(search::Arguments),
    #[cfg(feature = "server")]
    Why(why::Arguments),
    #[cfg(feature = "server")]
    Audit(audit::Arguments),
    Doctor(doctor::Arguments),
    Bridge(bridge::Arguments),
    ClientConfig(client_config::Arguments),
    #[cfg(feature = "server")]
    #[command(subcommand)]
    Config(config::Command),
    #[cfg(feature = "server")]
    Completions(pages::CompletionsArguments),
    #[cfg(feature = "server")]
    Man(pages::ManArguments),
}

/// Runs the program: arguments from the environment, results on stdout, talk on stderr.
pub fn main() -> ExitCode {
    let arguments = std::env::args_os();
    #[cfg(feature = "server")]
    let arguments = search::words_apart(arguments);
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout, errors to stderr; if nobody reads them, nobody is told.
            let _ = error.print();
            return ExitCode::from(error.exit_code().clamp(0, 255) as u8);
        }
    };
    let exit = run(arguments).unwrap_or_else(|error| {
        if !error.message.is_empty() {
            terminal::say(format_args!("adit: {}", error.message));
        }
        error.exit
    });
    ExitCode::from(exit as u8)
}

#[cfg(feature = "server")]
fn run(arguments: Arguments) -> Outcome {
    let config = arguments.config.as_deref();
    if matches!(arguments.command, Command::Up(_) | Command::Serve(_)) {
        crate::daemon::memory::settle();
    }
    match arguments.command {
        Command::Up(arguments) => up::run(&places::own(config)?, arguments),
        Command::Init(arguments) => init::run(&places::own(config)?, arguments),
        Command::Serve(arguments) => serve::serve(&places::find(config)?, arguments),
        Command::Stop => serve::stop(&places::find(config)?),
        Command::Reload => serve::reload(&places::find(config)?),
        Command::Peer(command) => peer::run(&places::find(config)?, command),
        Command::Lockdown(arguments) => lockdown::lockdown(&places::find(config)?, arguments),
        Command::Unlock => lockdown::unlock(&places::find(config)?),
        Command::ServerKey(command) => server_key::run(&places::find(config)?, command),
        Command::Status(arguments) => status::run(&places::find(config)?, arguments),
        Command::Metrics => status::metrics(&places::find(config)?),
        Command::Index(command) => index::run(&places::find(config)?, command),
        Command::Search(arguments) => search::run(&places::find(config)?, arguments),
        Command::Why(arguments) => why::run(&places::find(config)?, arguments),
        Command::Audit(arguments) => audit::run(&places::find(config)?, arguments),
        Command::Doctor(arguments) if arguments.file.is_some() => doctor::run(arguments, Vec::new),
        Command::Doctor(arguments) => {
            let places = places::find(config)?;
            doctor::run(arguments, || doctor::examine(&places))
        }
        Command::Config(command) => config::run(&places::find_to_read(config)?, command),
        Command::Bridge(arguments) => bridge::run(arguments),
        Command::ClientConfig(arguments) => client_config::run(arguments, places::own_url(config)),
        Command::Completions(arguments) => pages::completions(Arguments::command(), &arguments),
        Command::Man(arguments) => pages::man(Arguments::command(), &arguments),
    }
}

#[cfg(not(feature = "server"))]
fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Bridge(arguments) => bridge::run(arguments),
        Command::ClientConfig(arguments) => client_config::run(arguments, None),
        Command::Doctor(arguments) => doctor::run(arguments, Vec::new),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(not(feature = "server"))]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_names_no_command_that_is_not_there() {
        let mut command = Arguments::command();
        let help = command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let named: Vec<&str> = help.split("`adit ").skip(1).filter_map(|rest| rest.split([' ', '`']).next()).collect();
        assert!(named.contains(&"bridge"), "{help}");
        for name in named {
            assert!(command.find_subcommand(name).is_some(), "{name}: {help}");
        }
    }
}
