"""Whether a call may still be made, asked by the tool's server: by the statement that calls back what is under way.

So a stop of any scope counts at a server that asks (introspection) with the commit that makes it.
"""

from __future__ import annotations

from uuid import UUID

from runs.models import Run
from runs.recalls import Right, Underway, find_lost
from tools.limits import read_limits, read_line
from tools.standing import Authority


def find_lost_right(run_id: UUID, tool_id: UUID) -> str:
    """Return why a run may not call a tool any more, as a code, or an empty text while it may."""
    run = Run.objects.select_related("agent_version").filter(pk=run_id).first()
    if run is None or run.has_ended:
        return "run_ended" if run else "run_unknown"
    call = Underway(Right(run.pk, run.identity_id, tool_id, _authority_of(run)))
    return find_lost([call]).get(call, "")


def _authority_of(run: Run) -> Authority:
    return Authority(
        run.application_id, run.started_by_id, run.principal_id, run.agent_version.planner,
        read_limits(run.limits), read_line(run.line), run.credential_id,
    )  # fmt: skip
