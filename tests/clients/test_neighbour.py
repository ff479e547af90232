"""One device abuses everything it may; another asks its questions meanwhile, and hardly notices.

The figures are printed and not asserted: these machines are shared. `ADIT_ABUSE_SECS=60 pytest -s tests/clients/test_neighbour.py` measures at
length. The abuser's own processes run at the lowest priority, since they stand for another machine.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

import pytest

from facts import MARKDOWN, PDF, SHEET
from harness import wait_until

HERE = pathlib.Path(__file__).parent.resolve()
SECONDS = float(os.environ.get("ADIT_ABUSE_SECS", 4))

# A quarter of the buffers of all peers (`limits.total`), and as much again for the calls and connections themselves, in MiB.
MEMORY_CAP = 128


@pytest.fixture(scope="module")
def limited(appliance):
    """The appliance with the limits that it has by default."""
    given = appliance.config.read_text()
    appliance.config.write_text(re.sub(r"requests_(per_second|burst) = 1000\n", "", given))
    appliance.adit("reload")
    yield appliance
    appliance.config.write_text(given)
    appliance.adit("reload")


@pytest.fixture(scope="module")
def devices(limited):
    (limited.secret / "giant.txt").write_bytes(b"A long line of text that fills a big file.\n" * 2_400_000)  # 100 MB
    neighbour, abuser = (limited.device(number, name, "--collections", "*") for number, name in ((8, "neighbour"), (9, "abuser")))
    neighbour.up()
    abuser.up()
    for process in re.findall(r"pid=(\d+)", abuser.namespace.run("ss", "-Huanp").stdout):
        os.setpriority(os.PRIO_PROCESS, int(process), 19)
    return neighbour, abuser


def memory_mb(pid):
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def ask(device):
    """The milliseconds that a device's questions take."""
    queries = [fact.query for fact in (PDF, MARKDOWN, SHEET)]
    done = device.namespace.run(sys.executable, HERE / "asker.py", device.url(""), SECONDS, *queries, timeout=SECONDS + 60)
    return json.loads(done.stdout)


def figures(name, took):
    took = sorted(took)
    p50, p99 = statistics.median(took), took[min(len(took) - 1, len(took) * 99 // 100)]
    print(f"{name:16} {len(took):4} answers, p50 {p50:6.1f} ms, p99 {p99:6.1f} ms, worst {took[-1]:6.1f} ms")
    return p99


def test_a_neighbour_of_an_abuser_is_answered_as_before(limited, devices):
    neighbour, abuser = devices
    found = wait_until("the giant is known", lambda: abuser.call("find_document", {"query": "giant.txt"})["documents"], 60)
    wait_until("all is indexed", limited.is_indexed, 60)
    before = ask(neighbour)
    pid, peak, done = limited.pid(), [memory_mb(limited.pid())], threading.Event()

    def watch():
        while not done.wait(0.2):
            peak.append(memory_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    arguments = [abuser.addresses[0], abuser.server[0], found[0]["id"], str(SECONDS + 2)]
    abuse = abuser.namespace.start("nice", "-n", 19, sys.executable, HERE / "abuser.py", *arguments, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)
        during = ask(neighbour)
        said, _ = abuse.communicate(timeout=SECONDS + 30)
    finally:
        done.set()
        watcher.join()
        abuse.kill()
    did = json.loads(said)
    after = ask(neighbour)
    quiet, busy = figures("undisturbed", before + after), figures("beside an abuser", during)
    print(f"p99 {busy / quiet:.2f} times its own; memory {peak[0]:.0f} MiB before, {max(peak):.0f} at most; the abuser: {did}")

    # Every question of the neighbour was answered (`asker.py` ends at one that is not). The abuser met its limits.
    assert len(during) > SECONDS
    assert did["calls 429"] > 0 and did["calls 200"] > 0 and did["downloads"] > 0
    assert did["SYN segments"] > 1000 and did["slow connections refused"] > 100
    assert max(peak) - peak[0] < MEMORY_CAP
    counters = json.loads(limited.adit("status", "--json").stdout)["counters"]
    assert counters["streams_refused_half_open"] + counters["streams_refused_full"] > 100
