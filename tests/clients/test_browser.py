"""A real browser on a device: adit's own page works in it, and a hostile page in it learns nothing and does nothing."""

import json
import pathlib
import subprocess

import pytest

from browser import Browser
from facts import PDF
from harness import wait_until

HOSTILE = pathlib.Path(__file__).with_name("hostile.js").read_text()
EVIL, EVIL_ADDRESS = "evil.example", "203.0.113.66"
REBOUND = "rebound.example"

# What a browser asks for any page without saying whose it is: images, scripts, frames, forms that only ask. Such a question is answered, and
# recorded, like any other of this device; the page that caused it cannot read the answer. All else is refused before it is a question.
WITHOUT_ORIGIN = {"fetch-no-cors", "form-get", "image", "script", "style", "prefetch", "frame", "frame-data", "frame-sandboxed", "object",
                  "embed", "video", "worker", "popup"}


@pytest.fixture(scope="module")
def device(appliance):
    device = appliance.device(7, "browser", "--collections", "documents")
    device.up()
    for address in (EVIL_ADDRESS, device.outer):
        device.namespace.run("ip", "addr", "add", f"{address}/32", "dev", "lo", check=False)
    folder = appliance.dir / "evil"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Free kittens</title><p>Free kittens")
    device.namespace.start("python3", "-m", "http.server", "80", "--bind", EVIL_ADDRESS, "--directory", folder, stderr=subprocess.DEVNULL)
    wait_until("the hostile server listens", lambda: EVIL_ADDRESS in device.namespace.run("ss", "-Htln").stdout)
    return device


@pytest.fixture(scope="module")
def browser(device):
    rules = f"MAP {EVIL} {EVIL_ADDRESS}, MAP {REBOUND} {device.server[0]}"
    browser = Browser(device.namespace, f"--host-resolver-rules={rules}")
    yield browser
    browser.close()


def calls(device):
    """The calls that the audit log has of this device."""
    said = device.appliance.adit("audit", "--peer", device.name, "-n", "0", "--json").stdout
    return [record for record in json.loads(said)["records"] if record["kind"] == "call"]


def attack(browser, device, url):
    """Runs the hostile page where the browser is now; returns what it could read, and the calls that came of it."""
    before = len(calls(device))
    outcomes = browser.evaluate(f"{HOSTILE}; attack({json.dumps(url)}, {json.dumps(PDF.query)})", 180)
    assert len(outcomes) > 35
    return outcomes, calls(device)[before:]


def tool_calls(records):
    """The attempts, by their words, that a tool was asked for, with the path they took."""
    queries = [(record["query"].removeprefix(PDF.query).strip(), record["route"]) for record in records if record.get("query")]
    return {mark: route for mark, route in queries}


def test_the_search_page_works_in_a_browser(browser, device):
    browser.open(device.url("/"))
    browser.evaluate("document.getElementById('q').focus()")
    browser.type(PDF.query)
    name = pathlib.Path(PDF.path).name
    browser.wait_for(lambda: name in browser.evaluate("document.querySelector('.hits')?.innerText ?? ''"), "the hit is shown")
    assert browser.evaluate("getComputedStyle(document.querySelector('.hits mark')).backgroundColor") != "rgba(0, 0, 0, 0)"
    browser.evaluate("document.querySelector('.hits a.open').click()")
    browser.wait_for(lambda: PDF.text in browser.evaluate("document.body?.innerText ?? ''"), "the reader shows the text")


def test_a_page_of_our_own_reads_what_hostile_ones_try_for(browser, device):
    browser.open(device.url("/"))
    outcomes, records = attack(browser, device, device.url(""))
    for attempt in ("fetch", "request", "post-json", "fetch-health"):
        assert outcomes[attempt], attempt
    assert PDF.path in outcomes["fetch"] and PDF.path in outcomes["post-json"]
    assert tool_calls(records)["post-json"] == "/mcp"


def test_a_hostile_page_reads_nothing_and_calls_no_tool(browser, device):
    browser.open(f"http://{EVIL}/")
    outcomes, records = attack(browser, device, device.url(""))
    assert {name: read for name, read in outcomes.items() if read} == {}
    made = tool_calls(records)
    assert set(made) <= WITHOUT_ORIGIN, made
    assert [record for record in records if record["route"] == "/mcp" and record["verdict"] == "served"] == []
    assert any(record.get("reason") == "foreign_origin" for record in records), "the attempts did not even arrive"


def test_a_rebound_name_reads_the_refusal_alone_and_calls_no_tool(browser, device):
    """The page came from its own server while the name was still that server's; now the name is adit's address, and the origin the same."""
    browser.open_as(f"http://{REBOUND}/", "<!doctype html><title>Free kittens</title>")
    outcomes, records = attack(browser, device, f"http://{REBOUND}")
    assert "foreign_host" in outcomes["fetch"] and "foreign_host" in outcomes["post-json"]
    for name, read in outcomes.items():
        assert read is None or "foreign_host" in read and len(read) < 400 and PDF.path not in read, (name, read)
    assert tool_calls(records) == {}
    assert {record.get("reason") for record in records} == {"foreign_host"}
