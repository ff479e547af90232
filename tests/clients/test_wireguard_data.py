"""WireGuard's data against the real daemon, with a peer whose every byte is ours: replays, windows, cryptokey routing, roaming."""

import os
import random
import struct
import time

import pytest

import wire
from raw import HANDSHAKE_PAUSE, shaken, waiting

BOTH = pytest.mark.parametrize("family", [4, 6])


def test_replayed_data_is_never_answered(line, peer):
    shaken(peer)
    packet, number = peer.echo()
    datagram = peer.session.data(packet)
    peer.socket.send(datagram)
    assert peer.answered() == number
    elsewhere = line.socket()
    with line.counted(dropped_replayed=4, datagrams_with_packet=2):  # the two are the witness's
        for socket in (peer.socket, peer.socket, elsewhere, elsewhere):
            socket.send(datagram)
        assert line.is_quiet(peer.socket, elsewhere)


def test_counters_may_come_in_any_order_within_the_window(line, peer):
    """boringtun's window is 1,024 counters wide (the kernel's is 8,128): what is further back is dropped, authentic or not."""
    session = shaken(peer).session
    order = list(range(1, 1001))
    random.Random(3).shuffle(order)
    made = [session.data(wire.echo(peer.inside[4], peer.server[4], counter), counter) for counter in order]
    for start in range(0, len(made), 50):
        for datagram in made[start:start + 50]:
            peer.socket.send(datagram)
        assert [peer.answered() for _ in range(50)] == order[start:start + 50]
    with line.counted(dropped_replayed=1000):
        for start in range(0, len(made), 50):
            for datagram in made[start:start + 50]:
                peer.socket.send(datagram)
            line.settle()
    for counter in (20_000, 19_000, 2**40, 2**40 - 1000, 2**40 + 1023, 2**40 + 1, 2**60):
        assert peer.ping(counter=counter)
    with line.counted(dropped_replayed=4):
        for counter in (0, 20_001, 2**40 + 2, 2**60 - 10_000):
            peer.socket.send(session.data(peer.echo()[0], counter))
    assert line.is_quiet(peer.socket)


@pytest.mark.parametrize("counter", [2**64 - 1, 2**64 - 2, 2**64 - 2**13 - 1])
def test_counters_beyond_the_last_are_refused(line, peer, counter):
    """REJECT-AFTER-MESSAGES, white paper §6.1."""
    session = shaken(peer).session
    overheard = session.data(peer.echo()[0])
    peer.socket.send(overheard)
    assert peer.answered()
    peer.socket.send(session.data(peer.echo()[0], counter))
    peer.socket.send(overheard)
    assert line.is_quiet(peer.socket)
    assert peer.ping(counter=7)


def test_data_for_no_session_or_with_other_keys_is_dropped(line):
    peer = shaken(line.peer())
    session = peer.session
    packet = peer.echo()[0]
    unknown = wire.Session(session.index ^ 0xFFFFFF00, session.sender, session.sending, session.receiving)
    vacant = wire.Session(session.index ^ 0x04, session.sender, session.sending, session.receiving)
    other = wire.Session(session.index, session.sender, os.urandom(32), session.receiving)
    with line.counted(dropped_unknown_index=1, dropped_unauthenticated=3):
        for wrong in (unknown, vacant, other):
            peer.socket.send(wrong.data(packet, 100))
        damaged = bytearray(session.data(packet, 100))
        damaged[-1] ^= 1
        peer.socket.send(damaged)
    assert line.is_quiet(peer.socket)
    assert peer.ping(counter=100), "the counter was not used up"


def test_a_keepalive_is_answered_with_nothing(line, peer):
    with line.counted(datagrams_without_packet=2):
        for _ in range(2):
            peer.socket.send(peer.session.data(b""))
        assert line.is_quiet(peer.socket)
    assert peer.ping()


def test_authentic_garbage_is_counted_and_nothing_else(line, peer):
    shaken(peer)
    good = peer.echo()[0]
    six = peer.echo(6)[0]
    garbage = [
        bytes(16), b"\xff" * 64, b"\x50" + good[1:], b"\x10", good[:16],
        good[:2] + struct.pack(">H", 1000) + good[4:],  # longer than it is
        good[:2] + bytes(2) + good[4:],  # without a byte
        six[:32], six[:4] + struct.pack(">H", 1000) + six[6:],
    ]
    with line.counted(dropped_inner_malformed=len(garbage)):
        for packet in garbage:
            peer.socket.send(peer.session.data(packet))
    # IP by its looks: the stack's to refuse.
    ill = [
        good[:10] + b"\x12\x34" + good[12:],  # a wrong checksum of the header
        good[:6] + b"\x20\x00" + good[8:],  # more fragments
        b"\x4f" + good[1:],  # a header longer than the packet
        wire.ip(peer.inside[4], peer.server[4], wire.TCP, bytes(20)),
        wire.ip(peer.inside[4], peer.server[4], wire.ICMP, b"\x08"),
        wire.ip(peer.inside[6], peer.server[6], wire.UDP, b""),
        wire.ip(peer.inside[6], peer.server[6], 44, bytes(8)),  # a fragment header
        wire.ip(peer.inside[6], peer.server[6], 0, bytes([0, 255]) + bytes(6)),  # options beyond the end
    ]
    for packet in ill:
        peer.socket.send(peer.session.data(packet))
    line.settle()
    for datagram in waiting(peer.socket):
        # What a host says of it may come back, to its sender and no longer than what it is about.
        protocol, _, ends = wire.parts(peer.session.open(datagram))
        assert protocol in (wire.ICMP, wire.ICMPV6) and ends[1] in peer.inside.values(), (protocol, ends)
    assert peer.ping() and peer.ping(6)


# Cryptokey routing.

def test_only_its_own_addresses_are_a_peers(line, peer):
    shaken(peer)
    other = shaken(line.peer())
    four = [other.inside[4], peer.server[4], "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", line.server[4], line.here[4], "192.0.2.1"]
    six = [other.inside[6], peer.server[6], "::", "::1", "ff02::1", "fe80::1", f"::ffff:{peer.inside[4]}", line.here[6], "2001:db8::1"]
    elsewhere = line.socket()
    before = peer.status()["endpoint"]
    with line.counted(dropped_spoofed_source=len(four) + len(six), datagrams_with_packet=2):
        for family, sources in ((4, four), (6, six)):
            for source in sources:
                elsewhere.send(peer.session.data(peer.echo(family, source)[0]))
        # Neither the liar nor whom it is a lie about.
        assert line.is_quiet(peer.socket, elsewhere, other.socket)
    assert peer.status()["endpoint"] == before
    assert peer.ping() and peer.ping(6)


def test_only_the_appliances_addresses_are_reached(line, peer):
    shaken(peer)
    other = shaken(line.peer())
    four = [other.inside[4], peer.inside[4], "127.0.0.1", "255.255.255.255", line.server[4], "192.0.2.1"]
    six = [other.inside[6], peer.inside[6], "::1", "fe80::1", line.server[6], "2001:db8::1"]
    with line.counted(packets_for_elsewhere=len(four) + len(six)):
        for family, destinations in ((4, four), (6, six)):
            for destination in destinations:
                peer.socket.send(peer.session.data(peer.echo(family, destination=destination)[0]))
        assert line.is_quiet(peer.socket, other.socket)


@BOTH
def test_closed_ports_refuse_as_a_host_does(peer, family):
    ends = peer.inside[family], peer.server[family]
    for port in (1, 79, 443, 51820):
        peer.socket.send(peer.session.data(wire.tcp(*ends, port, 0x02, sequence=77)))
        protocol, segment, back = wire.parts(peer.hear())
        assert (protocol, back) == (wire.TCP, [ends[1], ends[0]])
        assert struct.unpack_from(">HHII", segment) == (port, 40000, 0, 78) and segment[13] == 0x14, "RST and ACK"
        # To what acknowledges something, the reset takes its number from there; a reset gets no answer.
        peer.socket.send(peer.session.data(wire.tcp(*ends, port, 0x10, 77, 500)))
        assert struct.unpack_from(">I", wire.parts(peer.hear())[1], 4) == (500,)
        peer.socket.send(peer.session.data(wire.tcp(*ends, port, 0x04, 77)))
    for port in (53, 80, 51820):
        packet = wire.udp(*ends, port)
        peer.socket.send(peer.session.data(packet))
        protocol, message, back = wire.parts(peer.hear())
        assert back == [ends[1], ends[0]]
        assert (protocol, message[:2]) == {4: (wire.ICMP, b"\x03\x03"), 6: (wire.ICMPV6, b"\x01\x04")}[family]
        # Without the header, of which smoltcp writes one of its own with the same ends.
        quoted = {4: 20, 6: 40}[family]
        assert message[8 + quoted:8 + len(packet)] == packet[quoted:]
    assert peer.ping(family)


# Where a peer is.

def test_only_what_is_authentic_and_new_moves_a_peer(line, peer):
    """Not a damaged message, nor one received before, nor a cookie (which is sealed with what everybody knows)."""
    session = shaken(peer).session
    handshake = peer.initiation()
    peer.socket.send(handshake.message)
    response = peer.socket.recv(4096)
    packet, number = peer.echo()
    overheard = session.data(packet)
    peer.socket.send(overheard)
    assert peer.answered(session=session) == number
    damaged = bytearray(session.data(packet, 5000))
    damaged[20] ^= 1
    cookie = os.urandom(16)
    elsewhere = line.socket()
    before = peer.status()["endpoint"]
    assert before.endswith(f":{peer.socket.getsockname()[1]}")
    thrown = [
        damaged, overheard, handshake.message, response,
        wire.cookie_reply(response, wire.public(os.urandom(32)), cookie),
        wire.cookie_reply(response, wire.public(peer.private), cookie),
        struct.pack("<II", wire.COOKIE_REPLY, session.index) + os.urandom(56),
    ]
    time.sleep(HANDSHAKE_PAUSE)
    for datagram in thrown:
        elsewhere.send(datagram)
        assert line.is_quiet(elsewhere, peer.socket)
        assert peer.status()["endpoint"] == before
    # What is both does, at once, there and back, across families.
    for socket in (elsewhere, line.socket(6), peer.socket):
        peer.socket.settimeout(5)
        packet, number = peer.echo()
        socket.send(session.data(packet))
        assert peer.answered(socket, session) == number
        assert peer.status()["endpoint"].endswith(f":{socket.getsockname()[1]}")
