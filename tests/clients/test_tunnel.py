"""A standard WireGuard client against the real daemon: what it reaches, what it does not, and what is left when it is revoked."""

import json
import pathlib
import random
import socket
import subprocess
import time

import pytest

from facts import ATTACHMENT, DOCX, MARKDOWN, MESSAGE, PDF, SHEET, SLIDE
from harness import wait_until

BOTH = pytest.mark.parametrize("family", [4, 6])


@BOTH
def test_the_appliance_answers_ping(laptop, family):
    host = laptop.server[0 if family == 4 else 1]
    laptop.namespace.run("ping", f"-{family}", "-c", 3, "-i", 0.2, "-W", 2, host)


@BOTH
def test_it_is_well(laptop, family):
    health = json.loads(laptop.get("/_health", family).stdout)
    assert health["status"] == "ok", health


@BOTH
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"])
def test_every_revision_finds_and_reads(laptop, family, revision):
    if revision < "2026-07-28":
        client = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "curl", "version": "1"}}
        status, answer = laptop.mcp("initialize", client, revision, family)
        assert status == 200 and answer["result"]["protocolVersion"] == revision, answer
    for fact in (PDF, DOCX, MARKDOWN, SLIDE, SHEET, ATTACHMENT, MESSAGE):
        found = laptop.call("search", {"query": fact.query}, revision=revision, family=family)
        first = found["results"][0]
        assert first["path"] == fact.path, found
        for part, value in fact.place.items():
            assert first[part] == value, first
        read = laptop.call("fetch", {"id": first["id"]}, revision=revision, family=family)
        assert fact.text in read["text"]


def test_a_tunnel_over_outer_ipv6_is_the_same(appliance):
    device = appliance.device(6, "v6-outside", "--collections", "documents")
    device.up(endpoint=f"[{device.server_outer[1]}]:51820")
    for family in (4, 6):
        assert json.loads(device.get("/_health", family).stdout)["status"] == "ok"
    handshake = device.namespace.run("wg", "show", device.interface, "endpoints").stdout
    assert f"[{device.server_outer[1]}]:51820" in handshake


def test_the_serving_process_has_no_tcp_socket(appliance, laptop):
    laptop.get("/_health")
    pid = appliance.pid()
    # The namespace is the appliance's alone: not one TCP socket of any state is in it, and one UDP socket.
    for table in ("tcp", "tcp6"):
        assert pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:] == []
    assert appliance.namespace.run("ss", "-Htln").stdout == ""
    assert len(appliance.namespace.run("ss", "-Huln").stdout.splitlines()) == 1


@BOTH
@pytest.mark.parametrize("port", [1, 22, 81, 443, 8080, 51820])
def test_other_ports_refuse_as_a_closed_host_would(laptop, family, port):
    host = laptop.server[0] if family == 4 else f"[{laptop.server[1]}]"
    done = laptop.namespace.curl(f"http://{host}:{port}/", check=False, timeout=5)
    assert done.returncode == 7, (done.returncode, done.stderr)  # refused, at once; 28 would be a timeout


def test_peers_reach_neither_each_other_nor_the_host(appliance, laptop, desktop):
    everything = "0.0.0.0/0,::/0"
    laptop.namespace.run("wg", "set", laptop.interface, "peer", laptop.server_key, "allowed-ips", everything)
    listener = subprocess.Popen(desktop.namespace.command("python3", "-m", "http.server", "8000", "--bind", desktop.addresses[0]),
                                stderr=subprocess.DEVNULL)
    host = appliance.namespace.start("python3", "-m", "http.server", "8000", "--bind", "10.77.0.1", stderr=subprocess.DEVNULL)
    try:
        wait_until("the other peer listens", lambda: "8000" in desktop.namespace.run("ss", "-Htln").stdout)
        wait_until("the host listens", lambda: "8000" in appliance.namespace.run("ss", "-Htln").stdout)
        for target in (desktop.addresses[0], "10.77.1.1", "127.0.0.1"):
            laptop.namespace.run("ip", "route", "replace", f"{target}/32", "dev", laptop.interface, check=target != "127.0.0.1")
            if target == "127.0.0.1":
                continue
            done = laptop.namespace.curl(f"http://{target}:8000/", check=False, timeout=3)
            assert done.returncode in (7, 28), (target, done.stdout)
            assert laptop.namespace.run("ping", "-c", 1, "-W", 1, target, check=False).returncode != 0
    finally:
        listener.terminate()
        host.terminate()
        listener.wait()
        host.wait()
        laptop.namespace.run("wg", "set", laptop.interface, "peer", laptop.server_key, "allowed-ips",
                             ",".join(f"{a}/{32 if '.' in a else 128}" for a in laptop.server))


def test_a_collection_out_of_the_grant_is_nowhere(laptop, desktop):
    inside = desktop.call("search", {"query": "zanzibarium"})
    assert inside["total"] == 1 and inside["results"][0]["collection"] == "secret"
    outside = laptop.call("search", {"query": "zanzibarium"})
    assert outside["total"] == 0 and outside["results"] == []
    assert "zanzibarium" not in json.dumps(outside.get("suggestion", ""))
    secret = inside["results"][0]["id"]
    missing = secret[:-3] + ("xyz" if not secret.endswith("xyz") else "zyx")
    answers = []
    for identity in (secret, missing):
        _, answer = laptop.mcp("tools/call", {"name": "fetch", "arguments": {"id": identity}})
        answers.append(json.dumps(answer).replace(identity, "ID"))
    assert answers[0] == answers[1]
    for path in (f"/api/documents/{secret.split('.')[0]}", f"/api/documents/{secret.split('.')[0]}/original"):
        assert laptop.get(path, 4, "-o", "/dev/null", "-w", "%{http_code}").stdout == "404"
    names = json.dumps(laptop.call("list_collections", {}))
    assert "documents" in names and "secret" not in names
    named = laptop.call("find_document", {"query": "plans.md"})["documents"]
    assert "secret" not in {document["collection"] for document in named}
    page = laptop.get("/").stdout
    assert "secret" not in page and "plans" not in page
    # And live: what is granted now is found now.
    laptop.appliance.adit("peer", "set", "laptop", "--collections", "documents,secret")
    assert laptop.call("search", {"query": "zanzibarium"})["total"] == 1
    laptop.appliance.adit("peer", "set", "laptop", "--collections", "documents")
    assert laptop.call("search", {"query": "zanzibarium"})["total"] == 0


def test_strangers_get_no_byte_back(appliance, laptop):
    chance = random.Random(7)
    script = """
import random, socket, sys
chance = random.Random(7)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.77.0.2", 0)); s.settimeout(0.0)
for n in range(20000):
    kind = chance.choice((1, 2, 3, 4, 0, 9))
    size = chance.choice((148, 92, 64, 32, 48, chance.randrange(0, 1400)))
    s.sendto(bytes([kind, 0, 0, 0]) + chance.randbytes(max(0, size - 4)), ("10.77.0.1", 51820))
s.settimeout(1.0)
try:
    print(len(s.recv(2048)))
except TimeoutError:
    print("silence")
"""
    assert laptop.namespace.run("python3", "-c", script).stdout.strip() == "silence"
    assert json.loads(laptop.get("/_health").stdout)["status"] == "ok"


def test_a_revoked_device_is_cut_within_a_second_and_for_good(appliance):
    (appliance.secret / "big.txt").write_bytes(b"A long line of text that fills a big file.\n" * 2_400_000)  # 100 MB
    device = appliance.device(5, "thief", "--collections", "*")
    device.up()
    # Slow enough that the download is still going on when the key is revoked.
    found = wait_until("the big file is known", lambda: device.call("find_document", {"query": "big.txt"})["documents"], 60)
    path = f"/api/documents/{found[0]['id']}/original"
    download = device.namespace.start("curl", "-sS", "-g", "--limit-rate", "5M", "-o", "/dev/null", device.url(path))
    before = device.datagrams_received()
    wait_until("the download runs", lambda: device.datagrams_received() > before + 200)
    appliance.adit("peer", "revoke", "thief")
    time.sleep(1)
    after = device.datagrams_received()
    time.sleep(3)
    assert device.datagrams_received() == after, "datagrams after the revocation"
    assert download.poll() is None or download.returncode != 0

    appliance.stop()
    appliance.start()
    before = device.datagrams_received()
    device.namespace.run("wg", "set", device.interface, "peer", device.server_key, "persistent-keepalive", "1")
    time.sleep(6)
    assert device.datagrams_received() == before, "an answer after the restart"

    key = device.namespace.run("wg", "show", device.interface, "public-key").stdout.strip()
    done = appliance.adit("peer", "add", "thief-again", "--public-key", key, check=False)
    assert done.returncode == 7 and "revoked" in done.stderr, done


def test_devices_are_back_after_a_restart(appliance, laptop):
    appliance.stop()
    appliance.start()
    wait_until("the device is back", lambda: laptop.namespace.curl(laptop.url("/_health"), timeout=2, check=False).returncode == 0, 30)
