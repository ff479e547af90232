//! A stack alone, and another end of TCP that does whatever its story says: segments of every kind, early, late, twice, beyond the window;
//! and a user who writes, reads and goes away. Every byte of both streams is known from its place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use adit::stack::{Budget, Stack, StackConfig};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr};

use super::end::End;
use super::{BUFFERS, CONNECTIONS, MTU, PORT, Story, TURNS, inner, pattern, sent_to, start};

/// The number of the other end.
const DEVICE: u8 = 2;
/// Connections that a story may have, one after the other.
const CONNECTIONS_TOLD: usize = 64;
/// Bytes that a story's device sends on one connection, at most.
const SENT: u64 = 1 << 20;

/// Tells a stack the story. Returns how many connections were opened.
pub fn segments(bytes: &[u8]) -> u64 {
    let budget = Arc::new(Budget::new(CONNECTIONS, BUFFERS));
    let config = StackConfig {
        addresses: inner(1).into(),
        mtu: MTU.into(),
        accept_port: Some(PORT),
        connections: CONNECTIONS,
        half_open: CONNECTIONS / 2,
        budget: budget.clone(),
        seed: 7,
    };
    let mut world = World { stack: Stack::new(start(), config), now: start(), ends: Vec::new(), opened: 0 };
    let mut story = Story::new(bytes);
    while story.goes_on() {
        let operation = story.byte();
        world.operate(operation, &mut story);
        world.settle();
        assert!(budget.connections() <= CONNECTIONS && budget.bytes() <= BUFFERS, "no more than may be");
    }
    world.finish();
    assert_eq!((budget.connections(), budget.bytes()), (0, 0), "all is given back");
    world.opened
}

struct World {
    stack: Stack,
    now: Instant,
    ends: Vec<End>,
    opened: u64,
}

impl World {
    /// One of the last four connections.
    fn end(&mut self, operation: u8) -> Option<&mut End> {
        let back = usize::from(operation >> 4 & 3) + 1;
        let at = self.ends.len().checked_sub(back)?;
        self.ends.get_mut(at)
    }

    fn operate(&mut self, operation: u8, story: &mut Story) {
        match operation & 0x0f {
            0 => self.begin(story.byte()),
            1 => self.say(operation, |end| {
                let (back, window) = (u64::from(story.byte()), u16::from(story.byte()) << 8);
                Some((end.segment(TcpControl::None, end.sent_to(), end.heard.saturating_sub(back), window), 0))
            }),
            2 | 3 => self.say(operation, |end| {
                let (shift, length, flags) = (i64::from(story.byte() as i8), u64::from(story.byte()), story.byte());
                let place = (end.whole() as i64 + shift * i64::from(flags >> 4) * 16).max(0) as u64;
                let length = length << (flags & 3);
                let control = if flags & 4 == 0 { TcpControl::Psh } else { TcpControl::Fin };
                let is_ok = place + length <= SENT;
                is_ok.then(|| (end.segment(control, place, end.heard, u16::MAX), length))
            }),
            4 => self.say(operation, |end| {
                let mut segment = end.segment(TcpControl::None, end.sent_to(), end.heard, u16::MAX);
                for range in &mut segment.sack_ranges {
                    let from = end.heard + (u64::from(story.byte()) << 6);
                    let to = from + (u64::from(story.byte()) << 5);
                    *range = (to > from).then(|| (end.our_number(from).0 as u32, end.our_number(to).0 as u32));
                }
                Some((segment, 0))
            }),
            5 => self.now += story.time(),
            6 => {
                let length = usize::from(story.byte()) << (operation >> 6 & 3) << 4;
                self.write(operation, length);
            }
            7 => {
                let length = usize::from(story.byte()) << 5;
                self.read(operation, length);
            }
            8 => self.shut(operation),
            9 => {
                if let Some(id) = self.end(operation).and_then(|end| end.id.take()) {
                    self.stack.release(id);
                }
            }
            10 => self.say(operation, |end| {
                let window = u16::from(story.byte()) << 8 | 0xff;
                Some((end.segment(TcpControl::None, end.sent_to(), end.heard, window), 0))
            }),
            // Whatever control it has, wherever it is.
            11 => self.say(operation, |end| {
                // Before the handshake, a SYN with another number would begin another stream.
                end.offered.and(end.ours)?;
                let (seq, ack, window) = (story.byte() as i8, story.byte() as i8, story.byte());
                let near = |place: u64, by: i8| (place as i64 + i64::from(by)).max(0) as u64;
                let control = match operation >> 6 {
                    0 => TcpControl::Rst,
                    1 => TcpControl::Syn,
                    2 => TcpControl::Fin,
                    _ => TcpControl::None,
                };
                let (seq, ack) = (near(end.whole(), seq), near(end.heard, ack));
                Some((end.segment(control, seq, ack, window.into()), 0))
            }),
            12 => self.dial(story.byte()),
            13 => self.say(operation, |end| {
                end.ours?;
                let mut answer = end.segment(TcpControl::Syn, 0, 0, u16::MAX);
                answer.seq_number = answer.seq_number - 1;
                end.offer(&mut answer, story.byte());
                Some((answer, 0))
            }),
            14 => self.stack.nudge(self.now),
            _ => self.stack.reset_all(&mut Vec::new()),
        }
    }

    /// The device opens a connection, or says so again.
    fn begin(&mut self, how: u8) {
        if how & 1 == 0 && self.ends.len() < CONNECTIONS_TOLD {
            let port = 4000 + self.ends.len() as u16;
            self.ends.push(End::new(port, PORT, how & 2 != 0));
        }
        self.say(0, |end| {
            if end.was_open {
                return None;
            }
            let mut syn = end.segment(TcpControl::Syn, 0, 0, u16::MAX);
            (syn.seq_number, syn.ack_number) = (syn.seq_number - 1, None);
            end.offer(&mut syn, how >> 2);
            Some((syn, 0))
        });
    }

    /// We open a connection.
    fn dial(&mut self, how: u8) {
        let port = 4000 + self.ends.len() as u16;
        let to = SocketAddr::new(inner(DEVICE)[usize::from(how & 1)], port);
        if self.ends.len() == CONNECTIONS_TOLD {
            return;
        }
        if let Ok((id, local)) = self.stack.connect(self.now, to) {
            self.ends.push(End { id: Some(id), was_open: true, ..End::new(port, local.port(), how & 1 != 0) });
        }
    }

    /// The device sends a segment, with so many bytes of its stream.
    fn say(&mut self, operation: u8, make: impl FnOnce(&mut End) -> Option<(TcpRepr<'static>, u64)>) {
        let Some(end) = self.end(operation) else { return };
        let Some((segment, length)) = make(end) else { return };
        let place = u64::from(segment.seq_number.0.wrapping_sub(end.number(0).0) as u32);
        if segment.control == TcpControl::Fin {
            end.fins.push(place + length);
        }
        if length > 0 {
            end.note_sent(place, place + length);
        }
        if let Some(ack) = segment.ack_number {
            let ack = u64::from(ack.0.wrapping_sub(end.our_number(0).0) as u32);
            let scale = end.scale.filter(|_| segment.control != TcpControl::Syn).unwrap_or(0);
            end.edge = end.edge.max(ack + (u64::from(segment.window_len) << scale));
        }
        let payload = pattern::bytes(end.streams().0, place, length as usize);
        let [from, to] = [DEVICE, 1].map(|number| inner(number)[usize::from(end.is_v6)].into());
        let segment = TcpRepr { payload: &payload, ..segment };
        let ip = IpRepr::new(from, to, IpProtocol::Tcp, segment.buffer_len(), 64);
        let mut packet = vec![0; ip.buffer_len()];
        let (header, tcp) = packet.split_at_mut(ip.header_len());
        ip.emit(header, &ChecksumCapabilities::default());
        segment.emit(&mut TcpPacket::new_unchecked(tcp), &from, &to, &ChecksumCapabilities::default());
        self.deliver(&packet);
    }

    fn deliver(&mut self, packet: &[u8]) {
        let mut reply = [0; 2048];
        let handled = self.stack.handle_packet(self.now, packet, &mut reply, &mut Vec::new());
        if handled.reply > 0 {
            self.hear(&reply[..handled.reply]);
        }
    }

    /// Looks at a packet that the stack sends.
    fn hear(&mut self, packet: &[u8]) {
        let packet = sent_to(DEVICE, packet);
        let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
        if packet[if header == 20 { 9 } else { 6 }] != 6 {
            return;
        }
        let tcp = TcpPacket::new_checked(&packet[header..]).expect("a whole segment");
        let any = inner(1)[0].into();
        let segment = TcpRepr::parse(&tcp, &any, &any, &ChecksumCapabilities::ignored()).expect("a segment in order");
        let is_its = |end: &&mut End| end.port == segment.dst_port && end.our_port == segment.src_port;
        match self.ends.iter_mut().find(is_its) {
            Some(end) => end.hear(&segment),
            None => assert_eq!(segment.control, TcpControl::Rst, "what belongs to nothing is reset"),
        }
    }

    fn write(&mut self, operation: u8, length: usize) {
        let Some(end) = self.end(operation) else { return };
        let (stream, at) = (end.streams().1, end.written);
        let Some(id) = end.id else { return };
        let bytes = pattern::bytes(stream, at, length);
        let written = self.stack.poll_write(id, &mut Context::from_waker(Waker::noop()), &bytes);
        let Some(end) = self.end(operation) else { return };
        if let Poll::Ready(Ok(written)) = written {
            assert!(!end.is_shut || written == 0, "nothing is taken after the end");
            end.written += written as u64;
        }
    }

    fn read(&mut self, operation: u8, length: usize) {
        let Some(id) = self.end(operation).and_then(|end| end.id) else { return };
        let mut bytes = vec![0; length];
        let read = self.stack.poll_read(id, &mut Context::from_waker(Waker::noop()), &mut bytes);
        let Some(end) = self.end(operation) else { return };
        match read {
            Poll::Ready(Ok(0)) if length > 0 => {
                assert!(end.fins.contains(&end.read), "a stream ends where it was ended")
            }
            Poll::Ready(Ok(read)) => {
                pattern::check(end.streams().0, end.read, &bytes[..read]);
                end.read += read as u64;
                assert!(end.read <= end.whole(), "nothing is read that was not sent");
            }
            _ => {}
        }
    }

    fn shut(&mut self, operation: u8) {
        let Some(id) = self.end(operation).and_then(|end| end.id) else { return };
        let shut = self.stack.shutdown(id).is_ok();
        if let Some(end) = self.end(operation) {
            end.is_shut |= shut;
        }
    }

    /// Lets the stack do all that it has to do at this time; it must come to rest.
    fn settle(&mut self) {
        let (mut out, mut turns) = ([0; 2048], 0);
        loop {
            self.stack.handle_timeout(self.now);
            while let Some(length) = self.stack.poll_transmit(self.now, &mut out, &mut Vec::new()) {
                self.hear(&out[..length]);
                turns += 1;
                assert!(turns < TURNS, "a stack that nobody speaks to comes to rest");
            }
            while let Some((id, local, remote)) = self.stack.poll_accept() {
                assert_eq!(local.port(), PORT);
                self.opened += 1;
                let end = self.ends.iter_mut().find(|end| end.port == remote.port());
                let end = end.expect("it was opened by the story");
                (end.id, end.was_open) = (Some(id), true);
            }
            turns += 1;
            assert!(!self.stack.is_ready(), "what is ready has had its turn");
            if self.stack.poll_timeout().is_none_or(|due| due > self.now) {
                return;
            }
        }
    }

    /// Everybody goes away: after its time nothing is left.
    fn finish(&mut self) {
        for end in &mut self.ends {
            end.id.take().into_iter().for_each(|id| self.stack.release(id));
        }
        self.settle();
        for _ in 0..TURNS {
            let Some(due) = self.stack.poll_timeout() else { return };
            self.now = due;
            self.settle();
        }
        panic!("there is always one more timer");
    }
}

/// Stories worth changing: both directions and an end; gaps filled late; a slow reader; a connection of ours.
pub fn seeds() -> Vec<Vec<u8>> {
    let begin = [0, 0x3c, 10, 255];
    let talk =
        [&begin[..], &[2, 0, 40, 0, 7, 255, 6, 200, 10, 255, 8, 10, 255, 2, 0, 3, 4, 10, 255, 7, 255, 5, 200]].concat();
    let gaps =
        [&begin[..], &[2, 16, 30, 0x10, 2, 32, 30, 0x11, 2, 0, 100, 3, 7, 255, 2, 8, 200, 0x13, 7, 255, 9]].concat();
    let losses = [
        &begin[..],
        &[
            0xc6, 255, 0xc6, 255, 4, 40, 80, 0, 0, 0, 0, 5, 30, 4, 40, 80, 140, 90, 0, 0, 5, 100, 1, 0, 0, 5, 120, 10,
            255, 5, 200, 10, 255,
        ],
    ]
    .concat();
    let dialled = vec![12, 0, 13, 0xff, 6, 40, 10, 255, 2, 0, 40, 4, 7, 255, 8, 10, 255, 5, 90, 5, 255];
    let odd = [
        &begin[..],
        &[0x4b, 255, 0, 9, 0x0b, 1, 0, 0, 0x8b, 5, 5, 5, 0xcb, 100, 100, 0, 5, 60, 14, 0xff, 0, 3, 0, 0x42],
    ]
    .concat();
    vec![talk, gaps, losses, dialled, odd]
}
