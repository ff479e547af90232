//! The texts that values of `adit.toml` are written as: sizes, times, networks, endpoints, host names, origins.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::{Dial, TunnelNetwork};

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIME_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A size in bytes from `100 MiB`, `16KiB`, `512 B` or `512`.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text);
    let factor = match unit {
        "" => 1,
        unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size as [`parse_size`] reads it, in the largest unit that divides it.
pub fn format_size(bytes: u64) -> String {
    let (unit, factor) = largest_divisor(&SIZE_UNITS, bytes);
    format!("{} {unit}", bytes / factor)
}

/// A time from `30s`, `10m`, `5 h` or `90d`.
pub fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = split_number(text);
    let factor = TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1;
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(factor)?))
}

/// A time as [`parse_time`] reads it, in the largest unit that divides it.
pub fn format_time(time: Duration) -> String {
    let (unit, factor) = largest_divisor(&TIME_UNITS, time.as_secs());
    format!("{}{unit}", time.as_secs() / factor)
}

fn split_number(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (&text[..digits], text[digits..].trim_start())
}

fn largest_divisor(units: &[(&'static str, u64); 4], value: u64) -> (&'static str, u64) {
    let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    *units.iter().find(fits).unwrap_or(&units[3])
}

/// Why a text is not an inner network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not `ADDRESS/PREFIX`.
    #[error("an address with its prefix, such as 10.94.7.1/24 or fd7a:5c1e:90ab::1/64")]
    Malformed,
    /// Too wide or too narrow for the server and its devices.
    #[error("a prefix from /16 to /30 (IPv4), or from /48 to /126 (IPv6)")]
    Prefix,
    /// The network's own or its broadcast address, or none that a host can have.
    #[error("an address that a host can have in that network, such as its first")]
    Address,
}

/// What is wrong with a peer to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a peer's name and its literal address, such as \"laptop=192.0.2.1:51820\" or \"laptop=[2001:db8::1]:51820\"")]
pub struct DialError;

impl FromStr for Dial {
    type Err = DialError;

    fn from_str(text: &str) -> Result<Self, DialError> {
        let (peer, address) = text.split_once('=').ok_or(DialError)?;
        let address: SocketAddr = address.parse().map_err(|_| DialError)?;
        match peer.parse() {
            Ok(peer) if address.port() != 0 => Ok(Dial { peer, address }),
            _ => Err(DialError),
        }
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.peer, self.address)
    }
}

impl FromStr for TunnelNetwork {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').ok_or(NetworkError::Malformed)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| plain).ok_or(NetworkError::Malformed)?;
        let widths = if address.is_ipv4() { 16..=30 } else { 48..=126 };
        if !widths.contains(&prefix) {
            return Err(NetworkError::Prefix);
        }
        let network = TunnelNetwork { address, prefix };
        match network.is_host(address) && !address.is_loopback() && !address.is_multicast() {
            true => Ok(network),
            false => Err(NetworkError::Address),
        }
    }
}

impl TunnelNetwork {
    /// Whether this address lies in the network and is one that a host can have (not the first; in IPv4, not the last).
    pub fn is_host(&self, address: IpAddr) -> bool {
        if !self.contains(address) {
            return false;
        }
        match address {
            IpAddr::V4(address) => {
                let host = u32::from(address) & (u32::MAX >> self.prefix);
                host != 0 && host != u32::MAX >> self.prefix
            }
            IpAddr::V6(address) => u128::from(address) & (u128::MAX >> self.prefix) != 0,
        }
    }

    /// Whether this address lies in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u32::from(own) ^ u32::from(other)) >> (32 - self.prefix) == 0,
            (IpAddr::V6(own), IpAddr::V6(other)) => (u128::from(own) ^ u128::from(other)) >> (128 - self.prefix) == 0,
            _ => false,
        }
    }
}

impl std::fmt::Display for TunnelNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Whether this is `HOST:PORT` with a name, an IPv4 address or a bracketed IPv6 address, and a port other than 0.
pub fn is_endpoint(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    digits && port.parse::<u16>().is_ok_and(|port| port != 0) && is_host(host)
}

/// Whether this is a DNS name, an IPv4 address or a bracketed IPv6 address.
pub fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_dns_name(host),
    }
}

/// Whether this is a DNS name as RFC 1123 §2.1 has it (which every dotted IPv4 address is too).
pub fn is_dns_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// Whether this is an origin as browsers send it (RFC 6454 §6.2): scheme, host, and a port if it is not the scheme's own.
pub fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let lower = !authority.bytes().any(|byte| byte.is_ascii_uppercase());
    lower && (is_host(authority) || is_endpoint(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let table = [
            ("0", Some(0)),
            ("512", Some(512)),
            ("512 B", Some(512)),
            ("16KiB", Some(16 << 10)),
            ("100 MiB", Some(100 << 20)),
            (" 3  GiB ", Some(3 << 30)),
            ("", None),
            ("MiB", None),
            ("1.5 MiB", None),
            ("-1", None),
            ("10 MB", None),
            ("10 mib", None),
            ("18446744073709551615 KiB", None),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
        for bytes in [0, 1, 1023, 1024, 100 << 20, 3 << 30, u64::MAX] {
            assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
        }
        assert_eq!(format_size(100 << 20), "100 MiB");
    }

    #[test]
    fn times_are_read_and_written() {
        let table = [
            ("0s", Some(0)),
            ("30s", Some(30)),
            ("10 m", Some(600)),
            ("2h", Some(7200)),
            ("90d", Some(90 * 86_400)),
            ("30", None),
            ("1h30m", None),
            ("s", None),
            ("99999999999999999d", None),
        ];
        for (text, secs) in table {
            assert_eq!(parse_time(text), secs.map(Duration::from_secs), "{text:?}");
        }
        for text in ["0s", "59s", "10m", "90d"] {
            assert_eq!(format_time(parse_time(text).unwrap()), text);
        }
    }

    #[test]
    fn a_network_has_room_for_its_server() {
        for good in ["10.94.7.1/24", "10.0.0.254/16", "192.168.1.1/30", "fd7a:5c1e:90ab::1/64", "fd00::ffff/112"] {
            assert_eq!(good.parse::<TunnelNetwork>().unwrap().to_string(), good);
        }
        let table = [
            ("10.94.7.1", NetworkError::Malformed),
            ("10.94.7/24", NetworkError::Malformed),
            ("10.94.7.1/+24", NetworkError::Malformed),
            ("10.94.7.1/", NetworkError::Malformed),
            ("10.94.7.1/300", NetworkError::Malformed),
            ("10.94.7.1/8", NetworkError::Prefix),
            ("10.94.7.1/31", NetworkError::Prefix),
            ("fd00::1/32", NetworkError::Prefix),
            ("10.94.7.0/24", NetworkError::Address),
            ("10.94.7.255/24", NetworkError::Address),
            ("127.0.0.1/24", NetworkError::Address),
            ("224.0.0.1/24", NetworkError::Address),
            ("fd00::/64", NetworkError::Address),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<TunnelNetwork>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn endpoints_hosts_and_origins_are_told_from_other_texts() {
        for good in ["home.example.org:51820", "192.0.2.1:1", "[2001:db8::1]:65535", "localhost:51820"] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in
            ["", "home.example.org", ":1", "home:0", "home:65536", "2001:db8::1:51820", "a b:1", "[::1:1", "h:+1"]
        {
            assert!(!is_endpoint(bad), "{bad:?}");
        }
        for good in ["https://chat.example.org", "http://localhost:3000", "https://[::1]:8443"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["*", "null", "https://*", "https://a/", "ftp://a", "https://A.example", "https://", "a.example"] {
            assert!(!is_origin(bad), "{bad:?}");
        }
    }
}
