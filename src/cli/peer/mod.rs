//! `adit peer`: devices, and what each may see.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::outcome::{Error, Exit, Outcome};
use super::places::{self, ask_or_offline, unexpected};
use super::terminal::say;
use super::when;
use crate::access::Rule;
use crate::config::{Config, Places};
use crate::control::{PeerReport, Request, Response, Standing, Terms, When};
use crate::key::PublicKey;
use crate::name::PeerName;

mod made;
mod rehearsed;
mod shown;

pub use made::check_room;
pub use shown::standing;

/// Add devices, look at them, change what they see, cut them off
#[derive(Debug, Subcommand)]
pub enum Command {
    Add(AddArguments),
    /// List all devices
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one device
    Show {
        /// The device
        name: PeerName,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Change what a device may see and do; never its key or address
    ///
    /// The change is live within a second, on disk before this returns, and ends what is running under the old rights.
    Set {
        /// The device
        name: PeerName,
        #[command(flatten)]
        grant: GrantArguments,
        /// Change nothing: say which documents the device would gain and lose
        #[arg(long)]
        dry_run: bool,
        /// Print that as JSON
        #[arg(long, requires = "dry_run")]
        json: bool,
    },
    /// Give a device another name; everything else stays
    Rename {
        /// The device
        name: PeerName,
        /// Its new name
        to: PeerName,
    },
    /// Switch a device off for the time being
    ///
    /// Its streams and calls end within a second, and it meets silence until it is switched on again: adit peer enable.
    Disable {
        /// The device
        name: PeerName,
    },
    /// Switch a device on again
    Enable {
        /// The device
        name: PeerName,
    },
    Rotate(RotateArguments),
    /// Cut a device off for ever
    ///
    /// Its streams and calls end within a second, and its key can never return. A device that is found again gets a new key:
    /// adit peer add.
    Revoke {
        /// The device
        name: PeerName,
    },
    /// Say why a device may or may not see a document
    ///
    /// Which rule of its grant decides, whether the device is served at all, what it may do there, and how the document itself stands.
    Explain {
        /// The device
        name: PeerName,
        /// The file or folder, or COLLECTION/PATH as `adit search` prints it
        path: PathBuf,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Add a device and show its configuration once
///
/// Makes the device's key pair and prints the configuration that every WireGuard client takes. adit keeps the public key and the
/// preshared key alone, so what is not saved now is gone. Without --collections, the device sees those that exist now.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// What to call the device, such as "phone" or "anna-laptop"
    #[arg(value_name = "NAME")]
    pub name: PeerName,
    #[command(flatten)]
    pub grant: GrantArguments,
    #[command(flatten)]
    pub keys: KeyArguments,
}

/// Give a device new keys and show its configuration once
///
/// For a device that was set up anew, or whose configuration may have been seen: name, address and grant stay, the old key is dead at
/// once and can never return.
#[derive(Debug, Args)]
pub struct RotateArguments {
    /// The device
    #[arg(value_name = "NAME")]
    pub name: PeerName,
    #[command(flatten)]
    pub keys: KeyArguments,
}

/// A device's keys, and how its configuration is shown.
#[derive(Debug, Args)]
pub struct KeyArguments {
    /// Write the configuration to this new file (-: to stdout)
    #[arg(long, value_name = "FILE|-")]
    pub conf: Option<PathBuf>,
    /// Show the configuration as a QR code, for the WireGuard app on a phone
    #[arg(long)]
    pub qr: bool,
    /// Write the QR code to this new PNG file
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// The public key of a device that keeps its private key to itself
    #[arg(long, value_name = "KEY", conflicts_with_all = ["qr", "png"])]
    pub public_key: Option<PublicKey>,
    /// Have the device send a packet every SECS seconds [default: off]
    ///
    /// Not needed: the device always begins, and answers find their way.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u16).range(1..))]
    pub keepalive: Option<u16>,
    /// Leave out the preshared key, for clients that have no room for one
    #[arg(long)]
    pub no_psk: bool,
}

/// What a device may see and do, and when, and from where.
#[derive(Debug, Clone, Default, Args)]
pub struct GrantArguments {
    /// Collections it sees, as names or globs; "*" includes those to come
    ///
    /// NAME/FOLDER is one folder of a collection, and !NAME or !NAME/FOLDER takes away: the rule that reaches deepest decides.
    #[arg(long, value_name = "GLOB,…", value_delimiter = ',')]
    pub collections: Option<Vec<String>>,
    /// What it may do: search, read, browse, health, metrics
    #[arg(long, value_name = "SCOPE,…", value_delimiter = ',')]
    pub scopes: Option<Vec<String>>,
    /// When its grant ends: 30d, 2027-01-31 (the end of that day), or never
    #[arg(long, value_name = "TIME", value_parser = when::until)]
    pub expires: Option<When>,
    /// When its grant begins: 2h, 2027-01-01, or never for at once
    #[arg(long, value_name = "TIME", value_parser = when::not_before)]
    pub not_before: Option<When>,
    /// Outer networks that it may come from, such as 192.0.2.0/24; any
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',')]
    pub from: Option<Vec<String>>,
}

impl From<GrantArguments> for Terms {
    fn from(arguments: GrantArguments) -> Terms {
        let GrantArguments { collections, scopes, expires, not_before, from } = arguments;
        let from = from.map(|networks| if networks == ["any"] { Vec::new() } else { networks });
        Terms { collections, scopes, not_before, expires, from }
    }
}

pub fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Add(arguments) => return made::add(places, arguments),
        Command::Rotate(arguments) => return made::rotate(places, arguments),
        Command::List { json } => shown::list(&peers(places)?, json)?,
        Command::Show { name, json } => shown::show(&peer(places, &Request::PeerShow { name })?, json)?,
        Command::Explain { name, path, json } => return shown::explain(places, name, &path, json),
        Command::Set { name, grant, dry_run, json } => {
            let change = Terms::from(grant);
            if change == Terms::default() {
                let said = "nothing to change: say --collections, --scopes, --expires, --not-before or --from";
                return Err(Error::usage(said));
            }
            if dry_run {
                return rehearsed::show(places, name, change, json);
            }
            let changed = peer(places, &Request::PeerSet { name, change })?;
            say(granted(&changed));
            places::load(places).into_iter().for_each(|config| warn_of_unmatched(&changed, &config));
        }
        Command::Rename { name, to } => {
            let renamed = peer(places, &Request::PeerRename { name: name.clone(), to })?;
            say(format_args!("{name} is {} now", renamed.name));
        }
        Command::Disable { name } => {
            let name = peer(places, &Request::PeerSwitch { name, on: false })?.name;
            say(format_args!("{name} is switched off; adit peer enable {name}"));
        }
        Command::Enable { name } => {
            let enabled = peer(places, &Request::PeerSwitch { name, on: true })?;
            match enabled.standing {
                Standing::Served => say(format_args!("{} is switched on", enabled.name)),
                other => say(format_args!("{} is switched on, but {}", enabled.name, shown::why_not(&enabled, other))),
            }
        }
        Command::Revoke { name } => {
            ask_or_offline(places, &Request::PeerRevoke { name: name.clone() })?;
            say(format_args!("{name} is cut off, and its key can never return"));
        }
    }
    Ok(Exit::Done)
}

/// All devices.
pub fn peers(places: &Places) -> Result<Vec<PeerReport>, Error> {
    match ask_or_offline(places, &Request::PeerList)? {
        Response::Peers { peers } => Ok(peers),
        other => Err(unexpected(&other)),
    }
}

fn peer(places: &Places, request: &Request) -> Result<PeerReport, Error> {
    match ask_or_offline(places, request)? {
        Response::Peer(peer) => Ok(*peer),
        other => Err(unexpected(&other)),
    }
}

/// A device's rights in a sentence.
fn granted(peer: &PeerReport) -> String {
    let list = |words: &[String]| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    let addresses: Vec<_> = peer.addresses.iter().map(|address| address.to_string()).collect();
    let mut text = format!(
        "{} ({}): sees {}; may {}",
        peer.name,
        addresses.join(", "),
        list(&peer.collections),
        list(&peer.scopes)
    );
    if let Some(begin) = peer.not_before {
        text.push_str(&format!("; from {}", when::shown(begin)));
    }
    if let Some(end) = peer.expires {
        text.push_str(&format!("; until {}", when::shown(end)));
    }
    if !peer.from.is_empty() {
        text.push_str(&format!("; only from {}", peer.from.join(", ")));
    }
    text
}

/// A rule may be for a collection to come; or it is misspelt.
fn warn_of_unmatched(peer: &PeerReport, config: &Config) {
    for text in peer.collections.iter().filter(|text| *text != "*") {
        let Ok(rule) = text.parse::<Rule>() else { continue };
        if !config.collections.iter().any(|collection| rule.concerns(&collection.name)) {
            say(format_args!("warning: \"{text}\" matches no collection that there is now"));
        }
    }
}
