"""WireGuard's rules against the real daemon, with a peer whose every byte is ours: what a standard client never says, and must not gain by."""

import os
import random
import struct
import time

import pytest

import wire
from raw import HANDSHAKE_PAUSE, waiting

BOTH = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module")
def peer(line):
    """A peer with a session."""
    peer = line.peer()
    assert peer.shake() and peer.ping()
    return peer


# Handshakes.

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
    peer.shake()
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
