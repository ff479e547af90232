//! `adit init`: a configuration and a server key where there were none.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;

use super::network::{Routes, outward_address, random};
use super::outcome::{Error, Exit, Outcome, io_failed};
use super::terminal::say;
use crate::config::{
    Config, ConfigErrors, NetworkError, Places, TunnelNetwork, create_key_file, create_new, is_endpoint,
};
use crate::key::PrivateKey;
use crate::name::{CollectionName, NAME_BYTES};

/// WireGuard's usual port.
const PORT: u16 = 51820;

/// Write a configuration and a server key
///
/// Nothing that exists is overwritten. The tunnel gets random private networks that no route of this machine leads to. The endpoint,
/// which devices dial, is guessed unless it is given: the guess holds in the local network, and seldom beyond.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders to make searchable, each its own collection
    #[arg(long, required = true, num_args = 1.., value_name = "[NAME=]DIR")]
    pub documents: Vec<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArguments,
}

/// What `init` and `up` may be told of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct NetworkArguments {
    /// What devices dial [default: a guess]
    ///
    /// A name or address of this machine, or of the router in front of it that forwards the port.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub endpoint: Option<String>,
    /// Listen here (default: port 51820 of all addresses)
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// The tunnel's networks, one per family [default: random]
    ///
    /// As wide as a /16 (IPv4) or a /48 (IPv6). Each device gets one address in each.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub subnet: Vec<String>,
}

impl NetworkArguments {
    /// Where the server is to listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), PORT))
    }
}

/// A folder that becomes a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The collection's name.
    pub name: CollectionName,
    /// The folder, absolute and without links.
    pub path: PathBuf,
}

/// What was made, for those who tell of it.
#[derive(Debug)]
pub struct Made {
    /// Whether nobody said what devices dial.
    pub endpoint_guessed: bool,
    /// The configuration, as read back from its file.
    pub config: Config,
}

pub fn run(places: &Places, arguments: Arguments) -> Outcome {
    let folders = folders(&arguments.documents, &[])?;
    let made = make(places, &folders, &arguments.network)?;
    say(format_args!("wrote {}", places.config.display()));
    say(format_args!("made the server's key {}", made.config.server.key_file.display()));
    if made.endpoint_guessed {
        say(endpoint_note(&made.config.server.endpoint, &places.config));
    }
    let port = made.config.server.listen.port();
    say(format_args!("One firewall rule is needed: nft add rule inet filter input udp dport {port} accept"));
    say("Next: adit peer add NAME --qr   and   adit serve");
    Ok(Exit::Done)
}

/// What the person must know of a guessed endpoint.
pub fn endpoint_note(endpoint: &str, config: &Path) -> String {
    format!(
        "devices will dial {endpoint}: a guess, good in this network. For devices elsewhere, put the router's name or public \
         address into endpoint in {} before adding them.",
        config.display()
    )
}

/// Writes the configuration and the key.
pub fn make(places: &Places, folders: &[Folder], network: &NetworkArguments) -> Result<Made, Error> {
    for file in [&places.config, &places.key_file] {
        if file.symlink_metadata().is_ok() {
            let message = format!("{} exists already, and init overwrites nothing", file.display());
            return Err(
                Error::new(Exit::Exists, message).advise("To add a folder to a library that exists: adit up DIR")
            );
        }
    }
    let listen = network.listen();
    let endpoint = endpoint(network.endpoint.as_deref(), listen.port())?;
    let tunnel = tunnel(&network.subnet)?;
    let text = text(places, listen, &endpoint, &tunnel, folders);
    let invalid = |errors| ConfigErrors::Invalid { path: places.config.clone(), errors };
    let config = Config::parse(&text, places).map_err(invalid)?;
    std::fs::create_dir_all(places.dir()).map_err(io_failed(format_args!("cannot make {}", places.dir().display())))?;
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(Error::failed)?;
    create_key_file(&config.server.key_file, &PrivateKey::from_entropy(entropy))?;
    create_new(&places.config, text.as_bytes(), 0o644)
        .map_err(io_failed(format_args!("cannot write {}", places.config.display())))?;
    Ok(Made { endpoint_guessed: network.endpoint.is_none(), config })
}

/// Folders as a person names them, `[NAME=]DIR`, beside collections that exist.
pub fn folders(arguments: &[PathBuf], taken: &[CollectionName]) -> Result<Vec<Folder>, Error> {
    let mut folders: Vec<Folder> = Vec::new();
    for argument in arguments {
        let (name, path) = split_name(argument);
        let path = path.canonicalize().map_err(io_failed(format_args!("cannot use the folder {}", path.display())))?;
        std::fs::read_dir(&path).map_err(io_failed(format_args!("cannot read the folder {}", path.display())))?;
        if path.to_str().is_none_or(|text| text.contains(char::is_control)) {
            return Err(Error::usage(format_args!(
                "the path {path:?} cannot be written into a text file: rename the folder"
            )));
        }
        let is_taken =
            |name: &CollectionName| taken.contains(name) || folders.iter().any(|folder| folder.name == *name);
        let name = match name {
            Some(name) if is_taken(&name) => {
                return Err(Error::new(Exit::Exists, format_args!("a collection \"{name}\" exists already")));
            }
            Some(name) => name,
            None => name_of(&path, is_taken),
        };
        folders.push(Folder { name, path });
    }
    Ok(folders)
}

/// `NAME=DIR`, unless there is a folder that is called just so.
pub fn split_name(argument: &Path) -> (Option<CollectionName>, PathBuf) {
    let split = argument.to_str().filter(|_| !argument.exists()).and_then(|text| text.split_once('='));
    match split.and_then(|(name, path)| Some((name.parse().ok()?, path))) {
        Some((name, path)) => (Some(name), path.into()),
        None => (None, argument.to_owned()),
    }
}

/// The folder's own name as far as a collection can have it, and a number where it is taken.
fn name_of(path: &Path, is_taken: impl Fn(&CollectionName) -> bool) -> CollectionName {
    // Room for a number behind it.
    const KEPT: usize = NAME_BYTES - 4;
    let own = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain = |char: char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '-' };
    let own: String = own.chars().map(plain).collect();
    let own = own.trim_matches(['.', '_', '-']);
    let base = if own.is_empty() { "documents" } else { &own[..own.len().min(KEPT)] };
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let mut names = std::iter::once(base.to_owned()).chain(numbered).filter_map(|name| name.parse().ok());
    names.find(|name| !is_taken(name)).expect("there are more numbers than collections")
}

fn endpoint(given: Option<&str>, port: u16) -> Result<String, Error> {
    let Some(given) = given else {
        return match outward_address() {
            Some(address) => Ok(SocketAddr::new(address, port).to_string()),
            None => Err(Error::usage(
                "this machine has no route to anywhere: say what devices dial, --endpoint HOST[:PORT]",
            )),
        };
    };
    let with_port = match given.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) if is_endpoint(given) => given.to_owned(),
        Err(_) => format!("{given}:{port}"),
    };
    match is_endpoint(&with_port) {
        true => Ok(with_port),
        false => Err(Error::usage(format_args!(
            "--endpoint {given}: expected HOST[:PORT], such as home.example.org, 192.0.2.1:51820 or [2001:db8::1]:51820"
        ))),
    }
}

fn tunnel(subnets: &[String]) -> Result<Vec<TunnelNetwork>, Error> {
    let given = subnets.iter().map(|text| subnet(text)).collect::<Result<Vec<_>, _>>()?;
    let of_family = |ipv4: bool| given.iter().filter(move |network| network.address.is_ipv4() == ipv4);
    if of_family(true).count() > 1 || of_family(false).count() > 1 {
        return Err(Error::usage("--subnet: at most one IPv4 and one IPv6 network"));
    }
    let routes = Routes::of_this_machine();
    for network in given.iter().filter(|network| routes.overlap(**network)) {
        say(format_args!("note: this machine has a route into {network}; devices in that network cannot use both"));
    }
    let full = || Error::failed("no free private network was found: choose one with --subnet CIDR");
    let ipv4 = of_family(true).next().copied().or_else(|| routes.free_ipv4(random)).ok_or_else(full)?;
    let ipv6 = of_family(false).next().copied().or_else(|| routes.free_ipv6(random)).ok_or_else(full)?;
    Ok(vec![ipv4, ipv6])
}

/// A network, with adit at the address that was named or else at its first.
fn subnet(text: &str) -> Result<TunnelNetwork, Error> {
    let first_host = || {
        let (address, prefix) = text.split_once('/')?;
        let first = match address.parse().ok()? {
            IpAddr::V4(address) => IpAddr::from(std::net::Ipv4Addr::from(u32::from(address).checked_add(1)?)),
            IpAddr::V6(address) => IpAddr::from(std::net::Ipv6Addr::from(u128::from(address).checked_add(1)?)),
        };
        format!("{first}/{prefix}").parse().ok()
    };
    match text.parse() {
        Err(NetworkError::Address) => first_host().ok_or(NetworkError::Address),
        result => result,
    }
    .map_err(|error| Error::usage(format_args!("--subnet {text}: expected {error}")))
}

/// The file as a person meets it first: what matters, and where the rest is told.
fn text(places: &Places, listen: SocketAddr, endpoint: &str, tunnel: &[TunnelNetwork], folders: &[Folder]) -> String {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    let tunnel: Vec<_> = tunnel.iter().map(|network| quoted(&network.to_string())).collect();
    let mut text = format!(
        "# What adit serves, and to whom it answers. `adit config check` says whether this file is right, `adit reload`\n\
         # applies a change, and `adit config show --reference` lists every key with its default.\n\
         version = 1\n\n\
         [server]\n\
         listen = {}\n\
         # What devices dial, as written into their configurations: a name or address of this machine, or of the router\n\
         # that forwards the port to it. Devices that exist keep what they were given.\n\
         endpoint = {}\n\
         # adit's own addresses inside the tunnel; devices get theirs from the same networks.\n\
         tunnel = [{}]\n",
        quoted(&listen.to_string()),
        quoted(endpoint),
        tunnel.join(", "),
    );
    if places.state_dir != places.dir().join("state") {
        let state_dir = quoted(&places.state_dir.to_string_lossy());
        text.push_str(&format!("# Devices, index and audit log.\nstate_dir = {state_dir}\n"));
    }
    text.push_str(
        "\n# A folder of documents. There may be more, each with its own name; dotfiles and what an .aditignore file names\n\
         # (in gitignore's syntax) are left out.\n",
    );
    let sections = folders.iter().map(|folder| {
        let (name, path) = (quoted(folder.name.as_str()), quoted(&folder.path.to_string_lossy()));
        format!("[[collection]]\nname = {name}\npath = {path}\n")
    });
    text.push_str(&sections.collect::<Vec<_>>().join("\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_get_names_that_collections_can_have() {
        let root = tempfile::tempdir().unwrap();
        let table = [
            ("Documents", "documents"),
            ("My Papers (2025)", "my-papers--2025"),
            (".hidden", "hidden"),
            ("日本", "documents-2"),
            ("sub/Documents", "documents-3"),
        ];
        let mut taken = Vec::new();
        for (dir, name) in table {
            let path = root.path().join(dir);
            std::fs::create_dir_all(&path).unwrap();
            let found = folders(&[path], &taken).unwrap();
            assert_eq!(found[0].name.as_str(), name, "{dir}");
            taken.push(found[0].name.clone());
        }
    }

    #[test]
    fn a_name_may_stand_before_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let odd = root.path().join("a=b");
        std::fs::create_dir(&odd).unwrap();
        let argument = format!("papers={}", odd.display());
        assert_eq!(folders(&[argument.into()], &[]).unwrap()[0].name.as_str(), "papers");
        assert_eq!(folders(&[odd], &[]).unwrap()[0].name.as_str(), "a-b");
    }

    #[test]
    fn endpoints_are_completed() {
        let table = [
            ("home.example.org", Some("home.example.org:443")),
            ("home.example.org:1", Some("home.example.org:1")),
            ("192.0.2.1", Some("192.0.2.1:443")),
            ("2001:db8::1", Some("[2001:db8::1]:443")),
            ("[2001:db8::1]", Some("[2001:db8::1]:443")),
            ("http://home", None),
            ("home:0", None),
            ("", None),
        ];
        for (given, expected) in table {
            assert_eq!(endpoint(Some(given), 443).ok().as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn a_subnet_names_a_network_or_an_address_in_it() {
        let table = [
            ("10.20.0.0/16", Some("10.20.0.1/16")),
            ("10.20.0.9/16", Some("10.20.0.9/16")),
            ("fd00:1::/64", Some("fd00:1::1/64")),
            ("10.0.0.0/8", None),
            ("10.20.0.0", None),
            ("10.20.255.255/16", None),
        ];
        for (text, expected) in table {
            assert_eq!(subnet(text).ok().map(|network| network.to_string()).as_deref(), expected, "{text}");
        }
    }
}
