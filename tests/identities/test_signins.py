from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.db import connection
from django.test import Client

from agentops.ledger.store import read_entries
from identities.models import User
from tests.factories.identities import PersonFactory

PASSWORD = "correct horse battery"


@pytest.fixture
def person(db: None) -> User:
    made: User = PersonFactory.create(username="paula")
    made.set_password(PASSWORD)
    made.save()
    return made


def kinds_of(user: User) -> list[str]:
    with connection.cursor() as cursor:
        return [entry.kind for entry in read_entries(cursor, user.pk)]


def test_a_sign_in_is_on_the_accounts_stream(person: User) -> None:
    Client().force_login(person)
    assert kinds_of(person) == ["person.signed_in"]


def test_a_refused_sign_in_is_too(person: User) -> None:
    assert authenticate(None, username="paula", password="wrong") is None
    assert kinds_of(person) == ["person.sign_in_refused"]


def test_an_unknown_name_is_nobodys_stream(person: User) -> None:
    assert authenticate(None, username="nobody", password=PASSWORD) is None
    assert kinds_of(person) == []
