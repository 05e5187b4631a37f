"""Applications, and which agents they may start."""

from __future__ import annotations

from functools import partial
from typing import Any

from agentops.rows import Changes
from identities.models import AgentIdentity, Application
from identities.services import (
    allow_start,
    create_application,
    declare_resource,
    revoke_application,
    update_application,
)
from runs.provisioning.session import Session, at


def apply_resources(session: Session) -> None:
    """Declare what applications serve: tools name it, and come before them."""
    for slug, entry in session.section("applications").items():
        if "audience" not in entry or entry.get("state") == Application.State.REVOKED:
            continue
        with at(f"applications/{slug}"):
            application = Application.objects.filter(slug=slug).first()
            if application is None:
                application = _make(session, slug, entry)
                session.made.add(slug)
            session.declared[slug] = declare_resource(
                actor=session.actor, application=application, audience=entry["audience"]
            )


def apply_applications(session: Session) -> None:
    """Create or change applications; the right to start an agent is added, never taken away."""
    for slug, entry in session.section("applications").items():
        with at(f"applications/{slug}"):
            application = Application.objects.filter(slug=slug).first()
            if application is None or slug in session.made:
                _create(session, slug, entry)
            else:
                session.changed("application", slug, _update(session, application, entry))


def _create(session: Session, slug: str, entry: dict[str, Any]) -> None:
    application = Application.objects.filter(slug=slug).first() or _make(session, slug, entry)
    for name in entry.get("may_start", []):
        allow_start(actor=session.actor, application=application, agent=session.agent(name))
    said = {name: entry.get(name) for name in ("name", "may_assert_users", "audience", "may_start")}
    session.created("application", slug, {**said, "may_assert_users": application.may_assert_users})


def _make(session: Session, slug: str, entry: dict[str, Any]) -> Application:
    made = create_application(
        actor=session.actor, team=session.team(entry["team"]), slug=slug, name=entry["name"]
    )
    if entry.get("may_assert_users", False):
        _say(session, made, entry)
        made.refresh_from_db()
    return made


def _say(session: Session, application: Application, entry: dict[str, Any]) -> Changes:
    """Say what the document says of an application; that it may name users may wait for a second person."""
    act = partial(
        update_application, actor=session.actor, application=application, name=entry["name"],
        may_assert_users=entry.get("may_assert_users", False),
    )  # fmt: skip
    return session.govern(f"application {application.slug}", act) or {}


def _update(session: Session, application: Application, entry: dict[str, Any]) -> Changes:
    if entry.get("state") == Application.State.REVOKED:
        if application.state == Application.State.REVOKED:
            return {}
        revoke_application(actor=session.actor, application=application)
        return {"state": ("active", "revoked")}
    changes = _say(session, application, entry)
    changes |= session.declared.get(application.slug, {})
    wanted = entry.get("may_start", [])
    added = [
        name
        for name in wanted
        if allow_start(actor=session.actor, application=application, agent=session.agent(name))
    ]
    if added:
        changes["may_start"] = ("", f"+ {', '.join(added)}")
    _note_others(session, application, wanted)
    return changes


def _note_others(session: Session, application: Application, wanted: list[str]) -> None:
    startable = AgentIdentity.objects.visible_to(application.service_account)
    others = sorted(startable.exclude(slug__in=wanted).values_list("slug", flat=True))
    if others:
        session.notes.append(f"application {application.slug} may also start {', '.join(others)}; that stays")
