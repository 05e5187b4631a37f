"""Who may start and steer runs. Deny by default."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet
from guardian.shortcuts import get_objects_for_user, get_perms

from agentops.errors import PolicyDenied
from identities.models import STAFF_ISSUER, AgentIdentity, Application, User
from identities.oauth.issuers import ProvenUser
from identities.policies import may_govern
from identities.querysets import is_known_person
from runs.models import EXTERNAL, AgentVersion, Proof, Run, Schedule

SOURCE = AgentVersion.PrincipalSource
START = "identities.start_run"
CONTROL = "runs.control_run"
VETO = "runs.veto_call"
ANSWER = "runs.answer_handover"


@dataclass(frozen=True, slots=True)
class May:
    allowed: bool
    code: str = ""
    detail: str = ""

    def enforce(self) -> None:
        """Raise PolicyDenied unless it is allowed."""
        if not self.allowed:
            raise PolicyDenied(self.code, self.detail)


def may_start(
    actor: User,
    agent: AgentIdentity,
    application: Application | None,
    principal: tuple[str, str],
    proven: ProvenUser | None = None,
) -> May:
    """Return whether the actor may start a run of the agent for this principal (issuer, subject).

    A token of the user's that was verified for this very actor takes the place of an application's word.
    """
    if not actor.is_active or actor.kind == User.Kind.AGENT:
        return May(False, "not_allowed", "agents do not start runs")
    if application is not None:
        is_proven = proven is not None and proven.proves(actor, principal)
        return _application_may_start(actor, agent, application, principal[0], is_proven)
    if proven is not None:
        return May(False, "principal_not_proven", "a member of staff starts runs for themselves only")
    if not AgentIdentity.objects.visible_to(actor).filter(pk=agent.pk).exists():
        return May(False, "not_on_the_team", "the agent belongs to a team that you are not on")
    if principal != (STAFF_ISSUER, actor.get_username()):
        return May(False, "principal_not_proven", "a member of staff starts runs for themselves only")
    decision = may_govern(actor, START, agent.team, agent)
    return May(decision.allowed, "" if decision.allowed else "agent_not_granted", "; ".join(decision.reasons))


def _application_may_start(
    actor: User, agent: AgentIdentity, application: Application, issuer: str, is_proven: bool
) -> May:
    if application.service_account_id != actor.pk or application.state != Application.State.ACTIVE:
        return May(False, "not_allowed", "this is not the application's own account, or it is revoked")
    if "start_run" not in get_perms(actor, agent):
        return May(False, "agent_not_granted", "the application was not given this agent to start")
    if not (is_proven or application.may_assert_users):
        return May(False, "principal_not_proven", "the application is not trusted to say for whom it acts")
    # Not its look-alike either: people could not tell them apart on the page where they approve.
    if issuer.strip().casefold() == STAFF_ISSUER:
        return May(False, "principal_not_proven", "only members of staff themselves act under this issuer")
    return May(True)


def startable_by(person: User) -> QuerySet[AgentIdentity]:
    """Return the agents that a person is offered to start; the service decides again."""
    versions = AgentVersion.objects.filter(state="published", principal_source=SOURCE.STAFF)
    agents = AgentIdentity.objects.visible_to(person).filter(state="active")
    agents = agents.filter(pk__in=versions.values("identity")).distinct()
    if person.has_perm(START):
        return agents
    return agents.filter(pk__in=get_objects_for_user(person, START, accept_global_perms=False).values("pk"))


def may_start_version(version: AgentVersion, application: Application | None) -> May:
    """Return whether a run of the version may act for a principal of this origin: named, or signed in."""
    if version.planner == EXTERNAL:
        return May(False, "external_only", "this agent plans by itself: it connects through the gateway")
    given = SOURCE.STAFF if application is None else SOURCE.APPLICATION
    if version.principal_source == given:
        return May(True)
    if version.principal_source == SOURCE.APPLICATION:
        remedy = "start the run through an application, or publish a version with principal_source staff"
        return May(
            False, "application_only", f"this agent acts for users whom an application names: {remedy}"
        )
    if version.principal_source == SOURCE.STAFF:
        remedy = "sign in and start the run, or publish a version with principal_source application"
        return May(False, "staff_only", f"this agent acts for the member of staff who starts it: {remedy}")
    remedy = "publish a version with principal_source application or staff"
    return May(False, "no_principal_source", f"nothing says for whom this agent acts: {remedy}")


def may_connect(version: AgentVersion, proof: str) -> May:
    """Return whether an agent outside may call this version's tools for a user who is known by this proof."""
    if version.planner != EXTERNAL:
        remedy = f"publish a version whose planner is {EXTERNAL}"
        return May(False, "not_external", f"a model of ours plans for this agent: {remedy}")
    if proof not in (Proof.TOKEN, Proof.ASSERTED):
        return May(False, "no_user", "the token is for no end user: exchange the user's token for it")
    return May(True)


def may_control(actor: User, run: Run, permission: str = "runs.control_run") -> May:
    """Return whether the actor may steer the run: whoever started it, or a colleague with the permission.

    What only people may do (``settle_outcome``, ``answer_handover``) is closed to applications.
    """
    if not actor.is_active or actor.kind == User.Kind.AGENT:
        return May(False, "not_allowed", "agents do not steer runs")
    if not Run.objects.visible_to(actor).filter(pk=run.pk).exists():
        return May(False, "not_visible", "the run belongs to a team that you are not on")
    if permission == "runs.control_run" and actor.pk in (run.started_by_id, _account_of(run)):
        return May(True)
    decision = may_govern(actor, permission, run.team)
    return May(decision.allowed, "" if decision.allowed else "not_permitted", "; ".join(decision.reasons))


def may_veto(actor: User, run: Run) -> May:
    """Return whether the actor may keep a held call of the run from going out.

    Whoever may steer the run, or a colleague who was given the right to veto: nobody has to wait for somebody else's
    say to keep something from happening.
    """
    steering = may_control(actor, run)
    return steering if steering.allowed else may_control(actor, run, VETO)


def may_answer(actor: User, run: Run) -> May:
    """Return whether the actor may answer a conversation of the run that its agent passed to people."""
    if actor.kind != User.Kind.PERSON:
        return May(False, "not_a_person", "only people answer what was handed over to people")
    return may_control(actor, run, ANSWER)


def may_control_schedule(actor: User, schedule: Schedule) -> May:
    """Return whether the actor may pause or end a schedule: its owner, or a colleague who may steer runs."""
    if actor.is_active and schedule.owner_id == actor.pk:
        return May(True)
    if not Schedule.objects.visible_to(actor).filter(pk=schedule.pk).exists():
        return May(False, "not_visible", "the schedule belongs to a team that you are not on")
    decision = may_govern(actor, CONTROL, schedule.team)
    return May(decision.allowed, "" if decision.allowed else "not_permitted", "; ".join(decision.reasons))


def may_inspect_installation(user: User) -> bool:
    """Return whether somebody may see what the whole installation lacks, the agents of all teams included."""
    return is_known_person(user) and user.is_superuser


def _account_of(run: Run) -> UUID | None:
    return None if run.application is None else run.application.service_account_id
