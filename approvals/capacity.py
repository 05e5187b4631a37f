"""How much people can review in an hour, and how much of it is taken: nothing is decided for want of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib.postgres.functions import TransactionNow
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor, record
from approvals.models import ApprovalRequest, ReviewCapacity
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require

PERMISSION = "approvals.change_reviewcapacity"
MOST_PER_HOUR = 1_000

# Who could decide about some call of a team's tools, in groups whoever belongs to them now; not who is away.
_APPROVERS = """
WITH given AS (
    SELECT t.team_id, p.user_id FROM tools_tooluserobjectpermission p
    JOIN tools_tool t ON t.id = p.content_object_id JOIN auth_permission c ON c.id = p.permission_id
    WHERE t.team_id = ANY(%s) AND t.state <> 'retired' AND c.codename = 'approve_calls'
    UNION
    SELECT t.team_id, m.user_id FROM tools_toolgroupobjectpermission p
    JOIN tools_tool t ON t.id = p.content_object_id JOIN auth_permission c ON c.id = p.permission_id
    JOIN identities_user_groups m ON m.group_id = p.group_id
    WHERE t.team_id = ANY(%s) AND t.state <> 'retired' AND c.codename = 'approve_calls'
)
SELECT given.team_id, count(*) FROM given JOIN identities_user u ON u.id = given.user_id
WHERE u.is_active AND u.kind = 'person' AND NOT EXISTS (
    SELECT FROM approvals_absence a WHERE a.absent_id = u.id AND a.ended_at IS NULL
    AND now() BETWEEN a.begins_at AND a.ends_at AND a.tool_id IS NULL AND a.group_id IS NULL
    AND (a.team_id IS NULL OR a.team_id = given.team_id)
) GROUP BY 1
"""
_BOUNDS = """
SELECT team_id, per_approver_hour FROM approvals_reviewcapacity WHERE team_id = ANY(%(teams)s) ORDER BY team_id
"""


@dataclass(frozen=True, slots=True)
class ReviewLoad:
    """What a team's people can decide in an hour, and how many requests wait for them."""

    per_approver_hour: int
    approvers: int
    waiting: int

    @property
    def capacity(self) -> int:
        """Return how many decisions the team is good for in an hour."""
        return self.per_approver_hour * self.approvers


def read_loads(
    cursor: Cursor, teams: Sequence[UUID], *, lock: bool = False, bounds: Mapping[UUID, int] | None = None
) -> dict[UUID, ReviewLoad]:
    """Return how the reviewers of teams are loaded; a team is absent of which nobody has said what it can bear.

    ``lock``: until the transaction's end nobody else is told, so that two do not take the same room. ``bounds`` are
    those of the teams, where they were read before.
    """
    if bounds is None:
        bounds = count_by(cursor, f"{_BOUNDS} FOR NO KEY UPDATE" if lock else _BOUNDS, teams)
    if not bounds:
        return {}
    approvers, waiting = _read_sides(cursor, teams)
    return {
        team: ReviewLoad(each, approvers.get(team, 0), waiting.get(team, 0)) for team, each in bounds.items()
    }


def _read_sides(cursor: Cursor, teams: Sequence[UUID]) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Return how many people of each team could decide, and how many requests wait for them, drafts aside."""
    waiting_rows = ApprovalRequest.objects.put_to_people().filter(team__in=teams).order_by()
    counted = waiting_rows.values_list("team").annotate(number=Count("pk"))
    statement, values = counted.query.sql_with_params()
    sides = f"SELECT 'approvers', a.* FROM ({_APPROVERS}) AS a UNION ALL SELECT 'waiting', w.* FROM ({statement}) AS w"  # noqa: S608  constants, and what the ORM has written
    cursor.execute(sides, [list(teams), list(teams), *values])
    rows = cursor.fetchall()
    approvers, waiting = (
        {team: n for side, team, n in rows if side == each} for each in ("approvers", "waiting")
    )
    return approvers, waiting


def count_by(cursor: Cursor, statement: str, teams: Sequence[UUID]) -> dict[UUID, int]:
    """Return a number for each of the teams of which the statement knows one."""
    cursor.execute(statement, {"teams": list(teams)})
    return dict(cursor.fetchall())


def is_bounded(team: UUID) -> bool:
    """Return whether somebody has said how much the team's people can review."""
    return ReviewCapacity.objects.filter(team=team).exists()


@transaction.atomic
def set_review_capacity(*, actor: User, team: Team, per_approver_hour: int | None) -> ReviewCapacity | None:
    """Say how many decisions an hour each approver of a team is good for; None: nobody's runs wait for that.

    One person may: it lets nothing through that was not decided. Raises ValidationFailed for no such number.
    """
    locked = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    require(actor, PERMISSION, locked)
    require_fresh_factor(actor)
    if per_approver_hour is not None and not _is_capacity(per_approver_hour):
        raise ValidationFailed("invalid_capacity", f"a whole number from 1 to {MOST_PER_HOUR}")
    present = ReviewCapacity.objects.filter(team=locked).first()
    if (present and present.per_approver_hour) == per_approver_hour:
        return present
    made = None
    if per_approver_hour is None:
        ReviewCapacity.objects.filter(team=locked).delete()
    else:
        values = {"per_approver_hour": per_approver_hour, "set_by": actor, "set_at": TransactionNow()}
        made, _ = ReviewCapacity.objects.update_or_create(team=locked, defaults=values)
        made.refresh_from_db()
    facts = {"per_approver_hour": per_approver_hour, "before": present and present.per_approver_hour}
    record(locked.pk, "team", Draft("review_capacity.set", timezone.now(), facts, actor=actor.pk))
    return made


def _is_capacity(number: int) -> bool:
    return type(number) is int and 1 <= number <= MOST_PER_HOUR
