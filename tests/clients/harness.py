"""An appliance and devices in network namespaces of their own, with wireguard-go as every device's WireGuard.

    device-0 ── veth ── server ── veth ── device-1
    10.77.0.2   10.77.0.1   10.77.1.1     10.77.1.2        (and fd77:N::1, fd77:N::2)

Everything that is made here is ended and deleted here, by name and by process id.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

ADIT = os.environ.get("ADIT", "target/debug/adit")
LIBRARY = pathlib.Path("tests/library").resolve()
SECONDS_TO_START = 60
CLONE_NEWNET = 0x40000000


def run(*command, check=True, timeout=60, **options):
    """Runs a command to its end and returns it with its output as text."""
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def wait_until(what, condition, seconds=20.0):
    """Waits for a condition; a test fails with the sentence when it does not come about."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Namespace:
    """A network namespace, deleted at the end with the processes that were started in it."""

    def __init__(self, name):
        self.name = f"adit-{os.getpid()}-{name}"
        self.processes = []
        run("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command):
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def start(self, *command, **options):
        process = subprocess.Popen(self.command(*command), **options)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """This thread in the namespace. A socket that is made meanwhile stays in it."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns to {self.name}")
            try:
                yield
            finally:
                if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns back")

    def udp(self, address, port=0):
        """A UDP socket in the namespace, bound to this address."""
        with self.entered():
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        return made

    def curl(self, url, *arguments, check=True, timeout=60):
        return self.run("curl", "-sS", "-g", "--max-time", timeout, *arguments, url, check=check, timeout=timeout + 5)

    def delete(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        run("ip", "netns", "del", self.name, check=False)


def cable(*ends, mtu=1500):
    """Joins two namespaces: each end is a namespace, the name of the interface that it gets, and its addresses of both families."""
    (left, ours, _), (right, theirs, _) = ends
    run("ip", "link", "add", ours, "netns", left.name, "type", "veth", "peer", "name", theirs, "netns", right.name)
    for namespace, interface, (four, six) in ends:
        namespace.run("ip", "addr", "add", f"{four}/24", "dev", interface)
        namespace.run("ip", "addr", "add", f"{six}/64", "dev", interface, "nodad")
        namespace.run("ip", "link", "set", interface, "mtu", mtu, "up")


class Device:
    """A namespace with a standard WireGuard client, set up by wg-quick from adit's configuration as it is."""

    def __init__(self, appliance, number, name, *arguments):
        self.appliance, self.number, self.name = appliance, number, name
        self.namespace = Namespace(name)
        self.outer = f"10.77.{number}.2"
        self.server_outer = (f"10.77.{number}.1", f"fd77:{number}::1")
        # wireguard-go's sockets lie in one folder for all namespaces: two runs at the same time must not share a name.
        self.interface = f"wg{os.getpid()}-{number}"
        self._cable()
        self.conf = appliance.dir / f"{self.interface}.conf"
        appliance.adit("peer", "add", name, "--conf", self.conf, *arguments)
        self.addresses = re.findall(r"[\w.:]+(?=/)", self.field("Address"))
        self.server = re.findall(r"[\w.:]+(?=/)", self.field("AllowedIPs"))
        self.server_key = self.field("PublicKey")

    def field(self, name):
        """What its configuration says."""
        return re.search(rf"^{name} = (.*)$", self.conf.read_text(), re.M).group(1)

    def _cable(self):
        near, far = (self.appliance.namespace, f"s{self.number}", self.server_outer), (self.outer, f"fd77:{self.number}::2")
        cable(near, (self.namespace, f"d{self.number}", far))

    def up(self, endpoint=None):
        """Brings the tunnel up; the endpoint in the configuration is the server's address on this device's cable."""
        environment = {**os.environ, "WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go", "WG_SUDO": "1"}
        self.namespace.run("wg-quick", "up", self.conf, env=environment)
        self.namespace.run("wg", "set", self.interface, "peer", self.server_key, "endpoint", endpoint or f"{self.server_outer[0]}:51820")

    def down(self):
        self.namespace.run("wg-quick", "down", self.conf, check=False)

    def url(self, path, family=4):
        host = self.server[0] if family == 4 else f"[{self.server[1]}]"
        return f"http://{host}{path}"

    def get(self, path, family=4, *arguments):
        return self.namespace.curl(self.url(path, family), *arguments)

    def mcp(self, method, params=None, revision="2025-11-25", family=4):
        """One JSON-RPC request with curl; returns (status, answer)."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        headers = ["Content-Type: application/json", "Accept: application/json, text/event-stream"]
        if revision >= "2026-07-28":
            message["params"]["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": revision,
                "io.modelcontextprotocol/clientInfo": {"name": "curl", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
            headers += [f"MCP-Protocol-Version: {revision}", f"Mcp-Method: {method}"]
            if "name" in message["params"]:
                headers.append(f"Mcp-Name: {message['params']['name']}")
        elif method != "initialize":
            headers.append(f"MCP-Protocol-Version: {revision}")
        flags = [part for header in headers for part in ("-H", header)]
        done = self.get("/mcp", family, *flags, "-d", json.dumps(message), "-w", "\n%{http_code}")
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body) if body.strip() else None

    def call(self, tool, arguments, **options):
        """Calls a tool and returns its structured content."""
        status, answer = self.mcp("tools/call", {"name": tool, "arguments": arguments}, **options)
        assert status == 200 and "result" in answer, (status, answer)
        result = answer["result"]
        assert not result.get("isError"), result
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def datagrams_received(self):
        """UDP datagrams that came to this device, by the kernel's count (ARP and neighbour discovery are not the server's doing)."""
        rows = [line.split() for line in self.namespace.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Udp:")]
        counters = dict(zip(rows[0], rows[1]))
        return int(counters["InDatagrams"]) + int(counters["NoPorts"])

    def delete(self):
        self.down()
        self.namespace.delete()


class Appliance:
    """The real daemon in a namespace of its own, with two collections: the test library, and one that only some may see."""

    def __init__(self, name="server", documents=LIBRARY, expected=6, mtu=1280, more=""):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="adit-clients-"))
        self.secret = self.dir / "secret"
        self.secret.mkdir()
        (self.secret / "plans.md").write_text("# Secret plans\n\nThe zanzibarium opens in spring.\n")
        self.config = self.dir / "adit.toml"
        self.namespace = Namespace(name)
        self.process = None
        self.devices = []
        self.documents, self.expected = documents, expected
        self.adit("init", "--documents", f"documents={documents}", "--documents", f"secret={self.secret}", "--endpoint", "10.77.0.1:51820")
        # One test downloads a big file; reading all of its text is not what it is about. Nor are limits: curl in a loop is faster than they are.
        more = f'\n[extract]\nmax_text = "1 MiB"\n[limits]\nrequests_per_second = 1000\nrequests_burst = 1000\n{more}'
        self.config.write_text(self.config.read_text().replace("[server]\n", f"[server]\nmtu = {mtu}\n", 1) + more)

    def adit(self, verb, *arguments, check=True, **options):
        verbs = [verb, arguments[0]] if verb in ("peer", "index", "config", "server-key") else [verb]
        rest = arguments[len(verbs) - 1:]
        return self.namespace.run(ADIT, *verbs, "--config", self.config, *rest, check=check, **options)

    def device(self, number, name, *arguments):
        device = Device(self, number, name, *arguments)
        self.devices.append(device)
        return device

    def start(self):
        self.log = open(self.dir / "adit.log", "a")
        self.process = self.namespace.start(ADIT, "serve", "--config", self.config, stderr=self.log)
        wait_until("the daemon answers", lambda: self.process.poll() is None and self.adit("status", check=False).returncode == 0, SECONDS_TO_START)
        wait_until("the library is indexed", self.is_indexed, SECONDS_TO_START)

    def is_indexed(self):
        status = json.loads(self.adit("index", "status", "--json").stdout)
        return status["pending"] == 0 and status["documents"] >= self.expected

    def stop(self):
        self.adit("stop")
        assert self.process.wait(15) == 0
        self.log.close()

    def status(self):
        return json.loads(self.adit("status", "--json").stdout)

    def pid(self):
        return self.status()["pid"]

    def delete(self):
        for device in self.devices:
            device.delete()
        self.namespace.delete()
        shutil.rmtree(self.dir, ignore_errors=True)
