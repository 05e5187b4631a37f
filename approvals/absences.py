"""Being away: who stands in meanwhile. Who is away says so themselves; for them, two people say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from agentops.errors import NotFound, PolicyDenied, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from approvals.models import Absence
from approvals.models.absences import LONGEST
from approvals.seats import CODENAME
from identities.changes import Change, as_json, clear_change
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import may_govern, require
from identities.querysets import is_known_person
from identities.roles import is_auditor
from tools.models import Tool, ToolGroupObjectPermission, ToolUserObjectPermission

DECLARE = "absence.declare"
PERMISSION = "approvals.add_absence"
AHEAD = timedelta(days=90)
MOST_STANDING = 20  # of one person: each is looked at whenever their deputy is asked
REASON_LIMIT = 200

Row = dict[str, Any]  # Any: columns


@dataclass(frozen=True, slots=True)
class Leave:
    """An absence as somebody proposes it; without team, tool and group for all that the absent may decide."""

    absent: User
    deputy: User
    begins_at: datetime
    ends_at: datetime
    reason: str
    team: Team | None = None
    tool: Tool | None = None
    group: Group | None = None

    def values(self) -> Row:
        """Return the columns; a tool is of one team."""
        team = self.tool.team_id if self.tool else self.team.pk if self.team else None
        return {
            "absent_id": self.absent.pk,
            "deputy_id": self.deputy.pk,
            "team_id": team,
            "tool_id": self.tool.pk if self.tool else None,
            "group_id": self.group.pk if self.group else None,
            "begins_at": self.begins_at,
            "ends_at": self.ends_at,
            "reason": self.reason,
        }


@transaction.atomic
def declare_absence(*, actor: User, leave: Leave) -> Absence:
    """Let a deputy decide for somebody who is away, what those could decide, within the time.

    Raises ValidationFailed, PolicyDenied for who is neither the absent nor somebody who may say it for them, and for
    the latter SecondPersonNeeded.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=leave.absent.pk)
    if not (actor.pk == locked.pk and is_known_person(actor)):
        require(actor, PERMISSION, leave.tool.team if leave.tool else leave.team)
    require_fresh_factor(actor)
    now, values = timezone.now(), leave.values()
    if present := Absence.objects.filter(ended_at=None, **values).first():
        return present
    if faults := list(_find_faults(leave, locked, now)):
        raise ValidationFailed("invalid_absence", "; ".join(faults), problems=faults)
    cleared = {} if actor.pk == locked.pk else _clear(actor, leave)
    made = Absence.objects.create(declared_by=actor, declared_at=now, **values)
    _record(made, "absence.declared", actor, {**as_json(values), **cleared})
    return made


@transaction.atomic
def end_absence(*, actor: User, absence: Absence) -> Absence:
    """Take a deputy's seat back at once: the absent do, the deputies themselves, and who may name one.

    Doing it twice is fine. What the deputy approved and nobody has used yet does not count any more.
    """
    if not Absence.objects.visible_to(actor).filter(pk=absence.pk).exists():
        raise NotFound("unknown_absence", "there is no such absence")
    locked = Absence.objects.select_for_update(of=("self",)).select_related("team").get(pk=absence.pk)
    is_theirs = is_known_person(actor) and actor.pk in (locked.absent_id, locked.deputy_id)
    if not is_theirs and not may_govern(actor, PERMISSION, locked.team).allowed:
        raise PolicyDenied("not_permitted", "only the two of them end it, and who may name deputies there")
    if locked.ended_at is None:
        locked.ended_at, locked.ended_by = timezone.now(), actor
        locked.save(update_fields=["ended_at", "ended_by"])
        _record(locked, "absence.ended", actor, {})
    return locked


def carry_out_absence(actor: User, arguments: Row) -> object:
    """Declare the absence that a proposal holds."""
    return declare_absence(actor=actor, leave=read_leave(arguments))


def read_leave(row: Mapping[str, Any]) -> Leave:
    """Return an absence from its columns as JSON keeps them."""

    def find(rows: QuerySet[Any], name: str) -> Any:  # Any: a row of one of four models
        return rows.get(pk=row[name]) if row[name] is not None else None

    people = User.objects.filter(kind=User.Kind.PERSON)
    return Leave(
        find(people, "absent_id"), find(people, "deputy_id"), datetime.fromisoformat(row["begins_at"]),
        datetime.fromisoformat(row["ends_at"]), row["reason"], find(Team.objects.all(), "team_id"),
        find(Tool.objects.select_related("team"), "tool_id"), find(Group.objects.all(), "group_id"),
    )  # fmt: skip


def _clear(actor: User, leave: Leave) -> dict[str, str]:
    """Have two people say it for the absent, neither of whom becomes the deputy."""
    cleared = {} if actor.pk == leave.deputy.pk else clear_change(actor, _describe(leave, leave.values()))
    if str(leave.deputy.pk) in (str(actor.pk), cleared.get("activated_by")):
        raise PolicyDenied("own_approval", "nobody makes themselves somebody else's deputy: ask a colleague")
    return cleared


def _describe(leave: Leave, values: Row) -> Change:
    columns = as_json(values)
    return Change(
        verb=DECLARE,
        subject=f"{leave.absent.pk}:{leave.deputy.pk}",
        team=leave.tool.team if leave.tool else leave.team,
        permission=PERMISSION,
        title=f"{leave.deputy} as deputy of {leave.absent}",
        arguments=columns,
        before=None,
        after=columns,
        loosening=("deputy_id",),
    )


def _record(absence: Absence, kind: str, actor: User, facts: Mapping[str, Any]) -> None:
    """Record on the stream of who is away; the reason may be personal."""
    said = {name: value for name, value in facts.items() if name not in ("reason", "absent_id")}
    content = {"reason": absence.reason} if "reason" in facts else None
    draft = Draft(kind, timezone.now(), {"absence": str(absence.pk), **said}, content, actor.pk)
    record(absence.absent_id, "person", draft)


# --- what may be said -------------------------------------------------------------------------------------


def tools_to_approve(person: User) -> Q:
    """Return the condition on tools that their calls are this person's to approve."""
    own = ToolUserObjectPermission.objects.filter(user=person, permission__codename=CODENAME)
    by_group = ToolGroupObjectPermission.objects.filter(group__user=person, permission__codename=CODENAME)
    return Q(pk__in=own.values("content_object")) | Q(pk__in=by_group.values("content_object"))


def find_deputies(teams: QuerySet[Team]) -> QuerySet[User]:
    """Return who could stand in for somebody in these teams: whoever approves calls of some tool of theirs."""
    of_teams = {"content_object__team__in": teams.values("pk"), "permission__codename": CODENAME}
    people = User.objects.filter(kind=User.Kind.PERSON, is_active=True)
    own = ToolUserObjectPermission.objects.filter(**of_teams)
    by_group = ToolGroupObjectPermission.objects.filter(**of_teams)
    approvers = Q(pk__in=own.values("user")) | Q(groups__in=by_group.values("group"))
    return people.filter(approvers).distinct().order_by("username")


def _find_faults(leave: Leave, absent: User, now: datetime) -> Iterator[str]:
    yield from _find_time_faults(leave, now)
    if is_blank(leave.reason) or len(leave.reason) > REASON_LIMIT:
        yield f"reason: up to {REASON_LIMIT} characters"
    if not is_known_person(absent) or is_auditor(absent):
        yield "absent: an active person, who decides about something"
        return
    if leave.group and not absent.groups.filter(pk=leave.group.pk).exists():
        yield "group: one that the absent is in"
    if leave.team and leave.tool and leave.tool.team_id != leave.team.pk:
        yield "tool: one of the team's"
    yield from _find_deputy_faults(leave, absent)
    if Absence.objects.filter(absent=absent, ended_at=None, ends_at__gt=now).count() >= MOST_STANDING:
        yield f"absent: at most {MOST_STANDING} deputies at a time; end one"


def _find_time_faults(leave: Leave, now: datetime) -> Iterator[str]:
    if not leave.begins_at < leave.ends_at <= leave.begins_at + LONGEST:
        yield f"ends_at: after begins_at, by at most {LONGEST.days} days"
    if leave.ends_at <= now:
        yield "ends_at: still to come"
    if leave.begins_at > now + AHEAD:
        yield f"begins_at: at most {AHEAD.days} days ahead"


def _find_deputy_faults(leave: Leave, absent: User) -> Iterator[str]:
    left = Tool.objects.filter(tools_to_approve(absent))
    left = left.filter(pk=leave.tool.pk) if leave.tool else left
    left = left.filter(team=leave.team) if leave.team else left
    if not left.exists():
        yield "absent: somebody who has calls to approve there; there is nothing to decide for them"
    elif leave.deputy.pk == absent.pk:
        yield "deputy: somebody else"
    elif is_auditor(leave.deputy) or not _approves(leave.deputy, left):
        yield "deputy: an active person who has calls of that team to approve themselves"


def _approves(deputy: User, left: QuerySet[Tool]) -> bool:
    teams: QuerySet[Team] = Team.objects.filter(pk__in=left.values("team"))
    return is_known_person(deputy) and find_deputies(teams).filter(pk=deputy.pk).exists()


def find_absence(viewer: User, absence: UUID) -> Absence:
    """Return an absence that this person may see; raises NotFound."""
    rows = Absence.objects.visible_to(viewer).select_related(*NAMED)
    found: Absence | None = rows.filter(pk=absence).first()
    if found is None:
        raise NotFound("unknown_absence", "There is no such absence, or it is not for you to see.")
    return found


NAMED = ("absent", "deputy", "team", "tool", "group", "declared_by", "ended_by")


def state_of(absence: Absence, now: datetime) -> str:
    """Return whether it counts: planned, active, over (its time has run out) or ended (it was taken back)."""
    if absence.ended_at is not None:
        return "ended"
    if absence.ends_at <= now:
        return "over"
    return "active" if absence.begins_at <= now else "planned"


def tell_scope(absence: Absence) -> str:
    """Return for what the deputy stands in, in words."""
    where = (
        f"calls of {absence.tool}" if absence.tool else f"calls of {absence.team}" if absence.team else "all"
    )
    if absence.group_id is None:
        return where
    return f"{where}, as one of {_name_group(absence)}"


def _name_group(absence: Absence) -> str:
    try:
        return absence.group.name if absence.group else "a group that is gone"
    except Group.DoesNotExist:
        return "a group that is gone"
