from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from guardian.shortcuts import assign_perm

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import AgentIdentity, User
from runs import services
from runs.answering import answer_handover
from runs.models import Handover, Run
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tests.runs.deeds import meanwhile
from tests.runs.planner.provider import Conversation, Turn

QUESTION = ("ask_user", {"question": "Which order?"})
REASON = ("hand_over", {"reason": "I may not give discounts."})


def while_thinking(happens: Callable[[], object], turn: Turn) -> Turn:
    """Let something happen while the model is asked."""

    def play(conversation: Conversation) -> None:
        happens()
        turn(conversation)

    return play


def client(company: Company) -> User:
    return company.cast.application.service_account


# --- starting ---------------------------------------------------------------------------------------------


def start(company: Company, **changes: Any) -> Run:  # Any: arguments of several types
    values: dict[str, Any] = {
        "actor": client(company),
        "agent": company.cast.agent,
        "message": "Please help.",
        "issuer": ISSUER,
        "subject": SUBJECT,
        "application": company.cast.application,
        **changes,
    }
    return services.start_run(**values)


def test_a_run_starts_queued_and_due(company: Company) -> None:
    company.publish()
    run = start(company)
    assert (run.state, run.steps, run.required_actions) == ("queued", 0, [])
    assert run.wake_at is not None
    assert run.wake_at <= timezone.now()
    assert company.content(run, "run.started") == {"message": "Please help."}
    facts = company.facts(run, "run.started")[0]
    assert facts["limits"] == {"steps": 12, "tokens": 100_000, "usd": "2.0000", "seconds": 90}
    assert facts["asserted_by"] == "application"


def test_a_trace_is_continued(company: Company) -> None:
    company.publish()
    run = start(company, traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert run.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("bad", ["", "00-xyz", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "\x00"])
def test_a_trace_that_is_none_is_not_continued(company: Company, bad: str) -> None:
    company.publish()
    assert len(start(company, traceparent=bad).trace_id) == 32


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"message": "  "}, "message_missing"),
        ({"message": "\u200b\u2060"}, "message_missing"),
        ({"message": "x" * 40_000}, "message_too_long"),
        ({"subject": ""}, "bad_principal"),
        ({"subject": "a\nb"}, "bad_principal"),
        ({"issuer": "x" * 201}, "bad_principal"),
    ],
)
def test_what_a_run_cannot_start_with(company: Company, changes: dict[str, str], code: str) -> None:
    company.publish()
    with pytest.raises(ValidationFailed) as refused:
        start(company, **changes)
    assert refused.value.code == code
    assert Run.objects.count() == 0


def test_an_agent_without_a_published_version_cannot_be_started(company: Company) -> None:
    with pytest.raises(StateConflict) as refused:
        start(company)
    assert refused.value.code == "nothing_published"


def test_a_suspended_agent_cannot_be_started(company: Company) -> None:
    company.publish()
    AgentIdentity.objects.update(state="suspended")
    company.cast.agent.refresh_from_db()
    with pytest.raises(StateConflict) as refused:
        start(company)
    assert refused.value.code == "agent_not_active"


def test_outsiders_start_nothing(company: Company) -> None:
    company.publish()
    for actor, application in (
        (company.cast.charlie, None),
        (company.cast.charlie, company.cast.application),
        (company.cast.agent.service_account, None),
        (client(company), None),
    ):
        with pytest.raises(PolicyDenied):
            start(company, actor=actor, application=application)
    assert Run.objects.count() == 0


def test_staff_start_runs_for_themselves(company: Company) -> None:
    company.publish(principal_source="staff")
    assign_perm("start_run", company.cast.bob, company.cast.agent)
    with pytest.raises(PolicyDenied) as refused:
        start(company, actor=company.cast.bob, application=None)
    assert refused.value.code == "principal_not_proven"
    run = start(company, actor=company.cast.bob, application=None, issuer="agentops", subject="bob")
    assert run.started_by == company.cast.bob


def test_to_be_on_the_team_starts_nothing(company: Company) -> None:
    """An auditor is a member without duties."""
    company.publish(principal_source="staff")
    with pytest.raises(PolicyDenied) as refused:
        start(company, actor=company.cast.bob, **AS_STAFF)
    assert refused.value.code == "agent_not_granted"
    assert not Run.objects.exists()


AS_STAFF = {"application": None, "issuer": "agentops", "subject": "bob"}


@pytest.mark.parametrize(
    ("source", "by_staff", "code"),
    [
        ("application", True, "application_only"),
        ("staff", False, "staff_only"),
        ("", True, "no_principal_source"),
        ("", False, "no_principal_source"),
    ],
)
def test_a_version_is_started_only_by_whom_it_declares(
    company: Company, source: str, by_staff: bool, code: str
) -> None:
    company.publish(principal_source=source)
    assign_perm("start_run", company.cast.bob, company.cast.agent)
    with pytest.raises(PolicyDenied, match="publish a version with principal_source") as refused:
        start(company, **({"actor": company.cast.bob, **AS_STAFF} if by_staff else {}))
    assert refused.value.code == code
    assert not Run.objects.exists()


# --- asking the user --------------------------------------------------------------------------------------


def test_the_agent_asks_the_user_and_goes_on_with_the_answer(company: Company) -> None:
    run = company.run(proposes(QUESTION), says("Thank you."))
    assert (run.state, run.required_actions) == (
        "requires_action",
        [{"type": "input", "step": 1, "call": 1}],
    )
    assert company.content(run, "call.asked") == {"question": "Which order?"}
    run = services.answer_input(actor=client(company), run=run, text="A-1")
    assert (run.state, run.required_actions) == ("in_progress", []), "shown before any driver comes"
    run = company.drive(run)
    assert (run.state, company.observations()) == ("completed", ["A-1"])
    assert company.states(run) == [("succeeded", "answered")]


def test_an_answer_is_given_once(company: Company) -> None:
    run = company.run(proposes(QUESTION), says("Thank you."))
    stale = Run.objects.get(pk=run.pk)
    services.answer_input(actor=client(company), run=run, text="A-1")
    with pytest.raises(StateConflict) as refused:
        services.answer_input(actor=client(company), run=stale, text="A-2")
    assert refused.value.code == "not_awaited"
    assert company.kinds(run).count("input.received") == 1


@pytest.mark.parametrize(("step", "call"), [(2, 1), (1, 2)])
def test_an_answer_to_what_nobody_asked_is_refused(company: Company, step: int, call: int) -> None:
    run = company.run(proposes(QUESTION), says("Thank you."))
    with pytest.raises(StateConflict):
        services.answer_input(actor=client(company), run=run, text="A-1", step=step, call=call)


def test_two_questions_are_answered_one_by_one(company: Company) -> None:
    run = company.run(proposes(QUESTION, ("ask_user", {"question": "Why?"})), says("Thank you."))
    run = services.answer_input(actor=client(company), run=run, text="Because.", step=1, call=2)
    run = company.drive(run)
    assert run.required_actions == [{"type": "input", "step": 1, "call": 1}]
    run = company.drive(services.answer_input(actor=client(company), run=run, text="A-1"))
    assert (run.state, company.observations()) == ("completed", ["A-1", "Because."])


def test_a_question_without_words_is_refused(company: Company) -> None:
    run = company.run(proposes(("ask_user", {"question": " "})), says("Never mind."))
    assert company.states(run) == [("refused", "invalid_arguments")]


@pytest.mark.parametrize(("name", "switch"), [("ask_user", "may_ask_user"), ("hand_over", "may_hand_over")])
def test_a_version_may_be_denied_the_people(company: Company, name: str, switch: str) -> None:
    company.publish(**{switch: False})
    run = company.run(proposes((name, {"question": "?", "reason": "!"})), says("Alone, then."))
    assert company.states(run) == [("refused", "not_allow_listed")]
    assert name not in str(company.asked()[0].get("tools"))


# --- handing over -----------------------------------------------------------------------------------------


def test_a_conversation_is_handed_over_and_answered(company: Company) -> None:
    run = company.run(proposes(REASON), says("Thank you."))
    handover = Handover.objects.get()
    assert run.required_actions == [{"type": "handover", "step": 1, "call": 1}]
    answer_handover(actor=company.cast.alice, handover=handover, text="Give 10 %.")
    run = company.drive(run)
    assert (run.state, company.observations()) == ("completed", ["Give 10 %."])
    handover.refresh_from_db()
    assert handover.answered_by == company.cast.alice
    with pytest.raises(StateConflict):
        answer_handover(actor=company.cast.alice, handover=handover, text="Give 20 %.")


def test_an_outsider_answers_no_handover(company: Company) -> None:
    company.run(proposes(REASON), says("Thank you."))
    with pytest.raises(PolicyDenied):
        answer_handover(actor=company.cast.charlie, handover=Handover.objects.get(), text="Hm.")


def test_a_handover_reaches_the_queue_though_the_stream_moved_meanwhile(company: Company) -> None:
    company.play(says("placeholder"))
    run = company.start()

    def add() -> None:
        services.add_message(actor=client(company), run=run, text="Hello?")

    company.play(while_thinking(add, proposes(REASON)), says("Thank you."))
    run = company.drive(run)
    assert (run.state, Handover.objects.count()) == ("requires_action", 1)


# --- messages ---------------------------------------------------------------------------------------------


def test_a_message_that_comes_while_the_model_thinks_is_read_before_the_end(company: Company) -> None:
    company.play(says("placeholder"))
    run = company.start()

    def add() -> None:
        services.add_message(actor=client(company), run=run, text="And my address?")

    company.play(while_thinking(add, says("Your order is late.")), says("Changed."))
    run = company.drive(run)
    assert (run.state, run.steps) == ("completed", 2)
    roles = [message["role"] for message in company.asked()[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert company.content(run, "run.completed") == {"answer": "Changed."}


def test_a_message_to_a_queued_run_is_read_in_its_first_turn(company: Company) -> None:
    company.play(says("Hello."))
    run = services.add_message(actor=client(company), run=company.start(), text="Quickly.")
    assert run.state == "queued"
    run = company.drive(run)
    assert (run.steps, company.asked()[0]["messages"][-1]["content"]) == (1, "Quickly.")


# --- pausing and stopping ---------------------------------------------------------------------------------


def test_a_run_that_is_paused_in_the_middle_loses_nothing(company: Company) -> None:
    company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    pause = meanwhile(lambda: services.pause_run(actor=company.cast.alice, run=run, reason="lunch"))
    company.world.mishaps.extend([pause])
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("paused", [("succeeded", "ok")])
    assert len(company.asked()) == 1
    run = services.resume_run(actor=company.cast.alice, run=run)
    assert run.state == "in_progress"
    assert company.drive(run).state == "completed"
    assert len(company.world.effects) == 1


@pytest.mark.parametrize(
    ("stop", "state", "reason"),
    [(services.cancel_run, "cancelled", "cancelled_by_user"), (services.kill_run, "halted", "killed")],
)
def test_a_run_that_is_stopped_in_the_middle_of_a_call_keeps_its_outcome(
    company: Company, stop: Callable[..., Run], state: str, reason: str
) -> None:
    company.add_tool("refund")
    company.add_tool("cancel")
    company.play(proposes(("refund", ORDER), ("cancel", ORDER)), says("Done."))
    run = company.start()
    company.world.mishaps.extend([meanwhile(lambda: stop(actor=company.cast.alice, run=run))])
    run = company.drive(run)
    assert (run.state, run.status_reason) == (state, reason)
    assert [each for each, _ in company.states(run)] == ["succeeded", "allowed"]
    assert company.world.attempts == ["refund"]
    ending = company.content(run, f"run.{state}")
    assert (ending["done"], ending["not_done"]) == (["1 × refund"], ["1 × cancel (allowed)"])


@pytest.mark.parametrize("stop", [services.cancel_run, services.kill_run])
def test_a_run_that_is_stopped_while_the_model_thinks_pays_and_ends(
    company: Company, stop: Callable[..., Run]
) -> None:
    company.play(says("placeholder"))
    run = company.start()
    company.play(while_thinking(lambda: stop(actor=company.cast.alice, run=run), says("Done.")))
    run = company.drive(run)
    assert run.state in ("cancelled", "halted")
    assert run.tokens == 120


def test_a_queued_run_can_be_cancelled(company: Company) -> None:
    company.play(says("Never."))
    run = services.cancel_run(actor=client(company), run=company.start())
    assert run.state == "cancelling"
    assert company.drive(run).state == "cancelled"
    assert company.asked() == []


def test_a_run_that_has_ended_takes_nothing_more(company: Company) -> None:
    run = company.run(says("Done."))
    before = company.kinds(run)
    acts: list[Callable[[], object]] = [
        lambda: services.cancel_run(actor=company.cast.alice, run=run),
        lambda: services.pause_run(actor=company.cast.alice, run=run),
        lambda: services.kill_run(actor=company.cast.alice, run=run),
        lambda: services.resume_run(actor=company.cast.alice, run=run),
        lambda: services.add_message(actor=client(company), run=run, text="Hello?"),
        lambda: services.answer_input(actor=client(company), run=run, text="Hello?"),
    ]
    for act in acts:
        with pytest.raises(StateConflict):
            act()
    assert company.kinds(run) == before


def test_outsiders_steer_nothing(company: Company) -> None:
    run = company.run(proposes(QUESTION), says("Thank you."))
    for actor in (company.cast.charlie, company.cast.agent.service_account):
        acts: list[Callable[..., object]] = [
            lambda actor: services.cancel_run(actor=actor, run=run),
            lambda actor: services.pause_run(actor=actor, run=run),
            lambda actor: services.kill_run(actor=actor, run=run),
            lambda actor: services.add_message(actor=actor, run=run, text="Hello?"),
            lambda actor: services.answer_input(actor=actor, run=run, text="Hello?"),
        ]
        for act in acts:
            with pytest.raises(PolicyDenied):
                act(actor)
    assert Run.objects.get().state == "requires_action"


def test_only_a_paused_run_is_resumed(company: Company) -> None:
    run = company.run(proposes(QUESTION), says("Thank you."))
    with pytest.raises(StateConflict):
        services.resume_run(actor=company.cast.alice, run=run)


def test_settling_needs_a_note_and_a_parked_call(company: Company) -> None:
    run = company.run(proposes(QUESTION), says("Thank you."))
    with pytest.raises(ValidationFailed):
        services.settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=True, note=" ")
    with pytest.raises(StateConflict):
        services.settle_outcome(
            actor=company.cast.alice, run=run, step=1, call=1, happened=True, note="Saw it."
        )


def test_time_in_the_queue_is_no_working_time(company: Company) -> None:
    """A run that is due but finds no driver for hours has not worked for hours."""
    company.add_reads()
    company.publish(max_seconds=5)
    company.play(proposes(("look_up", ORDER)), says("Done."))
    run = company.start()
    run = services.add_message(actor=client(company), run=run, text="Hello?")
    hours_ago = timezone.now() - timedelta(hours=3)
    Run.objects.update(wake_at=hours_ago)
    run = company.drive(run)
    assert run.state == "completed"


@pytest.mark.parametrize(
    ("after_s", "agent_s", "expected_s"), [(None, 600, 600), (0, 600, 600), (60, 600, 60), (600, 60, 60)]
)
def test_a_run_expires_at_the_earliest_of_what_is_set(
    company: Company, after_s: int | None, agent_s: int, expected_s: int
) -> None:
    ends_at = timezone.now() + timedelta(seconds=agent_s)
    company.cast.agent.expires_at = ends_at
    company.cast.agent.save()
    company.publish(run_expires_after_s=after_s)
    run = company.start()
    assert abs((run.expires_at - run.created_at).total_seconds() - expected_s) < 5


def test_a_run_without_any_end_is_not_started(company: Company) -> None:
    company.publish(run_expires_after_s=None)
    with pytest.raises(StateConflict, match="when its runs end"):
        company.start()
