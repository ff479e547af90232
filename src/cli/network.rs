//! What this machine's network looks like: its routes, so that the tunnel's networks are nobody else's, and the address that
//! devices may find it at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::config::TunnelNetwork;

/// How often a random network may collide with a route before we give up: 256 × 256 there are.
const ATTEMPTS: usize = 1000;

/// Networks that this machine reaches.
#[derive(Debug, Default)]
pub struct Routes(Vec<(IpAddr, u8)>);

impl Routes {
    /// Those of this machine. What cannot be read counts as none: the networks are random ones in any case.
    pub fn of_this_machine() -> Routes {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Routes::parse(&read("/proc/net/route"), &read("/proc/net/ipv6_route"))
    }

    /// From the texts of `/proc/net/route` and `/proc/net/ipv6_route`. Default routes are left out.
    fn parse(ipv4: &str, ipv6: &str) -> Routes {
        let mut routes: Vec<_> =
            ipv4.lines().skip(1).filter_map(ipv4_route).chain(ipv6.lines().filter_map(ipv6_route)).collect();
        routes.retain(|(_, prefix)| *prefix > 0);
        Routes(routes)
    }

    /// Whether any route shares an address with this network.
    pub fn overlap(&self, network: TunnelNetwork) -> bool {
        self.0.iter().any(|(address, prefix)| {
            let wider = TunnelNetwork { address: network.address, prefix: network.prefix.min(*prefix) };
            wider.contains(*address)
        })
    }

    /// A random 10.x.y.0/24 that is nobody else's, with adit at its first address.
    pub fn free_ipv4(&self, mut random: impl FnMut() -> [u8; 8]) -> Option<TunnelNetwork> {
        let network = || {
            let [x, y, ..] = random();
            TunnelNetwork { address: Ipv4Addr::new(10, x, y, 1).into(), prefix: 24 }
        };
        std::iter::repeat_with(network).take(ATTEMPTS).find(|network| !self.overlap(*network))
    }

    /// A random unique local /64 (RFC 4193 §3.2) that is nobody else's, with adit at its first address.
    pub fn free_ipv6(&self, mut random: impl FnMut() -> [u8; 8]) -> Option<TunnelNetwork> {
        let network = || {
            let [a, b, c, d, e, ..] = random().map(u16::from);
            let address = Ipv6Addr::new(0xfd00 | a, b << 8 | c, d << 8 | e, 0, 0, 0, 0, 1);
            TunnelNetwork { address: address.into(), prefix: 64 }
        };
        std::iter::repeat_with(network).take(ATTEMPTS).find(|network| !self.overlap(*network))
    }
}

/// Destination and mask, each eight hexadecimal digits of an address as it lies in memory.
fn ipv4_route(line: &str) -> Option<(IpAddr, u8)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let word = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
    let (destination, mask) = (word(1)?, word(7)?);
    Some((Ipv4Addr::from(destination.to_ne_bytes()).into(), mask.count_ones() as u8))
}

/// Destination in 32 hexadecimal digits, length of its prefix in two.
fn ipv6_route(line: &str) -> Option<(IpAddr, u8)> {
    let mut fields = line.split_whitespace();
    let destination = u128::from_str_radix(fields.next()?, 16).ok()?;
    let prefix = u8::from_str_radix(fields.next()?, 16).ok()?;
    Some((Ipv6Addr::from(destination).into(), prefix))
}

/// The address this machine would speak from to the world; `None` without a route. No packet is sent.
pub fn outward_address() -> Option<IpAddr> {
    // Addresses kept for documentation (RFC 5737, RFC 3849): routed by default routes alone.
    let targets = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    targets.into_iter().find_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
    })
}

/// Eight bytes that nobody can guess.
pub fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPV4: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n\
                        wg0\t00005E0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
    const IPV6: &str = "fd0a5c1e90ab00000000000000000000 30 00000000000000000000000000000000 00 0 0 0 0 eth0\n\
                        00000000000000000000000000000000 00 00000000000000000000000000000000 00 0 0 0 0 eth0\n";

    fn network(text: &str) -> TunnelNetwork {
        text.parse().unwrap()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn routes_overlap_what_they_reach() {
        let routes = Routes::parse(IPV4, IPV6);
        let table = [
            ("10.94.7.1/24", true),
            ("10.94.0.1/16", true),
            ("10.95.7.1/24", false),
            ("fd0a:5c1e:90ab:7::1/64", true),
            ("fd0a:5c1e:90ac::1/64", false),
        ];
        for (text, overlaps) in table {
            assert_eq!(routes.overlap(network(text)), overlaps, "{text}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_free_network_is_no_routes() {
        let routes = Routes::parse(IPV4, IPV6);
        let mut drawn = [[94, 1, 0, 0, 0, 0, 0, 0], [7, 8, 0, 0, 0, 0, 0, 0]].into_iter();
        assert_eq!(routes.free_ipv4(|| drawn.next().unwrap()), Some(network("10.7.8.1/24")));
        let mut drawn = [[0x0a, 0x5c, 0x1e, 0x90, 0xab, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8]].into_iter();
        assert_eq!(routes.free_ipv6(|| drawn.next().unwrap()), Some(network("fd01:203:405::1/64")));
        let everything = Routes(vec![(Ipv4Addr::new(10, 0, 0, 0).into(), 8)]);
        assert_eq!(everything.free_ipv4(random), None);
    }

    #[test]
    fn lines_that_are_no_routes_are_passed_over() {
        assert!(Routes::parse("head\nx\n\neth0 zz 0\n", "zz 40\nfe80\n").0.is_empty());
    }
}
