"""Kill switches: what they stop, from the commit of the throw on, and what lifting them brings back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentops import messages
from agentops.errors import StateConflict
from approvals.models import ApprovalRequest
from identities.models import KillSwitch
from identities.services import lift_switch, throw_switch
from runs import tasks
from runs.models import Run
from runs.services import pause_run
from tests.rewriting import rewrite_appends, rewrite_text
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile
from tools import standing

pytestmark = [pytest.mark.revocation, pytest.mark.slow]

SCOPES = ("everything", "principal", "provider")


def target_of(company: Company, scope: str) -> str:
    principal = Run.objects.values_list("principal_id", flat=True).first()
    return {"everything": "", "principal": str(principal), "provider": "openai"}[scope]


def throw(company: Company, scope: str, target: str | None = None) -> KillSwitch:
    named = target_of(company, scope) if target is None else target
    return throw_switch(actor=company.cast.ada, scope=scope, target=named, reason="It goes wrong.")


def call_while_thrown(company: Company, scope: str, target: str | None = None) -> Run:
    """Run two calls of one step; the switch is thrown while the first is made."""
    company.add_tool("refund")
    company.add_tool("cancel")
    company.world.mishaps.extend([meanwhile(lambda: throw(company, scope, target))])
    return company.run(proposes(("refund", ORDER), ("cancel", ORDER)), says("Done."))


@pytest.mark.parametrize("scope", SCOPES)
def test_the_next_call_is_refused_and_the_run_halts(company: Company, scope: str) -> None:
    run = call_while_thrown(company, scope)
    assert company.states(run) == [("succeeded", "ok"), ("refused", f"{scope}_stopped")]
    assert (run.state, run.status_reason, company.world.attempts) == (
        "halted",
        f"{scope}_stopped",
        ["refund"],
    )
    assert len(company.asked()) == 1


@pytest.mark.parametrize("scope", SCOPES)
def test_the_model_is_asked_no_more(company: Company, scope: str) -> None:
    company.add_reads()
    company.world.mishaps.extend([meanwhile(lambda: throw(company, scope))])
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    assert (run.status_reason, len(company.asked())) == (f"{scope}_stopped", 1)


OTHERS = [("principal", "another"), ("provider", "null")]


@pytest.mark.parametrize(("scope", "target"), OTHERS)
def test_a_switch_for_somebody_else_stops_nothing(company: Company, scope: str, target: str) -> None:
    stranger = company.start(subject="bea").principal_id if scope == "principal" else None
    run = call_while_thrown(company, scope, str(stranger) if stranger else target)
    assert run.state == "completed"


@pytest.mark.parametrize("scope", SCOPES)
def test_without_asking_for_switches_the_call_is_made(
    company: Company, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    """The mutant: the statement that reads the standing looks for no switch of this scope, nor does the append."""
    company.is_mutant = True
    passage = (f"k.scope = '{scope}'", "false")
    rewrite_text(monkeypatch, standing, "_STANDING_OF_WRITE", *passage)
    monkeypatch.setattr(standing, "_ACTORS", standing._ACTORS.replace(*passage))
    rewrite_appends(monkeypatch, *passage)
    run = call_while_thrown(company, scope)
    assert (run.state, company.world.attempts) == ("completed", ["refund", "cancel"])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Be broker and worker: carry a message out as soon as it is sent."""
    carried: list[str] = []
    known: dict[str, Callable[..., object]] = {
        "runs.drive": tasks.drive,
        "runs.wake_switched": tasks.wake_switched,
        "runs.withdraw_credentials": tasks.withdraw_credentials,
    }

    def carry(task: str, args: tuple[str, ...], *_: object) -> bool:
        carried.append(task)
        known[task](*args)
        return True

    monkeypatch.setattr(messages, "_publish", carry)
    return carried


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("paused", [False, True])
def test_runs_that_wait_for_people_halt_and_their_approvals_are_void(
    company: Company, sent: list[str], scope: str, paused: bool
) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    if paused:
        pause_run(actor=company.cast.alice, run=run)
    throw(company, scope)
    run.refresh_from_db()
    assert (run.state, run.status_reason) == ("halted", f"{scope}_stopped")
    assert ApprovalRequest.objects.get().state == "voided"
    assert sent[-3:] == ["runs.wake_switched", "runs.withdraw_credentials", "runs.drive"]


@pytest.mark.parametrize("scope", SCOPES)
def test_no_run_begins_until_the_switch_is_lifted(company: Company, scope: str) -> None:
    company.play(says("Done."))
    first = company.start()
    switch = throw(company, scope)
    with pytest.raises(StateConflict) as refused:
        company.start()
    assert refused.value.code == f"{scope}_stopped"
    lift_switch(actor=company.cast.ada, switch=switch, reason="It was a drill.")
    assert company.drive(company.start()).state == "completed"
    first.refresh_from_db()
    assert first.state == "queued", "nobody has driven it yet: it has not been halted, and may still begin"


def test_lifting_revives_no_run_that_was_halted(company: Company) -> None:
    run = call_while_thrown(company, "everything")
    lift_switch(actor=company.cast.ada, switch=KillSwitch.objects.get(), reason="Mended.")
    run = company.drive(run)
    assert (run.state, company.world.attempts) == ("halted", ["refund"])
