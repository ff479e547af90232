#!/usr/bin/env python3
"""Half an hour of use, through rekeys: whether a request is lost, and whether memory or descriptors grow.

    cargo build --release && benches/soak.py [MINUTES [QUESTIONS_A_SECOND]] > benches/soak.md

Needs root, and Debian's wireguard-go, wireguard-tools, iproute2 and curl. The client is wireguard-go, which makes a new session every two
minutes. It asks a question a second (or more: the second argument), opens a connection for each, and downloads a file of 20 MB after every ten.
"""

import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import figures
from figures import Adit, HERE, RELEASE, anonymous_mb, cpu_seconds
from harness import run

FILE_BYTES = 20_000_000
SAMPLE_SECONDS = 30
WORDS = ["note", "library", "garden", "bulkfile"]


def slope(samples):
    """Growth per hour of (seconds, value), by least squares, after the first third: until then caches fill."""
    late = samples[len(samples) // 3:]
    return statistics.linear_regression([time for time, _ in late], [value for _, value in late]).slope * 3600


def counters(adit):
    return json.loads(adit.adit("status", "--json").stdout)["counters"]


def main():
    seconds = 60 * float(sys.argv[1] if len(sys.argv) > 1 else 30)
    rate = float(sys.argv[2] if len(sys.argv) > 2 else 1)
    figures.harness.ADIT = str(RELEASE / "adit")
    top = pathlib.Path(tempfile.mkdtemp(prefix="adit-soak-"))
    adit = None
    try:
        run(sys.executable, HERE / "corpus.py", top / "papers", 2_000, 6, timeout=600)
        (top / "papers" / "bulkfile.txt").write_bytes(b"bulkfile: a line that fills a big file with text.\n" * (FILE_BYTES // 50))
        adit = Adit(top, 1420)
        pid, queries = adit.pids[0], (top / "papers.queries").read_text().split("\n")
        found = json.loads(adit.cable.client.curl(f"http://{adit.host}/api/search?q=bulkfile").stdout)
        original = f"/api/documents/{found['results'][0]['id'].split('.')[0]}/original"
        before, cpu, began = counters(adit), cpu_seconds(pid), time.monotonic()
        memory, descriptors, asked, lost, downloads, slowest = [], [], 0, 0, 0, 0.0
        while (now := time.monotonic() - began) < seconds:
            if not memory or now - memory[-1][0] >= SAMPLE_SECONDS:
                memory.append((now, anonymous_mb(pid)))
                descriptors.append((now, len(os.listdir(f"/proc/{pid}/fd"))))
            query = (queries[asked % len(queries)] or "note").replace(" ", "+")
            done = adit.cable.client.curl(f"http://{adit.host}/api/search?q={query}", "-f", "-o", "/dev/null", "-w", "%{time_total}", check=False, timeout=20)
            asked += 1
            lost += done.returncode != 0
            slowest = max(slowest, float(done.stdout or 0))
            if asked % 10 == 0:
                done = adit.cable.client.curl(f"http://{adit.host}{original}", "-f", "-o", "/dev/null", "-w", "%{size_download}", check=False)
                downloads += 1
                lost += done.returncode != 0 or int(done.stdout) < FILE_BYTES
            time.sleep(max(0.0, 1 / rate - (time.monotonic() - began - now)))
        after = counters(adit)
        sessions = after["sessions_established"] - before["sessions_established"]
        print(f"""# {seconds / 60:.0f} minutes of use

From `benches/soak.py`, which says what was done.

| | |
|---|--:|
| minutes | {seconds / 60:.0f} |
| questions, downloads of 20 MB | {asked:,}, {downloads:,} |
| of them lost | {lost} |
| sessions made | {sessions} |
| slowest question | {slowest * 1000:.0f} ms |
| anonymous memory at the start, the end, and most | {memory[0][1]:.1f}, {memory[-1][1]:.1f}, {max(value for _, value in memory):.1f} MB |
| its growth after the first third | {slope(memory):+.2f} MB an hour |
| descriptors at the start, the end | {descriptors[0][1]}, {descriptors[-1][1]} |
| growth after the first third | {slope(descriptors):+.2f} an hour |
| processor time | {cpu_seconds(pid) - cpu:.1f} s |

Anonymous memory every minute, in MB: {", ".join(f"{value:.1f}" for _, value in memory[::2])}.""")
    finally:
        if adit:
            adit.delete()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
