"""Tasks by the clock, in the name of whoever applies the document: a file gives nobody the right to start a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from identities.models import STAFF_ISSUER, AgentIdentity, User
from runs.models import Priority, Schedule
from runs.provisioning.session import Session, at
from runs.schedules.services import (
    Task,
    change_schedule,
    create_schedule,
    end_schedule,
    pause_schedule,
    resume_schedule,
)
from runs.starting import published_version


def apply_schedules(session: Session) -> None:
    """Set each listed schedule; one that is not listed stays as it is."""
    for place, entry in enumerate(session.document.get("schedules", [])):
        with at(f"schedules/{place}"):
            agent = session.agent(entry["agent"])
            standing = _standing(session.actor, agent, entry["name"])
            if entry.get("state") == "ended":
                _end(session, f"{agent.slug}, {entry['name']}", standing)
            else:
                _set(session, agent, standing, entry)


def _standing(owner: User, agent: AgentIdentity, name: str) -> Schedule | None:
    theirs = {"principal__issuer": STAFF_ISSUER, "principal__subject": owner.get_username()}
    rows = Schedule.objects.exclude(state="ended").select_related("agent_version", "owner")
    return rows.filter(owner=owner, identity=agent, name=name, **theirs).first()


def _end(session: Session, name: str, standing: Schedule | None) -> None:
    if standing is None:
        session.changed("schedule", name, {})
        return
    end_schedule(actor=session.actor, schedule=standing)
    session.changed("schedule", name, {"state": (standing.state, "ended")})


def _set(session: Session, agent: AgentIdentity, standing: Schedule | None, entry: dict[str, Any]) -> None:
    name, task = f"{agent.slug}, {entry['name']}", _task(entry)
    if standing is None:
        made = create_schedule(actor=session.actor, agent=agent, task=task)
        session.created("schedule", name, {**asdict(task), **_moved(session.actor, made, entry)})
        return
    changes = _differences(standing, task)
    if changes:
        standing = change_schedule(actor=session.actor, schedule=standing, task=task)
    session.changed("schedule", name, {**changes, **_moved(session.actor, standing, entry)})


def _task(entry: dict[str, Any]) -> Task:
    """Return the task; what is left out has its default."""
    given = {name: value for name, value in entry.items() if name not in ("agent", "state", "priority")}
    return Task(**given, priority=Priority[entry.get("priority", "normal").upper()])


def _differences(standing: Schedule, task: Task) -> dict[str, tuple[object, object]]:
    """Return what is other than before; one that is pinned follows what is published, with this document."""
    said = {**asdict(task), "pinned": published_version(standing.identity) if task.pinned else None}
    stands = {name: getattr(standing, name) for name in said if name != "pinned"}
    stands["pinned"] = standing.agent_version
    return {name: (stands[name], value) for name, value in said.items() if stands[name] != value}


def _moved(actor: User, schedule: Schedule, entry: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """Pause or resume it where the entry says so; a document that says nothing leaves it as people left it."""
    wanted = entry.get("state", schedule.state)
    if wanted == schedule.state:
        return {}
    if wanted == Schedule.State.PAUSED:
        pause_schedule(actor=actor, schedule=schedule)
    else:
        resume_schedule(actor=actor, schedule=schedule)
    return {"state": (schedule.state, wanted)}
