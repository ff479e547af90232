//! Inner packets of any kind from a device that holds a key: what it is answered goes to it alone, and is in order.

use std::net::IpAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use adit::node::{Outbox, Stream};
use adit::peer::PeerId;
use boringtun::noise::{Tunn, TunnResult};

use super::{PORT, Story, accepted, check, ended, inner, key, node, outer, peer, rest, sent_to, start};

/// The number of the device.
const DEVICE: u8 = 2;
/// Longest inner packet, in bytes.
const PACKET: usize = 1400;
/// How long is waited after a packet.
const WAITS: [u64; 8] = [0, 0, 20, 300, 1_000, 5_000, 30_000, 70_000];

/// Tells a node the story. The first byte of each packet says what is put right in it, so that it comes further, and how long is waited
/// afterwards. Returns how many connections the server took.
pub fn packets(bytes: &[u8]) -> u64 {
    let server = node(1, 1000);
    server.add_peer(start(), peer(DEVICE, None)).expect("a new peer");
    let (mut outbox, mut datagram, mut packet) = (Outbox::new(), [0; 2048], [0; 2048]);
    let mut device = session(&server, &mut outbox);

    let (mut story, mut now) = (Story::new(bytes), start());
    let mut last = None;
    let mut streams: Vec<Stream> = Vec::new();
    while story.goes_on() {
        let (how, length) = (story.byte(), usize::from(story.byte()) * 6);
        let mut inner = story.bytes(length.min(PACKET)).to_vec();
        put_right(&mut inner, how, last);
        if let TunnResult::WriteToNetwork(datagram) = device.encapsulate(&inner, &mut datagram) {
            server.handle_datagram(now, outer(DEVICE), datagram, &mut outbox);
        }
        now += Duration::from_millis(WAITS[usize::from(how >> 5)]);
        rest(&server, now, &mut outbox, |path, datagram| {
            assert_eq!(path, outer(DEVICE), "nobody else is spoken to");
            match device.decapsulate(None, datagram, &mut packet) {
                TunnResult::WriteToTunnelV4(answer, _) | TunnResult::WriteToTunnelV6(answer, _) => {
                    last = sequence_numbers(sent_to(DEVICE, answer)).or(last);
                }
                _ => {}
            }
        });
        while let Some(event) = server.poll_event() {
            if let Some(mut stream) = accepted(Some(event)) {
                let _ = stream.poll_write(&mut Context::from_waker(Waker::noop()), b"welcome");
                streams.push(stream);
            }
        }
        for stream in &mut streams {
            let _ = stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut [0; 256]);
        }
        check(&server);
    }
    let taken = server.counters().value("streams_accepted");
    server.remove_peer(PeerId::new(DEVICE.into()));
    ended(&server);
    for mut stream in streams {
        let read = stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut [0; 16]);
        assert!(matches!(read, Poll::Ready(Err(_))), "a stream ends with its peer");
    }
    taken
}

/// A device in session with a server.
fn session(server: &adit::node::Node, outbox: &mut Outbox) -> Tunn {
    let (mut datagram, mut packet) = ([0; 2048], [0; 2048]);
    let public = *key(1).public().as_bytes();
    let mut device = Tunn::new(key(DEVICE).to_secret(), public.into(), None, None, 7, None);
    let TunnResult::WriteToNetwork(initiation) = device.format_handshake_initiation(&mut datagram, false) else {
        panic!("no initiation");
    };
    server.handle_datagram(start(), outer(DEVICE), initiation, outbox);
    let response = outbox.runs(1).next().expect("an answer").bytes.to_owned();
    outbox.clear();
    let TunnResult::WriteToNetwork(confirmation) = device.decapsulate(None, &response, &mut packet) else {
        panic!("the answer is not taken");
    };
    server.handle_datagram(start(), outer(DEVICE), confirmation, outbox);
    assert_eq!(server.counters().value("sessions_established"), 1);
    while server.poll_event().is_some() {}
    device
}

/// Makes of any bytes what a sender in good faith would: bit 0 the IP header, bit 1 its addresses and TCP's port, bit 2 what acknowledges
/// the last answer, bit 3 all this as IPv6, and where any of the first three is set the checksums.
fn put_right(packet: &mut Vec<u8>, how: u8, last: Option<(u32, u32)>) {
    if how & 7 == 0 {
        return;
    }
    let header = if how & 8 == 0 { 20 } else { 40 };
    packet.resize(packet.len().max(header + 20), 0);
    let length = packet.len() as u16;
    let ends = |packet: &mut [u8], from: usize, which: usize| {
        for (at, number) in [(from, DEVICE), (from + (header - from) / 2, 1)] {
            match inner(number)[which] {
                IpAddr::V4(address) => packet[at..at + 4].copy_from_slice(&address.octets()),
                IpAddr::V6(address) => packet[at..at + 16].copy_from_slice(&address.octets()),
            }
        }
    };
    let (addresses, protocol) = match header {
        20 => {
            packet[0] = 0x45;
            packet[2..4].copy_from_slice(&length.to_be_bytes());
            packet[6] &= 0x40;
            packet[7] = 0;
            (12, 9)
        }
        _ => {
            packet[0] = 0x60;
            packet[4..6].copy_from_slice(&(length - 40).to_be_bytes());
            (8, 6)
        }
    };
    if how & 2 != 0 {
        packet[protocol] = 6;
        ends(packet, addresses, usize::from(header == 40));
        packet[header + 2..header + 4].copy_from_slice(&PORT.to_be_bytes());
        packet[header + 12] = packet[header + 12].max(0x50);
    }
    if let (true, Some((sequence, acknowledged))) = (how & 4 != 0, last) {
        packet[header + 4..header + 8].copy_from_slice(&acknowledged.to_be_bytes());
        packet[header + 8..header + 12].copy_from_slice(&sequence.to_be_bytes());
        packet[header + 13] |= 0x10;
    }
    if header == 20 {
        packet[10..12].fill(0);
        let sum = checksum(0, &packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    packet[header + 16..header + 18].fill(0);
    let pseudo = sum(0, &packet[addresses..header]) + 6 + u32::from(length) - header as u32;
    let segment = checksum(pseudo, &packet[header..]);
    packet[header + 16..header + 18].copy_from_slice(&segment.to_be_bytes());
}

/// What comes next in both directions, as a TCP segment of the server's tells: its own, and what it has heard.
fn sequence_numbers(packet: &[u8]) -> Option<(u32, u32)> {
    let (header, protocol) = if packet[0] >> 4 == 4 { (20, packet[9]) } else { (40, packet[6]) };
    let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
    let is_syn = packet.get(header + 13)? & 2 != 0;
    (protocol == 6).then_some((word(header + 4)?.wrapping_add(is_syn.into()), word(header + 8)?))
}

/// The Internet checksum, RFC 1071.
fn checksum(begun: u32, bytes: &[u8]) -> u16 {
    let mut total = sum(begun, bytes);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

fn sum(begun: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum::<u32>() + begun
}

/// A packet of the story: what is put right in it, what it holds.
fn told(how: u8, mut packet: Vec<u8>) -> Vec<u8> {
    packet.resize(packet.len().next_multiple_of(6), 0);
    [vec![how, (packet.len() / 6) as u8], packet].concat()
}

/// A segment from port 4000, by its flags and data.
fn segment(how: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    let header = if how & 8 == 0 { 20 } else { 40 };
    let mut packet = vec![0; header + 20];
    packet[header..header + 2].copy_from_slice(&4000u16.to_be_bytes());
    packet[header + 12..header + 14].copy_from_slice(&[0x50, flags]);
    packet[header + 14..header + 16].copy_from_slice(&0x4000u16.to_be_bytes());
    packet.extend(data);
    told(how, packet)
}

/// Stories worth changing: a connection with a question and its end, over IPv4 and IPv6; pings; what belongs to nothing.
pub fn seeds() -> Vec<Vec<u8>> {
    let connection = |family: u8| {
        let steps: [(u8, u8, &[u8]); 5] = [
            (3, 2, b""),
            (7, 0x10, b""),
            (7, 0x18, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (7, 0x11, b""),
            (7, 0x10, b""),
        ];
        steps.map(|(how, flags, data)| segment(how | family, flags, data)).concat()
    };
    let mut ping = vec![0u8; 48];
    (ping[0], ping[3], ping[8], ping[9], ping[20]) = (0x45, 48, 64, 1, 8);
    (ping[12], ping[13], ping[15], ping[16], ping[17], ping[19]) = (10, 94, 2, 10, 94, 1);
    let (message, header) = (checksum(0, &ping[20..]), checksum(0, &ping[..20]));
    ping[22..24].copy_from_slice(&message.to_be_bytes());
    ping[10..12].copy_from_slice(&header.to_be_bytes());
    vec![connection(0), connection(8), told(0, ping), segment(3, 4, b""), segment(0x83, 2, b"")]
}
