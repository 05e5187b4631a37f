"""Asking the agent before deciding: what it reads, what comes back, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from agentops.errors import AgentOpsError
from agentops.ledger.store import erase_contents
from approvals import history, questions, services
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.questions import ask_agent
from approvals.services import decide, read_evidence
from identities.models import User
from runs.models import Run
from tests.approvals.conftest import company
from tests.ledger import last_entry
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says

__all__ = ["company"]


def ask(
    company: Company, question: str = "How late is it?", who: User | None = None, **changes: Any
) -> ApprovalRequest:
    request = ApprovalRequest.objects.get(state="waiting")
    values = {"digest": request.digest, "channel": "api", "second_factor": True, **changes}
    return ask_agent(actor=who or company.cast.fiona, request=request, question=question, **values)


def refused(company: Company, **changes: Any) -> str:
    with pytest.raises(AgentOpsError) as error:
        ask(company, **changes)
    assert error.value.detail
    return error.value.code


@pytest.fixture
def run(company: Company) -> Run:
    """A run that proposes a refund as often as it is asked about it."""
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    turns = [proposes(("refund", ORDER), text=f"Reason {number}.") for number in range(5)]
    company.play(*turns, says("Done."))
    return company.drive(company.start())


def test_the_agent_reads_the_question_as_staffs_and_answers_with_another_request(
    company: Company, run: Run
) -> None:
    assert ask(company).state == "asked"
    run = company.drive(run)
    assert (run.state, company.states(run)) == (
        "requires_action",
        [("refused", "asked_back"), ("waiting", "")],
    )
    told = company.observations()[0]
    assert (told["error"], told["question"]) == ("asked_back", "How late is it?")
    assert "not the user" in told["asked_by"]
    assert not [
        each
        for each in company.asked()[-1]["messages"]
        if each["role"] == "user" and "How late" in each["content"]
    ]
    again = ApprovalRequest.objects.get(state="waiting")
    assert again.follows == ApprovalRequest.objects.get(state="asked")
    rounds = (read_evidence(again) or {})["asked"]
    assert [(each["question"], each["by"], each["answer"]) for each in rounds] == [
        ("How late is it?", "fiona", "Reason 1.")
    ]
    company.decide()
    assert company.states(company.drive(run))[1] == ("succeeded", "ok")


def test_rounds_are_shown_together_and_come_to_an_end(company: Company, run: Run) -> None:
    for number in range(3):
        ask(company, f"Question {number}?")
        company.drive(run)
    rounds = (read_evidence(ApprovalRequest.objects.get(state="waiting")) or {})["asked"]
    assert [(each["question"], each["answer"]) for each in rounds] == [
        (f"Question {number}?", f"Reason {number + 1}.") for number in range(3)
    ]
    assert refused(company) == "asked_enough"


def test_without_the_bound_people_ask_for_ever(
    company: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "ROUNDS", 99)
    for _ in range(4):
        ask(company)
        company.drive(run)
    assert ApprovalRequest.objects.filter(state="asked").count() == 4


def test_a_question_is_an_entry_of_its_asker_and_its_words_can_be_erased(company: Company, run: Run) -> None:
    asked = ask(company)
    entry = last_entry(asked.pk)
    assert (entry.kind, entry.actor, entry.facts["verdict"]) == (
        "approval.decided",
        company.cast.fiona.pk,
        "ask",
    )
    assert "late" not in str(entry.facts)
    with connection.cursor() as cursor:
        erase_contents(cursor, asked.pk)
    company.drive(run)
    assert company.observations()[0]["question"] == "[erased]"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"question": " "}, "question_missing"),
        ({"question": "x" * 2_001}, "reason_too_long"),
        ({"digest": "e" * 64}, "digest_changed"),
        ({"second_factor": False}, "second_factor_required"),
    ],
)
def test_what_is_no_question_asks_nobody(
    company: Company, run: Run, changes: dict[str, Any], code: str
) -> None:
    assert refused(company, **changes) == code
    assert not ApprovalDecision.objects.exists()


def test_only_who_may_decide_asks(company: Company, run: Run) -> None:
    assert refused(company, who=company.cast.charlie) == "unknown_approval"
    assert refused(company, who=company.cast.bob) == "not_an_approver"


def test_nobody_decides_about_what_was_asked_about(company: Company, run: Run) -> None:
    request = ask(company)
    with pytest.raises(AgentOpsError) as late:
        ask_agent(
            actor=company.cast.fiona, request=request, question="And?", digest=request.digest, channel="api",
            second_factor=True,
        )  # fmt: skip
    assert (late.value.code, late.value.detail) == (
        "approval_decided", "somebody has asked the agent about it; nothing was changed",
    )  # fmt: skip


# --- several calls of one tool in a step -------------------------------------------------------------------

A, B, C = ({"order_id": f"{letter}-1"} for letter in "ABC")


def ask_about(company: Company, *orders: dict[str, str], approve: tuple[dict[str, str], ...] = ()) -> None:
    """Ask about what waits for these orders, each by its name, and approve what waits for others."""
    for request in ApprovalRequest.objects.filter(state="waiting"):
        order = (read_evidence(request) or {})["arguments"]
        about: dict[str, Any] = {
            "request": request,
            "actor": company.cast.fiona,
            "digest": request.digest,
            "channel": "api",
        }
        if order in orders:
            ask_agent(**about, question=f"Why {order['order_id']}?", second_factor=True)
        elif order in approve:
            decide(**about, verdict="approve", reason="", second_factor=True)


def shown(request: ApprovalRequest) -> tuple[str, list[str]]:
    evidence = read_evidence(request) or {}
    return evidence["arguments"]["order_id"], [each["question"] for each in evidence.get("asked", [])]


def told_again(company: Company, run: Run) -> dict[str, list[str]]:
    """Let the run go on; return which questions the new requests show, by their orders."""
    company.drive(run)
    return dict(shown(request) for request in ApprovalRequest.objects.filter(state="waiting"))


@pytest.fixture
def two(company: Company) -> Company:
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    return company


def begin(company: Company, *steps: tuple[dict[str, str], ...]) -> Run:
    return company.run(
        *(proposes(*(("refund", order) for order in orders), text="Because.") for orders in steps),
        says("Done."),
    )


@pytest.mark.parametrize(
    ("asked", "again", "found"),
    [
        ((A,), (A,), {"A-1": ["Why A-1?"]}),
        ((A,), (C, A), {"C-1": ["Why A-1?"], "A-1": ["Why A-1?"]}),
        ((A, B), (A, B), {"A-1": ["Why A-1?"], "B-1": ["Why B-1?"]}),
        ((A, B), (B, A), {"A-1": ["Why A-1?"], "B-1": ["Why B-1?"]}),
        ((A, B), (C,), {"C-1": ["Why A-1?", "Why B-1?"]}),
        ((A, B), (C, A), {"C-1": ["Why A-1?", "Why B-1?"], "A-1": ["Why A-1?"]}),
    ],
)
def test_no_question_is_lost_of_two_calls_in_one_step(
    two: Company,
    asked: tuple[dict[str, str], ...],
    again: tuple[dict[str, str], ...],
    found: dict[str, list[str]],
) -> None:
    run = begin(two, (A, B), again)
    ask_about(two, *asked, approve=(B,))
    assert told_again(two, run) == found


def test_what_was_answered_is_not_asked_again_of_another_call(two: Company) -> None:
    run = begin(two, (A, B), (A,), (C,))
    ask_about(two, A, approve=(B,))
    assert told_again(two, run) == {"A-1": ["Why A-1?"]}
    ask_about(two, approve=(A,))
    assert told_again(two, run) == {"C-1": []}


def test_rounds_about_one_of_two_calls_are_told_in_order_and_once(two: Company) -> None:
    run = begin(two, (A, B), (A, B), (A,))
    ask_about(two, A, approve=(B,))
    assert told_again(two, run)["A-1"] == ["Why A-1?"]
    ask_about(two, A, approve=(B,))
    assert told_again(two, run) == {"A-1": ["Why A-1?", "Why A-1?"]}


def test_without_looking_past_the_latest_request_the_question_is_lost(
    two: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = 'ApprovalRequest.objects.filter(subject_ref=subject_ref, tool=tool_id).latest("created_at")'
    rewrite(monkeypatch, history, "find_asked", "in asked}", f"in asked if request == {latest}}}")
    monkeypatch.setattr(services, "find_asked", history.find_asked)
    run = begin(two, (A, B), (A,))
    ask_about(two, A, approve=(B,))
    assert told_again(two, run) == {"A-1": []}
