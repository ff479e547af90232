#!/usr/bin/env python3
"""A flood of handshakes: what a device in session notices of it, and how soon a new one gets in.

    cargo build --release && benches/flood.py

Needs root, and Debian's wireguard-go, wireguard-tools, iproute2, curl and wrk. The flood is 20,000 initiations a second from 1,000 addresses, each
with a right MAC1, aimed at adit, and in turn at a socket beside it that nobody reads: what the flood itself takes from the machine is in both.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import figures
from figures import PORT, RELEASE, Adit, bulk, median, requests, row, unique, wireguard
from harness import wait_until

DEAF = 51821
RATE, ADDRESSES, TICK = 20_000, 1_000, 0.01
ROUNDS, SECONDS = 3, 5


def initiations(public_key, count):
    """Messages of the shape of an initiation whose MAC1 is right (white paper, 5.4.4) and whose rest is noise."""
    key = hashlib.blake2s(b"mac1----" + base64.b64decode(public_key)).digest()
    for _ in range(count):
        body = b"\x01\0\0\0" + os.urandom(112)
        yield body + hashlib.blake2s(body, key=key, digest_size=16).digest() + bytes(16)


def flood(public_key, port, seconds):
    """Runs in the device's namespace: sends at the rate, and says how many were sent and how many bytes came back."""
    messages = list(initiations(public_key, 20_000))
    sockets = []
    for number in range(ADDRESSES):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((f"10.80.{number // 250}.{number % 250 + 1}", 0))
        sender.setblocking(False)
        sockets.append(sender)
    print("begun", flush=True)
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * RATE:
            try:
                sockets[sent % ADDRESSES].sendto(messages[sent % len(messages)], ("10.78.0.1", port))
            except BlockingIOError:
                pass
            sent += 1
        time.sleep(TICK)
    received = 0
    for sender in sockets:
        while True:
            try:
                received += len(sender.recv(2048))
            except BlockingIOError:
                break
    print(json.dumps({"sent": sent * 148, "received": received}))


class Flood:
    def __init__(self, adit, key, port):
        self.arguments = [sys.executable, __file__, "--flood", key, port, 600]
        self.adit = adit

    def __enter__(self):
        self.process = self.adit.cable.client.start(*self.arguments, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "begun\n"
        time.sleep(1)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def counters(adit):
    return json.loads(adit.adit("status", "--json").stdout)["counters"]


def newcomer(adit, work, mtu):
    """Seconds until a device that was just added gets its first answer."""
    conf = work / "newcomer.conf"
    adit.adit("peer", "add", "newcomer", "--conf", conf, "--scopes", "health")
    text = conf.read_text()
    stripped = work / "newcomer-stripped.conf"
    stripped.write_text("\n".join(line for line in text.splitlines() if not re.match(r"(Address|MTU|DNS)\b", line)) + "\n")
    address = re.search(r"^Address = ([\d.]+)/", text, re.M).group(1)
    # The device in session has the only route to the server's inner address: this one takes it over.
    wireguard(adit.cable.client, unique("wgn"), stripped, f"{address}/32", mtu)
    adit.cable.client.run("ip", "route", "replace", f"{adit.host}/32", "dev", unique("wgn"), "src", address)
    began = time.monotonic()
    answers = lambda: adit.cable.client.curl(f"http://{adit.host}/_health", "-f", "-o", "/dev/null", check=False, timeout=1).returncode == 0  # noqa: E731
    wait_until("the new device is in", answers, 60)
    return time.monotonic() - began


def main():
    figures.harness.ADIT = str(RELEASE / "adit")
    work = pathlib.Path(tempfile.mkdtemp(prefix="adit-flood-"))
    adit = deaf = None
    try:
        (work / "papers").mkdir()
        (work / "papers" / "bulkfile.txt").write_bytes(b"bulkfile: a line that fills a big file with text.\n" * 2_000_000)
        adit = Adit(work, 1420)
        client = adit.cable.client
        for number in range(ADDRESSES):
            client.run("ip", "addr", "add", f"10.80.{number // 250}.{number % 250 + 1}/16", "dev", "eth0")
        adit.cable.server.run("ip", "route", "add", "10.80.0.0/16", "via", "10.78.0.2")
        script = f"import socket,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('10.78.0.1',{DEAF})); time.sleep(3600)"
        deaf = adit.cable.server.start(sys.executable, "-c", script)
        found = json.loads(client.curl(f"http://{adit.host}/api/search?q=bulkfile").stdout)
        original = f"/api/documents/{found['results'][0]['id'].split('.')[0]}/original"
        key = re.search(r"^PublicKey = (.*)$", next(work.glob("bench-*.conf")).read_text(), re.M).group(1)
        results = {"at a deaf socket": [], "at adit": []}
        for _ in range(ROUNDS):
            for name, port in (("at a deaf socket", DEAF), ("at adit", PORT)):
                with Flood(adit, key, port):
                    answered = requests(adit, 1, SECONDS)
                    results[name].append({"Mbit/s": bulk(adit, original, SECONDS)["Mbit/s"], "p50 ms": answered["p50 ms"], "p99 ms": answered["p99 ms"]})
        print("a device in session, while 20,000 initiations a second come from 1,000 addresses")
        medians = {name: median(each) for name, each in results.items()}
        for name, each in medians.items():
            row(name, each)
        ours, theirs = medians["at adit"], medians["at a deaf socket"]
        row("ratio (aims: 0.8 at least, p99 2 at most)", {key: ours[key] / theirs[key] for key in ours})
        before = counters(adit)
        flooding = client.run(sys.executable, __file__, "--flood", key, PORT, 5, timeout=60).stdout.splitlines()[-1]
        said = json.loads(flooding)
        print(f"bytes sent to strangers for each of theirs: {said['received'] / said['sent']:.3f} (aim: 1 at most)")
        with Flood(adit, key, PORT):
            print(f"a new device is in after {newcomer(adit, work, 1420):.1f} s (aim: 6)")
        after = counters(adit)
        print("counted:", {name: after[name] - before[name] for name in after if after[name] > before[name] and isinstance(after[name], int)})
    finally:
        if deaf:
            deaf.kill()
        if adit:
            adit.delete()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--flood"]:
        flood(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        main()
