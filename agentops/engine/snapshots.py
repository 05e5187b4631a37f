"""A state as JSON and back. A snapshot is a cache: one of another engine version or shape is thrown away."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from agentops.engine.routing import Routing
from agentops.engine.state import (
    CallState,
    Drawn,
    Extensible,
    Join,
    Limits,
    Mark,
    Planned,
    Proposed,
    RunState,
    Spent,
)

Part = TypeVar(
    "Part", RunState, Limits, Spent, Drawn, Extensible, Join, CallState, Proposed, Mark, Planned, Routing
)


class UnreadableSnapshot(ValueError):
    """It is no state of this release's: throw it away and fold from the start."""


def dump_state(state: RunState) -> dict[str, Any]:
    """Return the state as JSON: Decimals and times as strings."""
    return {key: _plain(value) for key, value in state._asdict().items()}


def _plain(value: Any) -> Any:  # Any: whatever a state holds
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def load_state(data: Any) -> RunState:
    """Return the state that ``dump_state`` wrote; raises UnreadableSnapshot for anything else."""
    try:
        return _load(data)
    except (AttributeError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise UnreadableSnapshot(repr(error)) from error


def _load(data: Any) -> RunState:
    limits, drawn = data["limits"], data["drawn"]
    return _make(
        RunState,
        {
            **data,
            "limits": _load_limits(limits),
            "spent": _load_spent(data["spent"]),
            "passed_on": _load_spent(data["passed_on"]),
            "unshared": _load_spent(data["unshared"]),
            "drawn": _make(Drawn, {**drawn, "usd": _amount(drawn["usd"]), "until": _time(drawn["until"])}),
            "extensible": _make(Extensible, data["extensible"]),
            "expires_at": datetime.fromisoformat(data["expires_at"]),
            "reserved_usd": Decimal(data["reserved_usd"]),
            "retry_at": _time(data["retry_at"]),
            "working_since": _time(data["working_since"]),
            "calls": tuple(_load_call(call) for call in data["calls"]),
            "recent": tuple(data["recent"]),
            "proposed": tuple(_make(Proposed, each) for each in data["proposed"]),
            "plan": tuple(_make(Planned, each) for each in data["plan"]),
            "inbox": tuple(data["inbox"]),
            "heard_at": _time(data["heard_at"]),
            "marks": tuple(_make(Mark, mark) for mark in data["marks"]),
            "routing": _load_routing(data["routing"]),
        },
    )


def _make(kind: type[Part], values: dict[str, Any]) -> Part:
    """Make a part of the state; a field too few would silently have its default, so all have to be there."""
    expected = set(kind._fields)
    if set(values) != expected:
        raise ValueError(f"{kind.__name__} has other fields: {sorted(expected ^ set(values))}")
    return kind(**values)


def _load_routing(data: dict[str, Any]) -> Routing:
    lists = {name: tuple(data[name]) for name in ("tried", "summary_tried")}
    return _make(Routing, {**data, **lists})


def _load_limits(data: dict[str, Any]) -> Limits:
    return _make(Limits, {**data, "usd": Decimal(data["usd"])})


def _load_spent(data: dict[str, Any]) -> Spent:
    return _make(Spent, {**data, "usd": Decimal(data["usd"])})


def _load_call(data: dict[str, Any]) -> CallState:
    claims = tuple((window, amount) for window, amount in data["claims"])
    times = {name: _time(data[name]) for name in ("retry_at", "held_since")}
    share = data["share"] and _load_limits(data["share"])
    joined = {"join": _make(Join, data["join"]), "share": share}
    return _make(CallState, {**data, **times, **joined, "claims": claims})


def _amount(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
