"""A locked identity and a credential that cannot be ended are told to whoever can do something about it, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from approvals.models import MailPreference, Notice
from approvals.notices.kinds import find_kind
from approvals.notices.spreading import spread
from identities import alarms
from identities.alarms import AGENT_LOCKED, APPLICATION_LOCKED, LEASE_NOT_ENDED
from identities.models import SecretLease, User
from tests.approvals.notices.conftest import deliver_all, make_channel
from tests.approvals.notices.receivers import Receiver
from tests.cast import Cast
from tests.oauth.clients import Caller, give_secret
from tests.oauth.test_generations import rotate, state_of, status
from tests.tools.credentials.leased import carry_out, leased_call
from tests.tools.credentials.test_leasing import Stubborn, post, stubborn
from tests.tools.rude_server import RudeServer, rude_server
from tools.credentials.leasing import sweep_leases

__all__ = ["stubborn"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def mail() -> Iterator[None]:
    with override_settings(MAIL_FROM="agentops@example.com"):
        yield


@pytest.fixture
def server() -> Iterator[RudeServer]:
    with rude_server() as running:
        yield running


def want(kind: str, *people: User) -> None:
    for person in people:
        MailPreference.objects.create(user=person, address=f"{person}@example.com", kinds=[kind])


def told() -> list[str]:
    """Return to whom the one notice is made out."""
    notice = Notice.objects.get()
    spread(notice.pk)
    return sorted(str(delivery.person) for delivery in notice.deliveries.all())


def present_old_key(cast: Cast, account: User) -> Caller:
    """Give a client keys, replace them, use the new ones, and present the old."""
    caller = give_secret(cast.alice, account)
    assert status(rotate(cast, caller)) != 401
    assert status(caller) == 401
    return caller


@pytest.mark.parametrize("kind", [AGENT_LOCKED, APPLICATION_LOCKED])
def test_a_locked_identity_is_told_to_who_gives_keys(cast: Cast, kind: str) -> None:
    want(kind, cast.alice, cast.bob, cast.charlie)  # Bob may not, Charlie elsewhere
    owner: Any = cast.agent if kind == AGENT_LOCKED else cast.application
    caller = present_old_key(cast, owner.service_account)
    assert status(caller) == 401, "and again"
    assert told() == ["alice"]
    notice = Notice.objects.get()
    assert (notice.kind, notice.subject, notice.facts["generation"]) == (kind, owner.pk, 1)
    assert owner.name in find_kind(kind).tell(notice.facts)


def test_a_team_is_told_by_its_channel(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url, kind="slack", kinds=[AGENT_LOCKED])
    present_old_key(cast, cast.agent.service_account)
    assert deliver_all() == ["204"]
    assert b"is locked" in receiver.posted[0].body


def test_that_nobody_can_be_told_unlocks_nothing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(alarm: alarms.Alarm) -> None:
        with transaction.atomic():
            Notice.objects.create()

    monkeypatch.setattr(alarms, "_listeners", [fail])
    present_old_key(cast, cast.agent.service_account)
    assert state_of(cast) == "suspended"
    assert "nobody was told" in caplog.text


def test_a_credential_that_cannot_be_ended_is_told_once(
    cast: Cast, server: RudeServer, stubborn: Stubborn
) -> None:
    want(LEASE_NOT_ENDED, cast.alice, cast.bob, cast.charlie)
    carry_out(leased_call(cast, post(server)))
    SecretLease.objects.update(next_attempt_at="2026-01-01T00:00:00Z")
    assert sweep_leases() == 0, "tried again, in vain"
    assert told() == ["alice"]
    notice = Notice.objects.get()
    assert (notice.kind, notice.subject) == (LEASE_NOT_ENDED, SecretLease.objects.get().secret_id)
    assert cast.agent.name in find_kind(LEASE_NOT_ENDED).tell(notice.facts)


def test_without_listeners_nobody_is_told(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, server: RudeServer, stubborn: Stubborn
) -> None:
    """The mutant: it happens, and only the log says so."""
    monkeypatch.setattr(alarms, "_listeners", [])
    with pytest.raises(Notice.DoesNotExist):
        test_a_credential_that_cannot_be_ended_is_told_once(cast, server, stubborn)
