"""Evaluation sets in the console."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client

from runs.models import Evaluation, EvaluationSet
from tests.console.visits import act, page_of, sign_in, text_of
from tests.runs.company import Company
from tests.runs.evaluation.trying import ANSWERS, LOOKS, PAYS, begin, case, draft, keep_set, starter, tried

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]
SETS = "runs_evaluationset"


@pytest.fixture
def alice(refunds: Company) -> Client:
    return sign_in(starter(refunds))


def test_a_set_shows_its_cases_and_what_was_tried(refunds: Company, alice: Client) -> None:
    row = keep_set(refunds, gating=True, description="What people ask.")
    tried(refunds, row, LOOKS, PAYS, ANSWERS)
    assert "everyday" in text_of(alice.get(page_of(SETS, "changelist")))
    shown = text_of(alice.get(page_of(SETS, "change", row.pk)))
    for said in (
        "What people ask.",
        "I want my money back",
        "is carried out exactly once",
        "1 of 1",
        "as they stand",
    ):
        assert said in shown
    keep_set(refunds, case(message="Another."), gating=True)
    assert "others than now" in text_of(alice.get(page_of(SETS, "change", row.pk)))


def test_a_version_is_evaluated_and_shown_beside_another(refunds: Company, alice: Client) -> None:
    row, version = keep_set(refunds), draft(refunds, instructions="Be brief.")
    form = page_of(SETS, "evaluate", row.pk)
    assert "No tool is called" in text_of(alice.get(form))
    assert alice.post(form, {"version": version.pk, "repeat": 1, "max_usd": "0.01"}).status_code == 422
    started = alice.post(form, {"version": version.pk, "repeat": 2, "max_usd": "50"})
    made = Evaluation.objects.get()
    assert started.headers["Location"] == page_of(SETS, "found", made.pk)
    assert "0 of 2 runs passed" in text_of(alice.get(page_of(SETS, "found", made.pk)))
    alice.post(page_of(SETS, "stop", made.pk))
    made.refresh_from_db()
    assert made.state == "stopped"
    first = tried(refunds, row, LOOKS, PAYS, ANSWERS)
    second = tried(refunds, row, ANSWERS, version=version)
    page = alice.get(page_of(SETS, "found", second.pk))
    assert "0 of 1 runs passed" in text_of(page)
    compare = f"{page_of(SETS, 'compare')}?one={first.pk}&other={second.pk}"
    assert compare.replace("&", "&amp;") in page.content.decode()
    told = text_of(alice.get(compare))
    assert "repetition alone could explain that" in told
    assert "no difference" in told


def test_a_run_is_made_a_case_of_a_new_set_and_of_one_that_there_is(refunds: Company, alice: Client) -> None:
    run = refunds.run(LOOKS, PAYS, ANSWERS)
    form = page_of(SETS, "case", run.pk)
    assert form in alice.get(page_of("runs_run", "change", run.pk)).content.decode()
    assert "refund" in alice.get(form).content.decode()
    checks = json.dumps([{"answer": {}}])
    for wrong in (
        {"name": "x", "checks": checks},
        {"name": "x", "checks": "{", "new_set": "n"},
        {"name": "x", "checks": "{}", "new_set": "n"},
        {"name": "x", "checks": "[]", "new_set": "n"},
    ):
        assert alice.post(form, wrong).status_code == 422
    made = alice.post(form, {"name": "one", "checks": checks, "new_set": "from life"})
    assert made.status_code == 302, text_of(made)
    row = EvaluationSet.objects.get(name="from life")
    assert made.headers["Location"] == page_of(SETS, "change", row.pk)
    alice.post(form, {"name": "two", "checks": checks, "evaluation_set": row.pk})
    assert [each.name for each in row.cases.all()] == ["one", "two"]
    assert "of a run" in text_of(alice.get(page_of(SETS, "change", row.pk)))


def test_settings_are_changed_and_a_set_is_dropped(refunds: Company, alice: Client) -> None:
    row = keep_set(refunds)
    form = page_of(SETS, "settings", row.pk)
    alice.post(form, {"description": "New.", "gating": "on", "pass_rate": "0.75"})
    row.refresh_from_db()
    assert (row.description, row.gating, str(row.pass_rate), row.cases.count()) == ("New.", True, "0.7500", 1)
    act(alice, SETS, "drop", row.pk)
    row.refresh_from_db()
    assert row.dropped_at is not None


def test_others_see_nothing_and_who_may_not_changes_nothing(refunds: Company) -> None:
    row = keep_set(refunds)
    made, run = begin(refunds, row), refunds.run(LOOKS, PAYS, ANSWERS)
    charlie, bob = sign_in(refunds.cast.charlie), sign_in(refunds.cast.bob)
    for page, subject in (("evaluate", row.pk), ("settings", row.pk), ("found", made.pk), ("case", run.pk)):
        assert charlie.get(page_of(SETS, page, subject)).status_code == 404
        assert charlie.get(page_of(SETS, page, uuid4())).status_code == 404
    assert charlie.get(f"{page_of(SETS, 'compare')}?one={made.pk}&other={made.pk}").status_code == 404
    assert charlie.post(page_of(SETS, "stop", made.pk)).status_code == 404
    bob.post(page_of(SETS, "stop", made.pk))
    bob.post(page_of(SETS, "settings", row.pk), {"pass_rate": "0.5"})
    bob.post(page_of(SETS, "evaluate", row.pk), {"version": made.version_id, "repeat": 1, "max_usd": "50"})
    bob.post(page_of(SETS, "case", run.pk), {"name": "x", "checks": "[]", "new_set": "mine"})
    made.refresh_from_db()
    row.refresh_from_db()
    assert (made.state, row.pass_rate) == ("running", Decimal(1))
    assert (Evaluation.objects.count(), EvaluationSet.objects.count()) == (1, 1)
