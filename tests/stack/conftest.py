"""Programs that the stack needs: missing ones skip by name, or fail where servers are required."""

import pytest

from tests.servers.found import found

NEEDED = ("influxd", "prometheus", "prometheus-alertmanager")


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Look for every server before anything starts."""
    for name in NEEDED:
        found(name)
