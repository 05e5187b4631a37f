"""A state as JSON and back. A snapshot is a cache: one of another engine version is thrown away."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from agentops.engine.state import CallState, Drawn, Limits, Mark, RunState, Spent


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


def load_state(data: dict[str, Any]) -> RunState:
    """Return the state that ``dump_state`` wrote."""
    limits, drawn = data["limits"], data["drawn"]
    return RunState(
        **{
            **data,
            "limits": Limits(**{**limits, "usd": Decimal(limits["usd"])}),
            "spent": _load_spent(data["spent"]),
            "unshared": _load_spent(data["unshared"]),
            "drawn": _load_drawn(drawn),
            "expires_at": datetime.fromisoformat(data["expires_at"]),
            "reserved_usd": Decimal(data["reserved_usd"]),
            "retry_at": _time(data["retry_at"]),
            "working_since": _time(data["working_since"]),
            "calls": tuple(_load_call(call) for call in data["calls"]),
            "recent": tuple(data["recent"]),
            "marks": tuple(Mark(**mark) for mark in data["marks"]),
        }
    )


def _load_spent(data: dict[str, Any]) -> Spent:
    return Spent(**{**data, "usd": Decimal(data["usd"])})


def _load_drawn(data: dict[str, Any]) -> Drawn:
    usd = None if data["usd"] is None else Decimal(data["usd"])
    return Drawn(**{**data, "usd": usd, "until": _time(data["until"])})


def _load_call(data: dict[str, Any]) -> CallState:
    claims = tuple((window, amount) for window, amount in data["claims"])
    return CallState(**{**data, "retry_at": _time(data["retry_at"]), "claims": claims})


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
