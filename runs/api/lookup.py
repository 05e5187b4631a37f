"""Finding and showing runs: what the caller may not see does not exist."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from agentops.api.idempotency import Body, Operation
from agentops.api.serializers import Fields, render_row
from agentops.errors import NotFound
from identities.models import User
from runs.api.serializers import PrincipalSerializer, RunSerializer
from runs.models import AgentVersion, Run


def visible_runs(user: User) -> QuerySet[Run]:
    """Return the runs that a user may see, with what their representation needs."""
    visible: QuerySet[Run] = Run.objects.visible_to(user)
    return visible.select_related("identity", "agent_version", "principal")


def find_run(user: User, run_id: UUID) -> Run:
    """Return a run; raises NotFound, also for one that is not the user's to see."""
    run = visible_runs(user).filter(pk=run_id).first()
    if run is None:
        raise NotFound("unknown_run", "There is no such run, or it is not for you to see.")
    return run


def find_version(user: User, agent_id: UUID, number: int | None) -> AgentVersion:
    """Return the version with this number, or the newest; raises NotFound."""
    visible = AgentVersion.objects.visible_to(user).select_related("identity")
    newest_first = visible.filter(identity=agent_id).order_by("-number")
    newest: AgentVersion | None = newest_first.first()
    if newest is None:
        raise NotFound("unknown_agent", "There is no such agent with a version that you may see.")
    found: AgentVersion | None = newest if number is None else newest_first.filter(number=number).first()
    if found is None:
        raise NotFound("unknown_version", f"{newest.identity.slug} has no version {number}.")
    return found


def show_run(run: Run) -> Fields:
    """Return the representation of a run without its answer."""
    return render_row(RunSerializer, run)


def operation_on_run(
    name: str, principal: tuple[str, str] | tuple[()] = (), unmarked: tuple[str, ...] = ()
) -> Operation:
    """Return an operation that is answered with a run, and whose kept answer names no person."""
    return Operation(name, principal, unmarked, conceal=_without_principal, restore=_with_principal)


def _without_principal(body: Body) -> Body:
    return {**body, "principal": None}


def _with_principal(body: Body) -> Body:
    run = Run.objects.select_related("principal").get(pk=body["id"])
    return {**body, "principal": render_row(PrincipalSerializer, run.principal)}
