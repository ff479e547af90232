//! The configuration file of a standard WireGuard client: the text of a file in, as `wg-quick(8)` reads it, and a
//! [`DeviceConfig`] out; and the other way round, as `peer add` shows it once.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::key::{KeyError, PresharedKey, PrivateKey, PublicKey};

/// Inner MTU in bytes where the file says nothing: what fits every path (RFC 8200 §5), and what `peer add` writes.
pub const DEFAULT_MTU: u16 = 1280;

/// Inner MTUs taken, in bytes: from what IPv4 hosts must accept (RFC 791) to the largest that adit's datagrams hold.
pub const MTU_RANGE: std::ops::RangeInclusive<u16> = 576..=1500;

/// One device's configuration with its one peer, the server.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// `[Interface] PrivateKey`
    pub private_key: PrivateKey,
    /// `[Interface] Address`, without the prefix (a device holds a /32 and a /128).
    pub addresses: Vec<IpAddr>,
    /// `[Interface] MTU`, in bytes.
    pub mtu: u16,
    /// `[Peer] PublicKey`: the server's.
    pub server_key: PublicKey,
    /// `[Peer] PresharedKey`
    pub preshared_key: Option<PresharedKey>,
    /// `[Peer] AllowedIPs`: the server's tunnel addresses, without the prefix. Networks wider than one address are passed over.
    pub server_addresses: Vec<IpAddr>,
    /// `[Peer] Endpoint`: `HOST:PORT`, the host possibly a name.
    pub endpoint: String,
    /// `[Peer] PersistentKeepalive`, in seconds.
    pub keepalive_secs: Option<u16>,
}

impl DeviceConfig {
    /// The file as every standard client takes it. It holds the private key, hence it is zeroed when dropped.
    pub fn render(&self) -> Zeroizing<String> {
        // Room for everything at once: a string that grows leaves copies of the key behind.
        let mut text = Zeroizing::new(String::with_capacity(RENDERED_BYTES + self.endpoint.len()));
        let mut line = |parts: &[&str]| parts.iter().for_each(|part| text.push_str(part));
        line(&["[Interface]\nPrivateKey = ", &self.private_key.to_base64()]);
        line(&["\nAddress = ", &host_list(&self.addresses)]);
        line(&["\nMTU = ", &self.mtu.to_string()]);
        line(&["\n\n[Peer]\nPublicKey = ", &self.server_key.to_string()]);
        if let Some(key) = &self.preshared_key {
            line(&["\nPresharedKey = ", &key.to_base64()]);
        }
        line(&["\nAllowedIPs = ", &host_list(&self.server_addresses)]);
        line(&["\nEndpoint = ", &self.endpoint]);
        if let Some(seconds) = self.keepalive_secs {
            line(&["\nPersistentKeepalive = ", &seconds.to_string()]);
        }
        line(&["\n"]);
        text
    }
}

/// More than a rendered file takes with two addresses on either side, in bytes.
const RENDERED_BYTES: usize = 1024;

fn host_list(addresses: &[IpAddr]) -> String {
    let hosts: Vec<String> = addresses.iter().map(|address| format!("{address}/{}", host_prefix(*address))).collect();
    hosts.join(", ")
}

fn host_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Why a text is not a device's configuration, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Counted from 1; none where something is missing from the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

impl std::error::Error for ParseError {}

/// What is wrong with a device's configuration. No value of a key is repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Neither a section, a comment nor `Key = value`.
    #[error("expected `Key = value`, `[Interface]` or `[Peer]`")]
    NotASetting,
    /// A section that `wg-quick` does not know.
    #[error("unknown section; `[Interface]` and `[Peer]` are known")]
    UnknownSection,
    /// A key that `wg-quick` does not know, at least not in this section.
    #[error("unknown key{} in this section", .0.as_deref().map(|key| format!(" `{key}`")).unwrap_or_default())]
    UnknownKey(Option<String>),
    /// A setting before the first section.
    #[error("a setting before `[Interface]` or `[Peer]`")]
    NoSection,
    /// A device of adit has one peer: its server.
    #[error("a second `[Peer]`; the server alone is expected")]
    SecondPeer,
    /// A key that is none.
    #[error("{key}: {error}")]
    Key {
        /// Its setting.
        key: &'static str,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A value of another form.
    #[error("{key}: expected {expected}")]
    Value {
        /// Its setting.
        key: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A setting that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// `AllowedIPs` names networks, but not the server itself.
    #[error(
        "AllowedIPs names no single address: put the server's tunnel address there, as 10.94.7.1/32 (`adit peer show` prints it)"
    )]
    NoServerAddress,
}

impl FromStr for DeviceConfig {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut draft = Draft::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            draft.take(line).map_err(|problem| ParseError { line: Some(index + 1), problem })?;
        }
        draft.finish().map_err(|problem| ParseError { line: None, problem })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Interface,
    Peer,
}

/// What was read so far. A single-valued key that comes again replaces the earlier one, a list goes on, as for `wg-quick`.
#[derive(Default)]
struct Draft {
    section: Option<Section>,
    peer_seen: bool,
    private_key: Option<PrivateKey>,
    addresses: Vec<IpAddr>,
    mtu: Option<u16>,
    server_key: Option<PublicKey>,
    preshared_key: Option<PresharedKey>,
    allowed: Option<Vec<(IpAddr, u8)>>,
    endpoint: Option<String>,
    keepalive_secs: Option<u16>,
}

/// What `wg-quick` acts upon and a tunnel inside one process has no use for.
const IGNORED: [&str; 9] =
    ["listenport", "fwmark", "dns", "table", "preup", "postup", "predown", "postdown", "saveconfig"];

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), Problem> {
        if line.is_empty() {
            return Ok(());
        }
        if line.starts_with('[') {
            return self.enter(line);
        }
        let (key, value) = line.split_once('=').ok_or(Problem::NotASetting)?;
        let (key, value) = (key.trim(), value.trim());
        match (self.section.ok_or(Problem::NoSection)?, key.to_ascii_lowercase().as_str()) {
            (Section::Interface, "privatekey") => self.private_key = Some(secret("PrivateKey", value)?),
            (Section::Interface, "address") => {
                self.addresses.extend(networks("Address", value)?.iter().map(|net| net.0))
            }
            (Section::Interface, "mtu") => self.mtu = Some(mtu(value)?),
            (Section::Interface, key) if IGNORED.contains(&key) => {}
            (Section::Peer, "publickey") => self.server_key = Some(secret("PublicKey", value)?),
            (Section::Peer, "presharedkey") => self.preshared_key = preshared(value)?,
            (Section::Peer, "allowedips") => {
                self.allowed.get_or_insert_default().extend(networks("AllowedIPs", value)?)
            }
            (Section::Peer, "endpoint") => self.endpoint = Some(endpoint(value)?),
            (Section::Peer, "persistentkeepalive") => self.keepalive_secs = keepalive(value)?,
            _ => return Err(Problem::UnknownKey(printable(key))),
        }
        Ok(())
    }

    fn enter(&mut self, line: &str) -> Result<(), Problem> {
        if line.eq_ignore_ascii_case("[Interface]") {
            self.section = Some(Section::Interface);
        } else if line.eq_ignore_ascii_case("[Peer]") {
            if std::mem::replace(&mut self.peer_seen, true) {
                return Err(Problem::SecondPeer);
            }
            self.section = Some(Section::Peer);
        } else {
            return Err(Problem::UnknownSection);
        }
        Ok(())
    }

    fn finish(self) -> Result<DeviceConfig, Problem> {
        if self.addresses.is_empty() {
            return Err(Problem::Missing("`Address` of `[Interface]`"));
        }
        let allowed = self.allowed.ok_or(Problem::Missing("`AllowedIPs` of `[Peer]`"))?;
        let hosts = allowed.iter().filter(|(address, prefix)| *prefix == host_prefix(*address));
        let server_addresses: Vec<IpAddr> = hosts.map(|(address, _)| *address).collect();
        if server_addresses.is_empty() {
            return Err(Problem::NoServerAddress);
        }
        Ok(DeviceConfig {
            private_key: self.private_key.ok_or(Problem::Missing("`PrivateKey` of `[Interface]`"))?,
            addresses: self.addresses,
            mtu: self.mtu.unwrap_or(DEFAULT_MTU),
            server_key: self.server_key.ok_or(Problem::Missing("`PublicKey` of `[Peer]`"))?,
            preshared_key: self.preshared_key,
            server_addresses,
            endpoint: self.endpoint.ok_or(Problem::Missing("`Endpoint` of `[Peer]`"))?,
            keepalive_secs: self.keepalive_secs,
        })
    }
}

/// A key's name for an error message, unless it may be a piece of a secret (base64 ends in `=` too).
fn printable(key: &str) -> Option<String> {
    let plain = key.len() <= 24 && key.bytes().all(|byte| byte.is_ascii_alphabetic());
    plain.then(|| key.to_owned())
}

fn secret<T: FromStr<Err = KeyError>>(key: &'static str, value: &str) -> Result<T, Problem> {
    value.parse().map_err(|error| Problem::Key { key, error })
}

/// All zeroes are WireGuard's way to write "none" (white paper §5.2).
fn preshared(value: &str) -> Result<Option<PresharedKey>, Problem> {
    let key: PresharedKey = secret("PresharedKey", value)?;
    Ok(Some(key).filter(|key| key.as_bytes() != &[0; 32]))
}

fn networks(key: &'static str, value: &str) -> Result<Vec<(IpAddr, u8)>, Problem> {
    let wrong = Problem::Value { key, expected: "addresses as 10.94.7.2/32, fd00::2/128" };
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| network(part).ok_or_else(|| wrong.clone())).collect()
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.trim().parse().ok()?;
    let prefix = prefix.map_or(Some(host_prefix(address)), |prefix| prefix.trim().parse().ok())?;
    (prefix <= host_prefix(address)).then_some((address, prefix))
}

fn mtu(value: &str) -> Result<u16, Problem> {
    let wrong = Problem::Value { key: "MTU", expected: "a number of bytes from 576 to 1500" };
    value.parse().ok().filter(|mtu| MTU_RANGE.contains(mtu)).ok_or(wrong)
}

fn keepalive(value: &str) -> Result<Option<u16>, Problem> {
    let wrong = Problem::Value { key: "PersistentKeepalive", expected: "seconds from 1 to 65535, or off" };
    match value.eq_ignore_ascii_case("off") {
        true => Ok(None),
        false => value.parse().map(|seconds: u16| Some(seconds).filter(|seconds| *seconds > 0)).map_err(|_| wrong),
    }
}

fn endpoint(value: &str) -> Result<String, Problem> {
    let wrong =
        Problem::Value { key: "Endpoint", expected: "HOST:PORT, as home.example.org:51820 or [2001:db8::1]:51820" };
    let (host, port) = value.rsplit_once(':').ok_or(wrong.clone())?;
    let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
    let host_fits = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // A zone (`fe80::1%eth0`) belongs to the address here.
        Some(host) => host.split('%').next().is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || ":[]/".contains(c)),
    };
    (port_fits && host_fits).then(|| value.to_owned()).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = "yAnz5TF+lXXJte14tjO8QDxZl2Iqv4j1tK6YzN0xGkE=";
    const PUBLIC: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    const SHARED: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

    fn standard() -> String {
        format!(
            "[Interface]\nPrivateKey = {PRIVATE}\nAddress = 10.94.7.2/32, fd7a:5c1e:90ab::2/128\nMTU = 1280\n\n\
             [Peer]\nPublicKey = {PUBLIC}\nPresharedKey = {SHARED}\nAllowedIPs = 10.94.7.1/32, fd7a:5c1e:90ab::1/128\n\
             Endpoint = home.example.org:51820\n"
        )
    }

    /// The standard file with one line replaced by others.
    fn with(key: &str, replacement: &str) -> String {
        let replace = |line: &str| if line.starts_with(key) { replacement.to_owned() } else { line.to_owned() };
        standard().lines().map(replace).collect::<Vec<_>>().join("\n")
    }

    fn problem(text: &str) -> (Option<usize>, Problem) {
        let error = text.parse::<DeviceConfig>().unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn the_standard_file_survives_a_round_trip() {
        let text = standard();
        assert_eq!(*text.parse::<DeviceConfig>().unwrap().render(), text);
        let text = format!("{text}PersistentKeepalive = 25\n");
        assert_eq!(*text.parse::<DeviceConfig>().unwrap().render(), text);
        let text = with("PresharedKey", "MTU").replace("\nMTU\n", "\n") + "\n";
        assert_eq!(*text.parse::<DeviceConfig>().unwrap().render(), text);
    }

    #[test]
    fn what_wg_quick_takes_is_taken() {
        let text = format!(
            "\u{feff}# made by hand\r\n[interface]\r\n privatekey={PRIVATE} # mine\r\nADDRESS = 10.94.7.2/24\r\nAddress=fd00::2\r\n\
             DNS = 1.1.1.1\r\nPostUp = iptables -A FORWARD -i %i\r\nTable = off\r\nSaveConfig=true\r\nListenPort=1\r\nFwMark=0x1\r\n\r\n\
             [PEER]\r\nallowedips = 10.94.7.1/32,192.168.0.0/16,\r\nAllowedIPs = fd00::1\r\nPublicKey = {PUBLIC}\r\n\
             Endpoint = [2001:db8::1]:443\r\nPersistentKeepalive = off\r\n"
        );
        let config: DeviceConfig = text.parse().unwrap();
        assert_eq!(config.addresses, ["10.94.7.2".parse::<IpAddr>().unwrap(), "fd00::2".parse().unwrap()]);
        assert_eq!(config.server_addresses, ["10.94.7.1".parse::<IpAddr>().unwrap(), "fd00::1".parse().unwrap()]);
        assert_eq!((config.mtu, config.keepalive_secs, config.preshared_key), (DEFAULT_MTU, None, None));
        assert_eq!(config.endpoint, "[2001:db8::1]:443");
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let value =
            |key: &'static str| move |problem: &Problem| matches!(problem, Problem::Value { key: k, .. } if *k == key);
        type Fits<'a> = &'a dyn Fn(&Problem) -> bool;
        let cases: [(&str, &str, usize, Fits); 13] = [
            ("PrivateKey", "PrivateKey = AAAA", 2, &|p| matches!(p, Problem::Key { key: "PrivateKey", .. })),
            ("PublicKey", "PublicKey = ", 7, &|p| matches!(p, Problem::Key { key: "PublicKey", .. })),
            ("Address", "Address = 10.94.7.300/32", 3, &value("Address")),
            ("Address", "Address = 10.94.7.2/33", 3, &value("Address")),
            ("MTU", "MTU = 9000", 4, &value("MTU")),
            ("MTU", "MTU", 4, &|p| *p == Problem::NotASetting),
            ("MTU", "Mut = 1", 4, &|p| *p == Problem::UnknownKey(Some("Mut".to_owned()))),
            ("MTU", "Endpoint = a:1", 4, &|p| *p == Problem::UnknownKey(Some("Endpoint".to_owned()))),
            ("[Peer]", "[Server]", 6, &|p| *p == Problem::UnknownSection),
            ("[Interface]", "", 2, &|p| *p == Problem::NoSection),
            ("Endpoint", "Endpoint = home.example.org", 10, &value("Endpoint")),
            ("Endpoint", "Endpoint = 2001:db8::1:51820", 10, &value("Endpoint")),
            ("Endpoint", "PersistentKeepalive = 70000", 10, &value("PersistentKeepalive")),
        ];
        for (key, replacement, line, fits) in cases {
            let (at, problem) = problem(&with(key, replacement));
            assert!(at == Some(line) && fits(&problem), "{replacement}: {at:?} {problem:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for key in ["PrivateKey", "Address", "PublicKey", "AllowedIPs", "Endpoint"] {
            let (line, problem) = problem(&with(key, ""));
            assert!(line.is_none() && problem.to_string().contains(key), "{key}: {problem}");
        }
        assert_eq!(problem(&with("AllowedIPs", "AllowedIPs = 0.0.0.0/0")), (None, Problem::NoServerAddress));
        assert_eq!(problem(&(standard() + "[Peer]\n")), (Some(11), Problem::SecondPeer));
    }

    #[test]
    fn no_secret_shows_in_an_error() {
        for text in [with("PrivateKey", PRIVATE), with("PrivateKey", &format!("PrivateKey = {PRIVATE}x"))] {
            let message = text.parse::<DeviceConfig>().unwrap_err().to_string();
            assert!(!message.contains(&PRIVATE[..8]), "{message}");
        }
        assert!(!format!("{:?}", standard().parse::<DeviceConfig>().unwrap()).contains(&PRIVATE[..8]));
    }
}
