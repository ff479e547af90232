//! `adit bridge`: the client end, for an agent on a machine without WireGuard.

use std::path::PathBuf;

use clap::Args;

use super::outcome::{Error, Exit, Outcome};
use crate::bridge::{self, BridgeError, BridgeOptions, FileError, ListenAddress};

/// Reach the server from an agent on this machine, without WireGuard
///
/// It speaks MCP on stdin and stdout, through a tunnel inside this process; agents start it themselves (`adit client-config` prints how).
/// Any number may run with one FILE.conf: they share a tunnel. Every request is answered, by an error within 10 s where the server is
/// not to be reached.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The device's configuration, as `adit peer add` made it
    #[arg(value_name = "FILE.conf")]
    file: PathBuf,
    /// Listen for HTTP on this machine instead
    ///
    /// Every program of this machine then has this device's rights on the server, so nothing but loopback is taken, and requests
    /// under another name than this address are refused.
    #[arg(long, value_name = "127.0.0.1:PORT|unix:PATH")]
    listen: Option<ListenAddress>,
}

pub fn run(arguments: Arguments) -> Outcome {
    bridge::run(BridgeOptions { file: arguments.file, listen: arguments.listen }).map_err(not_bridging)?;
    Ok(Exit::Done)
}

fn not_bridging(error: BridgeError) -> Error {
    match error {
        BridgeError::File(error) => not_taken(error),
        BridgeError::Listen { .. } | BridgeError::Start(_) => Error::failed(error),
    }
}

/// Why a device's configuration is not taken, with the exit code of its kind.
pub fn not_taken(error: FileError) -> Error {
    let exit = match error {
        FileError::Unreadable { .. } => Exit::Failed,
        _ => Exit::Configuration,
    };
    Error::new(exit, error)
}
