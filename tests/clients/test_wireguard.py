"""WireGuard's rules against the real daemon, with a peer whose every byte is ours: what a standard client never says, and must not gain by."""

import os
import random
import struct
import time

import pytest

import wire
from raw import HANDSHAKE_PAUSE, NUMBER, waiting

BOTH = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module")
def peer(line):
    """A peer with a session."""
    return shaken(line.peer())


# Handshakes.

def shaken(peer):
    """The peer, with a new session that both sides have proved."""
    waiting(peer.socket)
    assert peer.shake() and peer.ping()
    return peer


@pytest.mark.parametrize("sender", [0, 1, 0xFFFFFFFF])
@BOTH
def test_a_handshake_makes_a_session_over_either_family(line, peer, family, sender):
    socket = line.socket(family)
    assert peer.shake(socket, sender=sender)
    for inner in (4, 6):
        assert peer.ping(inner, socket=socket)
    assert peer.ping(), "the way back to the first socket"


def test_a_wrong_preshared_key_makes_no_session(line, peer):
    """The initiation says nothing of it: it is answered, and neither side can use the answer."""
    other = line.peer()
    for psk in (bytes(32), os.urandom(32)):
        assert other.shake(psk=psk) is None
    assert other.status()["latest_handshake_seconds"] is None
    # Nor does another peer's key do.
    assert other.shake(psk=peer.psk) is None
    assert other.shake() and other.ping()
    # A handshake with a wrong one leaves the session alone.
    kept = other.session
    assert other.shake(psk=peer.psk) is None
    other.session = kept
    assert other.ping()


def test_old_and_equal_timestamps_are_ignored(line, peer):
    shaken(peer)
    for ahead in (0, -1e-6, -1, -1e6):
        time.sleep(HANDSHAKE_PAUSE)
        with line.counted(dropped_replayed=1, handshake_messages_answered=0):
            peer.socket.send(wire.Handshake(peer.private, peer.server_key, wire.tai64n(peer.time + ahead)).message)
        assert line.is_quiet(peer.socket)
    assert peer.ping(), "the session goes on"
    assert peer.shake(ahead=1e-6) and peer.ping()


def test_a_replayed_initiation_is_ignored(line, peer):
    handshake = peer.initiation()
    peer.socket.send(handshake.message)
    session = handshake.session(peer.socket.recv(4096), peer.psk)
    elsewhere = line.socket()
    with line.counted(dropped_replayed=2, handshake_messages_answered=0):
        for socket in (peer.socket, elsewhere):
            time.sleep(HANDSHAKE_PAUSE)
            socket.send(handshake.message)
            line.settle()
    assert line.is_quiet(peer.socket, elsewhere)
    peer.session = session
    assert peer.ping()


def test_a_second_initiation_within_twenty_milliseconds_waits(line, peer):
    first, second = peer.initiation(), peer.initiation()
    with line.counted(dropped_too_many_handshakes=1, handshake_messages_answered=1):
        peer.socket.send(first.message)
        peer.socket.send(second.message)
        assert first.session(peer.socket.recv(4096), peer.psk)
        assert line.is_quiet(peer.socket)
    time.sleep(HANDSHAKE_PAUSE)
    peer.socket.send(second.message)
    peer.session = second.session(peer.socket.recv(4096), peer.psk)
    assert peer.session and peer.ping()


def test_lost_responses_do_no_harm(line, peer):
    """Up to seven in a row: then the ring of eight sessions that boringtun has is full, and the next one takes the place of the session in
    use. (The kernel keeps one unproved session and overwrites that, without end.) What is lost then comes back with the next handshake.
    """
    session = shaken(peer).session
    for _ in range(7):
        assert peer.shake()
        peer.socket.send(session.data(peer.echo()[0]))
        assert peer.answered(session=session) == peer.pings
    assert peer.shake()
    peer.socket.send(session.data(peer.echo()[0]))
    assert line.is_quiet(peer.socket)
    for _ in range(20):
        assert peer.shake()
    assert peer.ping(), "the latest answer counts"


def test_the_session_before_the_latest_is_still_heard(line, peer):
    """Datagrams of before a handshake may come after it. Answers should go out with the newest keys; boringtun tells new from old by the last
    time that it looked at the clock, and takes the keys that were used last if it has not looked in between.
    """
    before = shaken(peer).session
    shaken(peer)
    packet, number = peer.echo()
    peer.socket.send(before.data(packet))
    answer = peer.socket.recv(4096)
    assert wire.echoed(before.open(answer) or peer.session.open(answer)) == number
    assert peer.ping(), "with the newest keys, in the newest keys"


def test_who_does_not_know_the_key_or_is_not_known_gets_no_byte(line):
    stranger, socket = os.urandom(32), line.socket()
    knowing = wire.Handshake(stranger, line.witness.server_key, wire.tai64n(time.time())).message
    with line.counted(dropped_unknown_key=1, dropped_bad_mac=4, dropped_unauthenticated=2, handshake_messages_answered=0):
        socket.send(knowing)
        # For another server; with a damaged MAC1; with one bit of anything before it changed.
        socket.send(wire.Handshake(line.witness.private, wire.public(os.urandom(32)), wire.tai64n(time.time())).message)
        for at in (4, 60, 120):
            socket.send(knowing[:at] + bytes([knowing[at] ^ 1]) + knowing[at + 1:])
        # The same with MAC1 made good: what is damaged is the key, then the time.
        for at in (60, 115):
            body = knowing[:at] + bytes([knowing[at] ^ 1]) + knowing[at + 1:116]
            if at == 115:
                known = line.witness.initiation().message
                body = known[:at] + bytes([known[at] ^ 1])
            socket.send(body + wire.mac(wire.blake(b"mac1----", line.witness.server_key), body) + bytes(16))
    assert line.is_quiet(socket)


def test_ephemeral_keys_that_agree_on_nothing_are_refused(line, peer):
    order_eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
    void = [bytes(32), bytes([1]) + bytes(31), bytes.fromhex(order_eight), bytes([0xEC]) + b"\xff" * 30 + b"\x7f"]
    with line.counted(dropped_unauthenticated=len(void), handshake_messages_answered=0):
        for key in void:
            peer.socket.send(peer.initiation(void=key).message)
            assert line.is_quiet(peer.socket)
    shaken(peer)


@pytest.mark.parametrize("kind", [wire.INITIATION, wire.RESPONSE, wire.COOKIE_REPLY, wire.DATA])
def test_wrong_reserved_bytes_and_lengths_are_no_wireguard(line, peer, kind):
    good = {
        wire.INITIATION: peer.initiation().message,
        wire.DATA: peer.session.data(peer.echo()[0]),
    }.get(kind, struct.pack("<I", kind) + os.urandom(wire.LENGTHS[kind] - 4))
    wrong = [good[:at] + bytes([1]) + good[at + 1:] for at in (1, 2, 3)]
    wrong += [good[:length] for length in (1, 3, 4, wire.LENGTHS[kind] - 1)]
    if kind != wire.DATA:
        wrong += [good + bytes(1), good + bytes(16)]
    wrong += [bytes([other]) + good[1:] for other in (0, 5, 255)]
    with line.counted(dropped_malformed=len(wrong)):
        for datagram in wrong:
            peer.socket.send(datagram)
    assert line.is_quiet(peer.socket)
    assert peer.ping()


# Data.

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


def test_data_for_no_session_or_with_other_keys_is_dropped(line, peer):
    session = shaken(peer).session
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


# Silence.

def test_whoever_falls_silent_is_spoken_to(line):
    """Who was heard, and got nothing back, gets a keepalive (after 10 s). Who got something and is not heard again is called (after 15 s), and
    again (after 5 s) when the answer is lost or wrong; what is answered with the right preshared key is a session.
    """
    heard, gone = shaken(line.peer()), shaken(line.peer())
    heard.socket.send(heard.session.data(b""))
    # An answer that nobody asked for is not answered.
    unasked = wire.ip(heard.inside[4], heard.server[4], wire.ICMP, b"\x00\x00\xff\xff" + bytes(4))
    heard.socket.send(heard.session.data(unasked))
    heard.socket.settimeout(14)
    assert heard.hear() == b"", "no keepalive"
    gone.socket.settimeout(14)
    first = wire.Answer(gone.private, gone.socket.recv(4096))
    assert first.static == gone.server_key and first.timestamp
    gone.socket.send(first.respond(os.urandom(32))[0])
    assert line.is_quiet(gone.socket)
    gone.socket.settimeout(10)
    second = wire.Answer(gone.private, gone.socket.recv(4096))
    assert second.static == gone.server_key and second.timestamp > first.timestamp
    with line.counted(sessions_established=1, dropped_unauthenticated=1):
        message, gone.session = second.respond(gone.psk)
        gone.socket.send(message)
        assert gone.hear() == b"", "a new session begins with something in it"
        # Once. (To the call before, boringtun would still take an answer: it keeps two, the kernel one.)
        gone.socket.send(message)
        assert line.is_quiet(gone.socket)
    assert gone.ping()


# Load.

def test_under_load_strangers_get_cookies_and_peers_are_served(line):
    """The cookie is bound to an address, not to a port as the paper has it: that is boringtun's doing. Another address has no use for it."""
    stranger = line.socket()
    line.namespace.run("ip", "addr", "add", f"10.77.{NUMBER}.77/24", "dev", f"d{NUMBER}")
    here, there = line.socket(), line.socket(address=f"10.77.{NUMBER}.77")
    known = shaken(line.peer())
    peer = line.peer()
    flood = wire.Handshake(os.urandom(32), peer.server_key, wire.tai64n(time.time())).message

    def under_load(socket, datagram):
        """Sends a datagram while a flood comes, and gives its answer."""
        waiting(stranger)
        socket.settimeout(0.2)
        for _ in range(20):
            for _ in range(300):
                stranger.send(flood)
            socket.send(datagram)
            try:
                return socket.recv(4096)
            except TimeoutError:
                continue
        raise AssertionError("neither a cookie nor an answer")

    before = line.appliance.status()["counters"]
    handshake = peer.initiation()
    reply = under_load(here, handshake.message)
    cookie = handshake.cookie(reply)
    assert cookie, reply
    # One made for another message, or a wrong one, is of no use.
    assert peer.initiation().cookie(reply) is None
    wrong = peer.initiation()
    assert wrong.cookie(under_load(here, wrong.stamped(os.urandom(16)))) == cookie
    assert wrong.cookie(under_load(there, wrong.stamped(cookie))) not in (None, cookie)
    # The right one opens the door.
    proved = peer.initiation()
    peer.session = proved.session(under_load(here, proved.stamped(cookie)), peer.psk)
    assert peer.session and peer.ping(socket=here)
    assert known.ping(), "who has a session does not notice"
    after = line.appliance.status()["counters"]
    added = {name: after[name] - before[name] for name in ("cookies_sent", "bytes_sent", "bytes_received")}
    assert added["cookies_sent"] > 100 and added["bytes_sent"] <= added["bytes_received"], added
    for datagram in waiting(stranger):
        assert len(datagram) == wire.LENGTHS[wire.COOKIE_REPLY] < len(flood)
    line.namespace.run("ip", "addr", "del", f"10.77.{NUMBER}.77/24", "dev", f"d{NUMBER}")
    # And a second later nobody needs one.
    time.sleep(1.1)
    assert shaken(peer)
