//! There is no other door: no TCP socket, and no answer to strangers.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use crate::appliance::Appliance;

/// The sockets that a process holds, by inode.
fn sockets_of(pid: u64) -> HashSet<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

#[test]
fn the_serving_process_has_no_tcp_socket() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    let pid = appliance.json(&["status"])["pid"].as_u64().unwrap();
    let ours = sockets_of(pid);
    let mut udp = 0;
    for (table, is_udp) in [("tcp", false), ("tcp6", false), ("udp", true), ("udp6", true)] {
        let rows = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        let inodes = rows.lines().skip(1).filter_map(|row| row.split_whitespace().nth(9));
        let held = inodes.filter(|inode| ours.contains(*inode)).count();
        assert!(is_udp || held == 0, "{held} sockets in {table}");
        udp += if is_udp { held } else { 0 };
    }
    assert_eq!(udp, 1);
}

#[test]
fn a_stranger_gets_no_byte_back() {
    let appliance = Appliance::serving();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(("127.0.0.1", appliance.port)).unwrap();
    stranger.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    // A fixed sequence: the test is the same every time.
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..5_000u64 {
        let length = [0, 1, 4, 32, 64, 92, 148, 149, 1400][(random() % 9) as usize];
        let mut datagram: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        if length >= 4 {
            datagram[..4].copy_from_slice(&[(round % 5) as u8, 0, 0, 0]);
        }
        stranger.send(&datagram).unwrap();
    }
    let answer = stranger.recv(&mut [0; 2048]).map_err(|error| error.kind());
    assert!(matches!(answer, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{answer:?}");
    let conf = appliance.device("phone", &[]);
    assert_eq!(appliance.agent(&conf).total("kettle"), 1);
}
