"""Decision tables through the API: the same verbs as in the console, and what a table would decide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import give_second_factor
from tests.factories.identities import current_code
from tests.tools.tables import CASES, eligibility, make_table, publish
from tools.models import DecisionTable, DecisionTableVersion


@pytest.fixture
def fresh(cast: Cast, callers: Callers) -> None:
    """Let Ada's key open its window: what decides about money asks for a fresh factor."""
    code = current_code(give_second_factor(cast.ada))
    assert callers.ada.post("/step-up", {"otp": code}).status == 200


@pytest.fixture
def table(cast: Cast) -> DecisionTable:
    return make_table(cast)


def test_a_table_is_drafted_changed_and_published(callers: Callers, cast: Cast) -> None:
    named = {"team": "support", "slug": "refunds", "name": "Who gets a refund"}
    made = callers.alice.post("/tables", named)
    assert (made.status, made.body["in_force"]) == (201, None)
    path = f"/tables/{made.body['id']}"
    draft = {"definition": eligibility(), "cases": CASES}
    saved = callers.alice.post(f"{path}/versions", draft).body
    assert (saved["number"], saved["state"], saved["looked_over"]["is_ready"]) == (1, "draft", True)
    changed = callers.alice.post(
        f"{path}/versions", {**draft, "definition": eligibility(early="40"), "seen": saved["digest"]}
    ).body
    assert changed["number"] == 1
    assert changed["looked_over"]["cases"][0]["problem"]
    assert callers.alice.post(f"{path}/versions", {**draft, "seen": saved["digest"]}).code == "draft_changed"


def test_what_keeps_a_draft_from_deciding_is_said(
    callers: Callers, fresh: None, table: DecisionTable
) -> None:
    path = f"/tables/{table.pk}"
    callers.ada.post(f"{path}/versions", {"definition": eligibility(), "cases": []})
    assert callers.ada.post(f"{path}/versions/1/publish", {}).code == "gaps_or_overlaps"
    done = callers.ada.post(f"{path}/versions/1/publish", {"acknowledgement": "Meant so."})
    assert (done.status, done.body["state"], done.body["published_by"]) == (200, "published", "ada")
    assert callers.ada.get(path).body["in_force"] == 1
    assert callers.ada.post(f"{path}/versions/1/publish", {}).code == "not_a_draft"
    assert callers.ada.post(f"{path}/versions/1/retire", {}).body["state"] == "retired"
    assert callers.ada.get(path).body["in_force"] is None


def test_a_key_publishes_once(callers: Callers, fresh: None, table: DecisionTable) -> None:
    path = f"/tables/{table.pk}/versions"
    callers.ada.post(path, {"definition": eligibility(), "cases": []})
    body = {"acknowledgement": "Meant so."}
    first, again = (callers.ada.post(f"{path}/1/publish", body, key="p-1") for _ in range(2))
    assert (first.status, again.status, again.body) == (200, 200, first.body)


def test_what_if(callers: Callers, cast: Cast, table: DecisionTable) -> None:
    path, body = f"/tables/{table.pk}/decide", {"inputs": {"order id": "A-1", "days": 3}}
    assert callers.bob.post(path, body).code == "no_decision"
    publish(cast, table, eligibility())
    made = callers.bob.post(path, body).body
    assert (made["version"], made["outputs"]) == (1, {"amount": 50})
    assert [each["value"] for each in made["trace"][0]["inputs"]] == ['"A-1"', "3"]
    assert callers.bob.post(path, {"inputs": {"order id": "A-1", "days": -3}}).body["outputs"] is None
    assert callers.bob.post(path, {"inputs": {"days": "3"}}).code == "invalid_inputs"
    before = {**body, "at": (timezone.now() - timedelta(days=1)).isoformat()}
    assert callers.bob.post(path, before).code == "no_decision"
    assert callers.bob.post(path, {**body, "version": 1}).body["outputs"] == {"amount": 50}
    assert callers.bob.post(path, {**body, "version": 2}).code == "unknown_version"


def test_a_document_goes_out_and_comes_in(callers: Callers, cast: Cast, table: DecisionTable) -> None:
    publish(cast, table, eligibility(), CASES)
    path = f"/tables/{table.pk}"
    document = callers.alice.get(f"{path}/versions/1/dmn").body["document"]
    assert "https://www.omg.org/spec/DMN/20230324/MODEL/" in document
    taken = callers.alice.post(f"{path}/import", {"document": document}).body
    assert (taken["number"], taken["cases"]) == (2, CASES)
    refused = callers.alice.post(f"{path}/import", {"document": "<a"})
    assert refused.status == 422
    assert DecisionTableVersion.objects.count() == 2


WRITES = [
    ("/versions", {"definition": {}, "cases": []}),
    ("/import", {"document": "<a/>"}),
    ("/versions/1/publish", {}),
    ("/versions/1/retire", {}),
    ("/decide", {"inputs": {}}),
]


@pytest.mark.parametrize(("place", "body"), WRITES)
def test_outsiders_see_and_change_nothing(
    callers: Callers, cast: Cast, table: DecisionTable, place: str, body: dict[str, object]
) -> None:
    publish(cast, table, eligibility())
    for who in (callers.charlie, callers.app):
        assert who.post(f"/tables/{table.pk}{place}", body).code == "unknown_table"
        assert who.get(f"/tables/{table.pk}").code == "unknown_table"
        assert who.get("/tables").body["data"] == []
    assert (
        callers.charlie.post("/tables", {"team": "support", "slug": "x", "name": "X"}).code == "unknown_team"
    )


@pytest.mark.parametrize(("place", "body"), WRITES[:4])
def test_who_is_on_the_team_needs_the_right(
    callers: Callers, cast: Cast, table: DecisionTable, place: str, body: dict[str, object]
) -> None:
    publish(cast, table, eligibility())
    assert callers.bob.post(f"/tables/{table.pk}{place}", body).status == 403
