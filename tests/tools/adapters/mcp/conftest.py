"""The adapter, and a real server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tools.adapters.mcp.server import ToolsServer, serve_tools
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter


@pytest.fixture(scope="module")
def running() -> Iterator[ToolsServer]:
    with serve_tools(ToolsServer()) as server:
        yield server


@pytest.fixture
def server(running: ToolsServer) -> ToolsServer:
    """Provide the module's server, which has done nothing yet and is polite."""
    for seen in (running.refunds, running.metas, running.requests):
        seen.clear()
    running.mishap, running.mishap_at, running.judge = "", "tools/call", None
    return running


@pytest.fixture(scope="module")
def adapter() -> Iterator[McpAdapter]:
    made = McpAdapter(AdapterOptions())
    yield made
    made.close()
