"""Functions that are tools, and what they were given."""

from __future__ import annotations

from typing import Any

import psycopg

from tools.calls import CallContext
from tools.credentials.material import Credential

GIVEN: list[Any] = []


def use(credential: Credential) -> dict[str, str]:
    GIVEN.append(credential.reveal())
    return {"used": credential.reveal()}


def look(call: CallContext) -> str:
    GIVEN.append(call)
    return "looked"


def read_orders(credential: Credential) -> list[int]:
    with psycopg.connect(credential.reveal()) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM orders").fetchall()]


def fail(credential: Credential) -> None:
    raise RuntimeError(f"refused {credential.reveal()}")
