"""Requests of a team that wants to be told, and where it is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices import delivering, spreading
from approvals.notices.channels import Place, create_channel, offered_kinds
from approvals.notices.outbox import find_unspread
from tests.approvals.notices.receivers import Mailbox, Receiver, listening, post_office
from tests.cast import Cast


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def mailbox(settings: LazySettings) -> Iterator[Mailbox]:
    with post_office() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", box.port, 5
        settings.MAIL_FROM = "agentops@example.com"
        yield box


def make_channel(cast: Cast, url: str, **changes: Any) -> tuple[NoticeChannel, str]:
    """Make a signed webhook of the team that is told everything."""
    kinds = offered_kinds(for_application="application" in changes)
    values: dict[str, Any] = {
        "name": "ops",
        "kind": "webhook",
        "url": url,
        "kinds": kinds,
        "allow_private": True,
    }
    return create_channel(actor=cast.alice, team=cast.team, place=Place(**{**values, **changes}))


def spread_all() -> None:
    """Make out what nobody has made out yet, of the past and of what a test has made the future."""
    for notice in find_unspread(timezone.now() + timedelta(days=1)):
        spreading.spread(notice)


def deliver_all() -> list[str]:
    """Make out and send what is due, until nothing is; return what became of each."""
    spread_all()
    results: list[str] = []
    while due := delivering.find_due(timezone.now()):
        results += [delivering.deliver(pk) for pk in due]
    return results


def make_due() -> None:
    """Let the time pass until the next attempt of everything that waits."""
    NoticeDelivery.objects.filter(state="waiting").update(due_at=timezone.now(), lease_until=None)
