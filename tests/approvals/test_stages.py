"""One stage after another, and who else is asked once nobody has answered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import ProgrammingError, transaction

from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRequest, StageGroup
from approvals.services import expire_requests
from approvals.stages import escalate_requests
from identities.changes import seconded
from identities.models import User
from tests.approvals.bending import unguarded
from tests.approvals.conftest import company
from tests.approvals.test_quorum import approver, ask, code_of, refund, say, shown
from tests.factories import PersonFactory
from tests.ledger import kinds_of
from tests.runs.company import Company

__all__ = ["company", "refund"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]

# --- stages ------------------------------------------------------------------------------------------------

DESK, HEADS = {"needed": 1, "group": "desk"}, {"needed": 2, "group": "heads"}


@pytest.fixture
def groups(company: Company, refund: None) -> dict[str, list[User]]:
    return {
        "desk": [approver(company, "dan", "desk"), approver(company, "dee", "desk")],
        "heads": [approver(company, "hal", "heads"), approver(company, "hua", "heads")],
        "both": [approver(company, "bea", "desk", "heads")],
    }


def test_stages_are_asked_in_their_order(company: Company, groups: dict[str, list[User]]) -> None:
    run, request = ask(company, DESK, HEADS)
    (dan, dee), (hal, hua) = groups["desk"], groups["heads"]
    assert code_of(hal, request) == "not_asked_now"
    assert list(ApprovalRequest.objects.decidable_by(hal)) == []
    assert say(dan, request) == "waiting"
    assert [stage.is_present for stage in shown(request)] == [False, True]
    assert code_of(dee, request) == "not_asked_now"
    assert say(hal, request) == "waiting"
    assert say(hua, request) == "approved"
    assert kinds_of(request.pk) == [
        "approval.requested", "approval.decided", "approval.stage_passed", "approval.decided", "approval.decided",
    ]  # fmt: skip
    company.drive(run)
    assert len(company.world.effects) == 1


def test_nobody_says_yes_in_two_stages(company: Company, groups: dict[str, list[User]]) -> None:
    _, request = ask(company, DESK, HEADS)
    [bea] = groups["both"]
    assert say(bea, request) == "waiting"
    assert code_of(bea, request) == "decided_already"


def test_who_left_their_group_after_their_yes_has_given_none(
    company: Company, groups: dict[str, list[User]]
) -> None:
    run, request = ask(company, DESK)
    dan = groups["desk"][0]
    say(dan, request)
    dan.groups.clear()
    assert company.states(company.drive(run)) == [("refused", "approval_voided")]


def test_a_group_alone_gives_nobody_the_right(company: Company, groups: dict[str, list[User]]) -> None:
    _, request = ask(company, DESK)
    outsider: User = PersonFactory.create(username="olly")
    company.cast.team.members.add(outsider)
    outsider.groups.add(Group.objects.get(name="desk"))
    assert code_of(outsider, request) == "not_an_approver"


def test_a_group_that_is_gone_decides_nothing(company: Company, groups: dict[str, list[User]]) -> None:
    run, request = ask(company, DESK)
    Group.objects.get(name="desk").delete()
    assert {code_of(person, request) for people in groups.values() for person in people} == {"not_asked_now"}
    assert expire_requests(now=request.expires_at) == 1
    assert company.states(company.drive(run)) == [("refused", "approval_expired")]


def test_a_rule_that_changes_asks_nothing_else_of_what_waits(
    company: Company, groups: dict[str, list[User]]
) -> None:
    _, request = ask(company, DESK, HEADS)
    with seconded(company.cast.alice):
        set_approval_rule(
            actor=company.cast.ada, team=company.cast.team, place=1, ruling=Ruling("One", ({"needed": 1},))
        )
    assert say(groups["desk"][0], request) == "waiting"


# --- escalation --------------------------------------------------------------------------------------------

LADDER = {"needed": 1, "group": "desk", "escalate": [{"after_s": 300, "group": "heads"}]}


def test_once_nobody_has_answered_others_are_asked_too(
    company: Company, groups: dict[str, list[User]]
) -> None:
    _, request = ask(company, LADDER)
    hal = groups["heads"][0]
    assert escalate_requests(now=request.created_at + timedelta(seconds=299)) == 0
    assert code_of(hal, request) == "not_asked_now"
    later = request.created_at + timedelta(seconds=300)
    assert (escalate_requests(now=later), escalate_requests(now=later)) == (1, 0)
    assert kinds_of(request.pk) == ["approval.requested", "approval.escalated"]
    assert shown(request)[0].groups == ("desk", "heads")
    assert ApprovalRequest.objects.decidable_by(groups["desk"][0]).exists(), "who was asked before still is"
    assert say(hal, request) == "approved"


def test_nobody_is_asked_whom_the_stage_does_not_name_or_before_their_time(
    company: Company, groups: dict[str, list[User]]
) -> None:
    """Rows added past the verb; and the mutant: with the trigger off, one of them lets somebody else decide."""
    _, request = ask(company, LADDER)
    heads = Group.objects.get(name="heads").pk
    friends = Group.objects.create(name="friends").pk
    late = request.created_at + timedelta(seconds=301)
    forged = (
        {"group_id": None, "opened_at": late},
        {"group_id": friends, "opened_at": late},
        {"group_id": heads, "opened_at": request.created_at},
        {"group_id": heads, "place": 2, "opened_at": late},
    )
    for values in forged:
        with pytest.raises(ProgrammingError, match="what the stage says"), transaction.atomic():
            StageGroup.objects.create(**{"request": request, "place": 1, **values})
    with unguarded():
        StageGroup.objects.create(request=request, place=1, **forged[0])
    assert say(groups["heads"][0], request) == "approved"


def test_a_later_stage_has_its_own_time(company: Company, groups: dict[str, list[User]]) -> None:
    _, request = ask(company, {"needed": 1, "group": "heads"}, LADDER)
    assert escalate_requests(now=request.created_at + timedelta(seconds=900)) == 0
    say(groups["heads"][0], request)
    begun = ApprovalRequest.objects.get().stage_at
    assert begun is not None
    assert escalate_requests(now=begun + timedelta(seconds=301)) == 1
    assert say(groups["heads"][1], request) == "approved"


def test_what_is_decided_or_over_escalates_no_more(company: Company, groups: dict[str, list[User]]) -> None:
    _, request = ask(company, LADDER)
    assert escalate_requests(now=request.expires_at) == 0
    say(groups["desk"][0], request, "deny", reason="no")
    assert escalate_requests(now=request.created_at + timedelta(seconds=400)) == 0
