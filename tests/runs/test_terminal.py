"""What the demo answers at a terminal: the same verbs, with the words that somebody types."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from agentops.errors import AgentOpsError
from approvals.models import ApprovalRequest
from runs.management.terminal import answer_request
from runs.models import Run
from tests.runs.company import Company
from tests.runs.test_edits import HIGH, LOW, add_refund, ask_for

Type = Callable[..., list[str]]


@pytest.fixture
def run(company: Company) -> Run:
    add_refund(company)
    return ask_for(company, HIGH)


@pytest.fixture
def answer(company: Company, run: Run, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Answer as Fiona, typing these lines; return what was written."""

    def act(word: str, *typed: str) -> list[str]:
        lines, written = iter(typed), list[str]()
        monkeypatch.setattr("builtins.input", lambda _: next(lines))
        answer_request(company.cast.fiona, ApprovalRequest.objects.get(state="waiting"), word, written.append)
        return written

    return act


@pytest.mark.parametrize(("word", "state"), [("approve", "approved"), ("deny", "denied")])
def test_yes_and_no(answer: Type, word: str, state: str) -> None:
    answer(word)
    assert ApprovalRequest.objects.get().state == state


def test_a_question(company: Company, run: Run, answer: Type) -> None:
    answer("ask", "How broken?")
    company.drive(run)
    assert company.observations()[0]["question"] == "How broken?"


def test_an_edit_is_shown_before_it_is_confirmed(company: Company, run: Run, answer: Type) -> None:
    told = answer("edit", json.dumps(LOW), "yes")
    assert '  amount: "90.00" becomes "9.00"' in told
    assert company.states(company.drive(run)) == [("succeeded", "ok")]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ((json.dumps(LOW), "no"), "not_confirmed"),
        (("{",), "malformed_arguments"),
        ((json.dumps(HIGH),), "nothing_edited"),
    ],
)
def test_what_is_not_meant_changes_nothing(answer: Type, typed: tuple[str, ...], code: str) -> None:
    with pytest.raises(AgentOpsError) as refused:
        answer("edit", *typed)
    assert refused.value.code == code
    assert ApprovalRequest.objects.get().state == "waiting"
