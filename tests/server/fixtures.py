"""The server as a fixture; loaded by tests/conftest.py."""

from collections.abc import Iterator

import pytest

from tests.server.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this test's own."""
    with Server() as running:
        yield running
