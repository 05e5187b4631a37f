"""Verbs on schedules, called alike by the API and the console: set, change, pause, resume, end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from identities.models import STAFF_ISSUER, AgentIdentity, ApiKey, User
from runs.fulfilment.judging import check_task
from runs.models import AgentVersion, Priority, RunMode, Schedule
from runs.policies import May, may_control_schedule, may_start, may_start_version
from runs.schedules.timing import check_times, first_after, put_off
from runs.services import check_text
from runs.starting import find_principal, published_version

MOST_SPREAD_S = 3_600
MOST_OF_AN_OWNER = 500
TIMES = ("cron", "timezone", "spread_s")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done, and when. ``pinned``: only by the version that is published now."""

    name: str
    message: str
    cron: str
    timezone: str = "UTC"
    catch_up: str = Schedule.CatchUp.LAST
    overlap: str = Schedule.Overlap.SKIP
    spread_s: int = 0
    mode: str = RunMode.ACT
    priority: int = Priority.NORMAL
    task: str = ""
    pinned: bool = False


@transaction.atomic
def create_schedule(
    *,
    actor: User,
    agent: AgentIdentity,
    task: Task,
    principal: tuple[str, str] | None = None,
    credential: ApiKey | None = None,
) -> Schedule:
    """Have an agent given a task by the clock, in the actor's own name or, by an application, in its user's.

    Raises PolicyDenied where the actor could not start it now, ValidationFailed for a task that names no time,
    StateConflict for a name that is taken.
    """
    _check(task)
    _come_one_by_one(actor)
    issuer, subject = principal or (STAFF_ISSUER, actor.get_username())
    application = actor.application if actor.kind == User.Kind.APPLICATION else None
    may_start(actor, agent, application, (issuer, subject)).enforce()
    version = published_version(agent)
    may_start_version(version, application).enforce()
    check_task(version, task.task, RunMode(task.mode))
    user = find_principal(agent, issuer, subject)
    schedule = Schedule(
        id=new_id(), team_id=agent.team_id, identity=agent, owner=actor, application=application,
        credential=credential, principal=user, **_columns(task, version),
    )  # fmt: skip
    _check_name(schedule)
    if _open_ones_of(actor).count() >= MOST_OF_AN_OWNER:
        raise StateConflict("too_many_schedules", f"nobody has more than {MOST_OF_AN_OWNER} schedules")
    _wind(schedule)
    schedule.save(force_insert=True)
    _record(schedule, "schedule.set", actor, _facts(schedule), {"message": task.message})
    return schedule


@transaction.atomic
def change_schedule(
    *, actor: User, schedule: Schedule, task: Task, credential: ApiKey | None = None
) -> Schedule:
    """Change what is done and when; only its owner may, in whose name it is done, and with whose present key.

    Raises StateConflict for a name that another of theirs has.
    """
    _check(task)
    _come_one_by_one(schedule.owner)
    locked = _lock(schedule)
    _require_owner(actor, locked)
    _require_open(locked)
    version = published_version(locked.identity)
    check_task(version, task.task, RunMode(task.mode))
    for column, value in _columns(task, version).items():
        setattr(locked, column, value)
    locked.credential = credential
    _check_name(locked)
    _wind(locked)
    locked.save()
    _record(locked, "schedule.changed", actor, _facts(locked), {"message": task.message})
    return locked


@transaction.atomic
def pause_schedule(*, actor: User, schedule: Schedule, reason: str = "") -> Schedule:
    """Let nothing begin by it until it is resumed; what has begun goes on."""
    locked = _lock(schedule)
    may_control_schedule(actor, locked).enforce()
    if locked.state != Schedule.State.ACTIVE:
        raise StateConflict("not_active", f"the schedule is {locked.state}")
    pause(locked, "by_a_person", actor, reason)
    return locked


@transaction.atomic
def resume_schedule(*, actor: User, schedule: Schedule, credential: ApiKey | None = None) -> Schedule:
    """Let it begin again with its next time; what was missed meanwhile stays so. Only its owner may, as above."""
    locked = _lock(schedule)
    _require_owner(actor, locked)
    if locked.state != Schedule.State.PAUSED:
        raise StateConflict("not_paused", f"the schedule is {locked.state}, not paused")
    locked.state, locked.paused_for, locked.refusals = Schedule.State.ACTIVE, "", 0
    locked.credential = credential
    _wind(locked)
    locked.save()
    _record(locked, "schedule.resumed", actor, {})
    return locked


@transaction.atomic
def end_schedule(*, actor: User, schedule: Schedule, reason: str = "") -> Schedule:
    """End it for good; what has begun goes on."""
    locked = _lock(schedule)
    may_control_schedule(actor, locked).enforce()
    _require_open(locked)
    locked.state, locked.paused_for = Schedule.State.ENDED, ""
    locked.save(update_fields=["state", "paused_for"])
    _record(locked, "schedule.ended", actor, {}, {"reason": reason} if reason else None)
    return locked


def pause(schedule: Schedule, code: str, by: User | None = None, reason: str = "") -> None:
    """Pause a schedule whose row is locked, by a person or because of what became of its starts."""
    schedule.state, schedule.paused_for = Schedule.State.PAUSED, code[:64]
    schedule.save(update_fields=["state", "paused_for"])
    _record(schedule, "schedule.paused", by, {"code": code}, {"reason": reason} if reason else None)


def find_schedule(viewer: User, schedule_id: Any) -> Schedule:  # Any: a UUID, or what an address says
    """Return a schedule that somebody may see; raises NotFound."""
    rows = Schedule.objects.visible_to(viewer).select_related("identity", "owner", "principal", "team")
    found = rows.filter(pk=schedule_id).first()
    if found is None:
        raise NotFound("unknown_schedule", "There is no such schedule, or it is not for you to see.")
    return found


def may_change(actor: User, schedule: Schedule) -> May:
    """Return whether somebody may change or resume a schedule: nobody else says what is done in one's name."""
    mine = schedule.owner_id == actor.pk and actor.is_active
    return May(mine, "" if mine else "not_its_owner", "" if mine else "only its owner changes or resumes it")


def _check(task: Task) -> None:
    check_text(task.message)
    if is_blank(task.name) or len(task.name) > 80 or not task.name.isprintable():
        raise ValidationFailed("bad_name", "a schedule's name has 1 to 80 printable characters")
    if len(task.cron) > 100:
        raise ValidationFailed("bad_cron", "a cron expression has 100 characters at most")
    check_times(task.cron, task.timezone)
    if not 0 <= task.spread_s <= MOST_SPREAD_S:
        raise ValidationFailed("bad_spread", f"starts are put off by 0 to {MOST_SPREAD_S} seconds")
    if task.priority not in Priority.values:
        raise ValidationFailed("bad_choice", "there is no such priority")
    for value, known in (
        (task.catch_up, Schedule.CatchUp),
        (task.overlap, Schedule.Overlap),
        (task.mode, RunMode),
    ):
        if value not in known.values:
            raise ValidationFailed("bad_choice", f"{value[:20]!r} is none of {', '.join(known.values)}")


def _come_one_by_one(owner: User) -> None:
    """Wait for whoever sets or changes another schedule of this owner, whose names and number are looked at."""
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)


def _open_ones_of(owner: User) -> QuerySet[Schedule]:
    return Schedule.objects.filter(owner=owner).exclude(state=Schedule.State.ENDED)


def _check_name(schedule: Schedule) -> None:
    others = _open_ones_of(schedule.owner).exclude(pk=schedule.pk)
    same = others.filter(identity=schedule.identity_id, principal=schedule.principal_id, name=schedule.name)
    if same.exists():
        raise StateConflict("name_taken", "there is a schedule of this name for this agent and this person")


def _columns(task: Task, version: AgentVersion) -> dict[str, Any]:  # Any: columns
    columns = {**asdict(task), "agent_version": version if task.pinned else None}
    columns.pop("pinned")
    return columns


def _wind(schedule: Schedule) -> None:
    """Set the next time, from now on."""
    schedule.due_at = first_after(schedule.cron, schedule.timezone, timezone.now())
    schedule.starts_at = put_off(schedule.pk, schedule.due_at, schedule.spread_s)


def _lock(schedule: Schedule) -> Schedule:
    rows = Schedule.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("identity", "owner", "team").get(pk=schedule.pk)


def _require_owner(actor: User, schedule: Schedule) -> None:
    may_change(actor, schedule).enforce()


def _require_open(schedule: Schedule) -> None:
    if schedule.state == Schedule.State.ENDED:
        raise StateConflict("schedule_ended", "the schedule has ended: set another")


def _facts(schedule: Schedule) -> dict[str, Any]:  # Any: JSON
    version = schedule.agent_version_id
    return {
        "identity": str(schedule.identity_id), "owner": str(schedule.owner_id),
        "principal": str(schedule.principal_id), "version": str(version) if version else None,
        "cron": schedule.cron, "timezone": schedule.timezone, "catch_up": str(schedule.catch_up),
        "overlap": str(schedule.overlap), "spread_s": schedule.spread_s, "mode": str(schedule.mode),
        "priority": int(schedule.priority), "task": schedule.task, "due_at": schedule.due_at.isoformat(),
    }  # fmt: skip


def _record(
    schedule: Schedule, kind: str, actor: User | None, facts: dict[str, Any], content: Any = None
) -> None:  # Any: JSON
    record(schedule.pk, "schedule", Draft(kind, timezone.now(), facts, content, actor.pk if actor else None))
