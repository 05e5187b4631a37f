"""Who has lost the right to act goes on neither thinking nor asking nor waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any, get_args

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.engine.state import LostAuthority
from agentops.identifiers import new_id
from approvals.models import ApprovalRequest
from identities.models import STAFF_ISSUER, AgentIdentity, Application, KillSwitch, User
from runs import lease_rows, queues, session, tasks, turns
from runs.models import Run
from runs.services import pause_run, start_run
from tests.budget.rivals import two_rivals
from tests.budget.watch import connect
from tests.factories import AgentFactory, RunFactory
from tests.rewriting import rewrite_appends, rewrite_text
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile
from tools import standing
from tools.authority import Actors, Parent
from tools.models import Tool
from tools.policy import find_lost_authority

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
    monkeypatch.setattr(
        tasks,
        "send_after_commit",
        lambda task, *args, **_: found.extend(args if task == "runs.drive" else ()),
    )
    return found


def test_the_engine_knows_every_way_to_lose_the_right() -> None:
    now = timezone.now()
    states = [state for state in AgentIdentity.State.values if state != "draft"]  # a draft has no runs
    either = (True, False)
    closed = Parent(new_id(), new_id(), "Desk", "suspended", None, True)
    standings = [
        Actors(
            state,
            expires_at,
            account,
            application,
            initiator_active=initiator,
            switch=switch,
            parents=parents,
        )
        for state, expires_at, account, application, initiator, switch, parents in product(
            states, (None, now), either, either, either, (None, *KillSwitch.Scope.values), ((), (closed,))
        )
    ]
    found = {find_lost_authority(standing, now) for standing in standings}
    # That a parent has ended is no matter of its standing: see test_parents.
    assert found == {"", *get_args(LostAuthority)} - {"parent_ended"}


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

    def send(task: str, run: str, *, queue: str, expires_s: float) -> bool:
        found.append((run, expires_s))
        return taken

    monkeypatch.setattr(queues, "send_now", send)
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


@pytest.mark.django_db(transaction=True)
def test_runs_that_are_rung_together_are_locked_in_the_order_of_their_ids() -> None:
    """Whoever holds the first and goes on to the second must not meet somebody who holds the second."""
    first, second = sorted([new_id(), new_id()])
    agent = RunFactory.create(id=second).identity_id  # before the first in the table
    RunFactory.create(id=first)
    Run.objects.update(identity_id=agent)
    with two_rivals() as (one, other), connect() as onlooker:
        lock = "SELECT FROM runs_run WHERE id = %s FOR UPDATE NOWAIT"
        one.begin(lambda cursor: cursor.execute(lock, [first]), onlooker).result()
        rung = other.begin(lambda cursor: lease_rows.ring_all(cursor, "agent", str(agent)), onlooker)
        assert not rung.done()
        onlooker.execute(lock, [second])
        one.commit()
        assert rung.result() == [first, second]


# --- each condition of a call, as the database holds it ---------------------------------------------------


def take_permission(company: Company) -> None:
    remove_perm("use_tool", company.cast.agent.service_account, company.versions[1].tool)


def give_it_to_a_group_only(company: Company) -> None:
    take_permission(company)
    group, tool = Group.objects.create(name="agents"), company.versions[1].tool
    company.cast.agent.service_account.groups.add(group)
    assign_perm("use_tool", group, tool)


def give_it_to_another_account_only(company: Company) -> None:
    take_permission(company)
    assign_perm("use_tool", AgentFactory.create().service_account, company.versions[1].tool)


def give_another_permission_only(company: Company) -> None:
    take_permission(company)
    assign_perm("operate_tool", company.cast.agent.service_account, company.versions[1].tool)


def close_account(company: Company) -> None:
    User.objects.filter(pk=company.cast.agent.service_account_id).update(is_active=False)


def make_it_a_persons(company: Company) -> None:
    User.objects.filter(pk=company.cast.agent.service_account_id).update(kind="person")


def let_the_grant_run_out(company: Company) -> None:
    company.grant(company.versions[1].tool, "ALLOW", valid_until=timezone.now() - timedelta(microseconds=1))


def retire_tool(company: Company) -> None:
    Tool.objects.filter(pk=company.versions[1].tool_id).update(state="retired")


def make_it_a_draft(company: Company) -> None:
    change(company, state="draft")


HOLDER, NAMED = "p.user_id = i.service_account_id AND ", " AND c.codename = 'use_tool'"
HOLDS = f"{HOLDER}p.content_object_id = t.id{NAMED}"
ACCOUNT = " FROM identities_user u WHERE u.id = i.service_account_id"
IS_OPEN = f"u.is_active AND u.kind = 'agent'{ACCOUNT}"
# What is taken away, how the call is refused, and what the statement does not say any more in the mutant.
CONDITIONS: list[tuple[Loss, str, tuple[str, str]]] = [
    (take_permission, "no_object_permission", (HOLDS, "true OR true")),
    (give_it_to_a_group_only, "no_object_permission", (HOLDS, "true OR true")),
    (give_it_to_another_account_only, "no_object_permission", (HOLDS, HOLDS[len(HOLDER) :])),
    (give_another_permission_only, "no_object_permission", (HOLDS, HOLDS.removesuffix(NAMED))),
    (take_permission, "no_object_permission", (HOLDS, HOLDER + "true" + NAMED)),
    (close_account, "account_inactive", (IS_OPEN, "u.kind = 'agent'" + ACCOUNT)),
    (make_it_a_persons, "account_inactive", (IS_OPEN, "u.is_active" + ACCOUNT)),
    (let_the_grant_run_out, "grant_expired", ("extract(epoch FROM g.valid_until)", "NULL")),
    (retire_tool, "tool_retired", ("t.state, t.forced", "'active', t.forced")),
    (make_it_a_draft, "identity_draft", ("json_build_array(i.state", "json_build_array('active'")),
]
NAMES = [taken.__name__ for taken, *_ in CONDITIONS]


def call_after(company: Company, loss: Loss) -> tuple[str, str]:
    """Return what becomes of a call when its condition goes while the one before it is made."""
    company.add_tool("refund", timeout_s=60)  # what happens meanwhile is no part of what is tested
    company.add_tool("cancel")
    company.world.mishaps.extend([meanwhile(lambda: loss(company))])
    run = company.run(proposes(("refund", ORDER), ("cancel", ORDER)), says("Done."))
    assert company.states(run)[0] == ("succeeded", "ok")
    return company.states(run)[1]


@pytest.mark.parametrize(
    ("loss", "code"), {loss.__name__: (loss, code) for loss, code, _ in CONDITIONS}.values()
)
def test_a_call_without_one_of_its_conditions_is_refused(company: Company, loss: Loss, code: str) -> None:
    assert call_after(company, loss) == ("refused", code)
    assert company.world.attempts == ["refund"]


@pytest.mark.parametrize(("loss", "passage"), [(loss, passage) for loss, _, passage in CONDITIONS], ids=NAMES)
def test_without_asking_for_it_the_call_is_made(
    company: Company, monkeypatch: pytest.MonkeyPatch, loss: Loss, passage: tuple[str, str]
) -> None:
    """The mutants: the statement that reads the standing does not look."""
    company.is_mutant = True
    rewrite_text(monkeypatch, standing, "_STANDING_OF_WRITE", *passage)
    rewrite_appends(monkeypatch, "n.seen IS DISTINCT FROM", "false AND n.seen IS DISTINCT FROM")
    assert call_after(company, loss) == ("succeeded", "ok")
    assert company.world.attempts == ["refund", "cancel"]
