"""Limits that a run is started with: of its agent's tools only these, on these terms. They only take away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from agentops.errors import ValidationFailed
from tools.authority import Bound, Limits
from tools.caps import parse_caps
from tools.models import ToolVersion
from tools.services.terms import Terms, find_bound_faults
from tools.standing import Link

PERIODS = ("call", "run")
MEMBERS = frozenset({"decision", "caps", "over_caps"})


def check_limits(
    asked: Mapping[str, Any], versions: Mapping[str, ToolVersion]
) -> dict[str, Any]:  # Any: JSON
    """Return limits as a run keeps them; ``versions`` are the tools that its agent's version offers, by name.

    Raises ValidationFailed with every fault.
    """
    terms = {name: _read_terms(name, value) for name, value in asked.items()}
    faults = [fault for name in terms for fault in _find_faults(name, terms[name], versions)]
    if faults:
        raise ValidationFailed("invalid_limits", "; ".join(faults), problems=faults)
    return {name: each.bound_values() for name, each in terms.items()}


def read_limits(kept: Mapping[str, Any] | None) -> Limits | None:  # Any: JSON
    """Return the limits that a run keeps, None for none; raises ValidationFailed for what is none of ours."""
    if kept is None:
        return None
    return {
        name: Bound(value["decision"], parse_caps(value["caps"]), value["over_caps"])
        for name, value in kept.items()
    }


def read_line(kept: Iterable[Mapping[str, Any]]) -> tuple[Link, ...]:  # Any: JSON
    """Return the runs on whose behalf a run acts, as it keeps them: the nearest first."""
    return tuple(
        Link(UUID(link["run"]), UUID(link["identity"]), read_limits(link["limits"])) for link in kept
    )


def _read_terms(name: str, value: Any) -> Terms:  # Any: JSON
    if not isinstance(value, dict) or value.keys() - MEMBERS:
        raise ValidationFailed(
            "invalid_limits", f"limits/{name}: has {', '.join(sorted(MEMBERS))}, or nothing"
        )
    caps = value.get("caps", [])
    if not isinstance(caps, list) or not all(isinstance(cap, dict) for cap in caps):
        raise ValidationFailed("invalid_limits", f"limits/{name}/caps: is a list of caps")
    decision = value.get("decision", "ALLOW_WITH_CAPS" if caps else "ALLOW")
    return Terms(decision, tuple(caps), value.get("over_caps", "DENY"))


def _find_faults(name: str, terms: Terms, versions: Mapping[str, ToolVersion]) -> Iterator[str]:
    if name not in versions:
        yield f"limits/{name}: the agent has no such tool"
        return
    yield from (f"limits/{name}/{fault}" for fault in find_bound_faults(terms, versions[name], PERIODS))
