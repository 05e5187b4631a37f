"""What is counted of a completed run, and how it is called. One SQL expression each, over ``r`` (``runs_run``)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing of which a run can take more: ``worse`` is said of the version that does."""

    name: str
    label: str
    worse: str
    sql: str
    is_share: bool = (
        False  # of each run it is said whether, not how much: 1, 0, or null where nobody can tell
    )


_REQUESTS = "SELECT {what} FROM approvals_approvalrequest a WHERE a.subject_ref = r.id::text"
_CALLS = "SELECT count(*) FROM runs_tool_call c WHERE c.run_id = r.id AND c.state IN ({states})"
_REFUSED, _FAILED = "'refused'", "'failed', 'unknown', 'parked'"
_WAITED_S = "coalesce(sum(extract(epoch FROM a.decided_at - a.created_at)), 0)"

UNITS = (
    Unit("cost", "cost, USD", "dearer", "r.usd"),
    Unit("steps", "steps", "more steps", "r.steps"),
    Unit("approvals", "requests to people", "more requests", f"({_REQUESTS.format(what='count(*)')})"),
    Unit(
        "human_s",
        "time until people decided, s",
        "longer with people",
        f"({_REQUESTS.format(what=_WAITED_S)})",
    ),
    Unit(
        "denials",
        "calls refused or denied",
        "more refusals",
        f"({_CALLS.format(states=_REFUSED)})",
    ),
    Unit(
        "tool_errors",
        "calls that failed",
        "more errors",
        f"({_CALLS.format(states=_FAILED)})",
    ),
)
UNFULFILLED = Unit(
    "unfulfilled",
    "runs that did not do what was asked",
    "less often what was asked",
    "(SELECT 1 - f.fulfilled::int FROM runs_fulfilment f WHERE f.run_id = r.id)",
    is_share=True,
)
ALL_UNITS = (*UNITS, UNFULFILLED)
BY_NAME = {unit.name: unit for unit in ALL_UNITS}


def units_of(task: str) -> tuple[Unit, ...]:
    """Return what is counted of runs of a type of task; those of none have no checks to fulfil."""
    return ALL_UNITS if task else UNITS
