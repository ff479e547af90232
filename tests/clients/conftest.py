import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Appliance  # noqa: E402


@pytest.fixture(scope="session")
def appliance():
    appliance = Appliance()
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
