"""Peers of the appliance that speak WireGuard byte by byte (see wire.py), to say what no standard client says.

Silence is not waited for. The appliance serves handshakes in their order, beside them data in its order, and answers a ping at once: what is
still unanswered when a handshake that was begun later has been answered, and a ping after it, is not answered.
"""

import base64
import contextlib
import re
import time

import wire
from harness import Namespace, cable

PORT = 51820
# Of the cable: no device has it.
NUMBER = 39
SECONDS = 5.0
# Between two handshakes of a peer: more than the 20 ms that it has to wait.
HANDSHAKE_PAUSE = 0.025
# What `settle` itself adds.
SETTLING = ("handshake_messages_answered", "sessions_established")


class Line:
    """A namespace on a cable to the appliance, from whose addresses any number of peers speak."""

    def __init__(self, appliance):
        self.appliance = appliance
        self.namespace = Namespace("line")
        self.server = {4: f"10.77.{NUMBER}.1", 6: f"fd77:{NUMBER}::1"}
        self.here = {4: f"10.77.{NUMBER}.2", 6: f"fd77:{NUMBER}::2"}
        ends = [(appliance.namespace, f"s{NUMBER}", self.server), (self.namespace, f"d{NUMBER}", self.here)]
        cable(*((namespace, name, (address[4], address[6])) for namespace, name, address in ends))
        self.peers = self.settled = 0
        self.witness = self.peer()

    def delete(self):
        self.namespace.delete()

    def peer(self, name=None, *arguments):
        """A new peer of the appliance."""
        self.peers += 1
        return Raw(self, name or f"raw-{self.peers}", *arguments)

    def socket(self, family=4, address=None, port=0):
        """A socket whose datagrams go to the appliance, from an address of the line."""
        made = self.namespace.udp(address or self.here[family], port)
        made.connect((self.server[family], PORT))
        made.settimeout(SECONDS)
        return made

    @contextlib.contextmanager
    def counted(self, **expected):
        """What is done meanwhile adds exactly this much to these counters."""
        before, settled = self.appliance.status()["counters"], self.settled
        yield
        self.settle()
        after, settled = self.appliance.status()["counters"], self.settled - settled
        added = {name: after[name] - before[name] - (settled if name in SETTLING else 0) for name in expected}
        assert added == expected, added

    def settle(self):
        """Everything that was sent so far has been taken, and answered if ever."""
        # After a pause the appliance may have asked whether the witness is still there.
        shaken(self.witness)
        self.settled += 1

    def is_quiet(self, *sockets):
        """Whether nothing that was sent so far has brought a datagram to these sockets."""
        self.settle()
        return not any(waiting(socket) for socket in sockets)


def waiting(socket):
    """All datagrams that have come already."""
    socket.setblocking(False)
    heard = []
    with contextlib.suppress(BlockingIOError):
        while True:
            heard.append(socket.recv(4096))
    socket.settimeout(SECONDS)
    return heard


def shaken(peer):
    """The peer, with a new session that both sides have proved."""
    waiting(peer.socket)
    assert peer.shake() and peer.ping()
    return peer


class Raw:
    """A peer: its keys from the configuration that the appliance wrote, a socket, and the latest session."""

    def __init__(self, line, name, *arguments):
        self.line, self.name = line, name
        text = line.appliance.adit("peer", "add", name, "--conf", "-", *arguments).stdout
        field = lambda key: re.search(rf"^{key} = (.*)$", text, re.M).group(1)  # noqa: E731
        key = lambda name: base64.b64decode(field(name))  # noqa: E731
        self.private, self.server_key, self.psk = key("PrivateKey"), key("PublicKey"), key("PresharedKey")
        addresses = lambda name: dict(zip((4, 6), re.findall(r"[\w.:]+(?=/)", field(name))))  # noqa: E731
        self.inside, self.server = addresses("Address"), addresses("AllowedIPs")
        self.socket = line.socket()
        self.time = time.time()
        self.session = None
        self.pings = 0

    def initiation(self, ahead=1.0, **options):
        """A handshake that is dated a second, or this many, after the one before, and may be answered already."""
        time.sleep(HANDSHAKE_PAUSE)
        self.time += ahead
        return wire.Handshake(self.private, self.server_key, wire.tai64n(self.time), **options)

    def shake(self, socket=None, psk=None, **options):
        """Makes a session, as the latest; None if the answer was made with another preshared key."""
        socket = socket or self.socket
        handshake = self.initiation(**options)
        socket.send(handshake.message)
        self.session = handshake.session(socket.recv(4096), self.psk if psk is None else psk)
        return self.session

    def echo(self, family=4, source=None, destination=None, payload=b"adit"):
        """The next echo request of this peer, and its number."""
        self.pings += 1
        source, destination = source or self.inside[family], destination or self.server[family]
        return wire.echo(source, destination, self.pings, payload), self.pings % 2**16

    def ping(self, family=4, session=None, socket=None, counter=None):
        """Whether the next datagram that comes is the answer to a ping that is sent now. (Answers come in the latest session proved.)"""
        packet, number = self.echo(family)
        socket = socket or self.socket
        socket.send((session or self.session).data(packet, counter))
        return self.answered(socket) == number

    def answered(self, socket=None, session=None):
        """The number of the echo reply that comes next; None if something else comes, or nothing."""
        packet = self.hear(socket, session)
        return wire.echoed(packet) if packet else None

    def hear(self, socket=None, session=None):
        """The inner packet that comes next; None if something else comes, or nothing."""
        try:
            datagram = (socket or self.socket).recv(4096)
        except TimeoutError:
            return None
        return (session or self.session).open(datagram)

    def status(self):
        """What the appliance knows of it."""
        [peer] = [peer for peer in self.line.appliance.status()["peers"] if peer["name"] == self.name]
        return peer
