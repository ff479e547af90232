#!/usr/bin/env python3
"""Figures of adit beside its peers: one run, one client, the same requests, turn by turn.

    cargo build --release --examples && cargo build --release && benches/figures.py [--quick] [--skip-large] [--client PATH]

Needs root, and Debian's wireguard-go, wireguard-tools, iproute2, curl, wrk and ugrep. The client is wireguard-go on a TUN device in a network namespace.
The server is adit, or the same HTTP service (examples/kernel_tcp.rs) on kernel TCP behind wireguard-go, and behind boringtun-cli and gotatun where they
are installed (`cargo install boringtun-cli gotatun-cli`). Uploads go into examples/sink.rs: adit takes none. The CPU of the server is that of its
processes: for the TUN side the kernel's TCP/IP runs outside them and is *not* in its figure.

Most of the time until an answer is there is such a client's own. So the questions of one connection are asked by examples/asker.rs as well, which has a
tunnel of its own on one thread and takes little for itself.

onetun (`cargo install onetun`) is a client's end alone: it is measured beside `adit bridge --listen`, before the same adit.

The wireguard-go is the one found first in PATH, at both ends; `--client` names another for the client's. That of Debian's stable is of 2022 and has none
of the kernel's offloads, as wireguard-go has none anywhere but on Linux; unstable's package, unpacked by `dpkg-deb -x`, runs there too.

These machines are shared and noisy: read the ratios.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "clients"))
import harness  # noqa: E402
from harness import Namespace, run, wait_until  # noqa: E402

RELEASE = HERE.parent / "target" / "release"
CLOCK = os.sysconf("SC_CLK_TCK")
BIG_BYTES = 100_000_000
PORT = 51820
PROGRAMS = {
    "client": ["wireguard-go", "-f"],
    "wireguard-go": ["wireguard-go", "-f"],
    "boringtun-cli": ["boringtun-cli", "--foreground", "--disable-drop-privileges"],
    "gotatun": ["gotatun", "--foreground", "--disable-drop-privileges"],
}


def cpu_seconds(*pids):
    """User and system time of these processes."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / CLOCK


def anonymous_mb(*pids):
    texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(re.search(r"RssAnon:\s+(\d+)", text).group(1)) for text in texts) / 1024


class Cable:
    """Two namespaces with one cable: `server` 10.78.0.1, `client` 10.78.0.2."""

    def __init__(self, name):
        self.server, self.client = Namespace(f"{name}-s"), Namespace(f"{name}-c")
        run("ip", "link", "add", "eth0", "netns", self.server.name, "type", "veth", "peer", "name", "eth0", "netns", self.client.name)
        for namespace, address in ((self.server, "10.78.0.1/24"), (self.client, "10.78.0.2/24")):
            namespace.run("ip", "addr", "add", address, "dev", "eth0")
            namespace.run("ip", "link", "set", "eth0", "up")

    def delete(self):
        self.client.delete()
        self.server.delete()


def wireguard(namespace, interface, conf, address, mtu, program="client"):
    """A WireGuard in user space, in the foreground, configured by `wg setconf`; returns its process. Its control socket is found by the
    interface's name, whatever the namespace: `unique` makes one that no other run has."""
    process = namespace.start(*PROGRAMS[program], interface, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(f"{interface} is there", lambda: namespace.run("wg", "show", interface, check=False).returncode == 0)
    namespace.run("wg", "setconf", interface, conf)
    namespace.run("ip", "addr", "add", address, "dev", interface)
    namespace.run("ip", "link", "set", interface, "mtu", mtu, "up")
    return process


def unique(interface):
    return f"{interface}{os.getpid()}"


def pid_in(process, name):
    """The process behind `ip netns exec`, which replaces itself by its command."""
    wait_until(f"{name} runs", lambda: name in pathlib.Path(f"/proc/{process.pid}/comm").read_text())
    return process.pid


class Adit:
    name = "adit"
    headers = []

    def __init__(self, work, mtu):
        self.cable, self.dir = Cable("a"), work
        self.config = work / "adit.toml"
        self.adit("init", "--documents", f"papers={work / 'papers'}", "--endpoint", f"10.78.0.1:{PORT}", check=False)
        raise_limits(self.config, mtu)
        self.process = self.cable.server.start(RELEASE / "adit", "serve", "--config", self.config, stderr=subprocess.DEVNULL)
        wait_until("adit serves", lambda: self.adit("status", check=False).returncode == 0, 120)
        wait_until("all is indexed", self.is_indexed, 1200)
        text = self.device().read_text()
        self.host = re.search(r"^AllowedIPs = ([\d.]+)/", text, re.M).group(1)
        device = re.search(r"^Address = ([\d.]+)/", text, re.M).group(1)
        stripped = work / "stripped.conf"
        stripped.write_text("\n".join(line for line in text.splitlines() if not re.match(r"(Address|MTU|DNS)\b", line)) + "\n")
        self.interface = unique("wga")
        wireguard(self.cable.client, self.interface, stripped, f"{device}/32", mtu)
        self.cable.client.run("ip", "route", "add", f"{self.host}/32", "dev", self.interface)
        self.pids = [pid_in(self.process, "adit")]
        self.asker = self.device(mtu)

    def device(self, mtu=1280):
        """The configuration of a new device. One for each time: its key is shown once, and the work folder may be an earlier one's."""
        name = f"bench-{len(list(self.dir.glob('bench-*.conf')))}"
        conf = self.dir / f"{name}.conf"
        self.adit("peer", "add", name, "--conf", conf, "--collections", "*", "--scopes", "search,read,browse,health,metrics")
        conf.write_text(re.sub(r"(?m)^MTU = .*", f"MTU = {mtu}", conf.read_text()))
        return conf

    def adit(self, *arguments, **options):
        verbs = 2 if arguments[0] in ("peer", "index") else 1
        return self.cable.server.run(RELEASE / "adit", *arguments[:verbs], "--config", self.config, *arguments[verbs:], **options)

    def is_indexed(self):
        status = json.loads(self.adit("index", "status", "--json").stdout)
        return status["pending"] == 0 and status["documents"] > 0

    def delete(self):
        self.adit("stop", check=False)
        self.process.wait(30)
        self.cable.delete()


def pair_of_keys():
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True).stdout.strip()
    return private, subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True).stdout.strip()


class Sides:
    """A server 10.79.0.1 and two devices, 10.79.0.2 and, for the asker, 10.79.0.3, with keys of their own; the first device's end is up when `dial` has
    been called."""

    headers = []

    def __init__(self, work, label, mtu):
        self.cable, self.host, self.label = Cable(label), "10.79.0.1", label
        self.keys = [pair_of_keys(), pair_of_keys()]
        self.server, self.client, self.asker = work / f"{label}-server.conf", work / f"{label}-client.conf", work / f"{label}-asker.conf"
        (private, public), (device, device_public) = self.keys
        asker, asker_public = pair_of_keys()
        peers = "".join(f"[Peer]\nPublicKey = {key}\nAllowedIPs = 10.79.0.{number}/32\n" for number, key in ((2, device_public), (3, asker_public)))
        self.server.write_text(f"[Interface]\nPrivateKey = {private}\nListenPort = {PORT}\n{peers}")
        peer = f"[Peer]\nPublicKey = {public}\nAllowedIPs = 10.79.0.1/32\nEndpoint = 10.78.0.1:{PORT}\n"
        self.client.write_text(f"[Interface]\nPrivateKey = {device}\n{peer}")
        self.asker.write_text(f"[Interface]\nPrivateKey = {asker}\nAddress = 10.79.0.3/32\nMTU = {mtu}\n{peer}")

    def dial(self, mtu):
        wireguard(self.cable.client, unique(f"c{self.label}"), self.client, "10.79.0.2/24", mtu)

    def wait_for(self, path, *arguments):
        def answers():
            return self.cable.client.curl(f"http://{self.host}{path}", "-f", "-o", "/dev/null", *arguments, check=False).returncode == 0
        wait_until("the service answers", answers, 60)

    def delete(self):
        self.cable.delete()


class KernelTcp(Sides):
    def __init__(self, work, mtu, program="wireguard-go"):
        super().__init__(work, program[:1], mtu)
        self.name = f"kernel TCP behind {program}"
        tunnel = wireguard(self.cable.server, unique(f"s{self.label}"), self.server, "10.79.0.1/24", mtu, program)
        self.dial(mtu)
        service = self.cable.server.start(RELEASE / "examples" / "kernel_tcp", work / "adit.toml", "10.79.0.1:80", stderr=subprocess.DEVNULL)
        self.wait_for("/_health")
        self.pids = [pid_in(tunnel, program), pid_in(service, "kernel_tcp")]


class Sink(Sides):
    """Uploads thrown away behind adit's tunnel, or behind another program's with kernel TCP."""

    def __init__(self, work, mtu, program=None):
        super().__init__(work, (program or "adit")[:1] + "s", mtu)
        self.name = f"kernel TCP behind {program}" if program else "adit's tunnel"
        sink = RELEASE / "examples" / "sink"
        if program:
            tunnel = wireguard(self.cable.server, unique(f"s{self.label}"), self.server, "10.79.0.1/24", mtu, program)
            service = self.cable.server.start(sink, "kernel", "10.79.0.1:80")
            processes = [(tunnel, program), (service, "sink")]
        else:
            (private, _), (_, device) = self.keys
            service = self.cable.server.start(sink, "tunnel", f"[::]:{PORT}", private, device, "10.79.0.1", "10.79.0.2", mtu)
            processes = [(service, "sink")]
        self.dial(mtu)
        self.wait_for("/", "-d", "hello")
        self.pids = [pid_in(process, name) for process, name in processes]


class End:
    """A client's end on a loopback port, before an adit whose device it is."""

    def __init__(self, adit, program, port):
        self.name, self.cable, self.host = program, adit.cable, f"127.0.0.1:{port}"
        conf = adit.device(1420)
        if program == "onetun":
            field = dict(re.findall(r"(?m)^(\w+) = ([^,\n]+)", conf.read_text()))
            self.headers = ["-H", f"Host: {adit.host}"]
            command = ["onetun", f"{self.host}:{adit.host}:80", "--endpoint-addr", field["Endpoint"], "--endpoint-public-key", field["PublicKey"]]
            command += ["--private-key", field["PrivateKey"], "--preshared-key", field["PresharedKey"]]
            command += ["--source-peer-ip", field["Address"].split("/")[0], "--max-transmission-unit", 1420, "--log", "error"]
        else:
            self.headers = []
            command = [RELEASE / "adit", "bridge", "--listen", self.host, conf]
        self.process = self.cable.client.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pids = [pid_in(self.process, "onetun" if program == "onetun" else "adit")]

        def answers():
            return self.cable.client.curl(f"http://{self.host}/_health", "-f", *self.headers, check=False).returncode == 0
        wait_until(f"{program} answers", answers, 30)

    def delete(self):
        self.process.terminate()
        self.process.wait(10)


def others():
    """Programs beside wireguard-go that are installed."""
    return [program for program in PROGRAMS if program not in ("client", "wireguard-go") and shutil.which(program)]


def raise_limits(config, mtu):
    """The tunnel is measured, not its brakes: no request limit, and the MTU under test."""
    text = re.sub(r"(?m)^mtu = .*\n", "", config.read_text())
    text = text.replace("[server]\n", f"[server]\nmtu = {mtu}\n", 1)
    if "[limits]" not in text:
        text += "\n[limits]\nrequests_per_second = 100000\nrequests_burst = 100000\nrequests_at_once = 1000\n"
    config.write_text(text)


def bulk(side, path, seconds):
    """The same file again and again: Mbit/s, and MB per CPU-second of the server's processes."""
    url, received = f"http://{side.host}{path}", 0
    cpu, began = cpu_seconds(*side.pids), time.monotonic()
    while time.monotonic() - began < seconds:
        done = side.cable.client.curl(url, "-f", "-o", "/dev/null", "-w", "%{size_download}", *side.headers)
        received += int(done.stdout)
    wall, cpu = time.monotonic() - began, cpu_seconds(*side.pids) - cpu
    return {"Mbit/s": received * 8 / 1e6 / wall, "MB/CPU-s": received / 1e6 / cpu}


def upload(side, file, seconds):
    """The same file again and again: Mbit/s, and MB per CPU-second of the server's processes."""
    sent, size = 0, file.stat().st_size
    cpu, began = cpu_seconds(*side.pids), time.monotonic()
    while time.monotonic() - began < seconds:
        done = side.cable.client.curl(f"http://{side.host}/", "-f", "-T", file)
        assert int(done.stdout) == size, done.stdout
        sent += size
    wall, cpu = time.monotonic() - began, cpu_seconds(*side.pids) - cpu
    return {"Mbit/s": sent * 8 / 1e6 / wall, "MB/CPU-s": sent / 1e6 / cpu}


def requests(side, connections, seconds, script=None, path="/_health"):
    """wrk: requests per second and per CPU-second, and its latencies in ms. The connections are kept, unless the script says otherwise."""
    arguments = ["-t", min(2, connections), "-c", connections, "-d", f"{seconds}s", "--latency"]
    arguments += side.headers + (["-s", script] if script else [])
    cpu = cpu_seconds(*side.pids)
    text = side.cable.client.run("wrk", *arguments, f"http://{side.host}{path}", timeout=seconds + 60).stdout
    cpu = cpu_seconds(*side.pids) - cpu
    count = int(re.search(r"(\d+) requests in", text).group(1))
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    assert not errors, text

    def milliseconds(percentile):
        value, unit = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)", text).groups()
        return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    return {"req/s": count / seconds, "req/CPU-s": count / cpu, "p50 ms": milliseconds(50), "p99 ms": milliseconds(99), "CPU ms/req": cpu * 1000 / count}


def answers(side, seconds, path):
    """What examples/asker.rs is told on one connection: answers per second and per CPU-second, and its latencies in ms."""
    cpu = cpu_seconds(*side.pids)
    text = side.cable.client.run(RELEASE / "examples" / "asker", side.asker, path, seconds, timeout=seconds + 60).stdout
    cpu = cpu_seconds(*side.pids) - cpu
    told = json.loads(text)
    count = told.pop("answers")
    return {"req/s": count / seconds, "req/CPU-s": count / cpu, **told}


def close_script(work):
    """A wrk script that asks once per connection."""
    script = work / "close.lua"
    script.write_text('wrk.headers["Connection"] = "close"\n')
    return script


def search_script(work, queries):
    """A wrk script that asks one query after the other."""
    script = work / "search.lua"
    quoted = ",".join(f'"{query.replace(" ", "+")}"' for query in queries)
    script.write_text(f"local q = {{{quoted}}}\nlocal n = 0\nrequest = function()\n  n = n % #q + 1\n  return wrk.format('GET', '/api/search?q=' .. q[n])\nend\n")
    return script


def ugrep(folder, queries):
    """CPU milliseconds and wall milliseconds of one query over the same files: all words of it, in a file's lines."""
    cpu, wall = [], []
    for query in queries:
        before, began = os.times(), time.monotonic()
        subprocess.run(["ugrep", "-r", "-c", "-i", "-w", "--bool", query, str(folder)], capture_output=True)
        after = os.times()
        cpu.append((after.children_user + after.children_system - before.children_user - before.children_system) * 1000)
        wall.append((time.monotonic() - began) * 1000)
    return {"p50 ms": statistics.median(wall), "p99 ms": sorted(wall)[int(len(wall) * 0.99)], "CPU ms/req": statistics.mean(cpu)}


def median(rounds):
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def row(label, figures):
    print(f"  {label:34}" + "  ".join(f"{key} {value:10,.2f}" for key, value in figures.items()), flush=True)


def compare(kinds, sides, rounds):
    """Measures each kind on all sides, turn by turn, and prints the medians and what the first side's are of the others'."""
    for kind, measure in kinds:
        results = {side.name: [] for side in sides}
        for _ in range(rounds):
            for side in sides:
                results[side.name].append(measure(side))
        print(kind)
        medians = {name: median(each) for name, each in results.items()}
        for name, figures in medians.items():
            row(name, figures)
        ours, *theirs = medians.items()
        for name, figures in theirs:
            row(f"ratio to {name.split()[-1]}", {key: ours[1][key] / figures[key] for key in figures if figures[key]})


def upload_figures(work, mtu, rounds, seconds):
    print(f"\nup, inner MTU {mtu}, {rounds} rounds turn by turn, medians")
    file, sides = work / "upload", []
    file.write_bytes(b"a line that fills a big file with text for the way up\n" * (BIG_BYTES // 54))
    try:
        sides = [Sink(work, mtu, program) for program in [None, "wireguard-go", *others()]]
        compare([("bulk up, 100 MB into a sink (aim: MB/CPU-s 3)", lambda side: upload(side, file, seconds))], sides, rounds)
    finally:
        file.unlink()
        for side in sides:
            side.delete()


def paths(adit):
    """The big file, and one of 232 bytes out of the program's own memory: with that, what is left is the tunnel, TCP and HTTP."""
    found = json.loads(adit.cable.client.curl(f"http://{adit.host}/api/search?q=bulkfile").stdout)
    page = adit.cable.client.curl(f"http://{adit.host}/").stdout
    return f"/api/documents/{found['results'][0]['id'].split('.')[0]}/original", re.search(r"/assets/icon-\w+\.svg", page).group()


def tunnel_figures(work, mtu, rounds, seconds):
    print(f"\ninner MTU {mtu}, {rounds} rounds turn by turn, medians")
    sides = []
    try:
        sides.append(Adit(work, mtu))
        original, asset = paths(sides[0])
        sides += [KernelTcp(work, mtu, program) for program in ["wireguard-go", *others()]]
        close = close_script(work)
        kinds = [
            ("bulk down, 100 MB originals (aim: MB/CPU-s 2.2)", lambda side: bulk(side, original, seconds)),
            ("/_health, 1 connection (aim: req/CPU-s 2, p50 0.55)", lambda side: requests(side, 1, seconds)),
            ("/_health, 50 connections (aim: req/CPU-s 2)", lambda side: requests(side, 50, seconds)),
            ("a small file, 1 connection (aim: req/CPU-s 2, p50 0.55)", lambda side: requests(side, 1, seconds, path=asset)),
            ("the same, by a client that takes little for itself (aim: p50 0.55)", lambda side: answers(side, seconds, asset)),
            ("a small file, 50 connections (aim: req/CPU-s 2)", lambda side: requests(side, 50, seconds, path=asset)),
            ("a small file, a connection each, 1 at once", lambda side: requests(side, 1, seconds, close, asset)),
            ("a small file, a connection each, 50 at once", lambda side: requests(side, 50, seconds, close, asset)),
        ]
        compare(kinds, sides, rounds)
        print("anonymous memory, MB")
        for side in sides:
            row(side.name, {"MB": anonymous_mb(*side.pids)})
    finally:
        for side in sides:
            side.delete()


def end_figures(work, rounds, seconds):
    print(f"\nthe client's end, inner MTU 1420, {rounds} rounds turn by turn, medians")
    adit = Adit(work, 1420)
    ends = []
    try:
        original, asset = paths(adit)
        ends = [End(adit, "adit bridge", 8787), End(adit, "onetun", 8788)]
        compare([
            ("bulk down, 100 MB originals", lambda end: bulk(end, original, seconds)),
            ("a small file, 1 connection", lambda end: requests(end, 1, seconds, path=asset)),
            ("a small file, 50 connections", lambda end: requests(end, 50, seconds, path=asset)),
        ], ends, rounds)
        print("anonymous memory, MB")
        for end in ends:
            row(end.name, {"MB": anonymous_mb(*end.pids)})
    finally:
        for end in ends:
            end.delete()
        adit.delete()


def search_figures(work, folder, seconds, label):
    queries = (folder.parent / f"{folder.name}.queries").read_text().split("\n")[:100]
    queries = [query for query in queries if query]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    print(f"\nsearch, {label}: {sum(1 for _ in folder.rglob('*.md')):,} files, {size:,.0f} MB")
    adit = Adit(work, 1420)
    try:
        ours = requests(adit, 1, seconds, search_script(work, queries))
        row("adit, through the tunnel", ours)
        theirs = ugrep(folder, queries[: 100 if size < 50 else 20])
        row("ugrep, on the same files", theirs)
        row("ratio (ugrep / adit)", {key: theirs[key] / ours[key] for key in theirs})
        row("adit's anonymous memory", {"MB": anonymous_mb(*adit.pids)})
    finally:
        adit.delete()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, turn by turn")
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    parser.add_argument("--client", default="wireguard-go", metavar="PATH", help="the client's wireguard-go, if it is not the server's")
    parser.add_argument("--skip-tunnel", action="store_true", help="search alone")
    parser.add_argument("--skip-large", action="store_true", help="without the 300 MB of text")
    options = parser.parse_args()
    PROGRAMS["client"][0] = options.client
    rounds, seconds = (1, 3) if options.quick else (options.rounds, options.seconds)
    top = pathlib.Path(tempfile.mkdtemp(prefix="adit-figures-"))
    corpora = [("small", 2_000, 6)] + ([] if options.skip_large else [("large", 20_000, 300)])
    try:
        print(f"adit: {(RELEASE / 'adit').stat().st_size / 1e6:.1f} MB of program")
        for name, files, megabytes in corpora:
            work = top / name
            run(sys.executable, HERE / "corpus.py", work / "papers", files, megabytes, timeout=1200)
            if name == "small" and not options.skip_tunnel:
                for mtu in (1420, 1280):
                    (work / "papers" / "bulkfile.txt").write_bytes(b"bulkfile: a line that fills a big file with text.\n" * (BIG_BYTES // 50))
                    tunnel_figures(work, mtu, rounds, seconds)
                    upload_figures(work, mtu, rounds, seconds)
                if shutil.which("onetun"):
                    end_figures(work, rounds, seconds)
                (work / "papers" / "bulkfile.txt").unlink()
            search_figures(work, work / "papers", seconds, name)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    harness.ADIT = str(RELEASE / "adit")
    main()
