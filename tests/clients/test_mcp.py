"""The official MCP SDKs against the real daemon: through the tunnel, and through `adit bridge` on stdio."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from facts import PDF
from harness import ADIT, wait_until

NODE = pathlib.Path("target/clients/node").resolve()
HERE = pathlib.Path(__file__).parent.resolve()
QUESTION = [PDF.query, PDF.path, PDF.text]
BRIDGES, CALLS = 5, 100


def client(language):
    if language == "python":
        return [sys.executable, HERE / "client_python.py"]
    # Node resolves packages from the script's own folder upward.
    script = NODE / "client_typescript.mjs"
    script.write_bytes((HERE / "client_typescript.mjs").read_bytes())
    return ["node", script]


@pytest.fixture(scope="module")
def bridge(appliance):
    """The command of a bridge of its own key, in a namespace without WireGuard."""
    device = appliance.device(2, "agent", "--collections", "documents")
    runtime = appliance.dir / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    text = device.conf.read_text().replace("Endpoint = 10.77.0.1:", f"Endpoint = {device.server_outer[0]}:")
    device.conf.write_text(text)
    device.environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
    device.bridge = [str(pathlib.Path(ADIT).resolve()), "bridge", str(device.conf)]
    return device


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_official_sdks_search_through_the_tunnel(laptop, language, mode):
    laptop.namespace.run(*client(language), mode, *QUESTION, laptop.url("/mcp"))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_official_sdks_search_through_a_bridge(bridge, language, mode):
    bridge.namespace.run(*client(language), mode, *QUESTION, *bridge.bridge, env=bridge.environment)


class Agent(threading.Thread):
    """An agent with a bridge of its own: asks its questions one after the other and counts the answers."""

    def __init__(self, device):
        super().__init__()
        self.process = subprocess.Popen(device.namespace.command(*device.bridge), env=device.environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.answered, self.wrong = 0, []

    def ask(self, number):
        call = {"name": "search", "arguments": {"query": PDF.query}}
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer.get("id") != number or "result" not in answer or answer["result"].get("isError"):
            self.wrong.append(answer)
        self.answered += 1

    def run(self):
        for number in range(1, CALLS + 1):
            try:
                self.ask(number)
            except (BrokenPipeError, json.JSONDecodeError):
                return  # the one that was killed


def owner_of_the_tunnel(device, agents):
    """The bridge that holds the UDP socket."""
    listing = device.namespace.run("ss", "-Huanp").stdout
    return next((agent for agent in agents if f"pid={agent.process.pid}," in listing), None)


def test_five_bridges_share_a_tunnel_and_survive_its_owner(bridge):
    agents = [Agent(bridge) for _ in range(BRIDGES)]
    try:
        for agent in agents:
            agent.start()
        wait_until("calls are being answered", lambda: min(agent.answered for agent in agents) > CALLS // 4, 60)
        owner = owner_of_the_tunnel(bridge, agents)
        assert owner is not None, "no bridge owns the tunnel"
        owner.process.send_signal(signal.SIGKILL)
        for agent in agents:
            agent.join(90)
        for agent in agents:
            assert agent.wrong == []
            assert agent is owner or agent.answered == CALLS
        assert owner.answered < CALLS, "the owner was killed too late for this test to mean anything"
    finally:
        for agent in agents:
            agent.process.kill()
            agent.process.wait()


def test_a_bridge_without_a_server_says_so_within_ten_seconds(bridge):
    conf = bridge.appliance.dir / "nowhere.conf"
    conf.write_text(bridge.conf.read_text().replace(f"{bridge.server_outer[0]}:51820", f"{bridge.server_outer[0]}:9"))
    conf.chmod(0o600)
    environment = {**bridge.environment, "XDG_RUNTIME_DIR": str(bridge.appliance.dir)}
    request = json.dumps({"jsonrpc": "2.0", "id": "q", "method": "tools/list"}) + "\n"
    done = bridge.namespace.run(*bridge.bridge[:-1], conf, env=environment, input=request, timeout=20)
    answer = json.loads(done.stdout)
    assert answer["id"] == "q" and "error" in answer
    assert done.stderr.strip()
