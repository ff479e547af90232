//! `adit server-key`: a new key for the server.

use clap::Subcommand;
use jiff::Timestamp;

use super::device::entropy;
use super::outcome::{Error, Exit, Outcome};
use super::places::{self, ask_if_running};
use super::terminal::{print, say};
use super::when;
use crate::config::{Config, FormerKey, Places, ServerKeys, read_key_file, replace_key_file};
use crate::control::{Request, Response};
use crate::key::{PrivateKey, PublicKey};

const START_AGAIN: &str = "start it again now (systemctl restart adit, or adit stop and what started it)";

/// The server's own key
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new key for the server, in place of one that may be stolen or is lost
    ///
    /// Prints the one line that every device must change in its configuration: the server's public key. Keys, addresses and grants of the
    /// devices stay. The old key is gone when adit has been started again; nothing answers under it then, unless an overlap is asked for.
    Rotate {
        /// Answer under the old key too, for this long (7d)
        ///
        /// Or until then (2027-01-31), a year at most: so that devices can be changed one after the other. Not after a theft.
        #[arg(long, value_name = "WHEN", value_parser = when::overlap)]
        overlap: Option<Timestamp>,
    },
    /// End an overlap: answer no longer under the old key
    ///
    /// At once, also in a running daemon, and for good. Devices that still use the old key (adit status names them) meet silence.
    Forget,
}

pub fn run(places: &Places, command: Command) -> Outcome {
    let config = places::load(places)?;
    match command {
        Command::Rotate { overlap } => rotate(places, &config, overlap),
        Command::Forget => forget(places, &config),
    }
}

fn rotate(places: &Places, config: &Config, overlap: Option<Timestamp>) -> Outcome {
    let file = &config.server.key_file;
    let former = overlap.map(|until| former(config, until)).transpose()?;
    let keys = ServerKeys { key: PrivateKey::from_entropy(entropy()?), former };
    replace_key_file(file, &keys)?;
    print(&format!("PublicKey = {}\n", keys.key.public()))?;
    say(
        "This line takes the place of the old one under [Peer] in every device's configuration; nothing else there changes.",
    );
    if let Some(until) = overlap {
        say(format_args!(
            "Until {} the old key is answered too. adit status names the devices that still use it; adit server-key forget ends it earlier.",
            when::shown(until)
        ));
    }
    if is_outdated(places, keys.key.public())? {
        say(format_args!("adit still serves under the old key alone: {START_AGAIN}."));
    }
    Ok(Exit::Done)
}

/// Whether a daemon runs that has another key: it reads its key when it starts.
fn is_outdated(places: &Places, key: PublicKey) -> Result<bool, Error> {
    match ask_if_running(places, &Request::Status)? {
        Some(Response::Status(report)) => Ok(report.server.public_key != key.to_string()),
        _ => Ok(false),
    }
}

/// The present key, to be answered until then. One that is former already would be forgotten with its devices.
fn former(config: &Config, until: Timestamp) -> Result<FormerKey, Error> {
    let present = read_key_file(&config.server.key_file)?;
    match present.former.filter(|it| it.until > Timestamp::now()) {
        None => Ok(FormerKey { key: present.key, until }),
        Some(older) => {
            let message = format!(
                "an overlap is under way until {}, and two keys are answered at most",
                when::shown(older.until)
            );
            let advice = "When all devices have the present key: adit server-key forget\nThen rotate again. To be rid of both keys: rotate without --overlap.";
            Err(Error::new(Exit::Exists, message).advise(advice))
        }
    }
}

fn forget(places: &Places, config: &Config) -> Outcome {
    let file = &config.server.key_file;
    let ServerKeys { key, former } = read_key_file(file)?;
    let was_there = former.is_some();
    if is_outdated(places, key.public())? {
        // No device can have come to the new key yet, and none would come back under the old one.
        let message = "adit still serves under the old key alone, and knows no other";
        return Err(Error::failed(message).advise(format_args!("First let it answer under both: {START_AGAIN}.")));
    }
    if was_there {
        replace_key_file(file, &key.into())?;
    }
    // Also where the file has none: the daemon may have started with one that is no longer there.
    ask_if_running(places, &Request::ForgetFormerKey)?;
    say(if was_there { "The old key is answered no longer." } else { "There is no old key." });
    Ok(Exit::Done)
}
