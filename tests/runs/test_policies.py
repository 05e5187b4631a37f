"""Who may start and steer runs: whoever is not named here may not."""

from __future__ import annotations

import pytest

from agentops.errors import PolicyDenied
from identities.models import STAFF_ISSUER, User
from runs.models import Run
from runs.policies import may_control, may_start
from runs.services import kill_run, settle_outcome
from tests.cast import Cast
from tests.factories.runs import RunFactory

PEOPLE_ONLY = ("runs.settle_outcome", "runs.answer_handover")


@pytest.fixture
def run(cast: Cast) -> Run:
    made: Run = RunFactory.create(identity=cast.agent, team=cast.team, application=cast.application)
    return made


def account(cast: Cast, name: str) -> User:
    if name == "application":
        return cast.application.service_account
    if name == "agent":
        return cast.agent.service_account
    person: User = getattr(cast, name)
    return person


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("ada", True),
        ("alice", True),  # was given the permission
        ("application", True),  # started it
        ("bob", False),  # on the team, without the permission
        ("charlie", False),  # has the permission, on another team
        ("agent", False),
    ],
)
def test_who_may_steer_a_run(cast: Cast, run: Run, name: str, allowed: bool) -> None:
    assert may_control(account(cast, name), run).allowed is allowed


@pytest.mark.parametrize("permission", PEOPLE_ONLY)
def test_an_application_does_not_settle_or_answer_for_people(cast: Cast, run: Run, permission: str) -> None:
    assert not may_control(account(cast, "application"), run, permission).allowed
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
