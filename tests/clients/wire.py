"""WireGuard's messages and the packets inside them, byte by byte: keys and bytes go in, bytes come out.

Written from the white paper (Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", §5.4) and the RFCs, and from no implementation, so
that a test may say what no client of good manners says: any timestamp, counter, index and reserved byte. Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s.
"""

import hashlib
import hmac
import ipaddress
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

INITIATION, RESPONSE, COOKIE_REPLY, DATA = 1, 2, 3, 4
LENGTHS = {INITIATION: 148, RESPONSE: 92, COOKIE_REPLY: 64, DATA: 32}
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NO_PSK = bytes(32)


# The paper's functions, §5.4.

def blake(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, *parts):
    return hashlib.blake2s(b"".join(parts), key=key, digest_size=16).digest()


def kdf(key, material, count):
    """HKDF with HMAC-BLAKE2s: `count` keys of 32 bytes."""
    secret = hmac.new(key, material, "blake2s").digest()
    keys, last = [], b""
    for number in range(1, count + 1):
        last = hmac.new(secret, last + bytes([number]), "blake2s").digest()
        keys.append(last)
    return keys


def nonce(counter):
    return bytes(4) + struct.pack("<Q", counter)


def seal(key, counter, plain, data):
    return ChaCha20Poly1305(key).encrypt(nonce(counter), plain, data)


def unseal(key, counter, sealed, data):
    """The plain bytes, or None: not sealed with this key."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce(counter), sealed, data)
    except InvalidTag:
        return None


def unseal_cookie(key, reply, mac1):
    """The cookie in a reply to the message with this MAC1; None: it is to another."""
    try:
        return ChaCha20Poly1305(hchacha(key, reply[8:24])).decrypt(bytes(4) + reply[24:32], reply[32:64], mac1)
    except InvalidTag:
        return None


def cookie_reply(answered, speaker, cookie):
    """A reply by the host with this public key to a handshake message, asking it to prove its address with this cookie."""
    start, mac1 = os.urandom(24), answered[-32:-16]
    sealed = ChaCha20Poly1305(hchacha(blake(b"cookie--", speaker), start[:16])).encrypt(bytes(4) + start[16:], cookie, mac1)
    return struct.pack("<I", COOKIE_REPLY) + answered[4:8] + start + sealed


def hchacha(key, start):
    """A key of XChaCha20 (draft-irtf-cfrg-xchacha §2.2): ChaCha20's block of these 16 bytes, less what the last step of it adds."""
    block = Cipher(algorithms.ChaCha20(key, start), None).encryptor().update(bytes(64))
    words = struct.unpack("<16I", block)
    added = struct.unpack("<8I", b"expand 32-byte k" + start)
    mixed = words[:4] + words[12:]
    return struct.pack("<8I", *((word - plus) % 2**32 for word, plus in zip(mixed, added)))


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private, other):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def tai64n(seconds):
    """A time as seconds since 1970, or any other number that grows."""
    whole = int(seconds)
    return struct.pack(">QI", 2**62 + 10 + whole, int((seconds - whole) * 1e9))


# Messages.

class Handshake:
    """A handshake that we begin. `message` is the initiation; `stamped` adds a cookie to it; `session` makes keys of the answer."""

    def __init__(self, private, responder, timestamp, sender=None, void=None):
        """`void`: an ephemeral key of small order, with which every Diffie-Hellman is zero."""
        self.private, self.responder = private, responder
        self.sender = int.from_bytes(os.urandom(4), "little") if sender is None else sender
        self.ephemeral = os.urandom(32)
        chain = blake(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        seen = blake(blake(chain, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), responder)
        shown = void or public(self.ephemeral)
        seen = blake(seen, shown)
        [chain] = kdf(chain, shown, 1)
        chain, key = kdf(chain, bytes(32) if void else agree(self.ephemeral, responder), 2)
        static = seal(key, 0, public(private), seen)
        seen = blake(seen, static)
        chain, key = kdf(chain, agree(private, responder), 2)
        time = seal(key, 0, timestamp, seen)
        self.seen, self.chain = blake(seen, time), chain
        body = struct.pack("<II", INITIATION, self.sender) + shown + static + time
        self.mac1 = mac(blake(b"mac1----", responder), body)
        self.message = body + self.mac1 + bytes(16)

    def stamped(self, cookie):
        """The initiation with MAC2: it proves that we are where we say."""
        unstamped = self.message[:-16]
        return unstamped + mac(cookie, unstamped)

    def cookie(self, reply):
        """The cookie in a reply to this initiation; None if there is none in it for us."""
        kind, receiver = struct.unpack_from("<II", reply)
        if (kind, receiver, len(reply)) != (COOKIE_REPLY, self.sender, 64):
            return None
        return unseal_cookie(blake(b"cookie--", self.responder), reply, self.mac1)

    def session(self, answer, psk=NO_PSK):
        """The session that this answer makes with this preshared key; None if it was made with another, or is no answer to us."""
        kind, index, receiver = struct.unpack_from("<III", answer)
        if (kind, receiver, len(answer)) != (RESPONSE, self.sender, 92):
            return None
        assert answer[60:76] == mac(blake(b"mac1----", public(self.private)), answer[:60]), "a response with a wrong MAC1"
        shown = answer[12:44]
        seen = blake(self.seen, shown)
        [chain] = kdf(self.chain, shown, 1)
        [chain] = kdf(chain, agree(self.ephemeral, shown), 1)
        [chain] = kdf(chain, agree(self.private, shown), 1)
        chain, extra, key = kdf(chain, psk, 3)
        seen = blake(seen, extra)
        if unseal(key, 0, answer[44:60], seen) != b"":
            return None
        sending, receiving = kdf(chain, b"", 2)
        return Session(index, self.sender, sending, receiving)


class Answer:
    """A handshake that the other side begins. `static` and `timestamp` are what its initiation says; None if it is not for us."""

    def __init__(self, private, message):
        self.private = private
        kind, self.receiver = struct.unpack_from("<II", message)
        self.shown = message[8:40]
        chain = blake(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        seen = blake(blake(chain, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), public(private))
        seen = blake(seen, self.shown)
        [chain] = kdf(chain, self.shown, 1)
        chain, key = kdf(chain, agree(private, self.shown), 2)
        self.static, self.timestamp = unseal(key, 0, message[40:88], seen), None
        made_good = message[116:132] == mac(blake(b"mac1----", public(private)), message[:116])
        if (kind, len(message), made_good) != (INITIATION, 148, True) or self.static is None:
            return
        seen = blake(seen, message[40:88])
        chain, key = kdf(chain, agree(private, self.static), 2)
        self.timestamp = unseal(key, 0, message[88:116], seen)
        self.seen, self.chain = blake(seen, message[88:116]), chain

    def respond(self, psk=NO_PSK):
        """The response, made with this preshared key, and the session that it makes."""
        ephemeral, sender = os.urandom(32), int.from_bytes(os.urandom(4), "little")
        shown = public(ephemeral)
        seen = blake(self.seen, shown)
        [chain] = kdf(self.chain, shown, 1)
        [chain] = kdf(chain, agree(ephemeral, self.shown), 1)
        [chain] = kdf(chain, agree(ephemeral, self.static), 1)
        chain, extra, key = kdf(chain, psk, 3)
        body = struct.pack("<III", RESPONSE, sender, self.receiver) + shown + seal(key, 0, b"", blake(seen, extra))
        receiving, sending = kdf(chain, b"", 2)
        message = body + mac(blake(b"mac1----", self.static), body) + bytes(16)
        return message, Session(self.receiver, sender, sending, receiving)


class Session:
    """The keys of a session, and the counter of the next message."""

    def __init__(self, index, sender, sending, receiving):
        self.index, self.sender, self.sending, self.receiving = index, sender, sending, receiving
        self.counter = 0

    def data(self, packet, counter=None):
        """A transport message, padded as §5.4.6 says; with this counter, or the next."""
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        padded = packet + bytes(-len(packet) % 16)
        return struct.pack("<IIQ", DATA, self.index, counter) + seal(self.sending, counter, padded, b"")

    def open(self, datagram):
        """What is in a transport message to us, with its padding; None if it is none of this session."""
        if len(datagram) < 32:
            return None
        kind, receiver, counter = struct.unpack_from("<IIQ", datagram)
        if (kind, receiver) != (DATA, self.sender):
            return None
        return unseal(self.receiving, counter, datagram[16:], b"")


# Inner packets.

def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip(source, destination, protocol, payload):
    """An IPv4 or IPv6 packet: the addresses say which."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    ends = source.packed + destination.packed
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol)
    return start + struct.pack(">H", checksum(start + bytes(2) + ends)) + ends + payload


def summed(source, destination, protocol, message, at):
    """A message with its checksum at this place, over the pseudo-header too (RFC 8200 §8.1, RFC 9293 §3.1)."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    total = checksum(ends + struct.pack(">II", len(message), protocol) + message)
    return message[:at] + struct.pack(">H", total) + message[at + 2:]


def echo(source, destination, number, payload=b"adit"):
    """An ICMP echo request, of the family of its addresses."""
    if ipaddress.ip_address(source).version == 6:
        message = struct.pack(">BBHHH", 128, 0, 0, 1, number % 2**16) + payload
        return ip(source, destination, ICMPV6, summed(source, destination, ICMPV6, message, 2))
    message = struct.pack(">BBHHH", 8, 0, 0, 1, number % 2**16) + payload
    return ip(source, destination, ICMP, message[:2] + struct.pack(">H", checksum(message)) + message[4:])


def echoed(packet):
    """The number in an echo reply; None if it is something else."""
    protocol, payload, _ = parts(packet)
    if (protocol, payload[:2]) not in ((ICMP, b"\x00\x00"), (ICMPV6, b"\x81\x00")):
        return None
    return struct.unpack_from(">H", payload, 6)[0]


def udp(source, destination, port, payload=b"adit"):
    message = struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload
    return ip(source, destination, UDP, summed(source, destination, UDP, message, 6))


def tcp(source, destination, port, flags, sequence=1000, acknowledged=0):
    message = struct.pack(">HHIIBBHHH", 40000, port, sequence, acknowledged, 5 << 4, flags, 65535, 0, 0)
    return ip(source, destination, TCP, summed(source, destination, TCP, message, 16))


def parts(packet):
    """Protocol, payload and both addresses of a packet with padding behind it."""
    if packet[0] >> 4 == 6:
        length, protocol = struct.unpack_from(">HB", packet, 4)
        ends = [str(ipaddress.ip_address(packet[at:at + 16])) for at in (8, 24)]
        return protocol, packet[40:40 + length], ends
    (length,) = struct.unpack_from(">H", packet, 2)
    ends = [str(ipaddress.ip_address(packet[at:at + 4])) for at in (12, 16)]
    return packet[9], packet[20:length], ends
