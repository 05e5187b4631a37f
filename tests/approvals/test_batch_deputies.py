"""A batch of who stands in: in the seat of the absent, with the same separation of duties, on the record of each."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from guardian.shortcuts import assign_perm

from approvals.absences import end_absence
from approvals.batches import checks, deciding
from approvals.batches.seats import find_seats
from approvals.models import Absence, ApprovalRequest
from identities.models import User
from tests.approvals.batching import codes_of, decide, put_together, states_of
from tests.approvals.test_batches import crowd
from tests.approvals.test_deputies import away, seat_of
from tests.console.visits import sign_in, text_of
from tests.factories import PersonFactory, ToolFactory
from tests.ledger import entries_of
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company", "crowd"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dee(company: Company) -> User:
    """Somebody who approves other calls of the team."""
    person: User = PersonFactory.create(username="dee")
    assign_perm("approve_calls", person, ToolFactory.create(team=company.cast.team))
    return person


@pytest.fixture
def absence(company: Company, crowd: list[ApprovalRequest], dee: User) -> Absence:
    return away(company.cast.fiona, dee)


def test_each_is_decided_in_the_seat_of_the_absent(
    crowd: list[ApprovalRequest], dee: User, absence: Absence
) -> None:
    batch = decide(dee, put_together(dee, crowd))
    assert (states_of(batch), codes_of(batch)) == ({"decided": 5}, {})
    for request in crowd:
        assert seat_of(request) == [("dee", "fiona")]
        said = next(entry for entry in entries_of(request.pk) if entry.kind == "approval.decided")
        told = said.actor, said.facts["deputy_for"], said.facts["absence"], said.facts["batch"]
        assert told == (dee.pk, str(absence.absent_id), str(absence.pk), str(batch.pk))


def test_own_seats_and_those_of_the_absent_go_together(
    company: Company, crowd: list[ApprovalRequest], dee: User, absence: Absence
) -> None:
    company.let_decide(crowd[0].tool, dee)
    assert set(find_seats(dee, [each.pk for each in crowd]).values()) == {None}, "asked themselves"
    decide(dee, put_together(dee, crowd[:2]))
    assert [seat_of(each) for each in crowd[:2]] == [[("dee", None)]] * 2


def test_once_the_absence_has_ended_nothing_of_it_is_decided(
    crowd: list[ApprovalRequest], dee: User, absence: Absence
) -> None:
    batch = put_together(dee, crowd)
    end_absence(actor=absence.absent, absence=absence)
    assert states_of(decide_as_confirmed(dee, batch)) == {"excluded": 5}
    assert {seat for request in crowd for seat in seat_of(request)} == set()


def decide_as_confirmed(dee: User, batch: Any) -> Any:
    """Go on with a batch as if it had been confirmed the moment before."""
    batch.state, batch.channel, batch.confirmed_at = "confirmed", "api", batch.created_at
    batch.save()
    return deciding.carry_on(batch)


def test_the_deputy_of_who_has_a_part_decides_nothing(
    company: Company, crowd: list[ApprovalRequest], dee: User
) -> None:
    for person in (dee, company.cast.agent.owner):
        company.let_decide(crowd[0].tool, person)
    away(company.cast.agent.owner, dee)
    assert set(codes_of(put_together(dee, crowd)).values()) == {"deputy_of_a_part"}
    assert find_seats(dee, [each.pk for each in crowd]) == {}


def test_the_page_says_for_whom(crowd: list[ApprovalRequest], dee: User, absence: Absence) -> None:
    batch = put_together(dee, crowd)
    page = text_of(sign_in(dee).get(reverse("admin:approvals_approvalrequest_batch", args=[batch.pk])))
    assert "5 requests of these you decide as the deputy of fiona" in page


def test_mutant_that_takes_no_seat_is_not_on_the_record(
    crowd: list[ApprovalRequest], dee: User, absence: Absence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "seat_of", lambda _: {})
    with pytest.raises(AssertionError):
        test_each_is_decided_in_the_seat_of_the_absent(crowd, dee, absence)


def test_mutant_that_asks_not_whose_they_are_decides_after_the_absence(
    crowd: list[ApprovalRequest], dee: User, absence: Absence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_not_theirs", lambda *_: {})
    with pytest.raises(AssertionError):
        test_once_the_absence_has_ended_nothing_of_it_is_decided(crowd, dee, absence)
