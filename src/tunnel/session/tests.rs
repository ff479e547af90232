//! Two sessions joined by memory.

use super::*;
use crate::key::PrivateKey;
use crate::tunnel::Admission;

const MTU: usize = 1420;

/// One end: its gate, and its session with the other.
struct End {
    gate: Gate,
    session: Session,
    path: Path,
}

fn key(host: u8) -> PrivateKey {
    PrivateKey::from_entropy([host; 32])
}

fn path(host: u8) -> Path {
    Path { remote: ([192, 0, 2, host], 51820).into(), local: None }
}

fn end(now: Instant, host: u8, other: u8) -> End {
    let config = SessionConfig {
        public_key: key(other).public(),
        preshared_key: None,
        addresses: vec![[10, 0, 0, other].into()],
        path: Some(path(other)),
        keepalive: None,
        index: host.into(),
    };
    End { gate: Gate::new(now, &key(host), 100), session: Session::new(now, config), path: path(host) }
}

impl End {
    /// Takes a datagram; what it brought, and the bytes that came with it.
    fn handle(&mut self, now: Instant, from: Path, datagram: &[u8]) -> (Reception, Vec<u8>) {
        let (mut packet, mut answer) = ([0; 2048], [0; 2048]);
        let admission = self.gate.admit(now, from.remote.ip(), datagram, &mut answer);
        assert!(matches!(admission, Admission::Handshake(_) | Admission::Index(_)), "{admission:?}");
        let reception = self.session.handle(now, &self.gate, from, datagram, &mut packet, &mut answer);
        let bytes = match reception.heard {
            Ok(Heard::Packet(length)) => packet[..length].to_vec(),
            Ok(Heard::Answer(length)) => answer[..length].to_vec(),
            _ => Vec::new(),
        };
        (reception, bytes)
    }

    fn begin(&mut self, now: Instant) -> Vec<u8> {
        let mut out = [0; 2048];
        let length = self.session.begin(now, &self.gate, &mut out).expect("an initiation");
        out[..length].to_vec()
    }

    fn encrypt(&mut self, now: Instant, packet: &[u8]) -> Vec<u8> {
        let (mut padded, mut out) = ([0xff; 2048], [0; 2048]);
        padded[..packet.len()].copy_from_slice(packet);
        let length = self.session.encrypt(now, &mut padded, packet.len(), MTU, &mut out).expect("a session");
        out[..length].to_vec()
    }
}

/// A session between hosts 1 and 2, begun by 2.
fn pair(now: Instant) -> (End, End) {
    let (mut server, mut client) = (end(now, 1, 2), end(now, 2, 1));
    let (from_server, from_client) = (server.path, client.path);
    let (reception, answer) = server.handle(now, from_client, &client.begin(now));
    assert!(!reception.established && !server.session.is_live(now), "the client has not proved its key yet");
    let (reception, first) = client.handle(now, from_server, &answer);
    assert!(reception.established && client.session.is_live(now));
    let (reception, _) = server.handle(now, from_client, &first);
    assert_eq!(reception, Reception { heard: Ok(Heard::Nothing), established: true, roamed: false });
    assert!(server.session.is_live(now));
    (server, client)
}

#[test]
fn two_that_begin_at_the_same_moment_come_to_a_session() {
    let now = Instant::now();
    let (mut one, mut other) = (end(now, 1, 2), end(now, 2, 1));
    let (from_one, from_other) = (one.path, other.path);
    let (first, second) = (one.begin(now), other.begin(now));
    let (_, to_other) = one.handle(now, from_other, &second);
    let (_, to_one) = other.handle(now, from_one, &first);
    for end in [&mut one, &mut other] {
        let begun = end.session.begin(now, &end.gate, &mut [0; 2048]);
        assert!(begun.is_none() && !end.session.can_progress(), "the handshake that was answered is given its time");
    }
    assert!(one.handle(now, from_other, &to_one).0.established);
    assert!(other.handle(now, from_one, &to_other).0.established);
}

#[test]
fn a_handshake_that_the_other_end_does_not_finish_is_waited_for_as_long_as_ours() {
    let now = Instant::now();
    let (mut server, mut client) = (end(now, 1, 2), end(now, 2, 1));
    server.handle(now, client.path, &client.begin(now));
    assert!(!server.session.can_progress());
    let due = now + REKEY_TIMEOUT;
    assert_eq!(server.session.poll_timeout(), Some(due));
    assert_eq!(server.session.handle_timeout(due, &server.gate, &mut [0; 2048]), Passed::Nothing);
    assert!(server.session.can_progress());
    server.begin(due);
}

/// An IPv4 packet of this length from host 2.
fn packet(length: usize) -> Vec<u8> {
    let mut packet = vec![0; length];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    packet[12..16].copy_from_slice(&[10, 0, 0, 2]);
    packet
}

#[test]
fn packets_are_padded_to_sixteen_bytes_within_the_mtu() {
    let now = Instant::now();
    let (mut server, mut client) = pair(now);
    for (length, padded) in [(20, 32), (32, 32), (61, 64), (1408, 1408), (1409, 1420), (1420, 1420)] {
        let datagram = client.encrypt(now, &packet(length));
        assert_eq!(datagram.len(), padded + 32, "a packet of {length} bytes");
        let (reception, received) = server.handle(now, client.path, &datagram);
        assert_eq!(reception.heard, Ok(Heard::Packet(length)));
        assert_eq!(received, packet(length));
    }
}

#[test]
fn only_the_peers_addresses_are_sources() {
    let now = Instant::now();
    let (mut server, mut client) = pair(now);
    let check = |server: &mut End, client: &mut End, change: &dyn Fn(&mut Vec<u8>), refusal| {
        let mut packet = packet(60);
        change(&mut packet);
        let datagram = client.encrypt(now, &packet);
        // From elsewhere at that: what is refused moves nobody.
        let (reception, _) = server.handle(now, path(9), &datagram);
        assert_eq!(reception, Reception { heard: Err(refusal), established: false, roamed: false });
        assert_eq!(server.session.path(), Some(path(2)));
    };
    check(&mut server, &mut client, &|packet| packet[15] = 3, Refusal::SpoofedSource);
    check(&mut server, &mut client, &|packet| packet[12..16].fill(0), Refusal::SpoofedSource);
    check(&mut server, &mut client, &|packet| packet[2..4].fill(0), Refusal::InnerMalformed);
    check(&mut server, &mut client, &|packet| packet[2] = 1, Refusal::InnerMalformed);
    check(&mut server, &mut client, &|packet| packet[0] = 0x15, Refusal::InnerMalformed);
    check(&mut server, &mut client, &|packet| packet[0] = 0x65, Refusal::SpoofedSource);
}

#[test]
fn only_what_is_authentic_and_new_moves_a_peer() {
    let now = Instant::now();
    let (mut server, mut client) = pair(now);
    let datagram = client.encrypt(now, &packet(60));
    let mut forged = datagram.clone();
    *forged.last_mut().expect("a datagram") ^= 1;
    assert_eq!(server.handle(now, path(9), &forged).0.heard, Err(Refusal::Unauthenticated));
    assert!(!server.handle(now, path(2), &datagram).0.roamed);
    assert_eq!(server.handle(now, path(9), &datagram).0.heard, Err(Refusal::Replayed));
    assert_eq!(server.session.path(), Some(path(2)));
    let datagram = client.encrypt(now, &packet(60));
    assert!(server.handle(now, path(7), &datagram).0.roamed);
    assert_eq!(server.session.path(), Some(path(7)));
}

#[test]
fn a_peer_gets_one_handshake_in_twenty_milliseconds() {
    let now = Instant::now();
    let mut server = end(now, 1, 2);
    let first = end(now, 2, 1).begin(now);
    let second = end(now, 2, 1).begin(now);
    let later = now + Duration::from_millis(INITIATION_INTERVAL_MILLIS);
    assert!(server.handle(now, path(2), &first).0.heard.is_ok());
    assert_eq!(server.handle(now, path(2), &second).0.heard, Err(Refusal::TooMany));
    assert_eq!(server.handle(later, path(9), &first).0.heard, Err(Refusal::Replayed));
    assert!(server.handle(later, path(2), &second).0.heard.is_ok());
}

#[test]
fn what_is_due_is_due_once() {
    let now = Instant::now();
    let (mut server, mut client) = pair(now);
    let datagram = client.encrypt(now, &packet(60));
    server.handle(now, path(2), &datagram);
    // A keepalive after ten seconds of silence.
    let due = now + KEEPALIVE_TIMEOUT;
    assert_eq!(server.session.poll_timeout(), Some(due));
    let mut out = [0; 2048];
    assert_eq!(server.session.handle_timeout(due, &server.gate, &mut out), Passed::Send(32));
    assert_eq!(server.session.handle_timeout(due, &server.gate, &mut out), Passed::Nothing);
    assert_eq!(server.session.poll_timeout(), Some(now + REJECT_AFTER + TICK));
    // The client waits for an answer to its data, then begins anew.
    let due = now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT;
    assert_eq!(client.session.poll_timeout(), Some(due));
    assert_eq!(client.session.handle_timeout(due, &client.gate, &mut out), Passed::Send(148));
    assert_eq!(client.session.handle_timeout(due, &client.gate, &mut out), Passed::Nothing);
    assert_eq!(client.session.poll_timeout(), Some(due + REKEY_TIMEOUT));
}
