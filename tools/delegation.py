"""What a tool that calls an agent says of it: whom, with what share of the caller's limits, and what is joined.

``{"agent": "researcher", "share": {"steps": 5, "tokens": 20000, "usd": "0.50", "seconds": 120}}``, and where several
calls of a step belong together ``"join": {"policy": "quorum", "needed": 2, "group": "opinions"}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

ADAPTER = "agent"
UNITS = ("steps", "tokens", "seconds")
SHARE = frozenset((*UNITS, "usd"))
# ``first_success`` is a quorum of one.
POLICIES = ("all", "any", "first_success", "quorum")
MOST_NEEDED = 64  # as many calls as a step may hold
MOST = 1_000_000_000
QUANTUM = Decimal("0.0001")  # the unit in which a run's limit is kept

Json = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Terms:
    """Whom a tool calls (an agent of its team, by slug), the most that the child gets, how answers are joined."""

    agent: str
    steps: int
    tokens: int
    usd: Decimal
    seconds: int
    join: tuple[str, str, int]  # group, policy, how many have to succeed


def find_faults(config: Json) -> list[str]:
    """Return what has to be put right in a configuration, as remedies; empty if nothing."""
    unknown = sorted(config.keys() - {"agent", "share", "join"})
    return [
        *(f"remove {name!r}: unknown" for name in unknown),
        *_find_agent_faults(config),
        *_find_share_faults(config.get("share")),
        *_find_join_faults(config.get("join", {"policy": "all"})),
    ]


def read_terms(tool: str, config: Json) -> Terms:
    """Return a checked configuration's terms; without a group of its own a tool's calls are joined by its name."""
    share, join = config["share"], config.get("join", {"policy": "all"})
    policy = "quorum" if join["policy"] == "first_success" else join["policy"]
    group = "" if policy == "all" else join.get("group", tool)
    joined = (group, policy, join.get("needed", 1))
    usd = Decimal(share["usd"]).quantize(QUANTUM)
    return Terms(config["agent"], share["steps"], share["tokens"], usd, share["seconds"], joined)


def _find_agent_faults(config: Json) -> Iterator[str]:
    if not isinstance(config.get("agent"), str) or not config["agent"]:
        yield 'add "agent": the slug of the agent of the team that is called'


def _find_share_faults(share: Any) -> Iterator[str]:  # Any: JSON
    if not isinstance(share, dict) or share.keys() != SHARE:
        yield 'add "share": the steps, tokens, usd and seconds of its caller\'s limits that a child has at most'
        return
    for unit in UNITS:
        if not isinstance(share[unit], int) or isinstance(share[unit], bool) or not 0 < share[unit] <= MOST:
            yield f"share: set {unit} to a whole number of 1 or more"
    if not _is_amount(share["usd"]):
        yield 'share: set usd to an amount as text, such as "0.50", of at most four places'


def _is_amount(value: Any) -> bool:  # Any: JSON
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return False
    if amount is None or not amount.is_finite():
        return False
    return 0 <= amount <= MOST and amount == amount.quantize(QUANTUM)


def _find_join_faults(join: Any) -> Iterator[str]:  # Any: JSON
    if not isinstance(join, dict) or join.get("policy") not in POLICIES or join.keys() - _parts_of(join):
        yield f"join: give its policy, one of {', '.join(POLICIES)}; a group; and of a quorum how many are needed"
        return
    needed, group = join.get("needed", 1), join.get("group", "x")
    if not isinstance(needed, int) or isinstance(needed, bool) or not 1 <= needed <= MOST_NEEDED:
        yield f"join: set needed to 1 to {MOST_NEEDED}"
    if join["policy"] == "quorum" and "needed" not in join:
        yield "join: say of a quorum how many are needed"
    if not isinstance(group, str) or not 0 < len(group) <= 64:
        yield "join: name the group with 1 to 64 characters"


def _parts_of(join: Json) -> frozenset[str]:
    return (
        frozenset(("policy", "group", "needed"))
        if join["policy"] == "quorum"
        else frozenset(("policy", "group"))
    )
