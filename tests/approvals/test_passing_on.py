"""Who begins to rest passes on by name what they have before them: to others who may decide it, or to nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals import passing_on, services
from approvals.models import Absence, ApprovalRequest, MailPreference, Notice, PassedRequest
from approvals.notices.approving import LEFT_ALONE, PASSED_ON
from approvals.notices.spreading import spread
from identities.models import User
from tests.approvals.batching import decide as decide_batch
from tests.approvals.batching import put_together
from tests.approvals.test_batches import crowd
from tests.approvals.test_pace import decide, let_rest, queue
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory, PersonFactory
from tests.ledger import last_entry
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company", "crowd", "queue"]
pytestmark = pytest.mark.django_db(transaction=True)


def let_decide(person: User, request: ApprovalRequest) -> None:
    assign_perm("approve_calls", person, request.tool)


def tire(cast: Cast, queue: list[ApprovalRequest]) -> ApprovalRequest:
    """Have Fiona approve until she rests; return what she has left before her."""
    let_rest(cast)
    decide(cast.fiona, queue[0])
    assert not PassedRequest.objects.exists()
    decide(cast.fiona, queue[1])
    return queue[2]


def want(person: User, kind: str) -> None:
    MailPreference.objects.create(user=person, address=f"{person}@example.com", kinds=[kind])


def told_of(kind: str) -> list[str]:
    """Return to whom the one notice of a kind is made out."""
    notice = Notice.objects.get(kind=kind)
    spread(notice.pk)
    return sorted(str(delivery.person) for delivery in notice.deliveries.all())


def test_what_is_left_goes_to_the_others_by_name_and_on_the_record(
    cast: Cast, queue: list[ApprovalRequest]
) -> None:
    let_decide(cast.bob, queue[2])
    left = tire(cast, queue)
    passed = PassedRequest.objects.get()
    assert (passed.request, passed.person, passed.to) == (left, cast.fiona, [cast.bob.pk])
    entry = last_entry(left.pk)
    assert (entry.kind, entry.actor) == ("approval.passed_on", cast.fiona.pk)
    assert (entry.facts["to"], entry.facts["until"]) == ([str(cast.bob.pk)], passed.until.isoformat())
    assert left.state == "waiting"


def test_both_are_told_on_its_page(cast: Cast, queue: list[ApprovalRequest]) -> None:
    let_decide(cast.bob, queue[2])
    page = page_of("approvals_approvalrequest", "change", tire(cast, queue).pk)
    assert "It is left to bob." in text_of(sign_in(cast.fiona).get(page))
    seen = text_of(sign_in(cast.bob).get(page))
    assert "fiona rests from approving until" in seen
    assert ": it is left to you." in seen


@override_settings(MAIL_FROM="agentops@example.com")
def test_the_others_are_told_and_not_who_rests(cast: Cast, queue: list[ApprovalRequest]) -> None:
    for person in (cast.fiona, cast.bob):
        want(person, PASSED_ON)
    let_decide(cast.bob, queue[2])
    tire(cast, queue)
    assert told_of(PASSED_ON) == ["bob"]
    assert not Notice.objects.filter(kind=LEFT_ALONE).exists()


@override_settings(MAIL_FROM="agentops@example.com")
def test_where_nobody_else_may_that_is_said_to_the_approver_and_to_who_can_change_it(
    cast: Cast, queue: list[ApprovalRequest]
) -> None:
    for person in (cast.alice, cast.bob):  # both of the team; Alice may set its rules
        want(person, LEFT_ALONE)
    left = tire(cast, queue)
    assert PassedRequest.objects.get().to == []
    page = page_of("approvals_approvalrequest", "change", left.pk)
    assert "Nobody else may decide this one now: it waits for you, or expires." in text_of(
        sign_in(cast.fiona).get(page)
    )
    report = reverse("admin:approvals_oversightrule_report")
    assert "Left to nobody" in text_of(sign_in(cast.alice).get(report))
    assert "Left to nobody" not in text_of(sign_in(cast.charlie).get(report))
    assert told_of(LEFT_ALONE) == ["alice"]
    decide(cast.fiona, left, "deny")
    assert "Left to nobody" not in text_of(sign_in(cast.alice).get(report))


def absent(person: User, deputy: User) -> Absence:
    now = timezone.now()
    return Absence.objects.create(
        absent=person, deputy=deputy, begins_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=9),
        declared_by=person, declared_at=now - timedelta(hours=1),
    )  # fmt: skip


def test_a_deputy_of_who_is_away_is_one_of_the_others(cast: Cast, queue: list[ApprovalRequest]) -> None:
    gina, other = PersonFactory.create(username="gina"), ApprovalRequestFactory.create(identity=cast.agent)
    for person, request in ((cast.bob, queue[2]), (gina, other)):
        let_decide(person, request)
    absent(cast.bob, gina)
    tire(cast, queue)
    assert PassedRequest.objects.get().to == [gina.pk], "Bob is away, Gina stands in for him"


def test_who_has_a_part_or_rests_as_well_is_nobody_to_leave_it_to(
    cast: Cast, queue: list[ApprovalRequest]
) -> None:
    let_decide(cast.agent.owner, queue[2])
    let_decide(cast.bob, queue[2])
    for _ in range(2):
        decide(
            cast.bob, ApprovalRequestFactory.create(identity=cast.agent, tool_version=queue[2].tool_version)
        )
    tire(cast, queue)
    assert PassedRequest.objects.get(person=cast.fiona).to == []


def test_what_was_passed_on_is_passed_on_once_in_a_rest(cast: Cast, queue: list[ApprovalRequest]) -> None:
    left = tire(cast, queue)
    with transaction.atomic():
        assert passing_on.pass_on(cast.fiona, timezone.now()) == 0
    decide(cast.fiona, left, "deny")
    assert PassedRequest.objects.count() == 1


def test_only_so_many_those_that_expire_first(
    cast: Cast, queue: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing_on, "MOST_PASSED", 1)
    first = ApprovalRequestFactory.create(
        identity=cast.agent,
        tool_version=queue[2].tool_version,
        expires_at=timezone.now() + timedelta(minutes=1),
    )
    tire(cast, queue)
    assert PassedRequest.objects.get().request == first


def test_a_batch_passes_on_when_it_is_done(company: Company, crowd: list[ApprovalRequest]) -> None:
    cast = company.cast
    let_rest(cast)
    decide(cast.fiona, crowd[0])
    assert decide_batch(cast.fiona, put_together(cast.fiona, crowd[1:3])).state == "done"
    left = set(PassedRequest.objects.values_list("request_id", flat=True))
    assert left == {request.pk for request in crowd[3:]}


def test_mutant_that_passes_nothing_on(
    cast: Cast, queue: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "pass_on", lambda *_: 0)
    with pytest.raises(PassedRequest.DoesNotExist):
        test_what_is_left_goes_to_the_others_by_name_and_on_the_record(cast, queue)


def test_mutant_that_asks_nobody_whether_they_may(
    cast: Cast, queue: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_candidates(requests: Any, person: User, now: Any) -> Any:
        return {each.pk: passing_on._find_candidates(requests, person, now) for each in requests}

    monkeypatch.setattr(passing_on, "find_others", all_candidates)
    with pytest.raises(AssertionError):
        test_who_has_a_part_or_rests_as_well_is_nobody_to_leave_it_to(cast, queue)
