#!/usr/bin/env python3
"""What many devices cost a daemon: time to start, memory, and a change to their list.

    cargo build --release && benches/peers.py [PEERS]

Writes `peers.toml` itself: ten thousand `adit peer add` would take an hour. The keys are random bytes, which all are keys.
"""

import base64
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

ADIT = pathlib.Path(os.environ.get("ADIT", pathlib.Path(__file__).resolve().parent.parent / "target" / "release" / "adit"))
ROUNDS = 5


def key():
    return base64.b64encode(os.urandom(32)).decode()


def stored(number, network):
    address = f"{network}.{number // 250}.{number % 250 + 2}"
    return f"""
[[peer]]
name = "device-{number}"
public_key = "{key()}"
preshared_key = "{key()}"
addresses = ["{address}"]
collections = ["papers"]
scopes = ["search", "read"]
created = "2026-01-01T00:00:00Z"
"""


class Appliance:
    def __init__(self, peers):
        self.daemon = None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="adit-peers-"))
        (self.dir / "papers").mkdir()
        (self.dir / "papers" / "note.md").write_text("# A note\n\nOne document is enough.\n")
        self.config = self.dir / "adit.toml"
        self.adit("init", "--documents", f"papers={self.dir / 'papers'}", "--endpoint", "127.0.0.1:51930", "--listen", "127.0.0.1:51930")
        text = re.sub(r"(?m)^tunnel = .*$", 'tunnel = ["10.94.0.1/16"]', self.config.read_text())
        self.config.write_text(text)
        state = self.dir / "state"
        state.mkdir(exist_ok=True, mode=0o700)
        entries = "".join(stored(number, "10.94") for number in range(peers))
        (state / "peers.toml").write_text(f"version = 1\n{entries}")
        (state / "peers.toml").chmod(0o600)

    def adit(self, verb, *arguments):
        verbs = [verb, arguments[0]] if verb == "peer" else [verb]
        command = [ADIT, *verbs, "--config", self.config, *arguments[len(verbs) - 1:]]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    def answers(self):
        """Whether the daemon's control socket takes connections. A command would do its work without a daemon, and keep it waiting."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.dir / "state" / "control.sock")) == 0

    def serve(self):
        """Starts the daemon; it and the seconds until it answers."""
        began = time.monotonic()
        with open(self.dir / "log", "a") as log:
            daemon = self.daemon = subprocess.Popen([str(ADIT), "serve", "--config", str(self.config)], stdout=log, stderr=log)
        while not self.answers():
            assert daemon.poll() is None and time.monotonic() - began < 60, (self.dir / "log").read_text()
            time.sleep(0.01)
        return daemon, time.monotonic() - began

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(20)

    def delete(self):
        if self.daemon and self.daemon.poll() is None:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def anonymous_mb(pid):
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def median(values):
    return sorted(values)[len(values) // 2]


def main():
    peers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    sides = {0: Appliance(0), peers: Appliance(peers)}
    starts, memory, changes, sessions = ({count: [] for count in sides} for _ in range(4))
    try:
        for round_ in range(ROUNDS):
            for count, side in sides.items():
                daemon, took = side.serve()
                starts[count].append(took)
                time.sleep(3)
                assert daemon.poll() is None, (side.dir / "log").read_text()
                memory[count].append(anonymous_mb(daemon.pid))
                began = time.monotonic()
                added = side.adit("peer", "add", f"another-{round_}", "--conf", side.dir / f"{round_}.conf")
                changes[count].append(time.monotonic() - began)
                assert added.returncode == 0, added.stderr
                began = time.monotonic()
                listed = json.loads(side.adit("peer", "list", "--json").stdout)
                sessions[count].append(time.monotonic() - began)
                assert len(listed["peers"]) == count + round_ + 1
                side.stop()
        print(f"| devices | start, s | memory, MB | `peer add`, s | `peer list`, s |\n|--:|--:|--:|--:|--:|")
        for count in sides:
            row = (median(each[count]) for each in (starts, memory, changes, sessions))
            print(f"| {count:,} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    finally:
        for side in sides.values():
            side.delete()


if __name__ == "__main__":
    main()
