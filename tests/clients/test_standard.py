"""WireGuard between the real daemon and wireguard-go: what a standard client does in its life, on paths of all widths."""

import hashlib
import json
import os
import time

import pytest

from harness import Device, Namespace, cable, wait_until
from raw import waiting

# Other numbers than the devices of the other appliance have.
TABLET, ROTATED, DISTANT = 30, 31, 32

BOTH = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module")
def tablet(outpost):
    device = outpost.device(TABLET, "tablet", "--collections", "*")
    device.up()
    return device


@pytest.fixture(scope="module")
def big(outpost, tablet):
    """Where the big file is to be had, and the digest of its bytes."""
    [found] = tablet.call("find_document", {"query": "big.txt"})["documents"]
    return f"/api/documents/{found['id']}/original", hashlib.sha256((outpost.documents / "big.txt").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def question(tmp_path_factory):
    """A call of 900 KB."""
    file = tmp_path_factory.mktemp("question") / "call.json"
    call = {"name": "search", "arguments": {"query": "word " * 180_000}}
    file.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}))
    return file


def downloads(device, path, digest, family=4, *arguments):
    """Starts a download; what it gives back waits for its end and says whether all of it came."""
    target = device.appliance.dir / f"{device.name}.download"
    running = device.namespace.start("curl", "-sS", "-g", "-m", 60, "-o", target, *arguments, device.url(path, family))

    def is_whole():
        return running.wait(60) == 0 and hashlib.sha256(target.read_bytes()).hexdigest() == digest

    is_whole.running = running
    return is_whole


def uploads(device, file, family=4):
    """Whether a large request is taken and answered."""
    headers = ["Content-Type: application/json", "Accept: application/json, text/event-stream", "MCP-Protocol-Version: 2025-11-25"]
    flags = [part for header in headers for part in ("-H", header)]
    answer = json.loads(device.get("/mcp", family, *flags, "--data", f"@{file}").stdout)
    return answer["id"] == 1


def known(device):
    """What the appliance knows of a device."""
    [peer] = [peer for peer in device.appliance.status()["peers"] if peer["name"] == device.name]
    return peer


def is_well(device, seconds=2):
    return device.namespace.curl(device.url("/_health"), timeout=seconds, check=False).returncode == 0


def forget(device, psk):
    """Lets the client begin from nothing, with this preshared key (a file)."""
    wg = ("wg", "set", device.interface, "peer", device.server_key)
    device.namespace.run(*wg, "remove")
    device.namespace.run(*wg, "preshared-key", psk, "allowed-ips", ",".join(device.server), "endpoint", f"{device.server_outer[0]}:51820")


def right_key(device, folder):
    """A file with the preshared key of its configuration."""
    file = folder / "right"
    file.write_text(device.field("PresharedKey"))
    return file


def test_the_preshared_key_decides(tablet, tmp_path):
    right, wrong = right_key(tablet, tmp_path), tmp_path / "wrong"
    wrong.write_text(tablet.namespace.run("wg", "genpsk").stdout)
    handshakes = lambda: tablet.namespace.run("wg", "show", tablet.interface, "latest-handshakes").stdout.split()[1]  # noqa: E731
    for psk in (wrong, "/dev/null"):
        forget(tablet, psk)
        assert not is_well(tablet, 1) and handshakes() == "0"
    forget(tablet, right)
    assert is_well(tablet)
    # It counts from the next handshake on: a session is what it is.
    tablet.namespace.run("wg", "set", tablet.interface, "peer", tablet.server_key, "preshared-key", wrong)
    assert is_well(tablet)
    forget(tablet, right)
    assert is_well(tablet)


def test_rotated_keys_are_the_only_ones(outpost):
    device = outpost.device(ROTATED, "rotated", "--collections", "*")
    device.up()
    assert is_well(device)
    anew = outpost.adit("peer", "rotate", "rotated", "--conf", "-").stdout
    assert not is_well(device, 1)
    forget(device, "/dev/null")
    assert not is_well(device, 1)
    device.down()
    device.conf.write_text(anew)
    device.up()
    assert is_well(device)


def test_a_download_goes_on_while_the_device_roams(tablet, big):
    """The device says something from each new place: whoever only listens is found again by its next keepalive, with any WireGuard."""
    wg, end = ("wg", "set", tablet.interface), f"d{TABLET}"
    is_whole = downloads(tablet, *big, 4, "--limit-rate", "1M")

    def is_seen_at(endpoint):
        tablet.namespace.run("ping", "-c", 1, "-W", 5, tablet.server[0])
        return known(tablet)["endpoint"] == endpoint

    here = tablet.outer
    for port, address in ((40001, f"10.77.{TABLET}.3"), (40002, f"10.77.{TABLET}.4")):
        time.sleep(0.3)
        tablet.namespace.run(*wg, "listen-port", port)
        assert is_seen_at(f"{here}:{port}")
        here = address
        tablet.namespace.run("ip", "addr", "add", f"{here}/24", "dev", end)
        tablet.namespace.run("ip", "route", "replace", f"10.77.{TABLET}.0/24", "dev", end, "src", here)
        # The old socket would go on using the address that it was answered at.
        tablet.namespace.run(*wg, "listen-port", port + 100)
        assert is_seen_at(f"{here}:{port + 100}")
    # The old network is gone, and the new one is of the other family.
    tablet.namespace.run("ip", "-4", "addr", "flush", "dev", end)
    tablet.namespace.run(*wg, "peer", tablet.server_key, "endpoint", f"[{tablet.server_outer[1]}]:51820")
    assert is_seen_at(f"[fd77:{TABLET}::2]:40102")
    assert is_whole.running.poll() is None, "the download was over too soon to tell"
    assert is_whole()
    tablet.namespace.run("ip", "addr", "add", f"{tablet.outer}/24", "dev", f"d{TABLET}")
    tablet.namespace.run(*wg, "peer", tablet.server_key, "endpoint", f"{tablet.server_outer[0]}:51820")
    assert is_well(tablet)


def test_a_persistent_keepalive_is_kept_and_answered_with_nothing(tablet):
    assert is_well(tablet)
    wg = ("wg", "set", tablet.interface, "peer", tablet.server_key, "persistent-keepalive")
    tablet.namespace.run(*wg, "1")
    time.sleep(1)
    heard, before = tablet.datagrams_received(), known(tablet)
    time.sleep(3.2)
    assert tablet.datagrams_received() == heard
    assert 3 * 32 <= known(tablet)["received_bytes"] - before["received_bytes"] <= 5 * 32
    tablet.namespace.run(*wg, "off")
    assert is_well(tablet)


@pytest.mark.parametrize("mtu", [1280, 1420, 1500])
def test_every_inner_mtu_is_filled(tablet, big, question, mtu):
    """The appliance's own is 1500: at 1420 and 1500 the cable fragments the outer datagrams, over IPv6 or both."""
    tablet.namespace.run("ip", "link", "set", tablet.interface, "mtu", mtu)
    for family, header in ((4, 28), (6, 48)):
        assert downloads(tablet, *big, family)()
        assert uploads(tablet, question, family)
        tablet.namespace.run("ping", f"-{family}", "-c", 2, "-i", 0.2, "-W", 2, "-M", "do", "-s", mtu - header, tablet.server[0 if family == 4 else 1])


class Distant(Device):
    """A device behind a router, on a cable that takes 1400 bytes."""

    def _cable(self):
        number, self.router = self.number, Namespace("router")
        near, here, there, far = ((f"10.{net}.{number}.{host}", f"fd{net}:{number}::{host}") for net, host in ((77, 1), (77, 2), (78, 1), (78, 2)))
        cable((self.appliance.namespace, f"s{number}", near), (self.router, "near", here))
        cable((self.router, "far", there), (self.namespace, f"d{number}", far), mtu=1400)
        self.router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        for family, hop, back in ((4, here[0], there[0]), (6, here[1], there[1])):
            net = {4: f"10.78.{number}.0/24", 6: f"fd78:{number}::/64"}[family]
            self.appliance.namespace.run("ip", f"-{family}", "route", "add", net, "via", hop)
            self.namespace.run("ip", f"-{family}", "route", "add", "default", "via", back)

    def delete(self):
        super().delete()
        self.router.delete()


@pytest.fixture(scope="module")
def distant(outpost):
    device = Distant(outpost, DISTANT, "distant", "--collections", "*")
    outpost.devices.append(device)
    device.up()
    device.namespace.run("ip", "link", "set", device.interface, "mtu", 1420)
    return device


@BOTH
def test_a_narrow_path_is_no_black_hole(distant, big, question, family):
    """1400 outside, 1420 inside: everything large comes in fragments, both ways. The routers of IPv6 make none: they say so to the sender."""
    endpoint = {4: distant.server_outer[0], 6: f"[{distant.server_outer[1]}]"}[family]
    distant.namespace.run("wg", "set", distant.interface, "peer", distant.server_key, "endpoint", f"{endpoint}:51820")
    for inner in (4, 6):
        assert downloads(distant, *big, inner)()
        assert uploads(distant, question, inner)


@pytest.mark.skipif("ADIT_REKEY" not in os.environ, reason="it takes 190 s of real time: ADIT_REKEY=1; the simulation shows the same")
def test_sessions_are_renewed_in_time_and_end_in_time(tablet, line, tmp_path):
    """wireguard-go renews its keys after 120 s and no request notices; whoever does not gets nothing after 180 s."""
    peer, replaced = line.peer(), line.peer()
    began = time.monotonic()
    assert peer.shake() and peer.ping()
    old = replaced.shake()
    assert old and replaced.ping()
    forget(tablet, right_key(tablet, tmp_path))
    ages, last = [], 0
    while (age := time.monotonic() - began) < 186:
        assert is_well(tablet), f"no answer after {age:.1f} s"
        ages.append(known(tablet)["latest_handshake_seconds"])
        if age - last > 10 and age < 178:
            last = age
            assert peer.ping() and replaced.ping(), f"no answer after {age:.1f} s, with keys that are good"
            if age > 165 and replaced.session is old:
                assert replaced.shake() and replaced.ping()
        time.sleep(0.3)
    renewals = [before for before, after in zip(ages, ages[1:]) if after < before]
    assert len(renewals) == 1 and 119 <= renewals[0] <= 126, renewals
    for peer, session in ((peer, peer.session), (replaced, old)):
        waiting(peer.socket)
        peer.socket.send(session.data(peer.echo()[0]))
        assert line.is_quiet(peer.socket), "an answer to keys of more than three minutes"
    assert replaced.ping()
