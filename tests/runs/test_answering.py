"""Conversations that an agent passed to people: claimed by one, given back or ended, seen by their team only."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from approvals.models import ApprovalRequest
from identities.models import User
from runs import answering
from runs.answering import CLAIM, answer_handover, claim_handover, close_handover, release_handover
from runs.conversation import ERASED, read_conversation, whose_turn
from runs.erasure import erase_run
from runs.models import Handover, Run
from runs.services import add_message, cancel_run
from tests.cast import Cast
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says

REASON = "A lawyer writes."
OVER = proposes(("hand_over", {"reason": REASON}), text="I pass this on.")


@pytest.fixture
def handed(company: Company) -> Handover:
    """Return a conversation that waits for a person."""
    company.add_reads()
    company.run(OVER, says("Passed on."), message="You will hear from my lawyer.")
    return Handover.objects.get()


@pytest.fixture
def bob(cast: Cast) -> User:
    """Bob may answer conversations, too."""
    cast.bob.user_permissions.add(Permission.objects.get(codename="answer_handover"))
    return User.objects.get(pk=cast.bob.pk)


def refusal(deed: object) -> str:
    with pytest.raises(AgentOpsError) as caught:
        deed()  # type: ignore[operator]  # a lambda
    return caught.value.code


# --- one answers at a time ---------------------------------------------------------------------------------


def test_who_has_claimed_it_answers_and_nobody_else(company: Company, handed: Handover, bob: User) -> None:
    alice = company.cast.alice
    claim_handover(actor=alice, handover=handed)
    for deed in (
        lambda: claim_handover(actor=bob, handover=handed),
        lambda: release_handover(actor=bob, handover=handed),
        lambda: answer_handover(actor=bob, handover=handed, text="Me first."),
        lambda: close_handover(actor=bob, handover=handed, outcome="resolved", text="Me first."),
    ):
        assert refusal(deed) == "handover_claimed"
    answered = answer_handover(actor=alice, handover=handed, text="Ring 555.")
    assert (answered.answered_by, answered.outcome) == (alice, "given_back")
    assert company.drive(handed.run).state == "completed"
    assert company.observations() == ["Ring 555."]


def test_what_is_released_is_anybodys(company: Company, handed: Handover, bob: User) -> None:
    claim_handover(actor=company.cast.alice, handover=handed)
    release_handover(actor=company.cast.alice, handover=handed)
    assert claim_handover(actor=bob, handover=handed).claimed_by == bob
    assert refusal(lambda: release_handover(actor=company.cast.alice, handover=handed)) == "handover_claimed"


def test_a_claim_lapses_by_itself(company: Company, handed: Handover, bob: User) -> None:
    claim_handover(actor=company.cast.alice, handover=handed)
    with time_machine.travel(timezone.now() + CLAIM - timedelta(seconds=5), tick=False):
        assert refusal(lambda: claim_handover(actor=bob, handover=handed)) == "handover_claimed"
    with time_machine.travel(timezone.now() + CLAIM + timedelta(seconds=5), tick=False):
        assert claim_handover(actor=bob, handover=handed).claimed_by == bob
        assert refusal(lambda: release_handover(actor=company.cast.alice, handover=handed)) == (
            "handover_claimed"
        )


def test_nobody_releases_what_they_did_not_claim(company: Company, handed: Handover) -> None:
    assert refusal(lambda: release_handover(actor=company.cast.alice, handover=handed)) == "not_claimed"


# --- given back or ended -----------------------------------------------------------------------------------


def test_closing_ends_the_run_with_the_persons_words(company: Company, handed: Handover) -> None:
    asked = len(company.asked())
    closed = close_handover(
        actor=company.cast.alice, handover=handed, outcome="declined", text="We do not pay."
    )
    run = company.drive(handed.run)
    assert (run.state, closed.outcome) == ("completed", "declined")
    assert company.content(run, "run.completed") == {"answer": "We do not pay."}
    assert company.facts(run, "handover.closed")[0]["outcome"] == "declined"
    assert len(company.asked()) == asked  # no model was asked for that


def test_closing_withdraws_what_else_waits_for_people(company: Company) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    run = company.run(proposes(("hand_over", {"reason": REASON}), ("refund", ORDER)), says("Never."))
    close_handover(
        actor=company.cast.alice, handover=Handover.objects.get(), outcome="elsewhere", text="I do it."
    )
    assert company.drive(run).state == "completed"
    assert ApprovalRequest.objects.get().state == "voided"
    assert company.world.attempts == []


@pytest.mark.parametrize("outcome", ["", "given_back", "won"])
def test_an_outcome_is_one_of_those_that_end_it(company: Company, handed: Handover, outcome: str) -> None:
    with pytest.raises(ValidationFailed, match="bad_outcome"):
        close_handover(actor=company.cast.alice, handover=handed, outcome=outcome, text="So.")


@pytest.mark.parametrize("text", ["", " \n", "x" * 1_000_000], ids=["empty", "blank", "1 MB"])
def test_words_that_nobody_could_read_change_nothing(company: Company, handed: Handover, text: str) -> None:
    before = company.kinds(handed.run)
    for deed in (
        lambda: answer_handover(actor=company.cast.alice, handover=handed, text=text),
        lambda: close_handover(actor=company.cast.alice, handover=handed, outcome="resolved", text=text),
    ):
        assert refusal(deed).startswith("message_")
    assert company.kinds(handed.run) == before


def test_what_is_answered_or_over_takes_nothing_more(company: Company, handed: Handover) -> None:
    alice = company.cast.alice
    close_handover(actor=alice, handover=handed, outcome="resolved", text="Done.")
    for deed in (
        lambda: claim_handover(actor=alice, handover=handed),
        lambda: answer_handover(actor=alice, handover=handed, text="Again."),
        lambda: close_handover(actor=alice, handover=handed, outcome="resolved", text="Again."),
    ):
        assert refusal(deed) == "handover_answered"


def test_a_run_that_has_ended_waits_for_nobody(company: Company, handed: Handover) -> None:
    cancel_run(actor=company.cast.alice, run=handed.run)
    company.drive(handed.run)
    for deed in (
        lambda: claim_handover(actor=company.cast.alice, handover=handed),
        lambda: answer_handover(actor=company.cast.alice, handover=handed, text="Hm."),
    ):
        assert refusal(deed) == "run_ended"


# --- who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["bob", "charlie", "fiona", "application", "agent"])
def test_only_colleagues_with_the_right_do_anything(company: Company, handed: Handover, who: str) -> None:
    accounts = {
        "application": company.cast.application.service_account,
        "agent": company.cast.agent.service_account,
    }
    actor = accounts.get(who) or getattr(company.cast, who)
    for deed in (claim_handover, release_handover):
        with pytest.raises(PolicyDenied):
            deed(actor=actor, handover=handed)
    with pytest.raises(PolicyDenied):
        answer_handover(actor=actor, handover=handed, text="Pay!")
    with pytest.raises(PolicyDenied):
        close_handover(actor=actor, handover=handed, outcome="resolved", text="Pay!")


# --- the conversation --------------------------------------------------------------------------------------


def test_the_conversation_says_who_said_what(company: Company, handed: Handover) -> None:
    alice, run = company.cast.alice, handed.run
    assert whose_turn(Run.objects.get(pk=run.pk)) == "person"
    add_message(actor=alice, run=run, text="Are you there?")
    answer_handover(actor=alice, handover=handed, text="We are.")
    assert whose_turn(Run.objects.get(pk=run.pk)) == "agent"
    ended = company.drive(run)
    assert [(said.by, said.text, said.action) for said in read_conversation(ended)] == [
        ("user", "You will hear from my lawyer.", ""),
        ("agent", "I pass this on.", ""),
        ("agent", REASON, "handover"),
        ("user", "Are you there?", ""),
        ("person", "We are.", ""),
        ("agent", "Passed on.", ""),
    ]
    assert read_conversation(ended)[4].name == str(alice)
    assert whose_turn(ended) == "nobody"


def test_what_was_erased_is_said_to_be(company: Company, handed: Handover) -> None:
    close_handover(actor=company.cast.alice, handover=handed, outcome="resolved", text="Done.")
    run = company.drive(handed.run)
    erase_run(actor=company.cast.ada, run=run, reason="They asked.")
    assert {said.text for said in read_conversation(run)} == {ERASED}


# --- without the guards ------------------------------------------------------------------------------------

CLAIMED = "if is_claimed(locked, timezone.now()) and locked.claimed_by_id != actor.pk:"
MUTANTS: dict[str, tuple[ModuleType, str, str, str]] = {
    "two people answer at once": (answering, "_lock_open", CLAIMED, "if False:"),
    "anybody answers": (answering, "_lock_open", "may_answer(actor, locked.run).enforce()", "pass"),
    "a claim never lapses": (answering, "is_claimed", "now < handover.claimed_at + CLAIM", "True"),
    "an answer counts twice": (answering, "_lock_open", "if locked.answered_at is not None:", "if False:"),
}


def hold(name: str, company: Company, handed: Handover, bob: User) -> None:
    """Check what the guard is for."""
    alice = company.cast.alice
    if name == "anybody answers":
        with pytest.raises(PolicyDenied):
            answer_handover(actor=company.cast.charlie, handover=handed, text="Pay!")
        return
    claim_handover(actor=alice, handover=handed)
    if name == "a claim never lapses":
        with time_machine.travel(timezone.now() + 2 * CLAIM, tick=False):
            claim_handover(actor=bob, handover=handed)
        return
    if name == "an answer counts twice":
        answer_handover(actor=alice, handover=handed, text="Yes.")
        with pytest.raises(StateConflict, match="handover_answered"):
            answer_handover(actor=alice, handover=handed, text="No.")
        return
    with pytest.raises(StateConflict):
        answer_handover(actor=bob, handover=handed, text="Me first.")


@pytest.mark.parametrize("name", MUTANTS)
def test_each_guard_holds(company: Company, handed: Handover, bob: User, name: str) -> None:
    hold(name, company, handed, bob)


@pytest.mark.parametrize("name", MUTANTS)
def test_each_guard_is_missed(
    company: Company, handed: Handover, bob: User, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    rewrite(monkeypatch, *MUTANTS[name])
    with pytest.raises((AssertionError, AgentOpsError, pytest.fail.Exception)):
        hold(name, company, handed, bob)
