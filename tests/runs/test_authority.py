"""Who has lost the right to act goes on neither thinking nor asking nor waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any, get_args

import pytest
from django.utils import timezone

from agentops.engine.state import LostAuthority
from approvals.models import ApprovalRequest
from identities.models import STAFF_ISSUER, AgentIdentity, Application, User
from runs import session, tasks, turns
from runs.models import Run
from runs.services import pause_run, start_run
from tests.rewriting import rewrite_appends
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile
from tools.policy import Actors, find_lost_authority

Loss = Callable[[Company], object]

LOSSES: list[tuple[dict[str, object], str]] = [
    ({"state": "suspended"}, "identity_suspended"),
    ({"state": "revoked"}, "identity_revoked"),
    ({"expires_at": timezone.now() - timedelta(days=1)}, "identity_expired"),
]


def change(company: Company, **values: object) -> None:
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(**values)


def revoke_application(company: Company) -> None:
    Application.objects.filter(pk=company.cast.application.pk).update(state="revoked")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be sent to workers."""
    found: list[str] = []
    monkeypatch.setattr(tasks, "send_after_commit", lambda task, *args, **_: found.extend(args))
    return found


def test_the_engine_knows_every_way_to_lose_the_right() -> None:
    now = timezone.now()
    states = [state for state in AgentIdentity.State.values if state != "draft"]  # a draft has no runs
    either = (True, False)
    standings = [
        Actors(state, expires_at, account, application, initiator_active=initiator)
        for state, expires_at, account, application, initiator in product(
            states, (None, now), either, either, either
        )
    ]
    found = {find_lost_authority(standing, now) for standing in standings}
    assert found == {"", *get_args(LostAuthority)}


@pytest.mark.parametrize(("values", "code"), LOSSES)
def test_an_agent_that_may_not_act_is_not_asked_to_think(
    company: Company, values: dict[str, object], code: str
) -> None:
    company.add_reads()
    company.world.mishaps.extend([meanwhile(lambda: change(company, **values))])
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    assert (run.state, run.status_reason, run.steps) == ("halted", code, 1)
    assert len(company.asked()) == 1
    assert "ended early" not in company.content(run, "run.halted")["summary"]


def test_without_comparing_before_a_model_call_a_suspended_agent_thinks_on(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: how it stood when the drive began is all that is ever looked at."""
    rewrite_appends(monkeypatch, "actors IS NOT NULL AND", "false AND")
    company.add_reads()
    company.world.mishaps.extend([meanwhile(lambda: change(company, state="suspended"))])
    company.run(proposes(("look_up", ORDER)), says("Done."))
    assert len(company.asked()) == 2


def test_a_standing_that_changed_and_still_suffices_stops_nobody(company: Company) -> None:
    later = timezone.now() + timedelta(days=30)
    company.add_reads()
    company.world.mishaps.extend([meanwhile(lambda: change(company, expires_at=later))])
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    assert (run.state, run.steps, len(company.asked())) == ("completed", 2, 2)


def run_past_expiry(company: Company, monkeypatch: pytest.MonkeyPatch, during: Callable[[], object]) -> Run:
    """Run two steps between which the agent's time runs out by the clock, and something may happen."""
    change(company, expires_at=timezone.now() + timedelta(seconds=50))
    company.add_reads()
    shift = [timedelta(0)]
    monkeypatch.setattr(session, "utc_now", lambda: timezone.now() + shift[0])

    def pass_time() -> None:
        during()
        shift[0] = timedelta(seconds=60)

    company.world.mishaps.extend([meanwhile(pass_time)])
    return company.run(proposes(("look_up", ORDER)), says("Done."))


def test_an_agent_whose_time_runs_out_during_a_drive_thinks_no_further(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing changes in the database: only the clock goes on."""
    run = run_past_expiry(company, monkeypatch, lambda: None)
    assert (run.status_reason, len(company.asked())) == ("identity_expired", 1)


def test_an_agent_whose_time_was_prolonged_during_a_drive_thinks_on(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old look may let a run go on, but never end it."""
    later = timezone.now() + timedelta(hours=1)
    run = run_past_expiry(company, monkeypatch, lambda: change(company, expires_at=later))
    assert (run.state, len(company.asked())) == ("completed", 2)


def test_a_queued_run_of_a_suspended_agent_costs_nothing(company: Company) -> None:
    company.play(says("Done."))
    run = company.start()
    change(company, state="suspended")
    run = company.drive(run)
    assert run.status_reason == "identity_suspended"
    assert not run.usd
    assert not company.asked()


def test_a_run_of_a_revoked_application_thinks_no_further(company: Company) -> None:
    company.play(says("Done."))
    run = company.start()
    revoke_application(company)
    assert (company.drive(run).status_reason, company.asked()) == ("application_revoked", [])


def test_a_suspended_agent_asks_the_user_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = turns._note_decision

    def suspend_and_note(*args: Any) -> None:
        noted(*args)
        change(company, state="suspended")

    monkeypatch.setattr(turns, "_note_decision", suspend_and_note)
    run = company.run(proposes(("ask_user", {"question": "Which order?"})), says("Done."))
    assert (run.state, run.status_reason) == ("halted", "identity_suspended")
    assert "call.asked" not in company.kinds(run)


def start_as_staff(company: Company) -> Run:
    if company.published is None:
        company.publish(principal_source="staff")
    alice = company.cast.alice
    return start_run(
        actor=alice,
        agent=company.cast.agent,
        message="Please help.",
        issuer=STAFF_ISSUER,
        subject=alice.get_username(),
        application=None,
    )


def test_a_run_does_not_outlive_the_account_of_who_started_it(company: Company, sent: list[str]) -> None:
    company.play(says("Done."))
    run = start_as_staff(company)
    User.objects.filter(pk=company.cast.alice.pk).update(is_active=False)
    assert (tasks.wake_person(str(company.cast.alice.pk)), sent) == (1, [str(run.pk)])
    assert (company.drive(run).status_reason, company.asked()) == ("initiator_inactive", [])


def test_a_call_is_not_made_for_who_has_left_since_the_step_began(company: Company) -> None:
    company.add_tool("refund")
    company.add_tool("cancel")
    alice = User.objects.filter(pk=company.cast.alice.pk)
    company.world.mishaps.extend([meanwhile(lambda: alice.update(is_active=False))])
    company.play(proposes(("refund", ORDER), ("cancel", ORDER)), says("Done."))
    run = company.drive(start_as_staff(company))
    assert company.states(run) == [("succeeded", "ok"), ("refused", "initiator_inactive")]
    assert (company.world.attempts, run.status_reason) == (["refund"], "initiator_inactive")


@pytest.mark.parametrize("paused", [False, True])
def test_a_revoked_agent_does_not_go_on_waiting_for_people(
    company: Company, sent: list[str], paused: bool
) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert run.state == "requires_action"
    if paused:
        run = company.drive(pause_run(actor=company.cast.alice, run=run))
    change(company, state="revoked")
    assert (tasks.wake_agent(str(company.cast.agent.pk)), sent) == (1, [str(run.pk)])
    run.refresh_from_db()
    assert run.wake_at is not None, "rung: the sweeper finds it where the message is lost"
    run = company.drive(run)
    assert (run.state, run.status_reason) == ("halted", "identity_revoked")
    assert ApprovalRequest.objects.get().state == "voided"


@pytest.mark.parametrize(("taken", "tried"), [(True, 2), (False, 1)])
def test_a_sweep_sends_what_is_due_and_stops_at_a_broker_that_is_down(
    company: Company, monkeypatch: pytest.MonkeyPatch, taken: bool, tried: int
) -> None:
    found: list[tuple[str, float]] = []

    def send(task: str, run: str, *, expires_s: float) -> bool:
        found.append((run, expires_s))
        return taken

    monkeypatch.setattr(tasks, "send_now", send)
    company.play(says("Done."))
    runs = [company.start() for _ in range(2)]
    assert tasks.sweep() == 2
    assert found == [(str(run.pk), tasks.SWEPT_EXPIRES_S) for run in runs][:tried]


def test_the_runs_of_a_revoked_application_are_woken(company: Company, sent: list[str]) -> None:
    company.play(says("Done."))
    ended, going = company.start(), company.start()
    company.drive(ended)
    assert tasks.wake_application(str(company.cast.application.pk)) == 1
    assert sent == [str(going.pk)]


def test_no_run_is_left_unrung_where_messages_are_many(
    company: Company, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "WAKE_BATCH", 1)
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    runs = [company.run(proposes(("refund", {"order_id": f"A-{n}"})), says("Done.")) for n in range(2)]
    assert tasks.wake_agent(str(company.cast.agent.pk)) == 2
    assert sent == [str(runs[0].pk)]
    for run in runs:
        run.refresh_from_db()
        assert run.wake_at is not None
