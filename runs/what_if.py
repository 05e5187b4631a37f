"""What if: could an agent, for an end user, make this call now? Asked of the function that decides real calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.utils import timezone

from agentops.identifiers import new_id
from identities.models import AgentIdentity, Principal
from runs.models import AgentVersion
from runs.versions import VersionSpec, read_version
from tools.assessment import Assessment, FindMeant, assess, nothing_known
from tools.authority import Decision, Reason
from tools.calls import Call, ToolSpec
from tools.standing import Answer, Authority

NOBODY = UUID(int=0)  # an end user who has no runs yet


def foresee_call(
    agent: AgentIdentity, tool: str, arguments: Any, *, issuer: str = "", subject: str = ""
) -> Decision:
    """Return what would be decided about a first call in a new run, with the reasons; nothing is changed or kept.

    Budgets are not looked at, nor whether the application or person who would start the run may. Arguments are JSON.
    """
    version = AgentVersion.objects.filter(identity=agent, state="published").first()
    if version is None:
        return _deny("nothing_published", "the agent has no published version")
    spec = read_version(version.pk)
    if tool not in spec.catalogue:
        return _deny("not_allow_listed", f"version {spec.number} of the agent does not offer {tool}")
    return _decide(agent, spec, spec.catalogue[tool], arguments, (issuer, subject))


def _decide(
    agent: AgentIdentity, version: VersionSpec, tool: ToolSpec, arguments: Any, principal: tuple[str, str]
) -> Decision:
    issuer, subject = principal
    known = Principal.objects.filter(team_id=agent.team_id, issuer=issuer, subject=subject).first()
    run = new_id()
    call = Call(
        tool, arguments, f"{run}:what-if", 1, run, agent.pk, agent.name, issuer, subject, traceparent=""
    )
    by = Authority(None, None, known.pk if known else NOBODY, version.planner)
    return decide_as_now(call, by).decision


def decide_as_now(
    call: Call, by: Authority, *, known: Answer | None = None, meant: FindMeant = nothing_known
) -> Assessment:
    """Return what would become of a call that nobody makes, assessed as of now; a tool that is stopped refuses it.

    ``known`` is how things stood when the same tool was asked about a moment ago, ``meant`` what bears on the call.
    """
    assessment = assess(call, by=by, now=timezone.now(), known=known, meant=meant)
    if not assessment.forced_open or assessment.verdict == "DENY":
        return assessment
    stopped = Reason("tool", "forced_open", f"somebody has stopped all calls of {call.spec.name}")
    return replace(
        assessment, decision=Decision("DENY", stopped.code, (*assessment.decision.reasons, stopped))
    )


def _deny(code: str, detail: str) -> Decision:
    return Decision("DENY", code, (Reason("agent", code, detail),))
