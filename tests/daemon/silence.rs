//! There is no other door: no TCP socket, and no answer to strangers.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::appliance::Appliance;

/// The sockets that a process holds, by inode. The daemon shows them to nobody but root.
fn sockets_of(pid: u64) -> io::Result<HashSet<String>> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    Ok(links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect())
}

#[test]
fn the_serving_process_has_no_tcp_socket() {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &[]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    let pid = appliance.json(&["status"])["pid"].as_u64().unwrap();
    let ours = match sockets_of(pid) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !geteuid().is_root() => {
            return eprintln!("skipped: only root sees what the daemon holds open");
        }
        sockets => sockets.unwrap(),
    };
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

/// Anonymous memory of a process in KiB.
fn anonymous_kib(pid: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How many datagrams a stranger sends; `ADIT_DATAGRAMS` says otherwise.
fn datagrams() -> u64 {
    std::env::var("ADIT_DATAGRAMS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000_000)
}

/// Nothing comes back to this socket.
fn assert_silence(socket: &UdpSocket) {
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let answer = socket.recv(&mut [0; 2048]).map_err(|error| error.kind());
    assert!(matches!(answer, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{answer:?}");
}

/// A fixed sequence of numbers: the test is the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// What a stranger makes of chance and of what was overheard: noise, noise in the shape of a message, and of real ones the same again, with
/// another bit, or cut short.
fn strange(random: &mut Random, round: u64, heard: &[Vec<u8>]) -> Vec<u8> {
    let mut real = heard[random.below(heard.len())].clone();
    match round % 5 {
        0 => {
            let length = random.below(1500);
            random.bytes(length)
        }
        1 => {
            let length = [4, 31, 32, 64, 92, 148, 149, 1400][random.below(8)];
            let mut shaped = random.bytes(length);
            let kind = [1 + random.below(4) as u8, 0, 0, 0];
            shaped.iter_mut().zip(kind).for_each(|(byte, kind)| *byte = kind);
            shaped
        }
        // Not a handshake: that a thousand times in a second is answered with a cookie, as the kernel does.
        2 if real[0] != 4 => random.bytes(32),
        2 => real,
        3 => {
            let bit = random.below(8 * real.len());
            real[bit / 8] ^= 1 << (bit % 8);
            real
        }
        _ => {
            real.truncate(random.below(real.len()));
            real
        }
    }
}

#[test]
fn a_stranger_gets_no_byte_back_and_costs_no_memory() {
    let appliance = Appliance::serving();
    let (port, heard) = eavesdropper(appliance.port);
    let conf = appliance.device("phone", &[]);
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace(&format!(":{}", appliance.port), &format!(":{port}"))).unwrap();
    let mut agent = appliance.agent(&conf);
    (0..5).for_each(|_| assert_eq!(agent.total("kettle"), 1));
    let heard = heard.lock().unwrap().clone();
    let endpoint = || appliance.json(&["status"])["peers"][0]["endpoint"].clone();
    let (pid, known) = (appliance.json(&["status"])["pid"].as_u64().unwrap(), endpoint());
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(("127.0.0.1", appliance.port)).unwrap();
    let (mut random, before) = (Random(0x2545_f491_4f6c_dd1d), anonymous_kib(pid));
    for round in 0..datagrams() {
        stranger.send(&strange(&mut random, round, &heard)).unwrap();
        // Now and then the device is served beside it: with a session that stands.
        if round % 100_000 == 0 {
            assert_eq!(agent.total("kettle"), 1);
        }
    }
    assert_silence(&stranger);
    let grown = anonymous_kib(pid).saturating_sub(before);
    println!("{} datagrams, {grown} KiB more", datagrams());
    assert!(grown < 4096, "{grown} KiB more after {} datagrams", datagrams());
    assert_eq!(agent.total("kettle"), 1);
    assert_eq!(endpoint(), known, "nothing of it moved the device");
    let counters = &appliance.json(&["status"])["counters"];
    for reason in ["malformed", "bad_mac", "unauthenticated", "replayed", "unknown_index"] {
        assert!(counters[format!("dropped_{reason}")].as_u64() > Some(0), "{reason}: {counters}");
    }
}

/// Stands between a device and the server, and keeps what the device sends.
fn eavesdropper(server: u16) -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let (inner, outer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    outer.connect(("127.0.0.1", server)).unwrap();
    let port = inner.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let device = Arc::new(Mutex::new(None));
    let (kept, caller, from, to) =
        (heard.clone(), device.clone(), inner.try_clone().unwrap(), outer.try_clone().unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, source)) = from.recv_from(&mut buffer) {
            *caller.lock().unwrap() = Some(source);
            kept.lock().unwrap().push(buffer[..length].to_vec());
            let _ = to.send(&buffer[..length]);
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            let Ok(length) = outer.recv(&mut buffer) else { continue };
            let Some(device) = *device.lock().unwrap() else { continue };
            let _ = inner.send_to(&buffer[..length], device);
        }
    });
    (port, heard)
}

#[test]
fn what_was_overheard_gets_no_byte_back_when_it_is_replayed() {
    let appliance = Appliance::serving();
    let (port, heard) = eavesdropper(appliance.port);
    let conf = appliance.device("phone", &[]);
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace(&format!(":{}", appliance.port), &format!(":{port}"))).unwrap();
    let mut agent = appliance.agent(&conf);
    for _ in 0..20 {
        assert_eq!(agent.total("kettle"), 1);
    }
    let heard = heard.lock().unwrap().clone();
    let kinds: HashSet<u8> = heard.iter().map(|datagram| datagram[0]).collect();
    assert!(kinds.contains(&1) && kinds.contains(&4), "a handshake and data were heard: {kinds:?}");
    let thief = UdpSocket::bind("127.0.0.1:0").unwrap();
    thief.connect(("127.0.0.1", appliance.port)).unwrap();
    for datagram in heard.iter().chain(heard.iter().rev()) {
        thief.send(datagram).unwrap();
        let mut altered = datagram.clone();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        thief.send(&altered).unwrap();
    }
    assert_silence(&thief);
    assert_eq!(agent.total("kettle"), 1, "the device did not notice");
}
