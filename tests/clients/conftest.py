import random
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Appliance  # noqa: E402
from raw import Line, shaken  # noqa: E402


@pytest.fixture(scope="session")
def appliance():
    yield from served(Appliance())


def served(appliance):
    try:
        appliance.start()
        yield appliance
    finally:
        if sys.stderr is not None:
            print((appliance.dir / "adit.log").read_text()[-4000:], file=sys.stderr)
        appliance.delete()


@pytest.fixture(scope="session")
def laptop(appliance):
    """A device that may see the library and not the secret collection."""
    device = appliance.device(0, "laptop", "--collections", "documents")
    device.up()
    return device


@pytest.fixture(scope="session")
def desktop(appliance):
    """A device that may see everything."""
    device = appliance.device(1, "desktop", "--collections", "*")
    device.up()
    return device


@pytest.fixture(scope="session")
def outpost(tmp_path_factory):
    """An appliance for tests of the tunnel alone: a large inner MTU, few handshakes before it is under load, and one big file."""
    documents = tmp_path_factory.mktemp("documents")
    (documents / "big.txt").write_bytes(random.Random(5).randbytes(3_000_000).hex().encode())
    appliance = Appliance("outpost", documents, 1, 1500, "[limits.total]\nhandshakes_per_second = 200\n")
    # It has a new key, and answers under its former one too.
    appliance.adit("server-key", "rotate", "--overlap", "1d")
    yield from served(appliance)


@pytest.fixture(scope="session")
def line(outpost):
    """A cable to that appliance, with peers on it whose every byte is ours."""
    line = Line(outpost)
    yield line
    line.delete()


@pytest.fixture(scope="module")
def peer(line):
    """A peer with a session."""
    return shaken(line.peer())
