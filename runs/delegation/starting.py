"""Starting a child: as itself, within all that its parent may, for a share of what its parent has left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from agentops.engine.shares import find_lacking, least_of
from agentops.engine.state import ZERO, Limits, RunState
from agentops.errors import PolicyDenied, StateConflict
from agentops.messages import send_after_commit
from agentops.tracing import continue_trace
from identities.models import AgentIdentity
from runs.bounds import bind_to, check_own, hold_parent
from runs.changesets.forms import Ceilings, limit_tools
from runs.delegation.receiving import Brought, take_task
from runs.delegation.tasks import digest_task, write_task
from runs.models import AgentVersion, Priority, Run, RunMode
from runs.policies import may_start_version
from runs.queues import DRIVE, queue_of
from runs.starting import Origin, create_run, find_principal, published_version, record_start, refuse_stopped
from tools.delegation import Terms

# Down from the run that nobody started another for: what its tree holds, and what of this run is going.
_COUNT = """
WITH RECURSIVE tree AS (
    SELECT id, parent_id, ended_at FROM runs_run WHERE id = %(root)s
    UNION ALL SELECT r.id, r.parent_id, r.ended_at FROM runs_run r JOIN tree ON r.parent_id = tree.id
)
SELECT count(*), count(*) FILTER (WHERE parent_id = %(run)s AND ended_at IS NULL) FROM tree
"""


@dataclass(frozen=True, slots=True)
class Handed:
    """What a call hands to another agent: by which step and call, on what terms, and what the child is told.

    ``brought``: the token that the child takes it by.
    """

    step: int
    call: int
    terms: Terms
    brought: Brought
    arguments: Mapping[str, Any]  # Any: JSON
    evidence: dict[str, Any]  # Any: JSON
    traceparent: str


def start_child(parent_id: UUID, state: RunState, handed: Handed) -> tuple[Run, Limits]:
    """Start the child of a call, in the transaction that records its attempt; return it and what it has at most.

    Raises PolicyDenied or StateConflict where there may be none, with the reason for the model and for people.
    """
    parent = hold_parent(parent_id)
    agent, version = _find_agent(parent, handed.terms)
    principal = find_principal(agent, parent.principal.issuer, parent.principal.subject)
    refuse_stopped(principal, version)
    mode = RunMode(parent.mode)
    bounds = bind_to(parent, agent, principal, check_own(version, limit_tools(version, mode, None, None)))
    digest = digest_task(handed.arguments)
    _refuse_round(parent, digest)
    _refuse_crowd(parent)
    share = _find_share(state, handed.terms, version)
    hop = take_task(parent, agent, handed.brought, handed.arguments)
    origin = Origin(parent.started_by_id, parent.credential_id, handed.step, handed.call, digest)
    child = create_run(
        actor=parent.identity, version=version, principal=principal, application=parent.application,
        trace=continue_trace(handed.traceparent, parent.trace_state), bounds=bounds, proof=parent.proof, mode=mode,
        priority=Priority(parent.priority), ceilings=Ceilings(*share), origin=origin,
    )  # fmt: skip
    place = {"step": handed.step, "call": handed.call}
    words = write_task(parent.identity.name, handed.arguments)
    record_start(child, parent.identity, words, "delegation", kept=handed.evidence, delegation=place, hop=hop)
    send_after_commit(DRIVE, str(child.pk), queue=queue_of(child.priority))
    return child, share


def _find_agent(parent: Run, terms: Terms) -> tuple[AgentIdentity, AgentVersion]:
    agent = AgentIdentity.objects.filter(team_id=parent.team_id, slug=terms.agent).first()
    if agent is None:
        raise StateConflict("unknown_agent", f"the team has no agent {terms.agent}")
    version = published_version(agent)
    may_start_version(version, parent.application).enforce()
    return agent, version


def _refuse_round(parent: Run, digest: str) -> None:
    """A task may be handed down once; whoever was given it and hands it on as it stands does nothing about it."""
    above = [parent.pk, *(UUID(link["run"]) for link in parent.line)]
    if Run.objects.filter(pk__in=above, task_digest=digest).exists():
        raise PolicyDenied(
            "handed_round", "this very task was given to a run in this line: do it, or say why not"
        )


def _refuse_crowd(parent: Run) -> None:
    """Bound the tree; the lock is the tree's own, so that two of its runs do not both take the last place."""
    root = UUID(parent.line[-1]["run"]) if parent.line else parent.pk
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"delegation:{root}"])
        cursor.execute(_COUNT, {"root": root, "run": parent.pk})
        in_tree, going = cursor.fetchone()
    if going >= settings.DELEGATION_FAN_OUT:
        raise StateConflict("too_many_children", f"at most {settings.DELEGATION_FAN_OUT} of them at a time")
    if in_tree >= settings.DELEGATION_TREE:
        raise StateConflict("tree_full", f"at most {settings.DELEGATION_TREE} runs come of one")


def _find_share(state: RunState, terms: Terms, version: AgentVersion) -> Limits:
    """Return what the child has at most: what the tool says, and no more than its own agent's version allows."""
    wanted = Limits(terms.steps, terms.tokens, terms.usd, terms.seconds)
    own = Limits(
        version.max_steps or 0, version.max_tokens or 0, version.max_usd or ZERO, version.max_seconds or 0
    )
    share = least_of(wanted, own)
    if lacking := find_lacking(state, share):
        told = ", ".join(f"{each.needed} {each.unit}, {each.left} left" for each in lacking)
        raise StateConflict("share_too_large", f"the run has too little left for it: {told}")
    return share
