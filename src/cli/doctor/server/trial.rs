//! The way that devices go, from end to end: a handshake and a search over loopback, as a device that exists for that moment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use serde_json::{Value, json};

use crate::bridge;
use crate::cli::device::entropy;
use crate::cli::doctor::Finding;
use crate::cli::doctor::device::{greeting, trouble};
use crate::cli::outcome::Error;
use crate::cli::places;
use crate::config::Places;
use crate::config::wireguard::DeviceConfig;
use crate::control::{Client, DeviceKeys, Request, Response, StatusReport};
use crate::key::{PresharedKey, PrivateKey};

const CHECK: &str = "trial";

pub(super) fn examine(places: &Places, status: &StatusReport) -> Finding {
    if status.lockdown.is_some() {
        return Finding::warning(CHECK, "not tried: all devices are locked out", "`adit unlock` admits them again");
    }
    let started = Instant::now();
    let remedy = "the log says more; a firewall that drops UDP on this machine's own loopback would do that";
    match try_out(places, status) {
        Err(error) => Finding::failed(CHECK, error.message, remedy),
        Ok(answers) => match trouble(&answers, 2).or_else(|| refusal(&answers[1])) {
            Some(trouble) => Finding::failed(CHECK, trouble, remedy),
            None => {
                let took = started.elapsed().as_millis();
                Finding::well(CHECK, format!("a new device shook hands and searched over loopback, in {took} ms"))
            }
        },
    }
}

fn try_out(places: &Places, status: &StatusReport) -> Result<Vec<Value>, Error> {
    let (private_key, preshared_key) = (PrivateKey::from_entropy(entropy()?), PresharedKey::from_entropy(entropy()?));
    let keys = DeviceKeys {
        public_key: private_key.public().to_string(),
        preshared_key: Some(preshared_key.to_base64().to_string()),
    };
    // The device is gone as soon as this conversation ends.
    let mut conversation = Client::connect(&places::control_socket(places)?)?;
    let report = match conversation.ask(&Request::Trial { keys })? {
        Response::Peer(report) => report,
        Response::Failed(failed) => return Err(failed.into()),
        other => return Err(places::unexpected(&other)),
    };
    let config = DeviceConfig {
        private_key,
        addresses: report.addresses,
        mtu: status.server.mtu,
        server_key: status.server.public_key.parse().map_err(Error::failed)?,
        preshared_key: Some(preshared_key),
        server_addresses: status.server.addresses.clone(),
        endpoint: nearest(status.server.listen).to_string(),
        keepalive_secs: None,
    };
    let [initialize, initialized] = greeting();
    let arguments = json!({ "name": "search", "arguments": { "query": "adit doctor", "limit": 1 } });
    let search = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": arguments });
    bridge::try_alone(config, &[initialize, initialized, search]).map_err(Error::failed)
}

/// What a search that was answered says against itself.
fn refusal(answer: &Value) -> Option<String> {
    let result = &answer["result"];
    let said = result["content"][0]["text"].as_str().unwrap_or("a search was answered with nothing");
    (result["isError"] == true || !result.is_object()).then(|| said.to_owned())
}

/// Where a socket is reached from its own machine.
fn nearest(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => listen,
        IpAddr::V6(address) if !address.is_unspecified() => listen,
        // `[::]` is both families.
        _ => (Ipv4Addr::LOCALHOST, listen.port()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_dialled_where_it_is() {
        for (listen, dialled) in [
            ("0.0.0.0:5", "127.0.0.1:5"),
            ("[::]:5", "127.0.0.1:5"),
            ("192.0.2.1:5", "192.0.2.1:5"),
            ("[2001:db8::1]:5", "[2001:db8::1]:5"),
        ] {
            assert_eq!(nearest(listen.parse().unwrap()), dialled.parse().unwrap());
        }
    }

    #[test]
    fn a_search_that_failed_is_no_answer() {
        assert_eq!(refusal(&json!({ "result": { "content": [], "isError": false } })), None);
        let failed = json!({ "result": { "content": [{ "text": "the disk" }], "isError": true } });
        assert_eq!(refusal(&failed).unwrap(), "the disk");
        assert!(refusal(&json!({})).is_some());
    }
}
