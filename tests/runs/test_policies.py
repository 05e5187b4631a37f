"""Who may start and steer runs: whoever is not named here may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from guardian.shortcuts import assign_perm

from agentops.errors import PolicyDenied
from identities.models import STAFF_ISSUER, AgentIdentity, User
from runs.models import Run
from runs.policies import May, may_control, may_start
from runs.services import kill_run, settle_outcome
from tests.cast import Cast
from tests.factories import AgentFactory, ApplicationFactory, PersonFactory
from tests.factories.runs import RunFactory

PEOPLE_ONLY = ("runs.settle_outcome", "runs.answer_handover")


@pytest.fixture
def run(cast: Cast) -> Run:
    made: Run = RunFactory.create(identity=cast.agent, team=cast.team, application=cast.application)
    return made


ROLES = (
    "owner",
    "operator",
    "officer",
    "auditor",
    "member",
    "application",
    "another application",
    "agent",
    "stranger",
    "nobody",
    "leaver",
    "superuser",
)
OPERATING = ("start_run", "control_run", "settle_outcome", "answer_handover")
CUSTOMER = ("https://shop.example", "customer-1")


@pytest.fixture
def accounts(cast: Cast) -> dict[str, User]:
    """One account per role, each with the rights of that role and no others."""
    made = {role: PersonFactory.create(username=role) for role in ROLES}
    made |= {
        "officer": cast.fiona,
        "member": cast.bob,
        "superuser": cast.ada,
        "application": cast.application.service_account,
        "another application": ApplicationFactory.create(team=cast.team).service_account,
        "agent": cast.agent.service_account,
    }
    cast.team.members.add(*(made[role] for role in ("owner", "operator", "officer", "auditor", "leaver")))
    cast.other_team.members.add(made["stranger"])
    cast.agent.owner = made["owner"]
    cast.agent.save()
    duties = Permission.objects.filter(codename__in=OPERATING)
    for role in ("operator", "stranger", "leaver"):  # the stranger has them on another team
        made[role].user_permissions.set(duties)
    made["auditor"].user_permissions.set(Permission.objects.filter(codename="view_entry"))
    made["leaver"].is_active = False
    made["leaver"].save()
    return made


def start_for_oneself(actor: User, cast: Cast, run: Run) -> May:
    return may_start(actor, cast.agent, None, (STAFF_ISSUER, actor.get_username()))


def start_for_a_customer(actor: User, cast: Cast, run: Run) -> May:
    return may_start(actor, cast.agent, cast.application, CUSTOMER)


def control(actor: User, cast: Cast, run: Run) -> May:
    return may_control(actor, run)


def settle(actor: User, cast: Cast, run: Run) -> May:
    return may_control(actor, run, "runs.settle_outcome")


def answer(actor: User, cast: Cast, run: Run) -> May:
    return may_control(actor, run, "runs.answer_handover")


# Who may what. Whoever is not named may not.
ALLOWED: list[tuple[Callable[[User, Cast, Run], May], set[str]]] = [
    (start_for_oneself, {"operator", "superuser"}),
    (start_for_a_customer, {"application"}),
    (control, {"operator", "superuser", "application"}),
    (settle, {"operator", "superuser"}),
    (answer, {"operator", "superuser"}),
]


@pytest.mark.parametrize(("verb", "allowed"), ALLOWED)
def test_who_may_what(
    cast: Cast,
    accounts: dict[str, User],
    run: Run,
    verb: Callable[[User, Cast, Run], May],
    allowed: set[str],
) -> None:
    answers = {role: verb(accounts[role], cast, run) for role in ROLES}
    assert {role for role, answer in answers.items() if answer.allowed} == allowed
    assert all(answer.allowed or (answer.code and answer.detail) for answer in answers.values())


@pytest.mark.parametrize("to", ["bob", "finance"])
def test_the_object_permission_lets_a_member_start_one_agent(cast: Cast, to: str) -> None:
    member = cast.bob if to == "bob" else cast.fiona
    other = AgentFactory.create(team=cast.team)
    assert not start_of(member, cast.agent)
    assign_perm("start_run", getattr(cast, to), cast.agent)
    member = User.objects.get(pk=member.pk)
    assert start_of(member, cast.agent)
    assert not start_of(member, other)


def start_of(actor: User, agent: AgentIdentity) -> bool:
    return may_start(actor, agent, None, (STAFF_ISSUER, actor.get_username())).allowed


@pytest.mark.parametrize("permission", PEOPLE_ONLY)
def test_an_application_does_not_settle_or_answer_for_people(cast: Cast, run: Run, permission: str) -> None:
    assert not may_control(cast.application.service_account, run, permission).allowed
    assert may_control(cast.alice, run, permission).allowed


def test_whoever_started_a_run_may_stop_it_but_not_settle_its_outcomes(cast: Cast, run: Run) -> None:
    run.started_by = cast.bob
    assert may_control(cast.bob, run).allowed
    assert not may_control(cast.bob, run, "runs.settle_outcome").allowed


def test_the_services_ask(cast: Cast, run: Run) -> None:
    with pytest.raises(PolicyDenied):
        kill_run(actor=cast.bob, run=run)
    with pytest.raises(PolicyDenied):
        settle_outcome(actor=cast.bob, run=run, step=1, call=1, happened=True, note="I looked.")


@pytest.mark.parametrize("principal", [("https://shop.example", "bob"), (STAFF_ISSUER, "alice")])
def test_a_person_starts_runs_for_themselves_only(cast: Cast, principal: tuple[str, str]) -> None:
    assign_perm("start_run", cast.bob, cast.agent)
    assert may_start(cast.bob, cast.agent, None, (STAFF_ISSUER, "bob")).allowed
    assert may_start(cast.bob, cast.agent, None, principal).code == "principal_not_proven"


@pytest.mark.parametrize("issuer", [STAFF_ISSUER, "AgentOps", f" {STAFF_ISSUER}"])
def test_an_application_does_not_speak_for_staff(cast: Cast, issuer: str) -> None:
    account, application = cast.application.service_account, cast.application
    assert may_start(account, cast.agent, application, ("https://shop.example", "fiona")).allowed
    refused = may_start(account, cast.agent, application, (issuer, "fiona"))
    assert (refused.allowed, refused.code) == (False, "principal_not_proven")


def test_without_the_check_a_colleague_could_kill(
    cast: Cast, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "runs.policies.may_govern", lambda *_: type("Yes", (), {"allowed": True, "reasons": ()})
    )
    assert may_control(cast.bob, run).allowed
