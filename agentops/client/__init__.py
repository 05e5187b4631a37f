"""A client of the REST API, typed, to be awaited (`AsyncClient`) or blocking (`Client`).

It needs httpx2 and nothing else of the platform: no Django, no database.
"""

from __future__ import annotations

from agentops.client.blocking import Client
from agentops.client.errors import ApiError
from agentops.client.waiting import AsyncClient

__all__ = ["ApiError", "AsyncClient", "Client"]
