//! Making a device: its keys are drawn here and its configuration is put together here, so that its private key never leaves this
//! process but for the person who asked.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::outcome::{Error, Exit, io_failed};
use super::places::{ask_if_running, offline, unexpected};
use super::qr::Code;
use crate::config::wireguard::DeviceConfig;
use crate::config::{Config, Places, create_new, read_server_keys, write_atomically};
use crate::control::{DeviceKeys, NewPeer, PeerReport, Request, Response, ServerReport, Terms};
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::name::PeerName;

/// What a person wants of a new device.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name.
    pub name: PeerName,
    /// Its key, where it has made one itself.
    pub public_key: Option<PublicKey>,
    /// Whether a preshared key is mixed in.
    pub preshared_key: bool,
    /// What it may see and do. Without collections: those that exist now; without scopes: as `[grant]` says.
    pub terms: Terms,
    /// Persistent keepalive in seconds.
    pub keepalive_secs: Option<u16>,
    /// What it dials; `None`: as `server.endpoint` says.
    pub endpoint: Option<String>,
}

/// A device that was added.
#[derive(Debug)]
pub struct Added {
    /// Its configuration, to be shown once.
    pub text: Zeroizing<String>,
    /// What it may see and do, and its addresses.
    pub report: PeerReport,
}

/// What devices must know of the server: as the running daemon says, or as it would.
pub fn server(places: &Places, config: &Config) -> Result<ServerReport, Error> {
    match ask_if_running(places, &Request::Status)? {
        Some(Response::Status(report)) => Ok(report.server),
        Some(other) => Err(unexpected(&other)),
        None => Ok(ServerReport {
            public_key: read_server_keys(&config.server.key_file)?.key.public().to_string(),
            former_key_until: None,
            endpoint: config.server.endpoint.clone(),
            addresses: config.server.tunnel.iter().map(|network| network.address).collect(),
            mtu: config.server.mtu,
            listen: config.server.listen,
        }),
    }
}

/// Adds a device: through the daemon where one runs, otherwise on disk.
pub fn add(places: &Places, config: &Config, server: &ServerReport, wanted: Wanted) -> Result<Added, Error> {
    let Wanted { name, terms, .. } = wanted.clone();
    make(places, config, server, &wanted, |keys| Request::PeerAdd(NewPeer { name, keys, terms }))
}

/// Gives a device new keys.
pub fn rotate(places: &Places, config: &Config, server: &ServerReport, wanted: Wanted) -> Result<Added, Error> {
    let name = wanted.name.clone();
    make(places, config, server, &wanted, |keys| Request::PeerRotate { name, keys })
}

fn make(
    places: &Places,
    config: &Config,
    server: &ServerReport,
    wanted: &Wanted,
    request: impl FnOnce(DeviceKeys) -> Request,
) -> Result<Added, Error> {
    let private_key = PrivateKey::from_entropy(entropy()?);
    let preshared_key = wanted.preshared_key.then(entropy).transpose()?.map(PresharedKey::from_entropy);
    let request = request(DeviceKeys {
        public_key: wanted.public_key.unwrap_or_else(|| private_key.public()).to_string(),
        preshared_key: preshared_key.as_ref().map(|key| key.to_base64().to_string()),
    });
    let response = match ask_if_running(places, &request)? {
        Some(response) => response,
        None => offline(config, &request)?,
    };
    let report = match response {
        Response::Peer(report) => *report,
        other => return Err(unexpected(&other)),
    };
    let device = DeviceConfig {
        private_key,
        addresses: report.addresses.clone(),
        mtu: server.mtu,
        server_key: server.public_key.parse().map_err(Error::failed)?,
        preshared_key,
        server_addresses: server.addresses.clone(),
        endpoint: wanted.endpoint.clone().unwrap_or_else(|| server.endpoint.clone()),
        keepalive_secs: wanted.keepalive_secs,
    };
    let text = match wanted.public_key {
        None => device.render(),
        Some(_) => without_private_key(&device.render()),
    };
    Ok(Added { text, report })
}

/// The device has its own private key: the one drawn here is nobody's, and its line makes room for the other.
fn without_private_key(text: &str) -> Zeroizing<String> {
    let lines = text.lines().map(|line| match line.starts_with("PrivateKey") {
        true => "# PrivateKey = the device's own\n".to_owned(),
        false => format!("{line}\n"),
    });
    Zeroizing::new(lines.collect())
}

/// What a key is made of.
pub fn entropy() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::failed)?;
    Ok(bytes)
}

/// The largest code that a device of this server may need: every key and prefix has its fixed length, addresses are counted at their longest.
pub fn largest_code(server: &ServerReport, keepalive_secs: Option<u16>, preshared_key: bool) -> Result<Code, Error> {
    let longest = |address: &IpAddr| match address {
        IpAddr::V4(_) => IpAddr::from([255; 4]),
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[6..].fill(0xffff);
            IpAddr::from(segments)
        }
    };
    let device = DeviceConfig {
        private_key: PrivateKey::from_entropy([1; 32]),
        addresses: server.addresses.iter().map(longest).collect(),
        mtu: server.mtu,
        server_key: server.public_key.parse().map_err(Error::failed)?,
        preshared_key: preshared_key.then(|| PresharedKey::from_entropy([1; 32])),
        server_addresses: server.addresses.clone(),
        endpoint: server.endpoint.clone(),
        keepalive_secs,
    };
    Code::new(&device.render()).map_err(Error::failed)
}

/// A file for a device's configuration, claimed before the device is made: a device whose configuration cannot be kept would be lost.
#[derive(Debug)]
pub struct ConfFile {
    path: PathBuf,
    written: bool,
}

impl ConfFile {
    /// Claims the file: it must not exist, and must not lie where it would be indexed.
    pub fn claim(path: &Path, config: &Config) -> Result<ConfFile, Error> {
        let name = path.display();
        let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(io_failed(format_args!("cannot write {name}")))?;
        if let Some(collection) = config.collections.iter().find(|collection| folder.starts_with(&collection.path)) {
            let message = format!(
                "{name} would lie in the collection \"{}\", where every device that sees it could read its private key",
                collection.name
            );
            return Err(Error::failed(message).advise("Choose a folder that is not searchable."));
        }
        create_new(path, b"", 0o600).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Error::new(Exit::Exists, format_args!("{name} exists already, and no key is overwritten"))
            }
            _ => io_failed(format_args!("cannot write {name}"))(error),
        })?;
        Ok(ConfFile { path: path.to_owned(), written: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it, mode 0600.
    pub fn write(mut self, bytes: &[u8]) -> Result<(), Error> {
        write_atomically(&self.path, bytes, 0o600)
            .map_err(io_failed(format_args!("cannot write {}", self.path.display())))?;
        self.written = true;
        Ok(())
    }
}

impl Drop for ConfFile {
    fn drop(&mut self) {
        if !self.written {
            // Claimed for nothing: the device was not made.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_devices_own_key_stays_with_it() {
        let text = without_private_key("[Interface]\nPrivateKey = secret=\nMTU = 1280\n");
        assert_eq!(*text, "[Interface]\n# PrivateKey = the device's own\nMTU = 1280\n");
    }
}
