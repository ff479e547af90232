//! Which inner addresses a new device gets.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Peers, PeersError};
use crate::config::TunnelNetwork;

/// Most devices: a /16 of addresses has no more.
const PEERS: usize = 65_000;

impl Peers {
    /// The lowest free address of each network, the same host number in all where it is free.
    pub(super) fn free_addresses(&self, networks: &[TunnelNetwork]) -> Result<Vec<IpAddr>, PeersError> {
        let taken: HashSet<IpAddr> =
            self.peers.iter().chain(&self.trial).flat_map(|peer| peer.addresses.iter().copied()).collect();
        let free = |host: u32, network: &TunnelNetwork| {
            host_address(network, host).filter(|address| *address != network.address && !taken.contains(address))
        };
        let full = || {
            let names: Vec<String> = networks.iter().map(|it| format!("{}/{}", it.address, it.prefix)).collect();
            PeersError::NoAddress(names.join(" and "))
        };
        (1..=PEERS as u32 + 1)
            .find_map(|host| networks.iter().map(|network| free(host, network)).collect::<Option<Vec<_>>>())
            .ok_or_else(full)
    }
}

/// The address with this host number, unless it is outside the network or its broadcast address.
fn host_address(network: &TunnelNetwork, host: u32) -> Option<IpAddr> {
    match network.address {
        IpAddr::V4(address) => {
            let hosts = u32::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
            (host < hosts).then(|| IpAddr::V4(Ipv4Addr::from((u32::from(address) & !hosts) | host)))
        }
        IpAddr::V6(address) => {
            let hosts = u128::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
            let host = u128::from(host);
            (host <= hosts).then(|| IpAddr::V6(Ipv6Addr::from((u128::from(address) & !hosts) | host)))
        }
    }
}
