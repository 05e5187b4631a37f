"""A person's account or an application is closed: what acted by their authority halts, by nothing but messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from guardian.shortcuts import assign_perm

from agentops import messages
from approvals.models import ApprovalRequest
from identities.models import STAFF_ISSUER
from identities.services import revoke_application, update_person
from runs import tasks
from runs.models import Run
from runs.services import pause_run, start_run
from tests.ledger import last_entry
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile

Close = Callable[[Company], object]
Start = Callable[[Company], Run]


def start_as_bob(company: Company) -> Run:
    company.publish(principal_source="staff")
    assign_perm("start_run", company.cast.bob, company.cast.agent)
    return start_run(
        actor=company.cast.bob,
        agent=company.cast.agent,
        message="Please help.",
        issuer=STAFF_ISSUER,
        subject="bob",
        application=None,
    )


def close_bob(company: Company) -> object:
    values = {"active": False, "staff": True, "superuser": False}
    return update_person(actor=company.cast.ada, person=company.cast.bob, groups=[], **values)


def start_by_application(company: Company) -> Run:
    return company.start()


def close_application(company: Company) -> object:
    return revoke_application(actor=company.cast.alice, application=company.cast.application, reason="Sold.")


TASKS = {
    task.name: task
    for task in (tasks.drive, tasks.wake_person, tasks.wake_application, tasks.withdraw_credentials)
}
CLOSINGS = [
    pytest.param(start_as_bob, close_bob, "initiator_inactive", id="person"),
    pytest.param(start_by_application, close_application, "application_revoked", id="application"),
]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Be broker and worker: carry a message out as soon as it is sent."""
    names: list[str] = []

    def carry_out(task: str, args: tuple[str, ...], queue: str, expires_s: float | None = None) -> bool:
        names.append(task)
        TASKS[task](*args)
        return True

    monkeypatch.setattr(messages, "_publish", carry_out)
    return names


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize(("start", "close", "code"), CLOSINGS)
def test_a_run_that_waits_for_people_halts(
    company: Company, sent: list[str], start: Start, close: Close, code: str, paused: bool
) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = start(company)
    run.refresh_from_db()
    assert run.state == "requires_action"
    if paused:
        pause_run(actor=company.cast.alice, run=run)
    sent.clear()
    close(company)
    run.refresh_from_db()
    assert (run.state, run.status_reason, run.required_actions) == ("halted", code, [])
    assert company.facts(run, "authority.lost") == [{"code": code}]
    request = ApprovalRequest.objects.get()
    assert (request.state, last_entry(request.pk).kind) == ("voided", "approval.voided")
    assert not company.world.attempts
    assert sent[0].startswith("runs.wake_")


@pytest.mark.parametrize(("start", "close", "code"), CLOSINGS)
def test_a_run_that_is_under_way_halts(company: Company, start: Start, close: Close, code: str) -> None:
    company.add_reads()
    company.world.mishaps.extend([meanwhile(lambda: close(company))])
    company.play(proposes(("look_up", ORDER)), says("Done."))
    run = start(company)
    run.refresh_from_db()
    assert (run.state, run.status_reason, run.steps) == ("halted", code, 1)
    assert len(company.asked()) == 1


@pytest.mark.parametrize(("start", "close", "code"), CLOSINGS)
def test_a_run_that_waits_for_its_user_halts(company: Company, start: Start, close: Close, code: str) -> None:
    company.play(proposes(("ask_user", {"question": "Which order?"})), says("Done."))
    run = start(company)
    close(company)
    run.refresh_from_db()
    assert (run.state, run.status_reason) == ("halted", code)
