//! Inner packets: whose they are and what they say, and how ours are written. TCP's headers are smoltcp's to read and write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::PacketRefusal;

const TCP: u8 = 6;
const TCP_HEADER_BYTES: usize = 20;
const V4_HEADER_BYTES: usize = 20;
const V6_HEADER_BYTES: usize = 40;
/// Of our packets: as Linux and the BSDs send them.
const HOP_LIMIT: u8 = 64;

/// The two ends of a TCP connection, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tuple {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Parsed<'a> {
    /// To a TCP connection, or to where one might be.
    Segment { tuple: Tuple, segment: TcpRepr<'a> },
    /// To one of our addresses.
    Other { destination: IpAddr },
}

impl Parsed<'_> {
    pub(super) fn destination(&self) -> IpAddr {
        match self {
            Parsed::Segment { tuple, .. } => tuple.local.ip(),
            Parsed::Other { destination } => *destination,
        }
    }
}

/// Parses an IP packet. Fragments are refused: the appliance's own MSS makes none necessary. TCP's checksum is not looked at: WireGuard's tag
/// has shown already that the packet is as it was sent, as it does for the kernel's WireGuard.
pub(super) fn parse(packet: &[u8]) -> Result<Parsed<'_>, PacketRefusal> {
    let (source, destination, protocol, payload) = match packet.first().map(|byte| byte >> 4) {
        Some(4) => parse_v4(packet)?,
        Some(6) => parse_v6(packet)?,
        _ => return Err(PacketRefusal::Malformed),
    };
    if protocol != TCP {
        return Ok(Parsed::Other { destination });
    }
    let tcp = TcpPacket::new_checked(payload).map_err(|_| PacketRefusal::Malformed)?;
    let segment = TcpRepr::parse(&tcp, &source.into(), &destination.into(), &ChecksumCapabilities::ignored());
    let segment = segment.map_err(|_| PacketRefusal::Malformed)?;
    let remote = SocketAddr::new(source, segment.src_port);
    let local = SocketAddr::new(destination, segment.dst_port);
    Ok(Parsed::Segment { tuple: Tuple { local, remote }, segment })
}

/// The largest number of bytes in a segment of these ends, without options.
pub(super) fn segment_bytes(tuple: &Tuple, mtu: usize) -> usize {
    let header_bytes = if tuple.local.is_ipv4() { V4_HEADER_BYTES } else { V6_HEADER_BYTES };
    mtu - header_bytes - TCP_HEADER_BYTES
}

/// A header that says nothing but its numbers; its ports are set where it is written.
pub(super) fn header(seq_number: TcpSeqNumber, ack_number: Option<TcpSeqNumber>) -> TcpRepr<'static> {
    TcpRepr {
        src_port: 0,
        dst_port: 0,
        control: TcpControl::None,
        seq_number,
        ack_number,
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    }
}

/// Writes the packet of a segment with `length` bytes, which `fill` puts in; how long it is.
pub(super) fn write_segment(
    tuple: Tuple,
    header: &TcpRepr<'_>,
    length: usize,
    fill: impl FnOnce(&mut [u8]),
    out: &mut [u8],
) -> usize {
    let header = TcpRepr { src_port: tuple.local.port(), dst_port: tuple.remote.port(), ..*header };
    let (source, destination) = (tuple.local.ip().into(), tuple.remote.ip().into());
    let tcp_bytes = header.header_len() + length;
    let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp_bytes, HOP_LIMIT);
    let total = ip.header_len() + tcp_bytes;
    let (ip_header, tcp) = out[..total].split_at_mut(ip.header_len());
    ip.emit(ip_header, &ChecksumCapabilities::default());
    let mut packet = TcpPacket::new_unchecked(tcp);
    // The checksum covers what is not there yet.
    header.emit(&mut packet, &source, &destination, &ChecksumCapabilities::ignored());
    fill(packet.payload_mut());
    packet.fill_checksum(&source, &destination);
    total
}

/// Writes the reset that answers a segment of no connection (RFC 9293 §3.10.7.1); 0 where there is none to be sent.
pub(super) fn write_reset(tuple: Tuple, segment: &TcpRepr<'_>, out: &mut [u8]) -> usize {
    if segment.control == TcpControl::Rst {
        return 0;
    }
    let (seq_number, ack_number) = match segment.ack_number {
        Some(ack) => (ack, None),
        None => (TcpSeqNumber(0), Some(segment.seq_number + segment.segment_len())),
    };
    let reset = TcpRepr { control: TcpControl::Rst, ..header(seq_number, ack_number) };
    write_segment(tuple, &reset, 0, |_| {}, out)
}

type Header<'a> = (IpAddr, IpAddr, u8, &'a [u8]);

/// RFC 791 §3.1.
fn parse_v4(packet: &[u8]) -> Result<Header<'_>, PacketRefusal> {
    let header: &[u8; 20] = packet.first_chunk().ok_or(PacketRefusal::Malformed)?;
    let header_bytes = usize::from(header[0] & 0xf) * 4;
    let total_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header_bytes < header.len() || total_bytes < header_bytes || total_bytes > packet.len() {
        return Err(PacketRefusal::Malformed);
    }
    // More fragments, or an offset.
    if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
        return Err(PacketRefusal::Fragment);
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let destination = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
    Ok((source.into(), destination.into(), header[9], &packet[header_bytes..total_bytes]))
}

/// RFC 8200 §3. Extension headers are left to smoltcp.
fn parse_v6(packet: &[u8]) -> Result<Header<'_>, PacketRefusal> {
    const FRAGMENT: u8 = 44;
    let (header, payload) = packet.split_first_chunk::<40>().ok_or(PacketRefusal::Malformed)?;
    let payload_bytes = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = payload.get(..payload_bytes).ok_or(PacketRefusal::Malformed)?;
    if header[6] == FRAGMENT {
        return Err(PacketRefusal::Fragment);
    }
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&header[at..at + 16]);
        IpAddr::from(Ipv6Addr::from(octets))
    };
    Ok((address(8), address(24), header[6], payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment with two bytes from `host`:1000 to `to`:80, as the other end writes it.
    fn segment(host: &str, to: &str) -> (Vec<u8>, Tuple) {
        let (host, to): (IpAddr, IpAddr) = (host.parse().expect("an address"), to.parse().expect("an address"));
        let (here, there) = (SocketAddr::new(to, 80), SocketAddr::new(host, 1000));
        let header = TcpRepr {
            control: TcpControl::Psh,
            window_len: 9,
            sack_ranges: [Some((1, 2)), None, None],
            ..header(TcpSeqNumber(7), Some(TcpSeqNumber(-7)))
        };
        let mut packet = vec![0xff; 100];
        let theirs = Tuple { local: there, remote: here };
        let length = write_segment(theirs, &header, 2, |bytes| bytes.copy_from_slice(b"hi"), &mut packet);
        packet.truncate(length);
        (packet, Tuple { local: here, remote: there })
    }

    #[test]
    fn what_is_written_is_read() {
        for (host, to) in [("10.0.0.2", "10.0.0.1"), ("fd00::2", "fd00::1")] {
            let (packet, ends) = segment(host, to);
            let Ok(Parsed::Segment { tuple, segment }) = parse(&packet) else { panic!("{packet:?}") };
            assert_eq!((tuple, segment.payload, segment.window_len), (ends, &b"hi"[..], 9));
            assert_eq!(
                (segment.control, segment.seq_number, segment.ack_number.map(|ack| ack.0)),
                (TcpControl::Psh, TcpSeqNumber(7), Some(-7))
            );
            assert_eq!(segment.sack_ranges, [Some((1, 2)), None, None]);
        }
    }

    #[test]
    fn what_is_cut_short_or_lies_about_its_length_is_refused() {
        let check = |change: &dyn Fn(&mut Vec<u8>), refusal| {
            let (mut packet, _) = segment("10.0.0.2", "10.0.0.1");
            change(&mut packet);
            assert_eq!(parse(&packet), Err(refusal), "{packet:?}");
        };
        for length in 0..54 {
            check(&|packet| packet.truncate(length), PacketRefusal::Malformed);
        }
        check(&|packet| packet[0] = 0x44, PacketRefusal::Malformed);
        check(&|packet| packet[0] = 0x4f, PacketRefusal::Malformed);
        check(&|packet| packet[0] = 0x55, PacketRefusal::Malformed);
        check(&|packet| packet.drain(..).for_each(drop), PacketRefusal::Malformed);
        check(&|packet| (packet[0], packet[4]) = (0x60, 1), PacketRefusal::Malformed);
        check(&|packet| packet[3] = 0, PacketRefusal::Malformed);
        check(&|packet| packet[3] = 55, PacketRefusal::Malformed);
        check(&|packet| packet[3] = 39, PacketRefusal::Malformed);
        check(&|packet| packet[6] = 0x20, PacketRefusal::Fragment);
        check(&|packet| packet[7] = 1, PacketRefusal::Fragment);
    }

    #[test]
    fn an_ipv6_packet_is_read_to_its_own_length() {
        let (mut packet, _) = segment("fd00::2", "fd00::1");
        packet.extend(b"padding");
        assert!(matches!(parse(&packet), Ok(Parsed::Segment { .. })));
        let payload_bytes = packet[5];
        packet[5] = payload_bytes - 1;
        assert!(matches!(parse(&packet), Ok(Parsed::Segment { segment, .. }) if segment.payload == b"h"));
        packet[5] = payload_bytes + 8;
        assert_eq!(parse(&packet), Err(PacketRefusal::Malformed));
        packet[5] = payload_bytes;
        packet[6] = 44;
        assert_eq!(parse(&packet), Err(PacketRefusal::Fragment));
        packet[6] = 58;
        assert!(matches!(parse(&packet), Ok(Parsed::Other { .. })));
    }
}
