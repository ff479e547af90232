//! `adit server-key`: a new key for the server.

use clap::Subcommand;

use super::device::entropy;
use super::outcome::{Exit, Outcome};
use super::places::{self, ask_if_running};
use super::terminal::{print, say};
use crate::config::{Places, replace_key_file};
use crate::control::Request;
use crate::key::PrivateKey;

/// The server's own key
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new key for the server, in place of one that may be stolen or is lost
    ///
    /// Prints the one line that every device must change in its configuration: the server's public key. Keys, addresses and grants of the
    /// devices stay. The old key is gone when adit has been started again; nothing answers under it then.
    Rotate,
}

pub fn run(places: &Places, command: Command) -> Outcome {
    let Command::Rotate = command;
    let config = places::load(places)?;
    let key = PrivateKey::from_entropy(entropy()?);
    replace_key_file(&config.server.key_file, &key)?;
    print(&format!("PublicKey = {}\n", key.public()))?;
    say(
        "This line takes the place of the old one under [Peer] in every device's configuration; nothing else there changes.",
    );
    if matches!(ask_if_running(places, &Request::Status), Ok(Some(_))) {
        say(
            "adit still serves under the old key: start it again now (systemctl restart adit, or adit stop and what started it).",
        );
    }
    Ok(Exit::Done)
}
