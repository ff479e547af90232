//! The configuration file of a standard WireGuard client, as `wg-quick(8)` reads it: what `peer add` shows once and what
//! the bridge takes.

use std::net::IpAddr;

use crate::key::{PresharedKey, PrivateKey, PublicKey};

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
    /// `[Peer] AllowedIPs`: the server's tunnel addresses, without the prefix.
    pub server_addresses: Vec<IpAddr>,
    /// `[Peer] Endpoint`: `HOST:PORT`, the host possibly a name.
    pub endpoint: String,
    /// `[Peer] PersistentKeepalive`, in seconds.
    pub keepalive_secs: Option<u16>,
}
