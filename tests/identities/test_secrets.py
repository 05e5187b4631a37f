"""Secrets: sealed from the first moment, governed, and changed by nobody but their services."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, transaction

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import Secret
from identities.secret_settings import parse_settings
from identities.services import replace_secret, retire_secret
from tests.cast import Cast
from tests.identities.secrets import VALUE, make_secret, value_of
from tests.ledger import entries_of, kinds_of

OAUTH = {"token_url": "https://id.example/token", "client_id": "agentops"}
POSTGRES = {"host": "db.example", "database": "shop", "user": "maker", "inherits": "reader"}


def test_a_value_is_sealed_in_its_row_and_nowhere_else(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = make_secret(cast)
        replace_secret(actor=cast.alice, secret=secret, value=VALUE + "-2")

    assert value_of(secret) == VALUE + "-2"
    assert (secret.version, kinds_of(secret.id)) == (2, ["secret.created", "secret.replaced"])
    entries = json.dumps([[entry.facts, entry.content] for entry in entries_of(secret.id)])
    for shown in (secret.sealed_value, entries, caplog.text, repr(secret), str(vars(secret))):
        assert VALUE not in shown


def test_a_sealed_value_opens_in_its_own_row_only(cast: Cast) -> None:
    one, other = make_secret(cast), make_secret(cast, slug="other")
    replace_secret(actor=cast.alice, secret=one, value=VALUE)
    Secret.objects.filter(pk=one.pk).update(sealed_value=other.sealed_value, version=3)

    with pytest.raises(Exception, match="wrong_context"):
        value_of(one)


def test_it_may_be_declared_before_there_is_a_value(cast: Cast) -> None:
    secret = make_secret(cast, value="")

    assert (secret.version, secret.sealed_value) == (0, "")
    assert replace_secret(actor=cast.alice, secret=secret, value=VALUE).version == 1


@pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
def test_others_are_refused(cast: Cast, name: str) -> None:
    secret, actor = make_secret(cast), getattr(cast, name)
    acts: list[Callable[[], object]] = [
        lambda: replace_secret(actor=actor, secret=secret, value="another-value"),
        lambda: retire_secret(actor=actor, secret=secret),
        lambda: make_secret(replace(cast, alice=actor), slug="new"),
    ]
    for act in acts:
        with pytest.raises(PolicyDenied):
            act()
    assert value_of(secret) == VALUE
    assert kinds_of(secret.id) == ["secret.created"]


def test_a_retired_secret_stays_retired(cast: Cast) -> None:
    secret = make_secret(cast)
    retire_secret(actor=cast.alice, secret=secret, reason="leaked")
    acts: list[Callable[[], object]] = [
        lambda: replace_secret(actor=cast.alice, secret=secret, value="another-value"),
        lambda: retire_secret(actor=cast.alice, secret=secret),
        lambda: make_secret(cast),
    ]
    for act in acts:
        with pytest.raises(StateConflict):
            act()


@pytest.mark.parametrize("value", ["short", " " * 20, "x" * 20_000])
def test_a_value_that_could_be_ordinary_text_is_refused(cast: Cast, value: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        make_secret(cast, value=value)
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [{"sealed_value": "v1.local.a.b.c"}, {"sealed_value": ""}, {"settings": {"header": "X-Other"}}, {"slug": "other"},
     {"provider": "oauth"}, {"version": 7}],
)  # fmt: skip
def test_the_database_refuses_changes_past_the_services(cast: Cast, change: dict[str, Any]) -> None:
    secret = make_secret(cast)
    for write in (lambda: Secret.objects.filter(pk=secret.pk).update(**change), lambda: secret.delete()):
        with pytest.raises(Error, match="services only"), transaction.atomic():
            write()
    assert value_of(secret) == VALUE


def test_the_database_lets_nobody_revive_a_retired_one(cast: Cast) -> None:
    secret = retire_secret(actor=cast.alice, secret=make_secret(cast))
    with pytest.raises(Error, match="services only"), transaction.atomic():
        Secret.objects.filter(pk=secret.pk).update(state="active")


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        ("static", {"header": "X: y"}), ("static", {"scheme": "a\nb"}), ("static", {"secret": "x"}), ("vault", {}),
        ("static", {"header": 5}),
        ("oauth", {}), ("oauth", {**OAUTH, "token_url": "ftp://id.example"}), ("oauth", {**OAUTH, "grant": "password"}),
        ("oauth", {**OAUTH, "token_url": "https://user:pw@id.example/"}),
        ("oauth", {**OAUTH, "revocation_url": "file:///etc/passwd"}),
        ("postgres", {**POSTGRES, "inherits": 'reader"; DROP'}), ("postgres", {**POSTGRES, "port": 0}),
        ("postgres", {**POSTGRES, "connection_limit": True}), ("postgres", {**POSTGRES, "sslmode": "maybe"}),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(provider: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        parse_settings(provider, settings)


def test_every_value_is_wrapped_under_a_new_key(cast: Cast, settings: LazySettings) -> None:
    secret, empty = make_secret(cast), make_secret(cast, slug="empty", value="")
    settings.AGENTOPS_SEALING_KEYS = ["new:" + "n2" * 30, *settings.AGENTOPS_SEALING_KEYS]
    call_command("rewrap_secrets")
    settings.AGENTOPS_SEALING_KEYS = settings.AGENTOPS_SEALING_KEYS[:1]

    assert value_of(secret) == VALUE
    assert (secret.version, Secret.objects.get(pk=empty.pk).sealed_value) == (1, "")


def test_a_value_that_does_not_open_is_named(cast: Cast) -> None:
    secret = make_secret(cast)
    Secret.objects.filter(pk=secret.pk).update(version=2, sealed_value=secret.sealed_value[:-6] + "AAAAAA")

    with pytest.raises(CommandError, match=f"broken_seal.*{secret.pk}"):
        call_command("rewrap_secrets")
