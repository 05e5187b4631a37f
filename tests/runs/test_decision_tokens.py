"""A table takes a question by a token that was minted for it and for that call, once, before it decides anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from identities.models import UsedIdentifier
from identities.oauth.receipts import read_receipt
from identities.oauth.receiving import Received, table_audience
from identities.oauth.tokens import AccessToken, read_token
from identities.services import revoke_agent
from runs.models import Run
from runs.stops import stop
from tests.runs.bent_tokens import BENT, bend
from tests.runs.company import Company, proposes, says
from tests.runs.test_decided import ASKED, table
from tools.adapters import decision, decision_point
from tools.models import DecisionTable

__all__ = ["table"]

pytestmark = [pytest.mark.tokens, pytest.mark.dmn]


class Border:
    """What passes between the call and the table: noted, and bent on its way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens: list[str] = []
        self.told: list[str] = []
        self.bend: Callable[[str], str] = lambda token: token
        decide = decision_point.decide_for

        def pass_on(token: str, *asked: Any) -> Any:
            self.tokens.append(token)
            outcome = decide(self.bend(token), *asked)
            self.told.append(outcome.detail)
            return outcome

        monkeypatch.setattr(decision, "decide_for", pass_on)


@pytest.fixture
def border(monkeypatch: pytest.MonkeyPatch) -> Border:
    return Border(monkeypatch)


def ask(company: Company) -> Run:
    return company.run(proposes(ASKED), says("Done."))


def test_a_question_comes_with_a_token_for_the_table_and_its_answer_with_a_receipt(
    company: Company, table: DecisionTable, border: Border
) -> None:
    run = ask(company)
    (token,) = map(read_token, border.tokens)
    assert (token.audience, token.run) == (table_audience(table.pk), run.pk)
    assert (token.subject, token.act) == (run.principal.subject, {"sub": token.client_id})
    (answered,) = company.facts(run, "call.succeeded")
    receipt = read_receipt(answered["receipt"])
    assert (receipt["jti"], receipt["audience"]) == (token.jti, token.audience)
    assert UsedIdentifier.objects.count() == 1
    kept = str(company.entries(run))
    assert border.tokens[0].rpartition(".")[2] not in kept


@pytest.mark.parametrize("how", BENT)
def test_by_no_other_token_a_table_decides(
    company: Company, table: DecisionTable, border: Border, how: str
) -> None:
    border.bend = lambda token: bend(token, how)
    run = ask(company)
    assert company.states(run) == [("failed", "token_refused")]
    assert company.content(run, "call.failed")["detail"].endswith(f": {BENT[how][1]}.")


@pytest.mark.parametrize("how", ["another audience", "other arguments", "another user", "expired"])
def test_without_the_check_it_would_decide_for_anybody(
    company: Company, table: DecisionTable, border: Border, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The mutant: the decision point believes the call, whatever comes with it."""

    def believe(text: str, call: Received) -> AccessToken:
        return read_token(border.tokens[-1])

    monkeypatch.setattr(decision_point, "receive", believe)
    border.bend = lambda token: bend(token, how)
    assert company.states(ask(company)) == [("succeeded", "ok")]


def test_a_token_is_taken_once(company: Company, table: DecisionTable, border: Border) -> None:
    border.bend = lambda _token: border.tokens[0]
    again = ("eligibility", {"order_id": "A-1", "days": 4})
    run = company.run(proposes(ASKED), proposes(again), says("Done."))
    assert company.states(run)[1] == ("failed", "token_refused")


@pytest.mark.parametrize(
    ("by", "reason"), [("a revoked agent", "client_closed"), ("a stop of the run's user", "stopped")]
)
def test_a_stop_on_the_way_counts(
    company: Company, table: DecisionTable, border: Border, by: str, reason: str
) -> None:
    def stop_first(token: str) -> str:
        if by == "a revoked agent":
            revoke_agent(actor=company.cast.alice, agent=company.cast.agent)
        else:
            target = str(Run.objects.get().principal_id)
            stop(actor=company.cast.ada, scope="principal", target=target, reason="Fire.")
        return token

    border.bend = stop_first
    ask(company)
    assert border.told[-1].endswith(f": {reason}.")
