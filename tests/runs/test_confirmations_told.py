"""The application is told that a user of its is asked: by its own signed webhook, with ids only."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from approvals.confirmations.asking import REQUESTED
from approvals.models import Confirmation, Notice
from tests.approvals.notices.conftest import deliver_all, make_channel
from tests.approvals.notices.receivers import Receiver, listening
from tests.runs.company import ORDER, SUBJECT, Company, proposes, says


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTGOING_PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    with listening() as receiver:
        yield receiver


def ask(company: Company) -> Confirmation:
    company.add_tool("refund", grant="ALLOW", grant_confirmation=True)
    company.run(proposes(("refund", ORDER), text="The order is late."), says("Done."))
    return Confirmation.objects.get()


def test_its_webhook_is_told_signed_and_once(company: Company, receiver: Receiver) -> None:
    _, secret = make_channel(
        company.cast, receiver.url, application=company.cast.application, kinds=[REQUESTED]
    )
    asked = ask(company)
    assert deliver_all() == ["204"]
    (posted,) = receiver.posted
    event = posted.verify(secret)
    ids = {key: event["data"][key] for key in ("confirmation", "run", "digest")}
    assert event["type"] == "confirmation.requested"
    assert ids == {"confirmation": str(asked.pk), "run": asked.subject_ref, "digest": asked.digest}
    assert set(event["data"]) == {*ids, "expires_at", "url"}
    assert SUBJECT not in str(event)
    assert deliver_all() == []


def test_the_team_s_channels_are_not_told(company: Company, receiver: Receiver) -> None:
    make_channel(company.cast, receiver.url)
    ask(company)
    assert not Notice.objects.filter(kind=REQUESTED).exists()
