"""Evaluations over the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runs.models import Evaluation, Run
from tests.api.conftest import Callers, callers, keys
from tests.runs.company import Company
from tests.runs.evaluation.trying import ANSWERS, LOOKS, PAYS, carry_through, case, draft, keep_set, tried

__all__ = ["callers", "keys"]  # fixtures
pytestmark = [pytest.mark.evaluation, pytest.mark.slow]

TRIAL: dict[str, Any] = {"version": 1, "max_usd": "50.00"}


def test_a_version_is_tried_and_read(refunds: Company, callers: Callers) -> None:
    row = keep_set(refunds, case("one"), case("two"), gating=True, pass_rate=Decimal("0.5"))
    [listed] = callers.bob.get("/evaluation-sets").body["data"]
    assert (listed["id"], listed["agent"], listed["gating"], listed["pass_rate"]) == (
        str(row.pk),
        "refunds-agent",
        True,
        "0.5000",
    )
    assert [each["name"] for each in callers.bob.get(f"/evaluation-sets/{row.pk}").body["cases"]] == [
        "one",
        "two",
    ]
    answers = [callers.ada.post(f"/evaluation-sets/{row.pk}/evaluate", TRIAL, key="e1") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].body["id"] == answers[1].body["id"]
    refunds.play(LOOKS, PAYS, ANSWERS, LOOKS, ANSWERS)
    carry_through(refunds, Evaluation.objects.get())
    shown = callers.bob.get(f"/evaluations/{answers[0].body['id']}").body
    assert (shown["state"], [each["passed"] for each in shown["results"]]) == ("finished", [True, False])
    failed = shown["results"][1]
    assert failed["checks"][0]["said"].endswith("it was not")
    assert Run.objects.get(pk=failed["run"]).kind == "case"
    assert callers.bob.get(f"/runs/{failed['run']}").body["kind"] == "case"


def test_two_are_put_side_by_side(refunds: Company, callers: Callers) -> None:
    row = keep_set(refunds)
    first = tried(refunds, row, *(LOOKS, PAYS, ANSWERS) * 5, repeat=5)
    worse = draft(refunds, instructions="Refuse.")
    second = tried(refunds, row, *(ANSWERS,) * 5, repeat=5, version=worse)
    for address in (
        f"/evaluations/{second.pk}/compare?other={first.pk}",
        f"/evaluations/{second.pk}/compare",
    ):
        told = callers.bob.get(address).body
        assert (told["one"]["version"], told["other"]["version"], told["is_alike"]) == (2, 1, True)
        passed = next(each for each in told["figures"] if each["name"] == "passed")
        assert (passed["one"], passed["other"], passed["differs"]) == (0.0, 1.0, True)
        assert [len(each["one"]) for each in told["cases"]] == [5]
    assert callers.bob.get(f"/evaluations/{first.pk}/compare").code == "unknown_evaluation"


def test_others_see_and_start_nothing(refunds: Company, callers: Callers) -> None:
    row = keep_set(refunds)
    made = tried(refunds, row, LOOKS, PAYS, ANSWERS)
    for path in (
        f"/evaluation-sets/{row.pk}",
        f"/evaluations/{made.pk}",
        f"/evaluations/{made.pk}/compare",
    ):
        assert callers.charlie.get(path).status == 404
        assert callers.app.get(path).status == 404
        assert callers.stranger.get(path).status == 401
    for path in ("/evaluation-sets", "/evaluations"):
        assert callers.charlie.get(path).body["data"] == []
    assert callers.charlie.post(f"/evaluation-sets/{row.pk}/evaluate", TRIAL, key="c").status == 404
    assert callers.charlie.post(f"/evaluations/{made.pk}/stop", {}, key="c").status == 404
    assert callers.bob.post(f"/evaluation-sets/{row.pk}/evaluate", TRIAL, key="b").code == "agent_not_granted"
    assert Evaluation.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"version": 1}, 422),
        ({**TRIAL, "max_usd": 5}, 422),
        ({**TRIAL, "repeat": 0}, 422),
        ({**TRIAL, "max_usd": "0.01"}, 422),
        ({**TRIAL, "version": 9}, 404),
        ({**TRIAL, "more": 1}, 422),
    ],
)
def test_a_body_that_makes_no_sense_starts_nothing(
    refunds: Company, callers: Callers, body: dict[str, Any], status: int
) -> None:
    row = keep_set(refunds)
    assert callers.ada.post(f"/evaluation-sets/{row.pk}/evaluate", body, key="x").status == status
    assert not Evaluation.objects.exists()
