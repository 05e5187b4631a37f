"""Who may start and steer runs. Deny by default."""

from __future__ import annotations

from dataclasses import dataclass

from guardian.shortcuts import get_perms

from identities.models import AgentIdentity, Application, User
from runs.models import Run


@dataclass(frozen=True, slots=True)
class May:
    allowed: bool
    code: str = ""
    detail: str = ""


def may_start(actor: User, agent: AgentIdentity, application: Application | None, subject: str) -> May:
    """Return whether the actor may start a run of the agent for this subject."""
    if not actor.is_active or actor.kind == User.Kind.AGENT:
        return May(False, "not_allowed", "agents do not start runs")
    if application is not None:
        return _application_may_start(actor, agent, application)
    if not AgentIdentity.objects.visible_to(actor).filter(pk=agent.pk).exists():
        return May(False, "not_on_the_team", "the agent belongs to a team that you are not on")
    if subject != actor.get_username():
        return May(False, "principal_not_proven", "a member of staff starts runs for themselves only")
    return May(True)


def _application_may_start(actor: User, agent: AgentIdentity, application: Application) -> May:
    if application.service_account_id != actor.pk or application.state != Application.State.ACTIVE:
        return May(False, "not_allowed", "this is not the application's own account, or it is revoked")
    if "start_run" not in get_perms(actor, agent):
        return May(False, "agent_not_granted", "the application was not given this agent to start")
    if not application.may_assert_users:
        return May(False, "principal_not_proven", "the application is not trusted to say for whom it acts")
    return May(True)


def may_control(actor: User, run: Run) -> May:
    """Return whether the actor may pause, resume, cancel or answer for the run: it is theirs, or their team's."""
    if not actor.is_active or actor.kind == User.Kind.AGENT:
        return May(False, "not_allowed", "agents do not steer runs")
    if Run.objects.visible_to(actor).filter(pk=run.pk).exists():
        return May(True)
    return May(False, "not_visible", "the run belongs to a team that you are not on")
