//! Who a request is meant for and where it comes from: header in, or the refusal out. Pure.
//!
//! The caller is known already: it is the peer whose key decrypted the request. The guard keeps other people's web pages from asking in
//! its name: by a name that resolves to the tunnel address (`Host`), or across sites (`Origin`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Version};

use super::refusal::Refusal;
use crate::config::Config;

/// A request that may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admitted {
    /// The name it was asked by, as it stands in URLs (IPv6 in brackets), without a port.
    pub(super) host: String,
    /// The configured foreign origin it comes from, if it does: the answer names it.
    pub(super) cross_origin: Option<HeaderValue>,
}

/// Checks a request's header.
pub(super) fn admit(parts: &Parts, config: &Config) -> Result<Admitted, Refusal> {
    let size = header_bytes(parts);
    if size > config.limits.header {
        return Err(Refusal::HeaderTooLarge(config.limits.header));
    }
    if !matches!(parts.version, Version::HTTP_10 | Version::HTTP_11) {
        return Err(Refusal::Malformed("HTTP/1.1 is spoken here"));
    }
    let host = only_host(parts)?;
    if let Some(authority) = parts.uri.authority() {
        // Absolute form (RFC 9112 §3.2.2): the target is what counts, so both must say the same.
        let plain = parts.uri.scheme_str() == Some("http") && authority.as_str().eq_ignore_ascii_case(host);
        if !plain || parts.method == Method::CONNECT {
            return Err(Refusal::Malformed("the request's target is not one of this server's"));
        }
    }
    let host = Host::parse(host).filter(|host| host.is_ours(config)).ok_or(Refusal::ForeignHost)?;
    let cross_origin = check_origin(parts, config)?;
    if cross_origin.is_none() && is_of_another_site(parts) {
        return Err(Refusal::ForeignOrigin);
    }
    Ok(Admitted { host: host.to_url(), cross_origin })
}

/// About the bytes the header had on the wire: each line with its colon, space and line end.
fn header_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + 12;
    parts.headers.iter().fold(line, |sum, (name, value)| sum + name.as_str().len() + value.len() + 4)
}

fn only_host(parts: &Parts) -> Result<&str, Refusal> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| Refusal::Malformed("Host is not a name")),
        (None, _) => Err(Refusal::Malformed("Host is missing")),
        (Some(_), Some(_)) => Err(Refusal::Malformed("Host is there twice")),
    }
}

fn check_origin(parts: &Parts, config: &Config) -> Result<Option<HeaderValue>, Refusal> {
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(None) };
    if origins.next().is_some() {
        return Err(Refusal::ForeignOrigin);
    }
    let text = origin.to_str().map_err(|_| Refusal::ForeignOrigin)?;
    let host = text.strip_prefix("http://").and_then(Host::parse);
    if host.is_some_and(|host| host.is_ours(config)) {
        return Ok(None);
    }
    match text != "null" && config.mcp.origins.iter().any(|admitted| admitted == text && admitted != "*") {
        true => Ok(Some(origin.clone())),
        false => Err(Refusal::ForeignOrigin),
    }
}

/// Whether the browser itself says that another site's page asks, as it does where a URL has no `Origin` (an image, a script; W3C Fetch
/// Metadata). It says so only to servers that it trusts on their way, such as a bridge's loopback port. A link that a person followed may
/// come from anywhere.
fn is_of_another_site(parts: &Parts) -> bool {
    let says = |name: &str, value: &str| parts.headers.get(name).is_some_and(|said| said == value);
    let foreign = says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site");
    let link = parts.method == Method::GET && says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    foreign && !link
}

/// What `Host` names, port 80 taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl<'a> Host<'a> {
    fn parse(text: &'a str) -> Option<Host<'a>> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            return matches!(port, "" | ":80").then_some(Host::Address(address.into()));
        }
        let host = text.strip_suffix(":80").unwrap_or(text);
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(Host::Address(address.into()));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (!host.is_empty() && host.bytes().all(plain)).then_some(Host::Name(host))
    }

    fn is_ours(&self, config: &Config) -> bool {
        match self {
            Host::Address(address) => config.server.tunnel.iter().any(|network| network.address == *address),
            Host::Name(name) => config.server.names.iter().any(|ours| ours.eq_ignore_ascii_case(name)),
        }
    }

    fn to_url(&self) -> String {
        match self {
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Host::Name(name) => name.to_ascii_lowercase(),
        }
    }
}
