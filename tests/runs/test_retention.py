"""Rows that are trimmed at night, and those that stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from config.celery import app
from runs import retention
from runs.models import BudgetWindow, Escrow, Run, RunSnapshot
from runs.retention import RUN_KEPT, WINDOW_KEPT, WINDOWS_LEFT, trim
from runs.services import settle_outcome
from tests.factories import AgentFactory, BudgetFactory, RunFactory, ToolFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import lose_reply
from tools.admin.grants import WINDOWS_SHOWN
from tools.caps import window_of
from tools.models import CapUsage

NOW = datetime(2026, 11, 22, 3, 17, tzinfo=UTC)
MOMENT, DAY = timedelta(seconds=1), timedelta(days=1)
LONG_AGO = NOW - WINDOW_KEPT - MOMENT
OPEN = [{"type": "outcome", "step": 1, "call": 1}]
FINISHED = {"state": "completed", "ended_at": NOW - RUN_KEPT - MOMENT}

LOOKED_AT = [
    pytest.param(FINISHED, False, id="finished"),
    pytest.param({"state": "completed", "ended_at": NOW - RUN_KEPT}, True, id="ended lately"),
    pytest.param({"state": "running"}, True, id="under way"),
    pytest.param({"state": "requires_action", "required_actions": OPEN}, True, id="waiting"),
    pytest.param({**FINISHED, "required_actions": OPEN}, True, id="ended with an open unknown effect"),
]


def make_run(**fields: Any) -> Run:  # Any: fields of Run
    run: Run = RunFactory.create(created_at=LONG_AGO, **fields)
    return run


def make_usage(run: Run, window: str) -> CapUsage:
    return CapUsage.objects.create(
        identity=run.identity, tool=ToolFactory.create(), window=window, used_count=1
    )


@pytest.mark.django_db
@pytest.mark.parametrize(("fields", "stays"), LOOKED_AT)
def test_a_run_keeps_its_rows_until_nothing_can_come_any_more(fields: dict[str, Any], stays: bool) -> None:
    run = make_run(**fields)
    make_usage(run, window_of("run", run.pk, NOW))
    RunSnapshot.objects.create(run=run, seq=1, engine=1, state={})
    window = BudgetWindow.objects.create(budget=BudgetFactory.create(), starts_at=LONG_AGO, committed_steps=3)
    Escrow.objects.create(run=run, window=window, drawn_steps=3, settled_at=NOW)
    trim(NOW)
    left = [model.objects.exists() for model in (CapUsage, RunSnapshot, Escrow, BudgetWindow)]
    assert left == [stays] * 4
    assert Run.objects.filter(pk=run.pk).exists()
    assert trim(NOW) == 0, "once more changes nothing"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("starts_at", "settled_at", "stays"),
    [(LONG_AGO, NOW, False), (NOW - WINDOW_KEPT, NOW, True), (NOW, NOW, True), (LONG_AGO, None, True)],
)
def test_a_budget_keeps_its_windows_while_anything_counts_in_them(
    starts_at: datetime, settled_at: datetime | None, stays: bool
) -> None:
    window = BudgetWindow.objects.create(budget=BudgetFactory.create(), starts_at=starts_at)
    Escrow.objects.create(run=make_run(**FINISHED), window=window, settled_at=settled_at)
    trim(NOW)
    assert (BudgetWindow.objects.exists(), Escrow.objects.exists()) == (stays, stays)


@pytest.mark.django_db
@pytest.mark.parametrize("per", ["hour", "day", "month"])
def test_a_cap_keeps_the_windows_that_count_and_those_that_are_shown(per: str) -> None:
    grant, other = AgentFactory.create(), AgentFactory.create()
    tool = ToolFactory.create()
    step, most = {"hour": (timedelta(hours=1), 2_500), "day": (DAY, 120), "month": (31 * DAY, 20)}[per]
    names = [window_of(per, uuid4(), NOW - number * step) for number in reversed(range(most))]
    CapUsage.objects.bulk_create(
        CapUsage(identity=agent, tool=tool, window=name)
        for agent, windows in ((grant, names), (other, names[:WINDOWS_LEFT]))
        for name in windows
    )
    trim(NOW)
    oldest = window_of(per, uuid4(), NOW - WINDOW_KEPT)
    expected = {name for name in names if name >= oldest} | set(names[-WINDOWS_LEFT:])
    left = CapUsage.objects.filter(tool=tool)
    assert {usage.window for usage in left.filter(identity=grant)} == expected
    assert left.filter(identity=other).count() == WINDOWS_LEFT, "an agent that rests is shown its last ones"


def test_what_the_grant_s_page_lists_is_left() -> None:
    assert WINDOWS_LEFT >= WINDOWS_SHOWN


@pytest.mark.django_db
def test_it_goes_on_batch_by_batch_and_stops_for_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "MOST_BATCHES", 2)
    for _ in range(5):
        RunSnapshot.objects.create(run=make_run(**FINISHED), seq=1, engine=1, state={})
    assert (trim(NOW), trim(NOW), RunSnapshot.objects.count()) == (4, 1, 0)


def test_a_run_that_was_trimmed_is_still_the_same_run(company: Company) -> None:
    """Its books, its trace and what a person may still say about it do not hang on what is trimmed."""
    budget = BudgetFactory.create(team=company.cast.team, window="month", max_usd=Decimal(1))
    caps = [{"per": "run", "count": 3}, {"per": "month", "count": 3}]
    company.add_tool(
        "refund", grant="ALLOW_WITH_CAPS", grant_caps=caps, idempotency="none", on_unknown="halt"
    )
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    later = timezone.now() + WINDOW_KEPT + timedelta(days=31)
    trim(later)
    assert CapUsage.objects.filter(window=f"run:{run.pk}", used_count=1).exists(), "its effect is unknown"
    settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=False, note="I called.")
    assert not CapUsage.objects.exclude(used_count=0).exists()
    entries = company.kinds(run)
    assert trim(later) >= 3
    assert company.kinds(run) == entries, "the ledger keeps everything"
    assert not CapUsage.objects.filter(window=f"run:{run.pk}").exists()
    assert not BudgetWindow.objects.filter(budget=budget).exists()
    assert company.run(says("Hello.")).state == "completed", "the next run opens its windows anew"


def test_the_scheduler_knows_the_task() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["trim-rows"]
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
