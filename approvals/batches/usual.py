"""What is usual for the one whom a call is for, and for the agent that asks: how much, and whom it reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.amounts import plain_decimal
from approvals.batches.outliers import LEAST_KNOWN, LEAST_TO_COMPARE, Oddity
from approvals.batches.templates import Leaves
from approvals.models import ApprovalRequest
from tools.provenance.labels import EVERY

MOST_COUNTED = 50  # approved requests of a tool for one principal; the latest
TIMES_THE_MOST = 2  # a little more than ever before is nothing to look twice at

# Of each pair so many index entries are read, however much the principal has had.
_OWN = """
SELECT w.tool, w.principal, upper(r.currency), count(*), max(r.amount)
FROM unnest(%(tools)s::uuid[], %(principals)s::uuid[]) AS w(tool, principal) CROSS JOIN LATERAL (
    SELECT amount, currency FROM approvals_approvalrequest
    WHERE tool_id = w.tool AND principal_id = w.principal AND state = 'approved' AND amount IS NOT NULL
    ORDER BY decided_at DESC LIMIT %(most)s
) AS r GROUP BY 1, 2, 3
"""

Whose = tuple[UUID, UUID, str]  # tool, principal, currency


@dataclass(frozen=True, slots=True)
class Own:
    """How many calls were approved for somebody, and the most that one of them moved."""

    count: int
    most: Decimal


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom an agent's approved calls reached, and how many calls these were."""

    count: int
    recipients: frozenset[str]


def read_own(requests: Iterable[ApprovalRequest]) -> dict[Whose, Own]:
    """Return what was approved before, for those whom these requests are for; in one statement, however many."""
    wanted = {(each.tool_id, each.principal_id) for each in requests if each.amount is not None}
    if not wanted:
        return {}
    tools, principals = ([pair[place] for pair in sorted(wanted)] for place in (0, 1))
    with connection.cursor() as cursor:
        cursor.execute(_OWN, {"tools": tools, "principals": principals, "most": MOST_COUNTED})
        rows = cursor.fetchall()
    return {(tool, principal, currency): Own(count, most) for tool, principal, currency, count, most in rows}


def find_beyond_own(request: ApprovalRequest, own: Mapping[Whose, Own]) -> list[Oddity]:
    """Return that a request moves much more than was ever approved for this principal, if it does. Pure."""
    before = own.get((request.tool_id, request.principal_id, request.currency.upper()))
    if request.amount is None or before is None or before.count < LEAST_TO_COMPARE or before.most <= 0:
        return []
    if request.amount < TIMES_THE_MOST * before.most:
        return []
    times = f"{(request.amount / before.most).quantize(Decimal('0.1')).normalize():f}"
    words = (
        f"{plain_decimal(request.amount)} is {times} times the most that was approved for this person before,"
        f" {plain_decimal(before.most)}, of the latest {before.count}"
    )
    return [Oddity("own_amount", request.tool_version.amount_argument, words, 2)]


def find_recipients(leaves: Leaves, provenance: Mapping[str, Any]) -> dict[str, str]:  # Any: JSON
    """Return whom a call reaches by the leaves that its tool declares as destinations; the case does not count."""
    declared = provenance.get("arguments", {}).items()
    paths = [path.split(".") for path, kind in declared if kind == "destination"]
    return {
        leaf: value.strip().casefold()
        for leaf, value in leaves.items()
        if any(_leads_to(path, leaf.split(".")) for path in paths)
    }


def _leads_to(path: Sequence[str], leaf: Sequence[str]) -> bool:
    return len(path) <= len(leaf) and all(
        part in (EVERY, name) for part, name in zip(path, leaf, strict=False)
    )


def gather_reached(approved: Iterable[Leaves], provenance: Mapping[str, Any]) -> Reached:  # Any: JSON
    """Return whom approved calls of one agent reached."""
    found = [recipients for each in approved if (recipients := find_recipients(each, provenance))]
    return Reached(len(found), frozenset(one for each in found for one in each.values()))


def find_new_recipients(leaves: Leaves, provenance: Mapping[str, Any], before: Reached) -> list[Oddity]:
    """Return whom a call reaches that none of its agent's approved calls did, where these are enough to tell. Pure."""
    if before.count < LEAST_KNOWN:
        return []
    words = f"none of this agent's latest {before.count} approved calls went there"
    return [
        Oddity("new_recipient", leaf, words, 1)
        for leaf, recipient in find_recipients(leaves, provenance).items()
        if recipient not in before.recipients
    ]
