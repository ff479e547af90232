//! What devices meet on their way: the endpoint they dial, the port, the tunnel's networks and packets.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};

use crate::cli::doctor::Finding;
use crate::cli::network::Routes;
use crate::config::Config;
use crate::control::StatusReport;

/// What WireGuard adds to a packet, in bytes: IPv6 and UDP, its own header and tag, and up to 15 of padding.
const OVERHEAD_BYTES: u32 = 80;

/// `running` is what the daemon says of itself, where one runs.
pub(super) fn examine(config: &Config, running: Option<&StatusReport>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listen = running.map_or(config.server.listen, |status| status.server.listen);
    findings.push(match running {
        None => port(config),
        Some(_) => same_port(listen.port(), config.server.listen.port()),
    });
    findings.push(endpoint(&config.server.endpoint, listen.port()));
    findings.extend(overlaps(config));
    findings.extend(outward_mtu().map(|outer| mtu(config.server.mtu.into(), outer)));
    findings
}

/// Whether the port can be had, where no daemon of ours holds it.
fn port(config: &Config) -> Finding {
    let listen = config.server.listen;
    match UdpSocket::bind(listen) {
        Ok(_) => Finding::well("port", format!("{listen}/udp is free")),
        Err(error) => {
            let remedy = match error.kind() {
                ErrorKind::AddrInUse => {
                    format!("`ss -ulpn sport = :{}` names who has it; or choose another `server.listen`", listen.port())
                }
                ErrorKind::PermissionDenied => {
                    "ports below 1024 are handed over by systemd (adit.socket); or choose a higher one".to_owned()
                }
                _ => "choose an address of this machine, or [::], for `server.listen`".to_owned(),
            };
            Finding::failed("port", format!("{listen}/udp: {error}"), remedy)
        }
    }
}

/// Whether the daemon listens where its configuration says: a socket that systemd hands over wins.
fn same_port(listens: u16, configured: u16) -> Finding {
    match listens == configured {
        true => Finding::well("port", format!("{listens}/udp")),
        false => Finding::warning(
            "port",
            format!("adit listens on port {listens}, and `server.listen` says {configured}"),
            "make them one: restart the daemon after a change of adit.toml; behind systemd, the port is that of adit.socket's \
             ListenDatagram= (`systemctl edit adit.socket`)",
        ),
    }
}

fn endpoint(endpoint: &str, listen: u16) -> Finding {
    let resolved: Vec<IpAddr> = match endpoint.to_socket_addrs() {
        Ok(addresses) => addresses.map(|address| address.ip()).collect(),
        Err(error) => {
            let said = format!("{endpoint} cannot be resolved ({error})");
            return Finding::failed(
                "endpoint",
                said,
                "write a name or address into `server.endpoint` that devices can dial",
            );
        }
    };
    if let Some(finding) = resolved.iter().find_map(|address| unreachable(endpoint, *address)) {
        return finding;
    }
    match endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(port) if port != listen => Finding::warning(
            "endpoint",
            format!("devices dial {endpoint}, and adit listens on port {listen}"),
            format!("right if the router forwards port {port} to port {listen} of this machine"),
        ),
        _ => Finding::well("endpoint", format!("devices dial {endpoint}")),
    }
}

/// Why an address cannot be dialled from everywhere.
fn unreachable(endpoint: &str, address: IpAddr) -> Option<Finding> {
    let address = address.to_canonical();
    let (why, remedy) = match address {
        IpAddr::V4(v4) if is_shared(v4) => (
            "is of a provider's shared range (CGNAT): no port can be forwarded to it",
            "use IPv6, ask the provider for an address, or let this server dial out (`server.dial`)",
        ),
        _ if address.is_loopback() => ("is this machine alone", "fine for trying out; devices need another address"),
        IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() => (
            "is reached in its own network alone",
            "fine at home; for outside, the router's public name, with the UDP port forwarded",
        ),
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => (
            "is reached in its own network alone",
            "fine at home; for outside, a global address, let through by the router's firewall",
        ),
        _ => return None,
    };
    Some(Finding::warning("endpoint", format!("{endpoint} ({address}) {why}"), remedy))
}

/// RFC 6598: shared address space.
fn is_shared(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    a == 100 && (64..128).contains(&b)
}

fn overlaps(config: &Config) -> Vec<Finding> {
    let routes = Routes::of_this_machine();
    let finding = |network: &crate::config::TunnelNetwork| match routes.overlap(*network) {
        false => Finding::well("tunnel", format!("{network} is nobody else's here")),
        true => Finding::warning(
            "tunnel",
            format!("{network} is also a network that this machine reaches"),
            "devices in that network cannot tell the two apart: choose another `server.tunnel` (each device then needs a new file)",
        ),
    };
    config.server.tunnel.iter().map(finding).collect()
}

fn mtu(inner: u32, outer: u32) -> Finding {
    let said = format!("{inner} inside, {outer} on the way out");
    match inner + OVERHEAD_BYTES > outer {
        false => Finding::well("MTU", said),
        true => {
            let remedy = format!(
                "`server.mtu` of at most {}: larger packets are fragmented",
                outer.saturating_sub(OVERHEAD_BYTES)
            );
            Finding::warning("MTU", said, remedy)
        }
    }
}

/// MTU of the interface that the default route leaves by.
fn outward_mtu() -> Option<u32> {
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let interface = routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?;
        (fields.next()? == "00000000").then_some(name)
    })?;
    fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn an_endpoint_that_is_not_reached_from_everywhere_is_said_to_be_so() {
        for (text, verdict, words) in [
            ("203.0.113.7:51820", Verdict::Well, "devices dial"),
            ("203.0.113.7:443", Verdict::Warning, "port 51820"),
            ("192.168.1.5:51820", Verdict::Warning, "own network"),
            ("100.64.3.2:51820", Verdict::Warning, "CGNAT"),
            ("127.0.0.1:51820", Verdict::Warning, "this machine"),
            ("[fd00::1]:51820", Verdict::Warning, "own network"),
            ("[2001:db8::1]:51820", Verdict::Well, "devices dial"),
            ("no host at all", Verdict::Failed, "cannot be resolved"),
        ] {
            let finding = endpoint(text, 51820);
            assert_eq!(finding.verdict, verdict, "{text}: {finding:?}");
            assert!(finding.said.contains(words), "{text}: {finding:?}");
            assert_eq!(finding.remedy.is_empty(), verdict == Verdict::Well);
        }
    }

    #[test]
    fn a_port_other_than_the_configured_one_is_noticed() {
        assert_eq!(same_port(51820, 51820).verdict, Verdict::Well);
        let finding = same_port(51821, 51820);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.said.contains("51821") && finding.said.contains("51820"), "{finding:?}");
    }

    #[test]
    fn packets_that_do_not_fit_are_noticed() {
        assert_eq!(mtu(1280, 1500).verdict, Verdict::Well);
        assert_eq!(mtu(1420, 1500).verdict, Verdict::Well);
        assert_eq!(mtu(1420, 1492).verdict, Verdict::Warning);
    }
}
