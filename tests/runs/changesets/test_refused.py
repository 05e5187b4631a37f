"""What must not happen with a change set, and what whoever tries is told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent, fold
from agentops.errors import NotFound, Permanent, PolicyDenied, StateConflict, ValidationFailed
from approvals.models import ApprovalRequest
from runs import services
from runs.actions import assessing
from runs.changesets import missing
from runs.changesets.forms import Ceilings, RunForm
from runs.changesets.reviewing import apply_changes
from runs.driver import drive
from runs.folding import read_state
from runs.models import ChangeSet, Run, RunMode
from runs.services import cancel_run
from tests.runs.changesets.proposing import MAIL, REFUND, carry_out, comment, prepare, propose, review
from tests.runs.company import Company, proposes, says
from tools.models import Tool

pytestmark = [pytest.mark.changesets, pytest.mark.slow]

ORDER_2 = ("refund", {"order_id": "A-2"})


def test_a_run_that_proposes_cannot_start_an_attempt_even_if_nothing_were_staged(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules that stage and ask are taken away: the engine refuses the entry without which no effect is made."""
    company.expects_fault = company.is_mutant = True
    monkeypatch.setattr(assessing, "is_staged", lambda session, assessment: False)
    monkeypatch.setattr(services, "limit_tools", lambda version, mode, form, limits: None)
    prepare(company)
    company.play(proposes(REFUND), says("Done."))
    drive(company.start(mode=RunMode.PROPOSE).pk)
    assert company.world.attempts == []
    assert any(UnfoldableEvent.__name__ in fault for fault in company.faults)


def test_what_is_forbidden_is_denied_by_policy(company: Company) -> None:
    prepare(company)
    made = propose(company, REFUND, MAIL, form=RunForm(forbidden=["irreversible"]))
    assert company.states(made.run)[1][0] == "refused"
    assert made.size == 1
    assert "send_email" not in (made.run.limits or {})


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (RunForm(forbidden=["fly"]), "no tool 'fly'"),
        (RunForm(forbidden=["refund", "cancel", "irreversible"]), "leave it something to do"),
        (RunForm(ceilings=Ceilings(usd=Decimal(10**6))), "budget/usd"),
        (RunForm(ceilings=Ceilings(steps=0)), "budget/steps"),
        (RunForm(criteria=[" "]), "criteria"),
    ],
)
def test_a_form_that_cannot_be_kept_starts_nothing(company: Company, form: RunForm, told: str) -> None:
    prepare(company)
    with pytest.raises(ValidationFailed, match="invalid_run_form") as refused:
        company.start(mode=RunMode.PROPOSE, form=form)
    assert told in refused.value.detail
    assert not Run.objects.exists()


def test_the_form_is_shown_to_the_planner_and_bounds_the_run(company: Company) -> None:
    prepare(company)
    form = RunForm(["The customer is content."], ["One refund."], ceilings=Ceilings(steps=7))
    made = propose(company, REFUND, form=form)
    shown = company.asked()[0]["messages"][1]["content"]
    assert shown == (
        "Please help.\n\nAcceptance criteria:\n- The customer is content.\n\nConstraints:\n- One refund."
    )
    assert made.run.max_steps == 7
    assert company.content(made.run, e.RUN_STARTED)["form"]["goal"] == "Please help."


def test_what_depends_on_a_denied_item_is_not_carried_out(company: Company) -> None:
    prepare(company)
    made = propose(company, REFUND, (MAIL[0], {**MAIL[1], "depends_on": [1]}), ORDER_2)
    [second] = made.item_rows.filter(number=2)
    assert second.depends_on == [1]
    first, other, third = review(company, made, verdicts={1: "deny", 2: "approve", 3: "approve"})
    assert (first.is_taken, other.is_taken, third.is_taken) == (True, False, True)
    assert "depends on item 1" in other.detail
    review(company, made, verdicts={2: "deny"})
    carry_out(company, made)
    assert company.world.effects == [f"{made.pk}:1:refund:3"]


def test_a_dependency_denied_after_its_dependent_was_approved_takes_it_along(company: Company) -> None:
    prepare(company)
    made = propose(company, REFUND, (MAIL[0], {**MAIL[1], "depends_on": [1]}), ORDER_2)
    review(company, made, verdicts={2: "approve", 3: "approve"})
    review(company, made, verdicts={1: "deny"})
    carry_out(company, made)
    assert company.world.effects == [f"{made.pk}:1:refund:3"]
    [request] = [item.request for item in made.item_rows.filter(number=2)]
    assert request.state == ApprovalRequest.State.VOIDED


def test_a_dependency_that_fails_keeps_its_dependent_from_going_out(company: Company) -> None:
    _break_the_first(company)
    assert company.world.attempts == ["refund"]


def test_without_the_guard_its_dependent_would_go_out(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    monkeypatch.setattr("runs.actions.proposals.find_missing", lambda session, number: None)
    _break_the_first(company)
    assert company.world.attempts == ["refund", "send_email"]
    assert missing.find_missing is not None


def _break_the_first(company: Company) -> None:
    def fail(_: Any) -> Any:
        raise Permanent("no_such_order", "there is no such order")

    prepare(company)
    made = propose(company, REFUND, (MAIL[0], {**MAIL[1], "depends_on": [1]}))
    review(company, made)
    company.world.mishaps.append(fail)
    carry_out(company, made)


def test_dependencies_that_are_not_there_are_refused(company: Company) -> None:
    prepare(company)
    made = propose(company, REFUND, (MAIL[0], {**MAIL[1], "depends_on": [2]}))
    assert made.size == 1
    assert company.states(made.run)[1] == ("refused", "invalid_arguments")


def test_drift_of_the_terms_voids_an_item_and_the_others_go_on(company: Company) -> None:
    prepare(company)
    made = propose(company)
    review(company, made)
    company.grant(made.item_rows.get(number=1).tool, "ALLOW")
    applying = carry_out(company, made)
    assert company.states(applying) == [("refused", "state_changed"), ("succeeded", "ok")]
    assert company.world.attempts == ["send_email"]


def test_a_denial_by_policy_is_one_as_ever(company: Company) -> None:
    prepare(company)
    company.grant(Tool.objects.get(name="refund"), "DENY")
    made = propose(company)
    assert [item.tool.name for item in made.item_rows.all()] == ["send_email"]


def test_who_may_not_decide_can_do_nothing_with_it(company: Company) -> None:
    prepare(company)
    made = propose(company)
    company.let_decide(made.item_rows.get(number=1).tool, company.cast.alice)  # who owns the agent
    for person, kind in ((company.cast.alice, PolicyDenied), (company.cast.charlie, NotFound)):
        for deed in (review, comment, carry_out):
            with pytest.raises(kind):
                deed(company, made, actor=person)
    assert company.world.attempts == []


def test_nothing_is_carried_out_while_an_item_waits(company: Company) -> None:
    prepare(company)
    made = propose(company)
    review(company, made, verdicts={1: "approve"})
    with pytest.raises(StateConflict, match="items_undecided") as refused:
        carry_out(company, made)
    assert "item 2" in refused.value.detail


def test_a_stale_form_and_a_second_click_change_nothing(company: Company) -> None:
    prepare(company)
    made = propose(company)
    with pytest.raises(StateConflict, match="digest_changed"):
        review(company, made, digest="0" * 64)
    review(company, made)
    again = review(company, made)
    assert [each.code for each in again] == ["decided_already", "decided_already"] or not any(
        each.is_taken for each in again
    )
    carry_out(company, made)
    with pytest.raises(StateConflict, match="change_set_closed"):
        apply_changes(actor=company.cast.fiona, change_set=made, digest=made.digest)
    assert company.world.attempts == ["refund", "send_email"]


def test_a_superseded_set_is_neither_decided_nor_applied(company: Company) -> None:
    prepare(company)
    made = propose(company)
    review(company, made)
    comment(company, made)
    for deed in (review, comment, carry_out):
        with pytest.raises(StateConflict, match="change_set_closed") as refused:
            deed(company, made)
        assert "look at the version that came after it" in refused.value.detail
    assert not ApprovalRequest.objects.filter(state__in=("waiting", "approved")).exists()


def test_a_set_ends_with_its_run(company: Company) -> None:
    prepare(company)
    made = propose(company)
    cancel_run(actor=company.cast.ada, run=made.run)
    company.drive(made.run)
    made.refresh_from_db()
    assert made.state == ChangeSet.State.VOIDED
    with pytest.raises(StateConflict, match="change_set_closed"):
        review(company, made)
    assert not ApprovalRequest.objects.filter(state="waiting").exists()


def test_the_engine_takes_nothing_staged_in_a_run_that_acts(company: Company) -> None:
    prepare(company)
    run = company.run(says("Nothing to do."))
    with connection.cursor() as cursor:
        state = read_state(cursor, run.pk)
    with pytest.raises(UnfoldableEvent):
        fold(state, Event(state.seq + 1, e.CHANGES_OFFERED, {}, datetime.now(UTC)))
