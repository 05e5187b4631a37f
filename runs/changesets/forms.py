"""The run form: what is wanted, said and checked in full before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from agentops.errors import ValidationFailed
from agentops.text import is_blank
from runs.models import AgentVersion, RunMode
from tools.models import ToolVersion

EFFECTS = ("reversible", "irreversible")
MOST_LINES, LINE_LIMIT = 30, 1_000
ASKED_FOR = {"decision": "REQUIRE_APPROVAL"}
Limits = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Limits of one run, within those of its agent's version; None leaves that of the version."""

    steps: int | None = None
    tokens: int | None = None
    usd: Decimal | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class RunForm:
    """What a run is to reach and how to tell, what it must keep to, and what it must not even propose.

    ``forbidden`` names tools or effect classes. Policy holds the run to it, and no prompt.
    """

    criteria: Sequence[str] = ()
    constraints: Sequence[str] = ()
    forbidden: Sequence[str] = ()
    ceilings: Ceilings = field(default_factory=Ceilings)

    def as_content(self, goal: str) -> dict[str, Any]:  # Any: JSON
        """Return the form as erasable content of the run's first entry."""
        lists = {name: list(getattr(self, name)) for name in ("criteria", "constraints", "forbidden")}
        return {"goal": goal, **lists}


def write_message(goal: str, form: RunForm | None) -> str:
    """Return what the planner is shown: the goal, and what it is measured by and has to keep to."""
    if form is None:
        return goal
    parts = [goal]
    titles = (("Acceptance criteria", form.criteria), ("Constraints", form.constraints))
    for title, lines in (*titles, ("Forbidden", form.forbidden)):
        if lines:
            parts.append("\n".join([f"{title}:", *(f"- {line}" for line in lines)]))
    return "\n\n".join(parts)


def check_form(form: RunForm, version: AgentVersion) -> None:
    """Raise ValidationFailed with every fault of a form: nothing starts that cannot be done as it is asked for."""
    faults = [
        *_find_text_faults(form),
        *_find_forbidden_faults(form, version),
        *_find_ceiling_faults(form, version),
    ]
    if faults:
        raise ValidationFailed("invalid_run_form", "; ".join(faults), problems=faults)


def limit_tools(
    version: AgentVersion, mode: RunMode, form: RunForm | None, limits: Mapping[str, Any] | None
) -> Limits | None:
    """Return the limits that the mode and the form put on a run's tools; None where there is nothing to limit.

    What is forbidden is no tool of the run; what a run that proposes wants to change, people have to approve.
    """
    forbidden = form.forbidden if form else ()
    if mode == RunMode.ACT and not forbidden:
        return None if limits is None else dict(limits)
    if limits is not None:
        detail = (
            "limits: a run that proposes, or forbids something, takes none beside; name what it must not use"
        )
        raise ValidationFailed("invalid_limits", detail)
    kept = (found for found in _catalogue(version) if not _is_forbidden(found, forbidden))
    asks = ASKED_FOR if mode == RunMode.PROPOSE else {}
    return {found.tool.name: dict(asks) if found.effect in EFFECTS else {} for found in kept}


def _catalogue(version: AgentVersion) -> list[ToolVersion]:
    return list(version.catalogue.select_related("tool").order_by("tool__name"))


def _is_forbidden(found: ToolVersion, forbidden: Sequence[str]) -> bool:
    return found.tool.name in forbidden or found.effect in forbidden


def _find_text_faults(form: RunForm) -> list[str]:
    faults = []
    for name, lines in (("criteria", form.criteria), ("constraints", form.constraints)):
        if len(lines) > MOST_LINES or any(is_blank(line) or len(line) > LINE_LIMIT for line in lines):
            faults.append(f"{name}: at most {MOST_LINES}, each of 1 to {LINE_LIMIT} characters")
    return faults


def _find_forbidden_faults(form: RunForm, version: AgentVersion) -> list[str]:
    catalogue = _catalogue(version)
    known = {found.tool.name for found in catalogue} | set(EFFECTS)
    faults = [f"forbidden: the agent has no tool {name!r}" for name in form.forbidden if name not in known]
    able = [found for found in catalogue if found.effect in EFFECTS]
    if able and form.forbidden and all(_is_forbidden(found, form.forbidden) for found in able):
        faults.append("forbidden: that is all that the agent can change; leave it something to do")
    return faults


def _find_ceiling_faults(form: RunForm, version: AgentVersion) -> list[str]:
    asked = {name: value for name, value in asdict(form.ceilings).items() if value is not None}
    most = {name: getattr(version, f"max_{name}") or 0 for name in asked}
    return [
        f"budget/{name}: more than 0, and at most the {most[name]} that the agent has"
        for name, value in asked.items()
        if not 0 < value <= most[name]
    ]
