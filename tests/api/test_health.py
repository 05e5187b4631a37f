from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings


def test_liveness_asks_nobody(client: Client) -> None:
    assert client.get("/healthz").status_code == 200  # no database mark on this test: a query would fail it
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
def test_readiness_names_what_does_not_answer(client: Client, settings: Settings) -> None:
    assert client.get("/readyz").json() == {"database": "ok", "redis": "ok"}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "redis": "unavailable"})


@pytest.mark.django_db(transaction=True)
def test_readiness_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", False)
    monkeypatch.delitem(connection.__dict__, "pool", raising=False)
    answer = client.get("/readyz")
    connection.close()
    assert (answer.status_code, answer.json()["database"]) == (503, "unavailable")
