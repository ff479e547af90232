//! `adit up`: from nothing to a library that answers, and again from there.

use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use zeroize::Zeroizing;

use super::client_config::{self, Client, Way};
use super::device::{self, Added, ConfFile, Wanted};
use super::init::{self, NetworkArguments};
use super::outcome::{Error, Exit, Outcome, io_failed};
use super::places::{self, ask_if_running, mcp_url, unexpected};
use super::qr::Code;
use super::status::{index_line, url};
use super::style::Style;
use super::terminal::{print, say};
use super::units::count;
use super::{peer, progress, serve};
use crate::bridge;
use crate::config::wireguard::DeviceConfig;
use crate::config::{Config, ConfigErrors, Places, rewrite_atomically, with_collection};
use crate::control::{PeerReport, Request, Response, ServerReport, StatusReport, Terms};
use crate::daemon::running::Running;
use crate::daemon::{self, Hangup, ServeOptions};
use crate::name::{CollectionName, PeerName};

/// What an agent on the server itself is called as a device.
const THIS_MACHINE: &str = "this-machine";

/// What the first device is called unless somebody says otherwise.
const FIRST_DEVICE: &str = "phone";

/// How often the progress bar is drawn.
const REDRAWN_EVERY: Duration = Duration::from_millis(200);

/// Set everything up that is missing, and serve
///
/// The first time: a configuration, the server's key, a first device (its configuration NAME.conf in this folder, and its QR code) and one
/// for agents on this very machine. Then it indexes and serves until Ctrl-C. Every other time it serves again, with folders that are new
/// added, and shows the first device's code again while NAME.conf is still in this folder. Nothing that exists is replaced, and while
/// a daemon serves no further device is made.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders to make searchable, each its own collection
    #[arg(value_name = "[NAME=]DIR")]
    pub documents: Vec<PathBuf>,
    /// What to call the first device
    #[arg(long, value_name = "NAME", default_value = FIRST_DEVICE)]
    pub device: PeerName,
    /// Write the first device's QR code to this new PNG file
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArguments,
    /// As root: become this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

pub fn run(places: &Places, arguments: Arguments) -> Outcome {
    let config = set_up(places, &arguments)?;
    let server = device::server(places, &config)?;
    let existing = peer::peers(places)?;
    let running = running(places)?;
    let complete = running.is_some() && !existing.is_empty();
    let mut devices = Devices { places, config: &config, server: &server, existing, complete };
    let first = devices.first(&arguments.device, arguments.png.as_deref())?;
    let local = devices.of_this_machine()?;
    print(&first)?;
    print(&addresses(&server))?;
    print(&local)?;
    if let Some(report) = running {
        return Ok(serves_already(places, &config, &report));
    }
    let options = ServeOptions {
        places: places.clone(),
        user: arguments.user,
        daemonize: false,
        hangup: Hangup::Stop,
        pid_file: None,
        on_ready: Some(Box::new(show_progress)),
    };
    daemon::serve(options).map_err(serve::not_serving)?;
    Ok(Exit::Done)
}

/// The configuration, made where there was none, with every folder that was named.
fn set_up(places: &Places, arguments: &Arguments) -> Result<Config, Error> {
    if !places.config.exists() {
        if arguments.documents.is_empty() {
            let advice = "Say which folder is to be searchable: adit up DIR";
            return Err(Error::usage("there is no library yet").advise(advice));
        }
        let folders = init::folders(&arguments.documents, &[])?;
        check_port(arguments.network.listen())?;
        let searchable = folders.iter().map(|folder| folder.path.as_path());
        let conf = folder_for_confs(searchable, keys_folder(&places.key_file, places))?;
        check_way(&conf.join(format!("{}.conf", arguments.device)))?;
        arguments.png.as_deref().map(check_way).transpose()?;
        let made = init::make(places, &folders, &arguments.network)?;
        say(format_args!("wrote {} and the server's key beside it", places.config.display()));
        if made.endpoint_guessed {
            say(init::endpoint_note(&made.config.server.endpoint, &places.config));
        }
        return Ok(made.config);
    }
    let config = places::load(places)?;
    if arguments.network != NetworkArguments::default() {
        let message = format!("{} exists, and up changes nothing in it but adding folders", places.config.display());
        return Err(Error::usage(message).advise("Change listen, endpoint or tunnel there."));
    }
    add_folders(places, config, &arguments.documents)
}

/// Nothing is made to serve at a port that somebody else has. Whatever else hinders a socket is said by who opens it.
fn check_port(listen: SocketAddr) -> Result<(), Error> {
    match UdpSocket::bind(listen) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let message =
                format!("UDP port {} is in use; is another adit or WireGuard running? Nothing was made", listen.port());
            Err(Error::failed(message).advise("Stop it, or choose another port: --listen [::]:PORT"))
        }
        _ => Ok(()),
    }
}

/// No file may be where the first device's configuration, or its picture, is to be.
fn check_way(conf: &Path) -> Result<(), Error> {
    if conf.symlink_metadata().is_err() {
        return Ok(());
    }
    let message = format!("{} exists already, and no key is overwritten", conf.display());
    Err(Error::new(Exit::Exists, message).advise("Move it away, or choose another name: --device NAME, --png FILE"))
}

/// The working directory, where a person looks; unless it is searchable itself, which would give the key away.
fn folder_for_confs<'a>(mut searchable: impl Iterator<Item = &'a Path>, otherwise: PathBuf) -> Result<PathBuf, Error> {
    let here = env::current_dir().map_err(io_failed("cannot tell the working directory"))?;
    Ok(if searchable.any(|path| here.starts_with(path)) { otherwise } else { here })
}

fn keys_folder(key_file: &Path, places: &Places) -> PathBuf {
    key_file.parent().unwrap_or(places.dir()).to_owned()
}

/// Adds the folders that are no collections yet.
fn add_folders(places: &Places, config: Config, arguments: &[PathBuf]) -> Result<Config, Error> {
    let is_new = |argument: &&PathBuf| {
        let (name, path) = init::split_name(argument);
        let path = path.canonicalize().ok();
        !config.collections.iter().any(|collection| {
            path.as_ref() == Some(&collection.path) && name.as_ref().is_none_or(|name| *name == collection.name)
        })
    };
    let new: Vec<PathBuf> = arguments.iter().filter(is_new).cloned().collect();
    let taken: Vec<_> = config.collections.iter().map(|collection| collection.name.clone()).collect();
    let folders = init::folders(&new, &taken)?;
    if folders.is_empty() {
        return Ok(config);
    }
    let mut text = fs::read_to_string(&places.config)
        .map_err(io_failed(format_args!("cannot read {}", places.config.display())))?;
    for folder in &folders {
        text = with_collection(&text, &folder.name, &folder.path).map_err(Error::failed)?;
    }
    let invalid = |errors| ConfigErrors::Invalid { path: places.config.clone(), errors };
    let config = Config::parse(&text, places).map_err(invalid)?;
    rewrite_atomically(&places.config, text.as_bytes())
        .map_err(io_failed(format_args!("cannot write {}", places.config.display())))?;
    for folder in &folders {
        say(format_args!("added the collection \"{}\" ({})", folder.name, folder.path.display()));
    }
    say("Devices that exist see it once you say so: adit peer set NAME --collections '*'");
    Ok(config)
}

/// Says that a daemon runs, and which folders it does not serve: it was closed around those it began with.
fn serves_already(places: &Places, config: &Config, report: &StatusReport) -> Exit {
    let stop = places::command(places, "stop");
    say(format_args!("adit serves already (pid {}); `{stop}` ends it", report.pid));
    let served = |name: &CollectionName| report.index.collections.iter().any(|collection| collection.name == *name);
    let names = config.collections.iter().map(|collection| &collection.name);
    let waiting: Vec<_> = names.filter(|name| !served(name)).map(|name| format!("\"{name}\"")).collect();
    if waiting.is_empty() {
        return Exit::Done;
    }
    let up = places::command(places, "up");
    say(format_args!("It does not serve {} until it is started again: `{stop}`, then `{up}`", waiting.join(", ")));
    Exit::Partly
}

fn running(places: &Places) -> Result<Option<StatusReport>, Error> {
    match ask_if_running(places, &Request::Status)? {
        Some(Response::Status(report)) => Ok(Some(*report)),
        Some(other) => Err(unexpected(&other)),
        None => Ok(None),
    }
}

/// The devices that `up` makes, once.
struct Devices<'a> {
    places: &'a Places,
    config: &'a Config,
    server: &'a ServerReport,
    existing: Vec<PeerReport>,
    /// A library that serves and has a device is as its owner wants it: no other is made.
    complete: bool,
}

impl Devices<'_> {
    /// The first device, or how to add another; and what to do with its configuration as long as that is here.
    fn first(&mut self, name: &PeerName, png: Option<&Path>) -> Result<String, Error> {
        let file = self.folder_for_confs()?.join(format!("{name}.conf"));
        let style = Style::of_stdout();
        if !self.complete && self.existing.iter().all(|peer| peer.name.as_str() == THIS_MACHINE) {
            check_way(&file)?;
            let png = png.map(|path| ConfFile::claim(path, self.config)).transpose()?;
            let text = self.add(name.clone(), None, &file)?.text;
            let heading = style.strong(&format!("Your first device is \"{name}\". Its configuration:"));
            return Ok(format!("{heading}\n{}", self.handed_over(name, &text, &file, png)?));
        }
        let names: Vec<&str> = self.existing.iter().map(|peer| peer.name.as_str()).collect();
        let mut said = format!(
            "Devices: {}.\n  Another one:  adit peer add NAME --qr\n  One is lost:  adit peer revoke NAME, then add it anew\n",
            names.join(", ")
        );
        match (self.kept(name, &file), png) {
            (Some(text), _) => {
                let png = png.map(|path| ConfFile::claim(path, self.config)).transpose()?;
                let heading = style.strong(&format!("The configuration of \"{name}\" is still here:"));
                said.push_str(&format!("{heading}\n{}", self.handed_over(name, &text, &file, png)?));
            }
            (None, Some(_)) => {
                let message = format!("{} is not (or not any more) the configuration of \"{name}\"", file.display());
                return Err(
                    Error::new(Exit::NotFound, message).advise("For another device: adit peer add NAME --png FILE")
                );
            }
            (None, None) => {}
        }
        Ok(said)
    }

    /// The text of a device's configuration, where the file is there and the key in it is the device's.
    fn kept(&self, name: &PeerName, file: &Path) -> Option<Zeroizing<String>> {
        let peer = self.existing.iter().find(|peer| peer.name == *name)?;
        bridge::check(file).ok()?;
        let text = Zeroizing::new(fs::read_to_string(file).ok()?);
        let device: DeviceConfig = text.parse().ok()?;
        (device.private_key.public().to_string() == peer.public_key).then_some(text)
    }

    /// What to do with a device's configuration: the file, its picture where one is wanted, its code where a terminal has room.
    fn handed_over(&self, name: &PeerName, text: &str, file: &Path, png: Option<ConfFile>) -> Result<String, Error> {
        let mut ways = "Import it into a WireGuard app".to_owned();
        if let Some(png) = png {
            ways.push_str(&format!(", or scan {}", png.path().display()));
            png.write(&Code::new(text).map_err(Error::failed)?.png().map_err(Error::failed)?)?;
        }
        let drawn = drawn(text);
        let below = match &drawn {
            Some(Ok(code)) => {
                ways.push_str(", or scan the code below");
                format!("\n{code}\n")
            }
            Some(Err(why)) => {
                let device = if name.as_str() == FIRST_DEVICE { String::new() } else { format!(" --device {name}") };
                let again = places::command(self.places, &format!("up{device}"));
                format!(
                    "  No QR code here: {why}.\n  Enlarge the window and type in this folder: {again}\n  Or get a picture:  {again} --png FILE\n"
                )
            }
            None => String::new(),
        };
        let file = file.display();
        Ok(format!("  {file}\n  {ways}; then delete it here: it holds the device's private key.\n{below}"))
    }

    /// The device that agents on the server itself are, and how they use it.
    fn of_this_machine(&mut self) -> Result<String, Error> {
        let name: PeerName = THIS_MACHINE.parse().expect("a plain name");
        let file = self.folder_of_this_machine()?.join(format!("{name}.conf"));
        if !self.existing.iter().any(|peer| peer.name == name) {
            if self.complete {
                return Ok(String::new());
            }
            let endpoint = loopback(self.server);
            self.add(name, Some(endpoint), &file)?;
        }
        if !file.exists() {
            return Ok(format!(
                "An agent on this machine: its configuration {} is not there any more.\n  \
                 Make it anew:  adit peer revoke {THIS_MACHINE}, then adit up\n",
                file.display()
            ));
        }
        let snippet = client_config::snippet(Client::ClaudeCode, &client_config::bridge(&file)?)?;
        Ok(format!("An agent on this machine (Claude Code; `adit client-config` knows others):\n  {}", snippet.text))
    }

    fn add(&mut self, name: PeerName, endpoint: Option<String>, file: &Path) -> Result<Added, Error> {
        let conf = ConfFile::claim(file, self.config)?;
        let wanted = Wanted {
            name,
            public_key: None,
            preshared_key: true,
            terms: Terms::default(),
            keepalive_secs: None,
            endpoint,
        };
        let added = device::add(self.places, self.config, self.server, wanted)?;
        conf.write(added.text.as_bytes())?;
        Ok(added)
    }

    fn folder_for_confs(&self) -> Result<PathBuf, Error> {
        folder_for_confs(self.config.collections.iter().map(|collection| collection.path.as_path()), self.keys_folder())
    }

    /// Beside the server's key, where it stays; for root, whose folders an agent cannot enter, the working directory.
    fn folder_of_this_machine(&self) -> Result<PathBuf, Error> {
        match *self.places == Places::system() {
            true => self.folder_for_confs(),
            false => Ok(self.keys_folder()),
        }
    }

    fn keys_folder(&self) -> PathBuf {
        keys_folder(&self.config.server.key_file, self.places)
    }
}

/// Where the server is reached from its own machine: the address it listens on, or loopback where it listens on all.
fn loopback(server: &ServerReport) -> String {
    let mut listen = server.listen;
    match listen.ip() {
        // A dual-stack socket: IPv4's loopback reaches it too.
        ip if ip.is_unspecified() => listen.set_ip(IpAddr::from([127, 0, 0, 1])),
        _ => {}
    }
    listen.to_string()
}

/// The QR code where a person looks at a terminal, or why it is not drawn there.
fn drawn(text: &str) -> Option<Result<String, String>> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let room = |code: Code| match peer::check_room(&code) {
        Ok(()) => Ok(code.coloured()),
        Err(error) => Err(error.message.lines().next().unwrap_or_default().to_owned()),
    };
    Some(Code::new(text).map_err(|error| error.to_string()).and_then(room))
}

/// What to do on a device that is connected.
fn addresses(server: &ServerReport) -> String {
    let Some(address) = server.addresses.first() else { return String::new() };
    let way = Way::Http { url: mcp_url(*address) };
    let line = client_config::snippet(Client::ClaudeCode, &way).map(|snippet| snippet.text).unwrap_or_default();
    format!(
        "On that device, once connected:\n  In a browser:    {}\n  In Claude Code:  {line}",
        Style::of_stdout().strong(&url(*address))
    )
}

/// Shows how far the index is, until it is done for the first time or the daemon ends.
fn show_progress(running: Arc<Running>) {
    let bar = progress::bar();
    loop {
        let now = running.indexer.progress();
        if now.is_idle() || running.is_stopping() {
            break;
        }
        progress::show(&bar, now.done, now.total, &now.activity());
        thread::sleep(REDRAWN_EVERY);
    }
    bar.finish_and_clear();
    if running.is_stopping() {
        return;
    }
    let index = running.status().index;
    say(format_args!("serving: {}", index_line(&index)));
    if index.failed > 0 {
        say(format_args!("{} could not be read; `adit index failures` says why", count(index.failed, "file")));
    }
    say("Ctrl-C stops it.");
}
