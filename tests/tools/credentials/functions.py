"""Functions that are tools, and what they were given."""

from __future__ import annotations

from typing import Any

from tools.calls import CallContext
from tools.credentials.material import Credential

GIVEN: list[Any] = []


def use(credential: Credential) -> dict[str, str]:
    GIVEN.append(credential.reveal())
    return {"used": credential.reveal()}


def look(call: CallContext) -> str:
    GIVEN.append(call)
    return "looked"


def fail(credential: Credential) -> None:
    raise RuntimeError(f"refused {credential.reveal()}")
