//! `adit lockdown` and `adit unlock`: all devices cut at once, nothing forgotten.

use clap::Args;

use super::outcome::{Exit, Outcome};
use super::places::ask_or_offline;
use super::terminal::say;
use crate::config::Places;
use crate::control::Request;
use crate::name::PeerName;

/// Cut all devices off at once, in an emergency
///
/// Their streams and calls end within a second, and they meet silence until `adit unlock`, over restarts too. Devices, keys and grants stay as they
/// are.
#[derive(Debug, Args)]
pub struct Arguments {
    /// But this one; may be said more than once
    #[arg(long, value_name = "NAME")]
    pub except: Vec<PeerName>,
}

pub fn lockdown(places: &Places, arguments: Arguments) -> Outcome {
    let Arguments { except } = arguments;
    ask_or_offline(places, &Request::Lockdown { except: except.clone() })?;
    match except.as_slice() {
        [] => say("all devices are locked out; adit unlock admits them again"),
        some => {
            let names: Vec<_> = some.iter().map(PeerName::as_str).collect();
            say(format_args!("all devices but {} are locked out; adit unlock admits them again", names.join(", ")));
        }
    }
    Ok(Exit::Done)
}

pub fn unlock(places: &Places) -> Outcome {
    ask_or_offline(places, &Request::Unlock)?;
    say("no device is locked out");
    Ok(Exit::Done)
}
