"""Forking a run: recalled up to a step, asked of the model from there on, and without effects."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from agentops.engine import events as e
from agentops.engine.commands import CallTools
from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from approvals.models import ApprovalRequest
from runs import driver
from runs.actions import executing, gating
from runs.comparing import compare_runs
from runs.erasure import erase_run
from runs.forks import calls as forked_calls
from runs.forks.plans import Fork
from runs.forks.services import fork_run
from runs.models import Run
from runs.prompts import read_prompt
from runs.replays.services import replay_run
from runs.services import add_message, answer_input
from runs.tool_use import Wanted, list_calls
from runs.undoing.services import undo_run
from tests.cast import Cast
from tests.factories import PriceFactory
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.replays.forking import fork, let_fork
from tools.catalogue import read_spec
from tools.models import EffectRecord

OTHER = {"order_id": "A-2"}
ALLOW: dict[str, Any] = {"decision": "ALLOW"}


@pytest.fixture
def run(company: Company) -> Run:
    """Return a run of three steps: a read, a write that went out, and an answer."""
    company.add_reads()
    company.add_tool("refund", grant="ALLOW")
    return company.run(
        proposes(("look_up", ORDER), text="I look."), proposes(("refund", ORDER)), says("Done.")
    )


def reached(company: Company) -> list[str]:
    return list(company.world.attempts)


def test_one_that_changes_nothing_does_the_same(company: Company, run: Run) -> None:
    seen, asked = reached(company), len(company.asked())
    made = fork(company, run, 2, proposes(("refund", ORDER)), says("Done."))
    assert (made.state, made.kind, made.fork_of_id, made.principal_id) == (
        "completed",
        "fork",
        run.pk,
        run.principal_id,
    )
    assert (reached(company), len(company.asked())) == (seen, asked + 2)
    compared = compare_runs(run, made)
    assert [pair.likeness for pair in compared.pairs] == ["same", "same"]
    assert compared.parting is None


def test_the_model_is_shown_in_its_first_step_what_it_was_shown_then(company: Company, run: Run) -> None:
    before = company.asked()[1]["messages"]
    made = fork(company, run, 2, proposes(("refund", ORDER)), says("Done."))
    assert company.asked()[3]["messages"] == before
    assert list(read_prompt(made, 2).messages) == before


def test_only_what_the_model_was_asked_anew_is_charged(company: Company, run: Run) -> None:
    made = fork(company, run, 3, says("Done otherwise."))
    last = company.facts(run, e.STEP_DECIDED)[-1]
    assert (made.steps, made.tokens, made.usd) == (3, last["tokens"], Decimal(last["usd"]))
    assert 0 < made.tokens < run.tokens


def test_no_effect_is_on_its_record(company: Company, run: Run) -> None:
    made = fork(company, run, 2, proposes(("refund", ORDER), ("refund", OTHER)), says("Done."))
    assert not {e.ATTEMPT_STARTED} & set(company.kinds(made))
    assert not EffectRecord.objects.filter(stream_id=made.pk).exists()
    assert {row.tool_version_id for row in company.calls(made)} == {None}


def test_changed_instructions_are_what_the_model_reads(company: Company, run: Run) -> None:
    made = fork(company, run, 2, says("No refund."), instructions="Never refund anything.")
    system = company.asked()[-1]["messages"][0]["content"]
    assert "Never refund anything." in system
    assert compare_runs(run, made).parting == 1
    assert company.facts(made, e.RUN_STARTED)[0]["fork"]["changed"] == ["instructions"]


def test_a_changed_model_is_asked_and_its_price_counts(company: Company, run: Run) -> None:
    price = PriceFactory.create()
    made = fork(company, run, 2, says("No."), model=price.model)
    assert company.asked()[-1]["model"] == price.model
    requested = company.facts(made, e.MODEL_REQUESTED)
    assert [each["model"] for each in requested] == [company.model, price.model]
    assert requested[-1]["price_version"] == price.version


def test_a_changed_policy_decides(company: Company, run: Run) -> None:
    made = fork(
        company, run, 2, proposes(("refund", ORDER)), says("No."), terms={"refund": {"decision": "DENY"}}
    )
    [_, refused] = company.calls(made)
    assert (refused.state, refused.decision) == ("refused", "DENY")
    assert company.observations()[-1]["error"] == refused.code == "denied_by_grant"


def test_a_policy_that_would_ask_a_person_asks_nobody(company: Company, run: Run) -> None:
    terms = {"refund": {"decision": "REQUIRE_APPROVAL"}}
    made = fork(company, run, 2, proposes(("refund", ORDER)), says("Done."), terms=terms)
    [_, asked] = company.calls(made)
    assert (made.state, asked.state, asked.decision) == ("completed", "succeeded", "REQUIRE_APPROVAL")


def test_what_was_denied_then_is_not_made_under_milder_terms_either(company: Company) -> None:
    company.add_tool("refund", grant="DENY")
    run = company.run(proposes(("refund", ORDER)), says("No."))
    made = fork(company, run, 1, proposes(("refund", ORDER)), says("Then."), terms={"refund": ALLOW})
    [call] = company.calls(made)
    assert (call.decision, call.state) == ("ALLOW", "refused")
    assert reached(company) == []


def test_a_call_that_was_not_recorded_is_not_made_and_says_what_policy_would(
    company: Company, run: Run
) -> None:
    seen = reached(company)
    made = fork(company, run, 2, proposes(("refund", OTHER)), says("Then not."))
    [_, call] = company.calls(made)
    assert (call.state, call.code, call.decision) == ("refused", "not_made", "ALLOW")
    assert "would have let it go out" in company.observations()[-1]["detail"]
    assert reached(company) == seen


def test_the_same_call_twice_is_answered_as_often_as_it_was_made(company: Company, run: Run) -> None:
    made = fork(company, run, 2, proposes(("refund", ORDER)), proposes(("refund", ORDER)), says("Done."))
    assert [call.state for call in company.calls(made)] == ["succeeded", "succeeded", "refused"]


def test_reads_are_made_where_that_was_asked_for_and_writes_are_not(company: Company, run: Run) -> None:
    seen = reached(company)
    turns = proposes(("look_up", OTHER), ("refund", OTHER)), says("Done.")
    made = fork(company, run, 2, *turns, call_reads=True)
    assert reached(company) == [*seen, "look_up"]
    assert [(c.tool_name, c.state) for c in company.calls(made)][1:] == [
        ("look_up", "succeeded"),
        ("refund", "refused"),
    ]


def test_what_people_said_then_is_recalled(company: Company) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.publish(may_ask_user=True)
    client = company.cast.application.service_account
    run = company.run(
        proposes(("ask_user", {"question": "Which?"})), proposes(("refund", ORDER)), says("Refunded.")
    )
    answer_input(actor=client, run=run, text="The first.")
    company.drive(run)
    company.decide()
    company.drive(run)
    assert run.state == "completed"
    before, asked = company.asked()[-1]["messages"], len(company.asked())
    made = fork(company, run, 3, says("Refunded."))
    assert company.asked()[-1]["messages"] == before
    assert (made.state, len(company.asked())) == ("completed", asked + 1)
    assert [pair.likeness for pair in compare_runs(run, made).pairs] == ["same", "same"]
    again = fork(company, run, 1, proposes(("ask_user", {"question": "Another?"})), says("Well."))
    assert company.states(again) == [("refused", "not_made")]


def test_the_user_s_later_words_are_said_again(company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    run = company.run(proposes(("refund", ORDER)), says("Then not."))
    add_message(actor=company.cast.application.service_account, run=run, text="Leave it.")
    company.drive(run)
    before = company.asked()[-1]["messages"]
    made = fork(company, run, 2, says("Then not."))
    assert company.asked()[-1]["messages"] == before
    assert company.kinds(made).count(e.MESSAGE_RECEIVED) == 1


def test_circles_count_as_they_did(company: Company) -> None:
    """A write that succeeded lets the same read be asked again, also where it is only recalled."""
    company.add_reads()
    company.add_tool("refund", grant="ALLOW")
    company.publish(repeat_limit=2)
    reads = proposes(("look_up", ORDER))
    run = company.run(
        reads, proposes(("refund", ORDER)), reads, proposes(("refund", OTHER)), reads, says("Done.")
    )
    assert run.state == "completed"
    assert fork(company, run, 6, says("Done.")).state == "completed"


def test_summaries_are_recalled(company: Company) -> None:
    company.add_reads()
    company.publish(context_tokens=1_000, summarise=True)
    turns = [proposes(("look_up", {"order_id": "A" * 900 + str(number)})) for number in range(7)]
    run = company.run(*turns, says("Done."))
    assert e.SUMMARY_REQUESTED in company.kinds(run)
    asked = len(company.asked())
    before = company.asked()[-1]["messages"]
    made = fork(company, run, run.steps, says("Done."))
    assert (made.state, len(company.asked())) == ("completed", asked + 1)
    assert company.asked()[-1]["messages"] == before


def test_a_fork_is_replayed_like_any_run(company: Company, run: Run) -> None:
    made = fork(
        company, run, 2, proposes(("refund", ORDER), ("refund", OTHER)), says("Done."), instructions="Short."
    )
    report = replay_run(actor=company.cast.alice, run=made)
    assert (report.outcome, report.differences, report.prompts) == ("same", (), 2)


def test_its_start_is_on_the_record_with_who_began_it(company: Company, run: Run) -> None:
    made = fork(
        company, run, 2, says("No."), instructions="Secret words.", terms={"refund": ALLOW}, call_reads=True
    )
    [started] = [entry for entry in company.entries(made) if entry.kind == e.RUN_STARTED]
    assert started.actor == company.cast.alice.pk
    assert started.facts["fork"] == {
        "run": str(run.pk), "step": 2, "changed": ["instructions", "policy"], "model": "", "call_reads": True,
        "terms": {"refund": ALLOW},
    }  # fmt: skip
    assert "Secret words." not in str(started.facts)


def test_another_agent_is_given_no_task_whatever_its_tool_says_of_itself(company: Company) -> None:
    spec = read_spec(company.add_reads().pk)
    asked = Fork(company.cast.agent.pk, 1, call_reads=True)
    assert forked_calls.may_be_made(asked, spec, "ALLOW")
    assert not forked_calls.may_be_made(asked, replace(spec, adapter="agent"), "ALLOW")
    assert not forked_calls.may_be_made(replace(asked, call_reads=False), spec, "ALLOW")
    assert not forked_calls.may_be_made(replace(asked, terms={"look_up": ALLOW}), spec, "ALLOW")


def test_terms_that_are_tried_out_let_no_read_go_out(company: Company) -> None:
    company.add_tool("look_up", effect="read", grant="DENY")
    run = company.run(says("I cannot look."))
    turns = proposes(("look_up", ORDER)), says("Then not.")
    made = fork(company, run, 1, *turns, call_reads=True, terms={"look_up": ALLOW})
    assert (company.states(made), reached(company)) == ([("refused", "not_made")], [])


@pytest.mark.parametrize("is_guarded", [True, False])
def test_no_person_is_asked_about_a_read_whose_grant_changes_this_moment(
    company: Company, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    """Allowed when it was assessed, and for people to decide when it is to go out; without the guard they would be."""
    look_up = company.add_reads()
    run = company.run(says("Done."))
    real = driver._call_tools

    def change_first(session: Any, command: Any) -> None:
        session.commit()
        company.grant(look_up.tool, "REQUIRE_APPROVAL")
        real(session, command)

    monkeypatch.setitem(driver._EFFECTS, CallTools, change_first)
    if not is_guarded:
        company.is_mutant = True
        asking = rewrite(monkeypatch, gating, "ask_people", "if session.is_dry:", "if False:")
        monkeypatch.setattr(executing, "ask_people", asking)
    made = fork(company, run, 1, proposes(("look_up", ORDER)), says("Then not."), call_reads=True)
    asked = ApprovalRequest.objects.filter(subject_ref=str(made.pk)).exists()
    assert (asked, made.state) == ((False, "completed") if is_guarded else (True, "requires_action"))
    assert reached(company) == []


def test_a_fork_leaves_nothing_to_undo(company: Company, run: Run) -> None:
    made = fork(company, run, 2, proposes(("refund", ORDER)), says("Done."))
    with pytest.raises(StateConflict, match="nothing is left"):
        undo_run(actor=company.cast.ada, run=made, reason="Try.")


def test_a_tool_s_and_a_version_s_figures_do_not_count_forks(company: Company, run: Run) -> None:
    tool = company.versions[-1].tool
    wanted = Wanted(window="day")
    before = list_calls(tool, wanted, timezone.now(), limit=9)
    fork(company, run, 2, proposes(("refund", ORDER), ("refund", OTHER)), says("Done."))
    assert list_calls(tool, wanted, timezone.now(), limit=9) == before != []


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "changes", "code"),
    [
        (0, {}, "unknown_step"),
        (4, {}, "unknown_step"),
        (1, {"instructions": " "}, "instructions_missing"),
        (1, {"instructions": "a" * 50_001}, "instructions_too_long"),
        (1, {"model": "nobody-knows"}, "unknown_price"),
        (1, {"terms": {"no_tool": ALLOW}}, "unknown_tool"),
        (1, {"terms": {"refund": {"decision": "MAYBE"}}}, "bad_terms"),
        (1, {"terms": {"refund": {"decision": "ALLOW", "guard": 1}}}, "bad_terms"),
        (1, {"terms": {"refund": {"decision": "ALLOW_WITH_CAPS"}}}, "bad_terms"),
        (1, {"terms": {"refund": {"decision": "ALLOW_WITH_CAPS", "caps": [{"per": "eon"}]}}}, "bad_cap"),
        (1, {"terms": {"refund": {"decision": "ALLOW", "over_caps": "ALLOW"}}}, "bad_terms"),
        (1, {"terms": {"refund": "ALLOW"}}, "bad_terms"),
    ],
)
def test_changes_that_nobody_could_make_are_refused(
    company: Company, run: Run, step: int, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        fork(company, run, step, **changes)
    assert refused.value.code == code
    assert not run.forks.exists()


def test_a_run_that_goes_on_is_not_forked(company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    with pytest.raises(StateConflict, match="requires_action"):
        fork(company, run, 1)


def test_a_fork_is_not_forked(company: Company, run: Run) -> None:
    made = fork(company, run, 3, says("Done."))
    with pytest.raises(StateConflict, match="given a task"):
        fork(company, made, 1)


def test_an_agent_that_may_not_act_is_not_forked(company: Company, run: Run) -> None:
    company.cast.agent.state = "suspended"
    company.cast.agent.save()
    with pytest.raises(StateConflict, match="suspended"):
        fork(company, run, 1)


def test_who_may_not_start_its_agent_forks_nothing(company: Company, cast: Cast, run: Run) -> None:
    plan = Fork(run.pk, 1)
    for actor, code in (
        (cast.bob, "agent_not_granted"),
        (let_fork(cast.charlie), "not_visible"),
        (cast.application.service_account, "not_allowed"),
    ):
        with pytest.raises(PolicyDenied) as refused:
            fork_run(actor=actor, run=run, fork=plan)
        assert refused.value.code == code
    assert not run.forks.exists()


def test_what_was_erased_is_not_forked_and_forks_are_erased_with_their_run(
    company: Company, run: Run
) -> None:
    made = fork(company, run, 2, says("No."), instructions="Never.")
    company.cast.alice.user_permissions.add(Permission.objects.get(codename="erase_content"))
    erase_run(actor=company.cast.alice, run=run, reason="asked for")
    assert all(entry.content is None for entry in company.entries(made))
    with pytest.raises(StateConflict, match="erased"):
        fork(company, run, 2)


def test_a_run_is_not_erased_while_a_fork_of_it_needs_its_words(company: Company, run: Run) -> None:
    fork_run(actor=let_fork(company.cast.alice), run=run, fork=Fork(run.pk, 2))
    company.cast.alice.user_permissions.add(Permission.objects.get(codename="erase_content"))
    with pytest.raises(StateConflict, match="cancel it first"):
        erase_run(actor=company.cast.alice, run=run, reason="asked for")


# --- without the guards -------------------------------------------------------------------------------------


def test_without_the_guard_a_fork_would_call_the_tool(
    company: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    seen = reached(company)
    effect = rewrite(monkeypatch, driver, "_call_tools", "if session.fork is not None:", "if False:")
    monkeypatch.setitem(driver._EFFECTS, CallTools, effect)
    fork(company, run, 2, proposes(("refund", OTHER)), says("Done."))
    assert reached(company) == [*seen, "look_up", "refund"]


def test_without_looking_at_the_effect_a_write_would_go_out_with_the_reads(
    company: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    seen = reached(company)
    rewrite(monkeypatch, forked_calls, "may_be_made", 'spec.effect == "read" and ', "")
    fork(company, run, 2, proposes(("refund", OTHER)), says("Done."), call_reads=True)
    assert reached(company) == [*seen, "refund"]
