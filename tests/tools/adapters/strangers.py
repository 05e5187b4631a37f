"""Adapters that an installation brought along, each with a fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.adapters.base import AdapterOptions
from tools.calls import Call
from tools.outcomes import Outcome, doubt, fail, succeed


class Eager:
    """Of before there was a time after which nothing may be started."""

    def __init__(self, options: AdapterOptions) -> None: ...

    def invoke(self, call: Call, *, timeout_s: float) -> Outcome:
        return succeed(None)

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        return None

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        return []


class Open(Eager):
    """Takes whatever it is given, and is fine."""

    def invoke(self, *arguments: Any, **named: Any) -> Outcome:
        return succeed("done")


class Mute(Open):
    read_back = None  # type: ignore[assignment]  # the fault


class Blank(Eager):
    """Answers with nothing at all."""

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Any:
        return None

    def read_back(self, call: Call, *, timeout_s: float) -> Any:
        return "it is fine"


class Unbuilt(Open):
    """Lacks what it is to be built from."""

    def __init__(self, options: AdapterOptions) -> None:
        raise RuntimeError("its configuration is missing")


class Unsure(Open):
    """Loses every answer, and cannot ask what became of a key."""

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        return doubt(call.spec.effect, "reply_lost", "The connection broke.")

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome:
        return fail("unreachable", "The question could not be asked.", retryable=True)


class Chatty(Open):
    """Says in a code what belongs into the detail."""

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        return fail("no account of Ann Lee", "There is no account of Ann Lee.")
