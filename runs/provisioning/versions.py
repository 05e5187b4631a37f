"""Agent versions: drafted where the behaviour differs from the latest, published after preflight."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction

from agentops.errors import ValidationFailed
from agentops.rows import Changes
from identities.models import AgentIdentity
from runs.behaviour import FIELDS, Behaviour, behaviour_of
from runs.evaluation.gate import NOT_EVALUATED
from runs.models import AgentVersion
from runs.preflight import advise
from runs.provisioning.session import Session, at
from runs.publishing import draft_version, publish_version, retire_version
from tools.models import ToolVersion
from tools.services.catalogue import latest_version


def apply_versions(session: Session) -> None:
    """Give each listed agent the behaviour that the document describes."""
    for slug, entry in session.section("versions").items():
        with at(f"versions/{slug}"):
            agent = session.agent(slug)
            if entry.get("state") == "retired":
                _retire(session, agent)
            else:
                _apply(session, agent, entry)


def _apply(session: Session, agent: AgentIdentity, entry: dict[str, Any]) -> None:
    previous = agent.versions.order_by("-number").first()
    behaviour = _behaviour(session, agent, entry)
    before = None if previous is None else behaviour_of(previous)
    version = draft_version(actor=session.actor, identity=agent, behaviour=behaviour)
    drafted = previous is None or version.pk != previous.pk
    changes = _differences(before, behaviour) if drafted else {}
    if drafted:  # once: what is applied again says nothing new
        session.notes += [str(finding) for finding in advise(version, behaviour.catalogue)]
    wanted = entry.get("state", "published") == "published" and version.state == AgentVersion.State.DRAFT
    if wanted and _publish(session, version):
        changes["state"] = (None if previous is None else "draft", "published")
    name = f"{agent.slug} v{version.number}"
    if drafted and previous is not None:
        session.followed("version", name, changes)
    elif drafted:
        session.created("version", name, {field: after for field, (_, after) in changes.items()})
    else:
        session.changed("version", name, changes)


def _publish(session: Session, version: AgentVersion) -> bool:
    """Publish a draft; return False, with a note, where that waits for a second person, or for an evaluation."""
    try:
        with transaction.atomic():
            publish = partial(publish_version, actor=session.actor, version=version)
            return session.govern(f"version {version}", publish) is not None
    except ValidationFailed as error:
        if error.code == "preflight_failed" and {each.code for each in error.problems} == {NOT_EVALUATED}:
            session.notes += [str(each) for each in error.problems]
            session.notes.append(f"{version}: drafted; apply this again when it has been evaluated")
            return False
        if error.code != "preflight_failed" or not session.waiting:
            raise
        session.notes.append(f"{version}: drafted; apply this again when what waits is activated")
        return False


def _behaviour(session: Session, agent: AgentIdentity, entry: dict[str, Any]) -> Behaviour:
    values = {name: entry[name] for name in FIELDS if name in entry}
    values |= entry.get("budget", {})
    if values.get("max_usd") is not None:
        values["max_usd"] = Decimal(values["max_usd"])
    catalogue = tuple(_tool_version(session, agent, name) for name in entry.get("catalogue", []))
    return Behaviour(catalogue=catalogue, **values)


def _tool_version(session: Session, agent: AgentIdentity, name: str) -> ToolVersion:
    version = latest_version(session.tool(agent.team, name))
    if version is None:
        raise ValidationFailed("tool_without_version", f"tool {name} has no version yet")
    return version


def _differences(before: Behaviour | None, after: Behaviour) -> Changes:
    tools = [str(version) for version in after.catalogue]
    changes: Changes = {"catalogue": ([str(v) for v in before.catalogue] if before else None, tools)}
    changes |= {name: (getattr(before, name, None), getattr(after, name)) for name in FIELDS}
    return {name: pair for name, pair in changes.items() if pair[0] != pair[1]}


def _retire(session: Session, agent: AgentIdentity) -> None:
    published = agent.versions.filter(state=AgentVersion.State.PUBLISHED).first()
    if published is not None:
        retire_version(actor=session.actor, version=published)
    changes: Changes = {"state": ("published", "retired")} if published else {}
    session.changed("version", agent.slug if published is None else str(published), changes)
