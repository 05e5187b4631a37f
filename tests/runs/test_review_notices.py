"""Runs that begin to wait for reviewers, and calls that are held for a veto: told to those who can do something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings
from django.utils import timezone

from approvals.models import MailPreference, Notice, ReviewCapacity
from approvals.notices.spreading import spread
from identities.models import User
from runs import review_notices
from runs.notices import CALL_HELD
from runs.review_notices import REVIEW_FULL, tell_held_back
from tests.rewriting import rewrite_appends
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.test_admission import begin, bound, crowd, desk

__all__ = ["desk"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("mail"),
]


@pytest.fixture
def mail() -> Any:
    with override_settings(MAIL_FROM="agentops@example.com"):
        yield


def want(kind: str, *people: User) -> None:
    for person in people:
        MailPreference.objects.create(user=person, address=f"{person}@example.com", kinds=[kind])


def told() -> list[str]:
    """Return to whom the one notice is made out."""
    notice = Notice.objects.get()
    spread(notice.pk)
    return sorted(str(delivery.person) for delivery in notice.deliveries.all())


def test_once_per_episode_to_who_can_change_it(desk: Company) -> None:
    cast = desk.cast
    want(
        REVIEW_FULL, cast.alice, cast.bob, cast.charlie
    )  # Alice may set the capacity, Bob may not, Charlie elsewhere
    assert tell_held_back(now=timezone.now()) == 0
    crowd(desk)
    for _ in range(2):
        assert begin(desk).state == "queued"
    assert [tell_held_back(now=timezone.now()) for _ in range(3)] == [1, 0, 0]
    assert told() == ["alice"]
    facts = Notice.objects.get().facts
    assert (facts["held_back"], facts["waiting"], facts["capacity"]) == (2, 2, 1)


def test_another_episode_is_told_anew_and_not_twice_in_an_hour(desk: Company) -> None:
    want(REVIEW_FULL, desk.cast.alice)
    crowd(desk)
    held = begin(desk)
    now = timezone.now()
    assert tell_held_back(now=now) == 1
    bound(desk, 9)
    desk.drive(held)
    assert tell_held_back(now=now) == 0
    assert ReviewCapacity.objects.get().full_since is None
    bound(desk, 1)
    assert begin(desk).state == "queued"
    assert tell_held_back(now=now) == 1
    assert Notice.objects.count() == 1, "the same hour"
    ReviewCapacity.objects.update(full_since=None)
    assert tell_held_back(now=now + timedelta(hours=1)) == 1
    assert Notice.objects.count() == 2


def test_mutant_that_remembers_no_episode_tells_again(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = review_notices._tell

    def forget(row: ReviewCapacity, now: Any) -> bool:
        done = tell(row, now)
        ReviewCapacity.objects.update(full_since=None)
        return done

    monkeypatch.setattr(review_notices, "_tell", forget)
    with pytest.raises(AssertionError):
        test_once_per_episode_to_who_can_change_it(desk)


def hold(company: Company) -> None:
    """Have a call be held for a veto."""
    company.add_tool("refund", grant="ALLOW", grant_veto_s=600)
    company.run(proposes(("refund", ORDER)), says("Refunded."))


def test_a_call_that_is_held_is_told_to_who_may_veto(company: Company) -> None:
    cast = company.cast
    cast.fiona.groups.add(Group.objects.get(name="approver"))
    want(CALL_HELD, cast.bob, cast.fiona, cast.charlie)
    hold(company)
    assert told() == ["fiona"]


def test_mutant_whose_append_asks_nobody_writes_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_appends(monkeypatch, "k.told = ANY (p.kinds)", "false")
    with pytest.raises(Notice.DoesNotExist):
        test_a_call_that_is_held_is_told_to_who_may_veto(company)
