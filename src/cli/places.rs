//! Which appliance a command is about: `--config`, or whose places are used.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::client_config::shell_word;
use super::outcome::{Error, Exit, io_failed};
use super::terminal::say;
use crate::config::{Config, Places};
use crate::control::{Client, ClientError, Request, Response};
use crate::daemon;

/// The places that a command uses: those of `--config`; the system's for root and for whom its daemon runs as; otherwise the user's.
pub fn find(config: Option<&Path>) -> Result<Places, Error> {
    let places = find_to_read(config)?;
    let borrowed = places != own(config)?;
    if borrowed && !is_ours(&places) {
        let message = format!("you have no library yet, and that of {} is another user's", places.config.display());
        let advice = "Make your own: adit up DIR\nFor that one, use sudo.";
        return Err(Error::new(Exit::Configuration, message).advise(advice));
    }
    Ok(places)
}

/// Whether we are whom the daemon there runs as: its state, or the folder of its socket, is ours.
fn is_ours(places: &Places) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    let socket = places.control_socket(&places.state_dir);
    [places.state_dir.as_path(), &socket].iter().any(|path| path.metadata().is_ok_and(|it| it.uid() == own))
}

/// The same for what only reads the configuration: the system's is taken where the user has set up nothing.
pub fn find_to_read(config: Option<&Path>) -> Result<Places, Error> {
    let own = own(config)?;
    let system = Places::system();
    let borrowed = config.is_none() && !own.config.exists() && system.config.exists();
    Ok(if borrowed { system } else { own })
}

/// The places where something new is made: the same, but never the system's for a user.
pub fn own(config: Option<&Path>) -> Result<Places, Error> {
    if let Some(config) = config {
        return Places::at(config).map_err(io_failed(format_args!("cannot find {}", config.display())));
    }
    match nix::unistd::geteuid().is_root() {
        true => Ok(Places::system()),
        false => Places::user().ok_or_else(|| {
            Error::usage("HOME is not set, so there is no place for your files: say --config DIR/adit.toml")
        }),
    }
}

/// The configuration in force there.
pub fn load(places: &Places) -> Result<Config, Error> {
    if !places.config.exists() {
        let message = format!("there is no configuration yet: {} does not exist", places.config.display());
        let advice = "Make one, with a key and a first device, and serve: adit up DIR";
        return Err(Error::new(Exit::Configuration, message).advise(advice));
    }
    Ok(Config::load(&places.config)?)
}

/// The control socket of the daemon there. Finding it needs the state folder, hence the configuration, only where all files lie together.
pub fn control_socket(places: &Places) -> Result<PathBuf, Error> {
    match &places.control_socket {
        Some(socket) => Ok(socket.clone()),
        None => Ok(places.control_socket(&load(places)?.server.state_dir)),
    }
}

/// Asks the daemon; its refusal is an error, and so is that none runs.
pub fn ask(places: &Places, request: &Request) -> Result<Response, Error> {
    ask_if_running(places, request)?.ok_or_else(|| {
        let message = format!("the daemon of {} is not running", places.config.display());
        Error::new(Exit::NotRunning, message).advise(format_args!("Start it with: {}", command(places, "serve")))
    })
}

/// A command for the person to type, about these places.
pub fn command(places: &Places, verb: &str) -> String {
    let usual = own(None).is_ok_and(|own| own == *places);
    let file = places.config.to_string_lossy();
    if usual { format!("adit {verb}") } else { format!("adit {verb} --config {}", shell_word(&file)) }
}

/// Asks the daemon if it runs.
pub fn ask_if_running(places: &Places, request: &Request) -> Result<Option<Response>, Error> {
    let mut client = match control_socket(places) {
        Ok(socket) => match Client::connect(&socket) {
            Err(ClientError::NotRunning(_)) => return Ok(None),
            client => client?,
        },
        Err(errors) => connect_in_spite_of(errors, places)?,
    };
    match client.ask(request)? {
        Response::Failed(failed) => Err(failed.into()),
        response => Ok(Some(response)),
    }
}

/// Whoever broke the configuration must still be able to cut off a device: a daemon may serve on with what it read before, and
/// answers at the usual place.
fn connect_in_spite_of(errors: Error, places: &Places) -> Result<Client, Error> {
    match Client::connect(&places.control_socket(&places.state_dir)) {
        Ok(client) => {
            say(format_args!("note: the daemon serves on, but could not start again:\n{}", errors.message));
            Ok(client)
        }
        Err(_) => Err(errors),
    }
}

/// Answers without a daemon, on disk.
pub fn offline(config: &Config, request: &Request) -> Result<Response, Error> {
    match daemon::offline::answer(config, request) {
        Response::Failed(failed) => Err(failed.into()),
        response => Ok(response),
    }
}

/// Asks the daemon, or answers on disk where none runs.
pub fn ask_or_offline(places: &Places, request: &Request) -> Result<Response, Error> {
    match ask_if_running(places, request)? {
        Some(response) => Ok(response),
        None => offline(&load(places)?, request),
    }
}

/// An answer to another question than was asked.
pub fn unexpected(response: &Response) -> Error {
    let kind = serde_json::to_value(response).ok();
    let kind =
        kind.as_ref().and_then(|value| value.get("response")).and_then(|kind| kind.as_str()).unwrap_or("nothing");
    Error::failed(format_args!(
        "the daemon answered \"{kind}\", which is not what was asked: is it of another version?"
    ))
}

/// The address of MCP on this machine's own library, inside the tunnel; `None` where there is none.
pub fn own_url(config: Option<&Path>) -> Option<String> {
    let config = load(&find_to_read(config).ok()?).ok()?;
    Some(mcp_url(config.server.tunnel.first()?.address))
}

/// Where MCP is served.
pub fn mcp_url(address: std::net::IpAddr) -> String {
    format!("{}mcp", super::status::url(address))
}
