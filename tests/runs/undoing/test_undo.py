"""A run is undone: its effects in reverse, each once, on the path of every other call; what cannot be is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.services import suspend_agent
from runs.actions import executing
from runs.models import Run
from runs.rebuild import rebuild_run
from runs.services import add_message
from runs.undoing import services
from runs.undoing.foresight import Foreseen, tell
from runs.undoing.plans import ToUndo
from runs.undoing.services import foresee_undo, undo_run
from tests.factories import ToolVersionFactory
from tests.runs.company import Company, proposes, says
from tests.runs.test_driver import crash, drive_and_crash
from tools import assessment, dedupe
from tools.models import Tool

TAKES = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "string"}},
    "required": ["order_id"],
    "additionalProperties": False,
}
BACK = {"kind": "compensable", "tool": "cancel", "arguments": {"order_id": "$arguments.order_id"}}


@pytest.fixture
def shop(company: Company) -> Company:
    """Provide a company whose refunds are cancelled, and whose e-mails nothing takes back."""
    company.add_tool("cancel", effect="reversible")
    company.add_tool("refund", effect="reversible", input_schema=TAKES, undo=BACK)
    company.add_tool("send_email", effect="reversible", input_schema={"type": "object"})
    return company


def refund(order: str) -> tuple[str, Any]:
    return "refund", {"order_id": order}


def done(shop: Company, *orders: str) -> Run:
    """Return a run that has refunded some orders, and written an e-mail."""
    mail = ("send_email", {"to": "a@b.example", "text": "hello"})
    turns = [proposes(*(refund(order) for order in orders)), proposes(mail), says("Done.")]
    run = shop.run(*turns)
    assert run.state == "completed", shop.states(run)
    return run


def undo(shop: Company, run: Run, reason: str = "It was a mistake.") -> Run:
    return undo_run(actor=shop.cast.ada, run=run, reason=reason)


def cancelled(shop: Company) -> list[Any]:
    """Return what the undos say was cancelled, which is what was."""
    undos = Run.objects.filter(kind="undo").order_by("id")
    told = [
        e.content["value"]["cancelled"]
        for run in undos
        for e in shop.entries(run)
        if e.kind == "call.succeeded"
    ]
    assert len(told) == sum(":cancel:" in key for key in shop.world.effects)
    return told


def test_effects_are_undone_in_reverse_and_what_cannot_be_is_told(shop: Company) -> None:
    run = done(shop, "A-1", "B-2")
    before = foresee_undo(actor=shop.cast.ada, run=run)
    assert [(each.tool, each.word, each.by) for each in before] == [
        ("send_email", "cannot", ""), ("refund", "will", "cancel"), ("refund", "will", "cancel"),
    ]  # fmt: skip
    made = shop.drive(undo(shop, run))
    assert (made.state, made.kind, made.undoes_id, made.started_by) == (
        "completed",
        "undo",
        run.pk,
        shop.cast.ada,
    )
    assert made.principal == run.principal
    assert cancelled(shop) == ["B-2", "A-1"]
    told = shop.content(made, "run.completed")["answer"]
    assert "send_email (step 2): not undone: nothing is known that undoes it" in told
    assert told.count("undone by cancel") == 2
    assert "from_ledger" in str(shop.facts(made, "call.allowed"))


def test_nothing_is_undone_twice(shop: Company) -> None:
    run = done(shop, "A-1")
    made = undo(shop, run)
    with pytest.raises(StateConflict, match="undo_under_way"):
        undo(shop, run)
    shop.drive(made)
    with pytest.raises(StateConflict, match="nothing_to_undo"):
        undo(shop, run)
    with pytest.raises(StateConflict, match="is_an_undo"):
        undo(shop, made)
    assert cancelled(shop) == ["A-1"]


def test_the_same_compensation_due_twice_is_made_twice(shop: Company) -> None:
    run = shop.run(proposes(refund("A-1")), proposes(refund("A-1")), says("Done."))
    shop.drive(undo(shop, run))
    assert cancelled(shop) == ["A-1", "A-1"]


def test_an_effect_that_was_undone_is_not_undone_by_a_list_of_yesterday(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the list says, the record of effects knows what was undone."""
    run = done(shop, "A-1")
    stale = foresee_undo(actor=shop.cast.ada, run=run)
    shop.drive(undo(shop, run))
    monkeypatch.setattr(services, "_still_to_undo", lambda *_: wanted(stale))
    again = shop.drive(undo(shop, run))
    assert shop.states(again) == [("refused", "duplicate_effect")]
    assert cancelled(shop) == ["A-1"]


def test_without_that_record_it_would_be(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run = done(shop, "A-1")
    stale = foresee_undo(actor=shop.cast.ada, run=run)
    shop.drive(undo(shop, run))
    monkeypatch.setattr(services, "_still_to_undo", lambda *_: wanted(stale))
    monkeypatch.setattr(assessment, "_digest_alike", lambda call: "")
    monkeypatch.setattr(dedupe, "is_first_of_its_kind", lambda *_: True)
    shop.drive(undo(shop, run))
    assert cancelled(shop) == ["A-1", "A-1"]


def test_one_undo_at_a_time_is_the_databases_word(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run = done(shop, "A-1")
    stale = foresee_undo(actor=shop.cast.ada, run=run)
    undo(shop, run)
    monkeypatch.setattr(services, "_check", lambda run: None)
    monkeypatch.setattr(services, "_still_to_undo", lambda *_: wanted(stale))
    with pytest.raises(IntegrityError, match="run_one_open_undo"), transaction.atomic():
        undo(shop, run)


def wanted(foreseen: list[Foreseen]) -> tuple[ToUndo, ...]:
    return tuple(each.to_undo for each in foreseen if each.to_undo)


def test_what_was_undone_since_it_was_looked_at_is_not_taken_on(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = done(shop, "A-1")
    stale = foresee_undo(actor=shop.cast.ada, run=run)
    shop.drive(undo(shop, run))
    monkeypatch.setattr(services, "foresee", lambda *_: stale)
    with pytest.raises(StateConflict, match="nothing_to_undo"):
        undo(shop, run)


@pytest.mark.parametrize("point", ["_execute_all", "note_outcome"])
def test_an_undo_whose_driver_dies_goes_on_and_makes_each_compensation_once(
    shop: Company, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    made = undo(shop, done(shop, "A-1", "B-2"))
    with monkeypatch.context() as patch:
        patch.setattr(executing, point, crash)
        drive_and_crash(shop, made)
    assert shop.drive(made).state == "completed"
    assert cancelled(shop) == ["B-2", "A-1"]


def test_a_compensation_is_a_call_like_any_other(shop: Company) -> None:
    cancel = shop.versions[0].tool
    run = done(shop, "A-1")
    shop.grant(cancel, "REQUIRE_APPROVAL")
    shop.let_decide(cancel)
    made = shop.drive(undo(shop, run))
    assert (made.state, cancelled(shop)) == ("requires_action", [])
    shop.decide()
    assert shop.drive(made).state == "completed"
    assert cancelled(shop) == ["A-1"]


def test_what_policy_denies_is_not_undone_and_may_be_tried_again(shop: Company) -> None:
    cancel = shop.versions[0].tool
    run = done(shop, "A-1")
    shop.grant(cancel, "DENY")
    made = shop.drive(undo(shop, run))
    assert shop.states(made) == [("refused", "denied_by_grant")]
    [_, left] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (left.word, "denies cancel" in left.why) == ("will", True)
    shop.grant(cancel, "ALLOW")
    shop.drive(undo(shop, run))
    assert cancelled(shop) == ["A-1"]
    assert tell(foresee_undo(actor=shop.cast.ada, run=run)).endswith("undone by cancel")


def test_what_nobody_knows_to_have_happened_is_left_to_people(shop: Company) -> None:
    run = done(shop, "A-1")
    shop.is_mutant = True  # the row is bent by hand
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tools_effectrecord SET state = 'unknown' WHERE key LIKE %s", [f"{run.pk}:1:%"])
    [_, left] = foresee_undo(actor=shop.cast.ada, run=run)
    assert left.word == "cannot"
    with pytest.raises(StateConflict, match="nothing_to_undo"):
        undo(shop, run)


def test_a_run_that_goes_on_is_not_undone(shop: Company) -> None:
    shop.play(proposes(("ask_user", {"question": "Which?"})))
    run = shop.drive(shop.start())
    with pytest.raises(StateConflict, match="run_not_ended"):
        undo(shop, run)


def test_a_suspended_agent_undoes_nothing(shop: Company) -> None:
    run = done(shop, "A-1")
    suspend_agent(actor=shop.cast.ada, agent=shop.cast.agent, reason="stolen")
    run.refresh_from_db()
    with pytest.raises(StateConflict, match="agent_not_active"):
        undo(shop, run)


def test_a_tool_that_is_out_of_service_undoes_nothing(shop: Company) -> None:
    run = done(shop, "A-1")
    Tool.objects.filter(name="cancel").update(state="retired")
    [_, left] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (left.word, left.why) == ("cannot", "cancel is not in service")


@pytest.mark.parametrize("who", ["bob", "charlie", "application"])
def test_who_may_not_steer_the_teams_runs_undoes_none(shop: Company, who: str) -> None:
    run = done(shop, "A-1")
    cast = shop.cast
    actor = cast.application.service_account if who == "application" else getattr(cast, who)
    with pytest.raises(PolicyDenied):
        undo_run(actor=actor, run=run, reason="So.")
    with pytest.raises(PolicyDenied):
        foresee_undo(actor=actor, run=run)


def test_a_reason_is_needed(shop: Company) -> None:
    with pytest.raises(ValidationFailed, match="reason_missing"):
        undo(shop, done(shop, "A-1"), reason=" ")


def test_what_was_erased_cannot_be_undone(shop: Company) -> None:
    run = done(shop, "A-1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s", [run.pk])
    [_, left] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (left.word, "not on record" in left.why) == ("cannot", True)


def test_an_undo_that_has_ended_can_be_rebuilt_while_another_is_open(shop: Company) -> None:
    cancel = shop.versions[0].tool
    run = done(shop, "A-1")
    shop.grant(cancel, "DENY")
    first = shop.drive(undo(shop, run))
    undo(shop, run)
    rebuild_run(first.pk)
    first.refresh_from_db()
    assert (first.undoes_id, first.state) == (run.pk, "completed")


def test_it_says_that_a_person_asked_and_takes_no_messages(shop: Company) -> None:
    made = undo(shop, done(shop, "A-1"))
    assert made.proof == "staff"
    with pytest.raises(StateConflict, match="is_an_undo"):
        add_message(actor=shop.cast.ada, run=made, text="And more.")


def test_what_the_undoing_tool_would_not_take_is_said_before(shop: Company) -> None:
    run = done(shop, "A-1")
    takes = {"type": "object", "properties": {"order_id": {"type": "string", "pattern": "^B"}}}
    ToolVersionFactory.create(tool=shop.versions[0].tool, effect="reversible", input_schema=takes)
    [_, left] = foresee_undo(actor=shop.cast.ada, run=run)
    assert (left.word, left.why.startswith("cancel does not take what is on record")) == ("cannot", True)
