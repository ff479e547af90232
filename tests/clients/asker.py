"""A device that asks as an agent does: ten searches a second, every fifth on a connection of its own.

    asker.py URL SECONDS QUERY...

Prints, as JSON, the milliseconds that each took. One that is not answered with 200 ends it.
"""

import http.client
import json
import sys
import time
import urllib.parse

PAUSE = 0.1


def ask(connection, query):
    began = time.perf_counter()
    connection.request("GET", "/api/search?" + urllib.parse.urlencode({"q": query}))
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (answer.status, body)
    return (time.perf_counter() - began) * 1000


def main(url, seconds, *queries):
    host = urllib.parse.urlsplit(url).netloc
    kept = http.client.HTTPConnection(host, timeout=30)
    took = []
    ends = time.monotonic() + float(seconds)
    while time.monotonic() < ends:
        fresh = len(took) % 5 == 4
        connection = http.client.HTTPConnection(host, timeout=30) if fresh else kept
        milliseconds = ask(connection, queries[len(took) % len(queries)])
        took.append(milliseconds)
        if fresh:
            connection.close()
        time.sleep(max(0, PAUSE - milliseconds / 1000))
    print(json.dumps(took))


main(*sys.argv[1:])
