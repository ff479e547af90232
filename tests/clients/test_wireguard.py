"""WireGuard's handshakes against the real daemon, with a peer whose every byte is ours: what a standard client never says, and must not gain by."""

import base64
import os
import struct
import time

import pytest

import wire
from raw import HANDSHAKE_PAUSE, NUMBER, shaken, waiting

BOTH = pytest.mark.parametrize("family", [4, 6])


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


def test_a_peer_may_go_from_one_server_key_to_the_other_and_back(line, peer):
    present, former = ((line.appliance.dir / "keys" / "server.key").read_text()).splitlines()
    assert wire.public(base64.b64decode(present)) == peer.server_key
    moving, keys = line.peer(), {"present": peer.server_key, "former": wire.public(base64.b64decode(former.split()[0]))}
    said = []
    for name in ("former", "present", "former", "present"):
        moving.server_key = keys[name]
        old = moving.session
        handshake = moving.initiation()
        moving.socket.send(handshake.message)
        moving.session = handshake.session(moving.socket.recv(4096), moving.psk)
        assert moving.session and moving.ping()
        assert moving.status()["uses_former_server_key"] == (name == "former")
        # What it said before to this key or the other turns it no more, and its session under the other is over.
        said.append(handshake.message)
        for message in said:
            time.sleep(HANDSHAKE_PAUSE)
            with line.counted(dropped_replayed=1, handshake_messages_answered=0):
                moving.socket.send(message)
        if old:
            moving.socket.send(old.data(moving.echo()[0]))
        assert line.is_quiet(moving.socket)
        assert moving.ping()
    # A third key of the server's there never was.
    moving.server_key = wire.public(os.urandom(32))
    with line.counted(dropped_bad_mac=1):
        moving.socket.send(moving.initiation().message)
    assert line.is_quiet(moving.socket)


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
    # The second after one of load still asks for one; then nobody needs one.
    time.sleep(2.1)
    assert shaken(peer)
