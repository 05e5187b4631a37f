"""The tree that a run stands in: the runs that it acts for, and those that act for it, each with state and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection

from identities.models import User
from runs.models import Run

MOST_SHOWN = 100  # of a tree; the oldest first
DEEPEST = 16  # no run starts one that deep

# Up to the run that nobody started another for, then down again, level by level.
_TREE = """
WITH RECURSIVE up AS (
    SELECT id, parent_id, 0 AS height FROM runs_run WHERE id = %(run)s
    UNION ALL SELECT r.id, r.parent_id, up.height + 1 FROM runs_run r JOIN up ON r.id = up.parent_id
    WHERE up.height < %(deepest)s
), top AS (SELECT id FROM up ORDER BY height DESC LIMIT 1
), down AS (
    SELECT id, 0 AS depth, ARRAY[id] AS path FROM top
    UNION ALL SELECT r.id, down.depth + 1, down.path || r.id FROM runs_run r JOIN down ON r.parent_id = down.id
    WHERE down.depth < %(deepest)s
)
SELECT id, depth, path FROM down ORDER BY path LIMIT %(most)s
"""
# Down to those that nobody was given a task by; their number is bounded by that of a tree.
_BELOW = """
WITH RECURSIVE below AS (
    SELECT id, steps, tokens, usd, worked_ms, 1 AS depth FROM runs_run
    WHERE parent_id = %(run)s AND delegated_step IS NOT NULL
    UNION ALL SELECT r.id, r.steps, r.tokens, r.usd, r.worked_ms, below.depth + 1
    FROM runs_run r JOIN below ON r.parent_id = below.id
    WHERE r.delegated_step IS NOT NULL AND below.depth < %(deepest)s
)
SELECT count(*), coalesce(sum(steps), 0), coalesce(sum(tokens), 0), coalesce(sum(usd), 0), coalesce(sum(worked_ms), 0)
FROM below
"""


@dataclass(frozen=True, slots=True)
class UsedBelow:
    """What the runs to which a run has given tasks have used by now, and those to which they have; times added up."""

    runs: int
    steps: int
    tokens: int
    usd: Decimal
    worked_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """A run of a tree; None where the viewer may not see it. ``depth`` is 0 at the root."""

    run: Run | None
    depth: int
    is_this: bool

    @property
    def asks(self) -> list[str]:
        """Return the requests about which people have to decide before the run goes on."""
        actions = self.run.required_actions if self.run else ()
        return [action["id"] for action in actions if action["type"] == "approval"]

    @property
    def indent(self) -> range:
        """Return something to repeat once for each level."""
        return range(self.depth)


def read_family(user: User, run: Run) -> Sequence[Member]:
    """Return the tree of a run from its root, in two statements; empty for one that stands alone."""
    with connection.cursor() as cursor:
        cursor.execute(_TREE, {"run": run.pk, "deepest": DEEPEST, "most": MOST_SHOWN})
        rows: list[tuple[UUID, int, list[UUID]]] = cursor.fetchall()
    if len(rows) < 2:
        return ()
    seen = Run.objects.visible_to(user).filter(pk__in=[pk for pk, _, _ in rows])
    shown = seen.distinct().select_related("identity").in_bulk()
    return [Member(shown.get(pk), depth, pk == run.pk) for pk, depth, _ in rows]


def read_used_below(run: Run) -> UsedBelow:
    """Return what the children of a run have used, and theirs."""
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, {"run": run.pk, "deepest": DEEPEST})
        runs, steps, tokens, usd, worked_ms = cursor.fetchone()
    return UsedBelow(runs, int(steps), int(tokens), Decimal(usd), int(worked_ms))
