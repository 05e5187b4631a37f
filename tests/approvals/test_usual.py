"""What is unusual for the one whom a call is for, and for the agent that asks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agentops.identifiers import new_id
from approvals.batches import usual
from approvals.batches.groups import arrange
from approvals.batches.outliers import Oddity, join_oddities
from approvals.batches.sealed import Asked, read_pairs
from approvals.batches.usual import (
    Own,
    find_beyond_own,
    find_new_recipients,
    find_recipients,
    gather_reached,
    read_own,
)
from approvals.likeness import find_unusual
from approvals.models import ApprovalRequest
from tests.approvals.batching import bend, decide, put_together
from tests.approvals.crowd import make_crowd
from tests.approvals.test_batches import crowd
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory, PrincipalFactory
from tests.runs.company import Company
from tests.runs.conftest import company
from tools.models import ToolVersion

__all__ = ["company", "crowd"]
TOGETHER = "admin:approvals_approvalrequest_together"
TOOL, ANN, BEN = (UUID(int=number) for number in (1, 2, 3))
MAIL = {"arguments": {"to.*.address": "destination", "text": "content"}}


def ask(amount: str | None, currency: str = "USD", principal: UUID = ANN) -> ApprovalRequest:
    version = ToolVersion(amount_argument="amount", provenance=MAIL)
    value = None if amount is None else Decimal(amount)
    return ApprovalRequest(
        id=new_id(),
        tool_id=TOOL,
        principal_id=principal,
        amount=value,
        currency=currency,
        tool_version=version,
    )


def approve_before(like: ApprovalRequest, count: int, amount: int, *, state: str = "approved") -> None:
    """Have so much been asked for the same person before, so many times, and decided like that."""
    for _ in range(count):
        ApprovalRequestFactory.create(
            tool=like.tool, principal=like.principal, amount=Decimal(amount), currency="USD", state=state,
            decided_at=timezone.now(),
        )  # fmt: skip


# --- amounts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "count", "most", "is_odd"),
    [
        ("60", 5, "20", True),
        ("40", 5, "20", True),
        ("39.99", 5, "20", False),
        ("60", 4, "20", False),  # of so few none is the most there ever was
        ("60", 5, "0", False),
        (None, 5, "20", False),
    ],
)
def test_much_more_than_was_ever_approved_for_this_person(
    amount: str | None, count: int, most: str, is_odd: bool
) -> None:
    found = find_beyond_own(ask(amount), {(TOOL, ANN, "USD"): Own(count, Decimal(most))})
    assert [oddity.code for oddity in found] == ["own_amount"] * is_odd


def test_it_is_said_in_words_and_of_the_argument() -> None:
    (oddity,) = find_beyond_own(ask("70"), {(TOOL, ANN, "USD"): Own(8, Decimal("20.0000"))})
    told = "70 is 3.5 times the most that was approved for this person before, 20.00, of the latest 8"
    assert (oddity.leaf, oddity.words) == ("amount", told)


def test_another_currency_and_another_person_are_no_measure() -> None:
    own = {(TOOL, ANN, "USD"): Own(8, Decimal(20))}
    assert find_beyond_own(ask("900", "JPY"), own) == []
    assert find_beyond_own(ask("900", principal=BEN), own) == []
    assert find_beyond_own(ask("900", "usd"), own)


@pytest.mark.django_db
def test_only_what_was_approved_counts_and_only_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ApprovalRequestFactory.create(amount=Decimal(20), currency="USD")
    other = ApprovalRequestFactory.create(
        tool=first.tool, principal=PrincipalFactory.create(), amount=Decimal(7)
    )
    for state, amount in (("approved", 30), ("denied", 900), ("approved", 10)):
        approve_before(first, 1, amount, state=state)
    key = (first.tool_id, first.principal_id, "USD")
    with CaptureQueriesContext(connection) as found:
        assert read_own([first, other]) == {key: Own(2, Decimal(30))}
    assert len(found) == 1
    monkeypatch.setattr(usual, "MOST_COUNTED", 1)
    assert read_own([first]) == {key: Own(1, Decimal(10))}
    assert read_own([ask(None)]) == {}


@pytest.mark.django_db
def test_it_is_found_by_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        values: dict[str, Any] = {"tools": [TOOL], "principals": [ANN], "most": 50}
        cursor.execute(f"EXPLAIN {usual._OWN}", values)
        assert "approval_amounts" in str(cursor.fetchall())


# --- recipients ---------------------------------------------------------------------------------------------


def mail(*to: str) -> dict[str, str]:
    return {**{f"to.{place}.address": one for place, one in enumerate(to)}, "text": "Hello"}


def test_whom_a_call_reaches_says_its_tool() -> None:
    assert find_recipients(mail("A@x.example", "b@x.example"), MAIL) == {
        "to.0.address": "a@x.example", "to.1.address": "b@x.example",
    }  # fmt: skip
    assert find_recipients(mail("a@x.example"), {}) == {}
    assert find_recipients({"iban": "DE1", "note": "x"}, {"arguments": {"iban": "destination"}}) == {
        "iban": "de1"
    }


def test_a_recipient_that_the_agent_never_sent_to_is_told_where_it_has_sent_enough() -> None:
    before = [mail(f"{number}@x.example") for number in range(10)]
    reached = gather_reached([*before, {"text": "to nobody"}], MAIL)
    (oddity,) = find_new_recipients(mail("3@X.example", "new@x.example"), MAIL, reached)
    assert (oddity.code, oddity.leaf) == ("new_recipient", "to.1.address")
    assert oddity.words == "none of this agent's latest 10 approved calls went there"
    assert find_new_recipients(mail("new@x.example"), MAIL, gather_reached(before[:9], MAIL)) == []
    assert find_new_recipients({"text": "to nobody"}, MAIL, reached) == []


def test_a_denied_call_has_reached_nobody() -> None:
    def past(state: str, to: str) -> tuple[ApprovalRequest, Asked]:
        return ApprovalRequest(state=state, currency="USD"), Asked(
            {}, {"arguments": {"to": [{"address": to}]}}
        )

    pairs = [past("approved", f"{number}@x.example") for number in range(10)]
    pairs.append(past("denied", "evil@x.example"))
    asked = Asked({}, {"arguments": {"to": [{"address": "evil@x.example"}]}})
    assert [oddity.code for oddity in find_unusual((ask(None), asked), pairs)] == ["new_recipient"]


def test_what_is_said_of_a_recipient_is_said_once() -> None:
    rare, new = Oddity("rare_target", "to", "rare", 1), Oddity("new_recipient", "to", "new", 1)
    other, worse = Oddity("rare_target", "city", "rare", 1), Oddity("own_amount", "", "far", 2)
    assert join_oddities([rare, other], [worse], [new]) == [worse, other, new]


# --- in the console -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_mutant", [False, True], ids=["as it is", "without the measure"])
def test_the_request_and_the_groups_say_that_it_is_beyond_what_this_person_ever_got(
    company: Company, crowd: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch, is_mutant: bool
) -> None:
    for request, amount in zip(
        crowd, (20, 30, 40, 50, 60), strict=True
    ):  # nothing is far from these among them
        bend("approvals_approvalrequest", request, amount=amount, currency="USD")
    approve_before(crowd[0], 5, 30)
    if is_mutant:
        monkeypatch.setattr(usual, "TIMES_THE_MOST", 1_000)
    fiona = sign_in(company.cast.fiona)
    words = "60.00 is 2 times the most that was approved for this person before, 30.00, of the latest 5"
    pages = page_of("approvals_approvalrequest", "change", crowd[4].pk), reverse(TOGETHER)
    assert [words in text_of(fiona.get(page)) for page in pages] == [not is_mutant] * 2


@pytest.mark.django_db(transaction=True)
def test_in_a_group_whom_the_agent_never_reached_stands_first_unless_most_are_new(
    company: Company, crowd: list[ApprovalRequest]
) -> None:
    past = make_crowd(crowd[0], 12, lambda number: {"order_id": f"B-{number % 4}"})
    decide(company.cast.fiona, put_together(company.cast.fiona, past))

    def odd(*waiting: ApprovalRequest) -> list[UUID]:
        pairs = read_pairs(waiting)
        waiting[0].tool_version.provenance = {"arguments": {"order_id": "destination"}}
        (group,) = arrange(pairs)
        told = [(member.request.pk, oddity.code) for member in group.odd for oddity in member.oddities]
        return [pk for pk, code in told if code == "new_recipient"]

    stranger = make_crowd(crowd[0], 1, lambda _: {"order_id": "EVIL-9"})[0]
    assert odd(*crowd[:3], stranger) == [stranger.pk]
    others = make_crowd(crowd[0], 4, lambda number: {"order_id": f"EVIL-{number}"})
    assert odd(*crowd[:3], stranger, *others) == []
