"""The adapter, and a real server that misbehaves in every way we could think of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tools.rude_server import RudeServer, rude_server
from tools.adapters.base import AdapterOptions
from tools.adapters.http import HttpAdapter


@pytest.fixture(scope="module")
def running() -> Iterator[RudeServer]:
    with rude_server() as server:
        yield server


@pytest.fixture
def server(running: RudeServer) -> RudeServer:
    """Provide the module's server, which has seen nothing yet."""
    running.seen.clear()
    return running


@pytest.fixture(scope="module")
def adapter() -> Iterator[HttpAdapter]:
    made = HttpAdapter(AdapterOptions())
    yield made
    made.close()
