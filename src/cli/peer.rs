//! `adit peer`: devices, and what each may see.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::device::{self, ConfFile, Wanted};
use super::outcome::{Error, Exit, Outcome};
use super::places::{self, ask_or_offline, unexpected};
use super::qr::Code;
use super::status::{handshake, peer_lines, versioned};
use super::style::Style;
use super::terminal::{print, print_json, say};
use super::units::table;
use crate::access::Rule;
use crate::config::{Config, Places};
use crate::control::{PeerChange, PeerReport, Request, Response};
use crate::key::PublicKey;
use crate::name::PeerName;

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
    },
    /// Cut a device off for ever
    ///
    /// Its streams and calls end within a second, and its key can never return. A device that is found again gets a new key:
    /// adit peer add.
    Revoke {
        /// The device
        name: PeerName,
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
    #[command(flatten)]
    pub grant: GrantArguments,
    /// Have the device send a packet every SECS seconds [default: off]
    ///
    /// Not needed: the device always begins, and answers find their way.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u16).range(1..))]
    pub keepalive: Option<u16>,
    /// Leave out the preshared key, for clients that have no room for one
    #[arg(long)]
    pub no_psk: bool,
}

/// What a device may see and do.
#[derive(Debug, Clone, Default, Args)]
pub struct GrantArguments {
    /// Collections it sees, as names or globs; "*" includes those to come
    #[arg(long, value_name = "GLOB,…", value_delimiter = ',')]
    pub collections: Option<Vec<String>>,
    /// What it may do: search, read, browse, health, metrics
    #[arg(long, value_name = "SCOPE,…", value_delimiter = ',')]
    pub scopes: Option<Vec<String>>,
}

pub fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::Add(arguments) => return add(places, arguments),
        Command::List { json } => list(&peers(places)?, json)?,
        Command::Show { name, json } => show(&peer(places, &Request::PeerShow { name })?, json)?,
        Command::Set { name, grant } => {
            if grant.collections.is_none() && grant.scopes.is_none() {
                return Err(Error::usage("nothing to change: say --collections or --scopes"));
            }
            let change = PeerChange { collections: grant.collections, scopes: grant.scopes };
            let changed = peer(places, &Request::PeerSet { name, change })?;
            say(granted(&changed));
            places::load(places).into_iter().for_each(|config| warn_of_unmatched(&changed, &config));
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

fn list(peers: &[PeerReport], json: bool) -> Result<(), Error> {
    if json {
        return print_json(&versioned(&json!({ "peers": peers }))?);
    }
    if peers.is_empty() {
        say("no device yet: adit peer add NAME --qr");
        return Ok(());
    }
    let heading = ["NAME", "ADDRESS", "LATEST HANDSHAKE", "COLLECTIONS"].map(str::to_owned).to_vec();
    let row = |peer: &PeerReport| {
        let address = peer.addresses.first().map(|address| address.to_string()).unwrap_or_default();
        vec![peer.name.to_string(), address, handshake(peer), peer.collections.join(", ")]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(peers.iter().map(row)).collect();
    print(&table(&rows))
}

fn show(peer: &PeerReport, json: bool) -> Result<(), Error> {
    if json {
        return print_json(&versioned(peer)?);
    }
    let style = Style::of_stdout();
    let key = if peer.preshared_key { ", with a preshared key" } else { "" };
    let created = peer.created.strftime("%Y-%m-%d %H:%M UTC");
    print(&format!(
        "{}: {}\n{}  public key: {}{key}\n  added: {created}\n",
        style.strong("peer"),
        peer.name,
        peer_lines(peer),
        peer.public_key,
    ))
}

fn add(places: &Places, arguments: AddArguments) -> Outcome {
    let config = places::load(places)?;
    let server = device::server(places, &config)?;
    let to_stdout = arguments.conf.as_deref() == Some(Path::new("-"));
    if to_stdout && arguments.qr {
        return Err(Error::usage("--conf - leaves stdout to the configuration: leave out --qr, or say --png FILE"));
    }
    if arguments.qr || arguments.png.is_some() {
        let code = device::largest_code(&server, arguments.keepalive, !arguments.no_psk)?;
        if arguments.qr {
            check_room(&code)?;
        }
    }
    let conf = arguments.conf.as_deref().filter(|_| !to_stdout);
    let conf = conf.map(|path| ConfFile::claim(path, &config)).transpose()?;
    let png = arguments.png.as_deref().map(|path| ConfFile::claim(path, &config)).transpose()?;
    let shown = conf.is_none() && png.is_none() && !arguments.qr;
    let wanted = Wanted {
        name: arguments.name,
        public_key: arguments.public_key,
        preshared_key: !arguments.no_psk,
        collections: arguments.grant.collections,
        scopes: arguments.grant.scopes,
        keepalive_secs: arguments.keepalive,
        endpoint: None,
    };
    let added = device::add(places, &config, &server, wanted)?;
    say(format_args!("added {}", granted(&added.report)));
    warn_of_unmatched(&added.report, &config);
    if let Some(conf) = conf {
        conf.write(added.text.as_bytes())?;
        say("The configuration holds the device's private key: move it there, and keep no copy here.");
    }
    if let Some(png) = png {
        png.write(&Code::new(&added.text).map_err(Error::failed)?.png().map_err(Error::failed)?)?;
        say("The picture holds the device's private key: remove it once it is scanned.");
    }
    if shown || to_stdout {
        print(&added.text).map_err(|_| lost(&added.report.name))?;
    }
    if arguments.qr {
        print(&drawn(&Code::new(&added.text).map_err(Error::failed)?)).map_err(|_| lost(&added.report.name))?;
        say("Scan it with the WireGuard app: + , Create from QR code. It is shown this once.");
    }
    Ok(Exit::Done)
}

/// The configuration is shown once, and nobody has seen it.
fn lost(name: &PeerName) -> Error {
    Error::failed(format_args!("the configuration of {name} could not be shown, and is gone"))
        .advise(format_args!("Begin again: adit peer revoke {name}, then adit peer add {name}"))
}

/// A device's rights in a sentence.
fn granted(peer: &PeerReport) -> String {
    let list = |words: &[String]| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    let addresses: Vec<_> = peer.addresses.iter().map(|address| address.to_string()).collect();
    format!("{} ({}): sees {}; may {}", peer.name, addresses.join(", "), list(&peer.collections), list(&peer.scopes))
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

/// The code as stdout takes it.
pub fn drawn(code: &Code) -> String {
    match std::io::stdout().is_terminal() {
        true => code.coloured(),
        false => code.plain(),
    }
}

/// Whether the terminal has room for a code; half a code is no code.
pub fn check_room(code: &Code) -> Result<(), Error> {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((width, height)) => fits(code, width.0, height.0),
        None => Ok(()),
    }
}

fn fits(code: &Code, width: u16, height: u16) -> Result<(), Error> {
    let (columns, rows) = code.cells();
    if usize::from(width) >= columns && usize::from(height) >= rows {
        return Ok(());
    }
    let message =
        format!("the QR code needs {columns} columns and {rows} rows, and this terminal has {width} and {height}");
    Err(Error::failed(message).advise("Enlarge the window, or write a picture: --png FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_half_code_is_drawn() {
        let code = Code::new("a").unwrap();
        let (columns, rows) = code.cells();
        let (columns, rows) = (columns as u16, rows as u16);
        assert!(fits(&code, columns, rows).is_ok());
        for (width, height) in [(columns - 1, rows), (columns, rows - 1)] {
            let message = fits(&code, width, height).unwrap_err().message;
            assert!(message.contains(&format!("{columns} columns")) && message.contains("--png"), "{message}");
        }
    }
}
