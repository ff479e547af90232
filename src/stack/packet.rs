//! Reads just enough of an inner packet to know whose it is: bytes from a peer in, addresses and ports out. Everything else about it is
//! smoltcp's to judge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::PacketRefusal;

const TCP: u8 = 6;
const TCP_HEADER_BYTES: usize = 20;

/// The two ends of a TCP connection, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tuple {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parsed {
    /// To a TCP connection, or to where one might be.
    Segment { tuple: Tuple, opens: bool },
    /// To one of our addresses.
    Other { destination: IpAddr },
}

impl Parsed {
    pub(super) fn destination(&self) -> IpAddr {
        match self {
            Parsed::Segment { tuple, .. } => tuple.local.ip(),
            Parsed::Other { destination } => *destination,
        }
    }
}

/// Parses an IP packet. Fragments are refused: the appliance's own MSS makes none necessary.
pub(super) fn parse(packet: &[u8]) -> Result<Parsed, PacketRefusal> {
    let (source, destination, protocol, payload) = match packet.first().map(|byte| byte >> 4) {
        Some(4) => parse_v4(packet)?,
        Some(6) => parse_v6(packet)?,
        _ => return Err(PacketRefusal::Malformed),
    };
    if protocol != TCP {
        return Ok(Parsed::Other { destination });
    }
    let header: &[u8; TCP_HEADER_BYTES] = payload.first_chunk().ok_or(PacketRefusal::Malformed)?;
    let remote = SocketAddr::new(source, u16::from_be_bytes([header[0], header[1]]));
    let local = SocketAddr::new(destination, u16::from_be_bytes([header[2], header[3]]));
    // FIN, SYN, RST and ACK, RFC 9293 §3.1: a connection opens with SYN alone.
    let opens = header[13] & 0b1_0111 == 0b0_0010;
    Ok(Parsed::Segment { tuple: Tuple { local, remote }, opens })
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

    /// An IPv4 TCP segment from 10.0.0.2:1000 to 10.0.0.1:80 with these flags.
    fn segment(flags: u8) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[0] = 0x45;
        packet[3] = 40;
        packet[9] = TCP;
        packet[12..20].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
        packet[20..24].copy_from_slice(&[3, 232, 0, 80]);
        packet[33] = flags;
        packet
    }

    #[test]
    fn only_a_lone_syn_opens() {
        let tuple = Tuple { local: ([10, 0, 0, 1], 80).into(), remote: ([10, 0, 0, 2], 1000).into() };
        for (flags, opens) in [(0x02, true), (0xc2, true), (0x12, false), (0x06, false), (0x03, false), (0x10, false)] {
            assert_eq!(parse(&segment(flags)), Ok(Parsed::Segment { tuple, opens }), "flags {flags:#x}");
        }
    }

    #[test]
    fn what_is_cut_short_or_lies_about_its_length_is_refused() {
        let check = |change: &dyn Fn(&mut Vec<u8>), refusal| {
            let mut packet = segment(2);
            change(&mut packet);
            assert_eq!(parse(&packet), Err(refusal), "{packet:?}");
        };
        for length in 0..40 {
            check(&|packet| packet.truncate(length), PacketRefusal::Malformed);
        }
        check(&|packet| packet[0] = 0x44, PacketRefusal::Malformed);
        check(&|packet| packet[0] = 0x4f, PacketRefusal::Malformed);
        check(&|packet| packet[0] = 0x55, PacketRefusal::Malformed);
        check(&|packet| packet.drain(..).for_each(drop), PacketRefusal::Malformed);
        check(&|packet| (packet[0], packet[5]) = (0x60, 1), PacketRefusal::Malformed);
        check(&|packet| packet[3] = 0, PacketRefusal::Malformed);
        check(&|packet| packet[3] = 41, PacketRefusal::Malformed);
        check(&|packet| packet[3] = 39, PacketRefusal::Malformed);
        check(&|packet| packet[6] = 0x20, PacketRefusal::Fragment);
        check(&|packet| packet[7] = 1, PacketRefusal::Fragment);
    }

    #[test]
    fn an_ipv6_packet_is_read_to_its_own_length() {
        let mut packet = vec![0; 60];
        packet[0] = 0x60;
        packet[5] = 20;
        packet[6] = TCP;
        packet[53] = 2;
        assert!(matches!(parse(&packet), Ok(Parsed::Segment { opens: true, .. })));
        packet[5] = 19;
        assert_eq!(parse(&packet), Err(PacketRefusal::Malformed));
        packet[5] = 21;
        assert_eq!(parse(&packet), Err(PacketRefusal::Malformed));
        packet[5] = 20;
        packet[6] = 44;
        assert_eq!(parse(&packet), Err(PacketRefusal::Fragment));
        packet[6] = 58;
        assert!(matches!(parse(&packet), Ok(Parsed::Other { .. })));
    }
}
