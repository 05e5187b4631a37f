from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from celery import current_app
from django.contrib.auth import authenticate
from django.db.models import F
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from identities import tasks
from identities.models import RefusedSignIns, User
from identities.signins import tell_refusals
from tests.factories.identities import PersonFactory
from tests.ledger import entries_of

PASSWORD = "correct horse battery"


@pytest.fixture
def person(db: None) -> User:
    made: User = PersonFactory.create(username="paula")
    made.set_password(PASSWORD)
    made.save()
    return made


def refuse(times: int = 1, address: str = "203.0.113.9") -> None:
    for _ in range(times):
        request = RequestFactory().post("/admin/login/", REMOTE_ADDR=address)
        assert authenticate(request, username="paula", password="wrong") is None


def told(user: User) -> list[int]:
    """Return for how many refusals each entry stands."""
    return [entry.facts["times"] for entry in entries_of(user.pk) if entry.kind == "person.sign_in_refused"]


def later(minutes: float = 15) -> datetime:
    """Let time pass, by setting back what was told."""
    RefusedSignIns.objects.update(told_at=F("told_at") - timedelta(minutes=minutes))
    return timezone.now()


def kinds_of(user: User) -> list[str]:
    return [entry.kind for entry in entries_of(user.pk)]


def test_a_sign_in_is_on_the_accounts_stream(person: User) -> None:
    Client().force_login(person)
    assert kinds_of(person) == ["person.signed_in"]


def test_a_refused_sign_in_is_too(person: User) -> None:
    assert authenticate(None, username="paula", password="wrong") is None
    assert kinds_of(person) == ["person.sign_in_refused"]


def test_an_unknown_name_is_nobodys_stream(person: User) -> None:
    assert authenticate(None, username="nobody", password=PASSWORD) is None
    assert kinds_of(person) == []


def test_a_flood_of_refusals_is_one_entry_per_cool_off(person: User) -> None:
    refuse(20)
    assert told(person) == [1]
    later(14)
    refuse()
    assert told(person) == [1]
    later(1)
    refuse()
    assert told(person) == [1, 21], "the next entry tells what was counted"


def test_every_address_is_told_without_being_named(person: User) -> None:
    refuse(3, "203.0.113.9")
    refuse(3, "203.0.113.10")
    refuse(3, "::ffff:203.0.113.10")
    assert told(person) == [1, 1]
    entries = entries_of(person.pk)
    assert len({entry.facts["address"] for entry in entries}) == 2
    assert "203.0.113" not in str(entries)


def test_a_client_has_as_many_addresses_as_its_network_holds(person: User) -> None:
    for number in range(1, 9):
        refuse(1, f"2001:db8::{number}")
    assert told(person) == [1]
    refuse(1, "2001:db8:0:1::1")
    assert told(person) == [1, 1]


def test_the_count_is_told_when_the_cool_off_is_over(person: User) -> None:
    refuse(5)
    assert tell_refusals(now=timezone.now()) == 0
    assert (tell_refusals(now=later()), told(person)) == (1, [1, 4])
    assert RefusedSignIns.objects.count() == 1, "an attack that goes on is told once per cool-off"
    assert (tell_refusals(now=later()), told(person)) == (1, [1, 4])
    assert not RefusedSignIns.objects.exists()


def test_a_sign_in_tells_what_was_refused_before(person: User) -> None:
    refuse(5)
    Client().force_login(person)
    assert entries_of(person.pk)[-1].facts == {"refused_before": 4}
    assert (tell_refusals(now=later()), told(person)) == (1, [1])


def test_who_is_locked_out_does_not_fill_the_ledger(person: User, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    client = Client(REMOTE_ADDR="203.0.113.9")
    form = {"username": "paula", "password": "wrong"}
    answers = [client.post("/admin/login/", form).status_code for _ in range(12)]
    assert answers[-1] == 429, "locked"
    assert told(person) == [1]
    assert RefusedSignIns.objects.get().untold == 11


def test_beat_tells() -> None:
    scheduled = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert tasks.tell.name in scheduled
