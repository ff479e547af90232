"""A headless Chromium in a namespace, driven by the DevTools protocol over a pipe: JSON messages that end in a zero byte."""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

# What the browser itself would do against pages that reach into private networks is switched off: adit must not depend on it. It runs as
# root and in a namespace that reaches nothing but adit, so its own sandbox and its talk with its maker are off too.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--mute-audio",
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessChecks,HttpsUpgrades",
    "--remote-debugging-pipe",
]


class NotNow(AssertionError):
    """What the browser refuses, perhaps because the page is just giving way to another."""


class Browser:
    """One page of one browser."""

    def __init__(self, namespace, *flags):
        self.profile = tempfile.mkdtemp(prefix="adit-chromium-")
        (hears, self.to), (self.back, says) = os.pipe(), os.pipe()
        # The browser hears at file descriptor 3 and answers at 4. Whatever is at these here is not to be overwritten: hence numbers above.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (hears, says)]
        command = 'exec chromium "$@" 3<&{} 4>&{}'.format(*theirs)
        self.process = subprocess.Popen(
            namespace.command("bash", "-c", command, "chromium", *FLAGS, f"--user-data-dir={self.profile}", *flags, "about:blank"),
            pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (hears, says, *theirs):
            os.close(end)
        self.numbers, self.buffer = itertools.count(1), b""
        self.session = None
        target = self.wait_for(self._first_page, "the browser has a page", 30)
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")

    def _first_page(self):
        targets = self.call("Target.getTargets")["targetInfos"]
        return next((target["targetId"] for target in targets if target["type"] == "page"), None)

    def call(self, method, seconds=30, **params):
        """Calls a method of the protocol and returns its result."""
        return self._answer(self._send(method, params), method, seconds)

    def _send(self, method, params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        return number

    def _answer(self, number, what, seconds=30):
        deadline = time.monotonic() + seconds
        while (answer := self._receive(deadline, what)).get("id") != number:
            pass  # An event that nobody waits for.
        if "error" in answer:
            raise NotNow(what, answer)
        return answer["result"]

    def _event(self, method, seconds=30):
        deadline = time.monotonic() + seconds
        while (event := self._receive(deadline, method)).get("method") != method:
            pass
        return event["params"]

    def _receive(self, deadline, what):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.back], [], [], left)[0]
            piece = os.read(self.back, 1 << 20) if ready else b""
            assert piece, f"the browser did not answer {what}"
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def wait_for(self, condition, what, seconds=15):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                result = condition()
            except NotNow:
                result = None
            if result:
                return result
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {what}")

    def open(self, url):
        """Goes to an address and waits until all of the page is there."""
        # A tunnel that has just come up can still be a change of the network.
        self.wait_for(lambda: "errorText" not in self.call("Page.navigate", url=url), f"{url} answers")
        self.wait_for(lambda: self.evaluate("document.readyState === 'complete' && location.href !== 'about:blank'"), f"{url} is loaded")

    def open_as(self, url, html):
        """Goes to an address whose page is this one, as if the server of that name had sent it; all later requests go to the name's server."""
        self.call("Fetch.enable", patterns=[{"urlPattern": url}])
        self._send("Page.navigate", {"url": url})
        request = self._event("Fetch.requestPaused")["requestId"]
        body = base64.b64encode(html.encode()).decode()
        headers = [{"name": "content-type", "value": "text/html"}]
        self._send("Fetch.fulfillRequest", {"requestId": request, "responseCode": 200, "responseHeaders": headers, "body": body})
        self.call("Fetch.disable")
        self.wait_for(lambda: self.evaluate(f"document.readyState === 'complete' && location.href === {json.dumps(url)}"), f"{url} is loaded")

    def evaluate(self, expression, seconds=60):
        """The value of an expression in the page; of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", seconds, expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def type(self, text):
        self.call("Input.insertText", text=text)

    def close(self):
        for end in (self.to, self.back):
            os.close(end)
        try:  # It ends when its pipe does.
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        shutil.rmtree(self.profile, ignore_errors=True)
