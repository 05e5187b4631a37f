"""Publishing a version as a governed change: what its runs may spend, and how its tools are defined, goes with it."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from identities.changes import Change, as_json, find_loosening
from identities.models import User
from runs.models import AgentVersion
from tools.services.changes import allows_more

PUBLISH = "agent_version.publish"
PUBLISHER = "runs.change_agentversion"
LIMITS = (
    "max_steps",
    "max_tokens",
    "max_usd",
    "max_seconds",
    "run_expires_after_s",
    "repeat_limit",
    "max_extensions",
    "extension_percent",
    "plan",
    "off_plan",
    "redact",
    "memory",
)

Row = dict[str, Any]  # Any: columns


def describe_publication(version: AgentVersion, digest: str) -> Change:
    """Describe what new runs will be bound by, beside what those of the version before are bound by."""
    previous = latest_published(version)
    before = None if previous is None else _limits(previous)
    after = _limits(version)
    return Change(
        verb=PUBLISH,
        subject=str(version.identity_id),
        team=version.identity.team,
        permission=PUBLISHER,
        title=f"New runs of {version.identity} behave as version {version.number} says",
        arguments={"version": str(version.id)},
        before=None if before is None or previous is None else as_json({**before, **_name(previous)}),
        after=as_json({**after, **_name(version), "state": "published", "digest": digest}),
        loosening=(
            *(() if before is None else find_loosening(before, after)),
            *(("catalogue",) if _goes_back(version, previous) else ()),
        ),
        undo=None if previous is None else {"like": str(previous.id)},
    )


def latest_published(version: AgentVersion) -> AgentVersion | None:
    """Return what was published last of the same agent; retired or not, it is what the next one follows."""
    others = AgentVersion.objects.filter(identity=version.identity).exclude(state="draft")
    return others.exclude(pk=version.pk).order_by(F("published_at").desc(nulls_last=True), "-number").first()


def _limits(version: AgentVersion) -> Row:
    return {name: getattr(version, name) for name in LIMITS}


def _name(version: AgentVersion) -> Row:
    tools = version.catalogue.select_related("tool").order_by("tool__name", "number")
    roles = {"model_roles": version.model_roles} if version.model_roles else {}
    return {
        "number": version.number,
        "model": version.model,
        **roles,
        **({"tasks": version.tasks} if version.tasks else {}),
        "catalogue": [str(tool) for tool in tools],
    }


def _goes_back(version: AgentVersion, previous: AgentVersion | None) -> bool:
    """Return whether it takes up an earlier definition of a tool that allows more than the latest."""
    taken_up = version.catalogue.all()
    if previous is not None:
        taken_up = taken_up.exclude(pk__in=previous.catalogue.values("pk"))
    return any(allows_more(tool_version) for tool_version in taken_up)


def carry_out_publication(actor: User, arguments: Row) -> object:
    """Publish the draft that a proposal names; to go back, publish anew what was published before."""
    from runs.behaviour import behaviour_of
    from runs.publishing import draft_version, publish_version  # which describe themselves here

    if "like" in arguments:
        before = AgentVersion.objects.select_related("identity").get(pk=arguments["like"])
        draft = draft_version(actor=actor, identity=before.identity, behaviour=behaviour_of(before))
    else:
        draft = AgentVersion.objects.get(pk=arguments["version"])
    return publish_version(actor=actor, version=draft)
