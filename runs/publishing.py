"""Agent versions: drafted, published after preflight, then unchangeable, and retired by the next one."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import check_fields
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, User
from identities.policies import require
from runs.behaviour import Behaviour, behaviour_of
from runs.changes import PUBLISHER, describe_publication
from runs.fulfilment.declared import read_tasks
from runs.models import AgentVersion
from runs.preflight import check_version

State = AgentVersion.State


@transaction.atomic
def draft_version(*, actor: User, identity: AgentIdentity, behaviour: Behaviour) -> AgentVersion:
    """Write a new draft, or return the latest version if it behaves just so and is not retired.

    Raises ValidationFailed for fields that no version can have, StateConflict for a revoked agent.
    """
    locked = _lock_identity(identity)
    require(actor, "runs.add_agentversion", locked.team)
    if locked.state == AgentIdentity.State.REVOKED:
        raise StateConflict("agent_revoked", f"agent {locked.slug} is revoked for good")
    latest = locked.versions.order_by("-number").first()
    digest = behaviour.digest()
    if latest is not None and latest.digest == digest and latest.state != State.RETIRED:
        return latest
    number = 1 if latest is None else latest.number + 1
    version = AgentVersion(identity=locked, number=number, digest=digest, **behaviour.values())
    check_fields(version)
    _check_tools(behaviour)
    version.save(force_insert=True)
    for tool_version in behaviour.catalogue:  # one by one: the model sees the tools in this order
        version.catalogue.add(tool_version)
    facts = {"identity": str(locked.id), "number": number, "digest": digest}
    _record(version, "version.drafted", actor, facts)
    return version


@transaction.atomic
def publish_version(*, actor: User, version: AgentVersion) -> AgentVersion:
    """Publish a draft; the version published until now is retired with the same commit.

    Raises StateConflict unless it is a draft, ValidationFailed (preflight_failed) with all findings,
    SecondPersonNeeded where its runs may spend more than those of the version before, or it takes up an earlier,
    laxer definition of a tool.
    """
    _lock_identity(version.identity)  # publications of one agent come one after the other
    locked = _lock_version(version)
    require(actor, PUBLISHER, locked.identity.team)
    require_fresh_factor(actor)
    if locked.state != State.DRAFT:
        raise StateConflict("not_a_draft", f"{locked} is {locked.state}: draft a new version")
    findings = check_version(locked)
    if findings:
        detail = "; ".join(f"{finding.subject}: {finding.problem}" for finding in findings)
        raise ValidationFailed("preflight_failed", detail, problems=findings)
    digest = behaviour_of(locked).digest()
    cleared = clear_change(actor, describe_publication(locked, digest))
    for previous in AgentVersion.objects.filter(identity=locked.identity, state=State.PUBLISHED):
        _retire(previous, actor)
    locked.state, locked.digest = State.PUBLISHED, digest
    locked.published_at, locked.published_by = timezone.now(), actor
    locked.save(update_fields=["state", "digest", "published_at", "published_by"])
    facts = {"identity": str(locked.identity_id), "number": locked.number, "digest": digest}
    _record(locked, "version.published", actor, {**facts, **cleared})
    return locked


@transaction.atomic
def retire_version(*, actor: User, version: AgentVersion) -> AgentVersion:
    """Take a published version out of use: no new runs; those that are going keep it to their end."""
    locked = _lock_version(version)
    require(actor, PUBLISHER, locked.identity.team)
    if locked.state != State.PUBLISHED:
        raise StateConflict("not_published", f"{locked} is {locked.state}")
    _retire(locked, actor)
    return locked


def _retire(version: AgentVersion, actor: User) -> None:
    version.state = State.RETIRED
    version.save(update_fields=["state"])
    _record(version, "version.retired", actor, {"identity": str(version.identity_id)})


def _check_tools(behaviour: Behaviour) -> None:
    names = [tool_version.tool.name for tool_version in behaviour.catalogue]
    if len(set(names)) < len(names):
        raise ValidationFailed("tool_twice", "a catalogue names every tool once, in one version")
    for task in read_tasks(behaviour.tasks):
        if unknown := sorted(task.tools - set(names)):
            raise ValidationFailed(
                "unknown_tool_in_task",
                f"task {task.name}: the version has no tool {', '.join(unknown)}, so that cannot be told of its runs",
            )


def _lock_identity(identity: AgentIdentity) -> AgentIdentity:
    rows = AgentIdentity.objects.select_for_update(of=("self",)).select_related("team")
    return rows.get(pk=identity.pk)


def _lock_version(version: AgentVersion) -> AgentVersion:
    rows = AgentVersion.objects.select_for_update(of=("self",)).select_related("identity__team")
    return rows.get(pk=version.pk)


def _record(version: AgentVersion, kind: str, actor: User, facts: Mapping[str, object]) -> None:
    record(version.id, "version", Draft(kind, timezone.now(), dict(facts), actor=actor.id))
