//! Two stacks joined by memory: what a peer may send, and what it may not.

use super::*;
use crate::limits::{ORPHAN_DISCARD_BYTES, RECEIVE_WINDOW_BYTES, TIME_WAIT_CONNECTIONS};

const MTU: usize = 1280;

fn addresses(host: u8) -> Vec<IpAddr> {
    vec![[10, 0, 0, host].into(), format!("fd00::{host}").parse().expect("an address")]
}

fn stack(now: Instant, host: u8, accept_port: Option<u16>) -> Stack {
    let budget = Arc::new(Budget::new(100, 64 << 20));
    let config = StackConfig {
        addresses: addresses(host),
        mtu: MTU,
        accept_port,
        connections: 64,
        half_open: 16,
        budget,
        seed: 7,
    };
    Stack::new(now, config)
}

/// A client, a server, and what passed between them.
struct Pair {
    now: Instant,
    client: Stack,
    server: Stack,
    passed: Vec<Vec<u8>>,
}

impl Pair {
    fn new() -> Pair {
        let now = Instant::now();
        Pair { now, client: stack(now, 2, None), server: stack(now, 1, Some(80)), passed: Vec::new() }
    }

    /// Lets everything pass that wants to.
    fn run(&mut self) {
        let mut wakers = Vec::new();
        loop {
            let before = self.passed.len();
            for (from, to) in [(&mut self.client, &mut self.server)] {
                for _ in 0..2 {
                    let mut packet = [0; MTU];
                    while let Some(length) = from.poll_transmit(self.now, &mut packet, &mut wakers) {
                        self.passed.push(packet[..length].to_vec());
                        exchange(self.now, to, from, &packet[..length], &mut self.passed);
                    }
                    std::mem::swap(from, to);
                }
            }
            if self.passed.len() == before {
                return;
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        self.run();
    }

    /// A connection, as the client and as the server know it.
    fn connect(&mut self, to: IpAddr) -> (ConnectionId, ConnectionId) {
        let (client, _) = self.client.connect(self.now, (to, 80).into()).expect("a connection");
        self.run();
        let (server, ..) = self.server.poll_accept().expect("a connection");
        (client, server)
    }
}

/// Gives a packet to `to`, its answer to `from`, and so on.
fn exchange(now: Instant, to: &mut Stack, from: &mut Stack, packet: &[u8], passed: &mut Vec<Vec<u8>>) {
    let (mut reply, mut wakers) = ([0; MTU], Vec::new());
    let length = to.handle_packet(now, packet, &mut reply, &mut wakers).reply;
    if length > 0 {
        passed.push(reply[..length].to_vec());
        let mut answer = [0; MTU];
        from.handle_packet(now, &reply[..length], &mut answer, &mut wakers);
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn write(stack: &mut Stack, id: ConnectionId, bytes: &[u8]) -> usize {
    match stack.poll_write(id, &mut context(), bytes) {
        Poll::Ready(written) => written.expect("an open connection"),
        Poll::Pending => 0,
    }
}

fn read(stack: &mut Stack, id: ConnectionId) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; 100_000];
    match stack.poll_read(id, &mut context(), &mut buffer) {
        Poll::Ready(length) => {
            buffer.truncate(length?);
            Ok(Some(buffer))
        }
        Poll::Pending => Ok(None),
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An IPv4 packet from host 2 to host 1.
fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 20];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    packet[8] = 64;
    packet[9] = protocol;
    packet[12..20].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum);
    packet.extend_from_slice(payload);
    packet
}

fn handle(stack: &mut Stack, now: Instant, packet: &[u8]) -> (Vec<u8>, Option<PacketRefusal>) {
    let mut reply = vec![0; MTU];
    let handled = stack.handle_packet(now, packet, &mut reply, &mut Vec::new());
    reply.truncate(handled.reply);
    (reply, handled.refusal)
}

#[test]
fn a_ping_is_answered() {
    let mut pair = Pair::new();
    let mut echo = vec![8, 0, 0, 0, 1, 2, 3, 4, b'h', b'i'];
    let sum = checksum(&echo);
    echo[2..4].copy_from_slice(&sum);
    let (reply, refusal) = handle(&mut pair.server, pair.now, &packet(1, &echo));
    assert_eq!((reply[20], &reply[24..], refusal), (0, &echo[4..], None));
}

#[test]
fn a_datagram_to_any_port_is_refused_as_a_closed_host_would() {
    let mut pair = Pair::new();
    let (reply, _) = handle(&mut pair.server, pair.now, &packet(17, &[4, 0, 0, 53, 0, 10, 0, 0, 1, 2]));
    // ICMP destination unreachable, port unreachable (RFC 792).
    assert_eq!((reply[9], reply[20], reply[21]), (1, 3, 3));
}

#[test]
fn what_is_for_others_is_dropped() {
    let mut pair = Pair::new();
    for destination in [[10, 0, 0, 3], [127, 0, 0, 1], [255, 255, 255, 255], [224, 0, 0, 1], [0, 0, 0, 0]] {
        let mut elsewhere = packet(1, &[8, 0, 0, 0]);
        elsewhere[16..20].copy_from_slice(&destination);
        assert_eq!(handle(&mut pair.server, pair.now, &elsewhere), (vec![], Some(PacketRefusal::Elsewhere)));
    }
}

#[test]
fn of_streams_that_are_reset_nothing_more_arrives() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect(addresses(1)[0]);
    assert!(write(&mut pair.server, server, &[1; 40_000]) > 10_000);
    // Some of it is on its way, the rest waits for its turn.
    let mut first = [0; MTU];
    let length = pair.server.poll_transmit(pair.now, &mut first, &mut Vec::new()).expect("a segment");
    exchange(pair.now, &mut pair.client, &mut pair.server, &first[..length], &mut pair.passed);
    let arrived = read(&mut pair.client, client).unwrap().expect("its bytes").len();
    assert!(arrived < MTU);
    pair.server.reset_all(&mut Vec::new());
    assert_eq!(read(&mut pair.server, server).unwrap_err().kind(), ErrorKind::ConnectionAborted);
    let passed = pair.passed.len();
    pair.run();
    assert_eq!(pair.passed.len(), passed + 1, "the reset alone");
    assert_eq!(read(&mut pair.client, client).unwrap_err().kind(), ErrorKind::ConnectionReset);
    pair.server.release(server);
    let (again, _) = pair.connect(addresses(1)[0]);
    assert_ne!(again, client, "whoever comes back begins anew");
}

#[test]
fn a_ring_is_read_across_its_wrap() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect(addresses(1)[0]);
    let bytes: Vec<u8> = (0..RECEIVE_WINDOW_BYTES * 5).map(|number| (number / 3) as u8).collect();
    let (mut written, mut received) = (0, Vec::new());
    for round in 0..1000 {
        written += write(&mut pair.client, client, &bytes[written..(written + 700 + round).min(bytes.len())]);
        pair.run();
        let mut buffer = [0; 900];
        if let Poll::Ready(length) = pair.server.poll_read(server, &mut context(), &mut buffer) {
            received.extend_from_slice(&buffer[..length.expect("an open connection")]);
        }
        pair.wait(Duration::from_millis(20));
        if received.len() == bytes.len() {
            break;
        }
    }
    assert!(received == bytes, "{} of {} bytes", received.len(), bytes.len());
}

#[test]
fn what_came_before_the_end_is_read_long_after_it() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect(addresses(1)[1]);
    assert_eq!(write(&mut pair.client, client, b"the last words"), 14);
    pair.server.shutdown(server).expect("an open connection");
    pair.client.shutdown(client).expect("an open connection");
    pair.run();
    // TIME-WAIT passes, and smoltcp forgets.
    pair.wait(Duration::from_secs(100));
    pair.wait(Duration::from_secs(100));
    assert_eq!(read(&mut pair.server, server).expect("good order"), Some(b"the last words".to_vec()));
    assert_eq!(read(&mut pair.server, server).expect("good order"), Some(vec![]));
    pair.server.release(server);
    assert_eq!(pair.server.config.budget.connections(), 0);
}

#[test]
fn connections_in_time_wait_are_few() {
    let mut pair = Pair::new();
    for _ in 0..3 * TIME_WAIT_CONNECTIONS {
        let (client, server) = pair.connect(addresses(1)[0]);
        // The server ends first.
        pair.server.shutdown(server).expect("an open connection");
        pair.server.release(server);
        pair.run();
        assert_eq!(read(&mut pair.client, client).expect("good order"), Some(vec![]));
        pair.client.shutdown(client).expect("an open connection");
        pair.client.release(client);
        pair.run();
    }
    assert_eq!(pair.server.config.budget.connections(), TIME_WAIT_CONNECTIONS);
    pair.wait(Duration::from_secs(60));
    assert_eq!(pair.server.config.budget.connections(), 0);
}

#[test]
fn a_stream_let_go_of_delivers_what_it_holds_and_reads_on_for_a_while() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect(addresses(1)[0]);
    assert_eq!(write(&mut pair.server, server, b"413, too large"), 14);
    pair.server.shutdown(server).expect("an open connection");
    pair.server.release(server);
    // The client is still in the middle of its request.
    let mut sent = 0;
    for _ in 0..40 {
        sent += write(&mut pair.client, client, &[0; 10_000]);
        pair.wait(Duration::from_millis(20));
    }
    assert!(sent >= 400_000, "{sent}");
    assert_eq!(read(&mut pair.client, client).expect("good order"), Some(b"413, too large".to_vec()));
    // But not for ever.
    for _ in 0..200 {
        match pair.client.poll_write(client, &mut context(), &[0; 10_000]) {
            Poll::Ready(Ok(length)) => sent += length,
            Poll::Ready(Err(_)) => break,
            Poll::Pending => {}
        }
        pair.wait(Duration::from_millis(20));
    }
    assert!(sent < 2 * ORPHAN_DISCARD_BYTES, "{sent}");
    assert_eq!(pair.server.config.budget.connections(), 0);
}

#[test]
fn a_connection_that_nobody_uses_ends_although_the_other_end_stays() {
    let mut pair = Pair::new();
    let (_client, server) = pair.connect(addresses(1)[0]);
    pair.server.shutdown(server).expect("an open connection");
    pair.server.release(server);
    for _ in 0..20 {
        pair.wait(Duration::from_secs(10));
    }
    assert_eq!(pair.server.config.budget.connections(), 0);
}

/// A peer is authentic, and may be hostile all the same: whatever it makes of the packets of living connections, nothing breaks.
/// `ADIT_PACKETS` of them (50,000).
#[test]
fn any_packet_may_come() {
    let count: u64 = std::env::var("ADIT_PACKETS").ok().map_or(50_000, |text| text.parse().expect("a number"));
    let mut state = 1u64;
    let mut chance = move |end: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % end.max(1)
    };
    let mut pair = Pair::new();
    let mut passed = 0;
    // Ends of connections: at the client, and at the server.
    let mut ends: [Vec<ConnectionId>; 2] = [vec![], vec![]];
    while passed < count {
        if ends[0].len() < 4 {
            let to = (addresses(1)[chance(2)], 80 + (chance(8) == 0) as u16).into();
            ends[0].extend(pair.client.connect(pair.now, to).map(|(id, _)| id));
        }
        for (end, ids) in ends.iter_mut().enumerate() {
            let (from, to) = match end {
                0 => (&mut pair.client, &mut pair.server),
                _ => (&mut pair.server, &mut pair.client),
            };
            while let Some((id, ..)) = from.poll_accept() {
                ids.push(id);
            }
            ids.retain(|&id| {
                let written = from.poll_write(id, &mut context(), &vec![7; chance(4000)]);
                let read = read(from, id);
                match chance(400) {
                    0 => drop(from.shutdown(id)),
                    1 => from.release(id),
                    _ => {}
                }
                let failed = read.is_err() || matches!(written, Poll::Ready(Err(_)));
                if failed {
                    from.release(id);
                }
                !failed
            });
            let (mut packet, mut wakers) = ([0; MTU], Vec::new());
            while let Some(length) = from.poll_transmit(pair.now, &mut packet, &mut wakers) {
                assert!(length <= MTU);
                passed += 1;
                let mut packet = packet[..length].to_vec();
                if chance(3) == 0 {
                    for _ in 0..1 + chance(3) {
                        // Headers are what matters, and small changes more than large ones.
                        let at = chance(packet.len().min(80));
                        packet[at] = if chance(2) == 0 { chance(256) as u8 } else { packet[at] ^ 1 << chance(8) };
                    }
                    if chance(8) == 0 {
                        packet.truncate(chance(packet.len() + 1));
                    }
                    if chance(4) > 0 {
                        mend(&mut packet);
                    }
                }
                let mut reply = [0; MTU];
                let length = to.handle_packet(pair.now, &packet, &mut reply, &mut wakers).reply;
                if length > 0 {
                    from.handle_packet(pair.now, &reply[..length], &mut [0; MTU], &mut wakers);
                }
                wakers.clear();
            }
            assert!(from.table.len() <= 64);
        }
        pair.now += Duration::from_millis(if chance(100) == 0 { chance(20_000) } else { chance(50) } as u64);
        pair.client.handle_timeout(pair.now);
        pair.server.handle_timeout(pair.now);
    }
    // Most connections come to no good end, and all of them to one.
    for (stack, ends) in [(&mut pair.client, &ends[0]), (&mut pair.server, &ends[1])] {
        ends.iter().for_each(|&id| stack.release(id));
    }
    for _ in 0..100 {
        pair.wait(Duration::from_secs(10));
        while let Some((id, ..)) = pair.server.poll_accept() {
            pair.server.release(id);
        }
    }
    assert_eq!(pair.client.config.budget.connections() + pair.server.config.budget.connections(), 0);
    assert_eq!(pair.client.config.budget.bytes() + pair.server.config.budget.bytes(), 0);
}

/// Makes a mutated packet's checksums right, so that it gets further.
fn mend(packet: &mut [u8]) {
    let (header_bytes, addresses) = match packet.first() {
        Some(0x45) if packet.len() >= 40 => (20, 12..20),
        Some(byte) if byte >> 4 == 6 && packet.len() >= 60 => (40, 8..40),
        _ => return,
    };
    if header_bytes == 20 {
        packet[10..12].fill(0);
        let sum = checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum);
    }
    let mut pseudo = packet[addresses].to_vec();
    pseudo.extend([0, 6]);
    pseudo.extend(((packet.len() - header_bytes) as u16).to_be_bytes());
    packet[header_bytes + 16..header_bytes + 18].fill(0);
    pseudo.extend_from_slice(&packet[header_bytes..]);
    let sum = checksum(&pseudo);
    packet[header_bytes + 16..header_bytes + 18].copy_from_slice(&sum);
}
