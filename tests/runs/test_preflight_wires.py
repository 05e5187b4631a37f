"""Preflight of the wires: none to another machine is open, and none trusts whoever answers."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from runs.preflight.wires import check_wires
from tests.runs.guardrails import lack_nothing

pytestmark = pytest.mark.setup


def found(settings: LazySettings, monkeypatch: pytest.MonkeyPatch, **wires: str) -> set[str]:
    host, _, mode = wires.get("database", "/run/postgresql").partition("?sslmode=")
    database = {"HOST": host, "OPTIONS": {"sslmode": mode} if mode else {}}
    monkeypatch.setitem(settings.DATABASES, "default", {**settings.DATABASES["default"], **database})
    settings.REDIS_URL = wires.get("redis", "redis://127.0.0.1:6379/0")
    settings.CELERY_BROKER_URL = wires.get("broker", "redis+socket:///run/valkey.sock?virtual_host=1")
    return {finding.subject for finding in check_wires()}


@pytest.mark.parametrize(
    ("wire", "address", "subject"),
    [
        ("database", "db.example.com", "DATABASE_URL"),
        ("database", "db.example.com?sslmode=prefer", "DATABASE_URL"),
        ("database", "db.example.com?sslmode=disable", "DATABASE_URL"),
        ("database", "db.example.com?sslmode=require", "DATABASE_URL"),  # encrypted, to whoever answers
        ("database", "10.1.2.3", "DATABASE_URL"),
        ("database", "localhost,db.example.com", "DATABASE_URL"),
        ("redis", "redis://cache.example.com:6379/0", "REDIS_URL"),
        ("redis", "redis://10.1.2.3/0", "REDIS_URL"),
        ("redis", "rediss://cache.example.com/0?ssl_cert_reqs=none", "REDIS_URL"),
        ("redis", "rediss://cache.example.com/0?ssl_cert_reqs=optional", "REDIS_URL"),
        ("broker", "redis://cache.example.com:6379/0", "BROKER_URL"),
        ("broker", "rediss://cache.example.com/0?ssl_cert_reqs=CERT_NONE", "BROKER_URL"),
        ("broker", "redis://[2001:db8::1]/0", "BROKER_URL"),
    ],
)
def test_an_open_wire_is_found(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, wire: str, address: str, subject: str
) -> None:
    assert found(lack_nothing(settings), monkeypatch, **{wire: address}) == {subject}


@pytest.mark.parametrize(
    ("wire", "address"),
    [
        ("database", ""),
        ("database", "postgres"),
        ("database", "::1"),
        ("database", "db.example.com?sslmode=verify-full"),
        ("database", "db.example.com?sslmode=verify-ca"),
        ("redis", "unix:///run/valkey.sock?db=1"),
        ("redis", "redis://valkey:6379/0"),
        ("redis", "rediss://cache.example.com/0"),
        ("broker", "rediss://cache.example.com/0?ssl_cert_reqs=CERT_REQUIRED"),
        ("broker", "redis://[::1]/0"),
    ],
)
def test_a_wire_that_nobody_is_between_is_none(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, wire: str, address: str
) -> None:
    assert found(lack_nothing(settings), monkeypatch, **{wire: address}) == set()


@pytest.mark.parametrize(
    ("address", "subjects"),
    [
        ("http://models.example.com/v1", {"MODEL_PROVIDERS"}),
        ("http://10.1.2.3/v1", {"MODEL_PROVIDERS"}),
        ("https://models.example.com/v1", set()),
        ("http://127.0.0.1:8080/v1", set()),
        ("http://models:8080/v1", set()),
    ],
)
def test_an_open_wire_to_a_further_provider_is_found(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, address: str, subjects: set[str]
) -> None:
    lack_nothing(settings)
    settings.MODEL_PROVIDERS = {"backup": address}
    assert found(settings, monkeypatch) == subjects
