"""A step at the end of a long run takes no more than one at its beginning: counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pytest
from django.conf import LazySettings

from runs import journal, turns
from runs.bench.company import create_company
from runs.bench.steps import create_runs
from runs.driver import drive
from runs.models import Run
from runs.session import Session
from runs.window import Block

STEPS = 200
EARLY, LATE = slice(10, 40), slice(STEPS - 40, STEPS - 10)


@dataclass
class Meter:
    """What this thread does for each step: functions of Python called, bytes given to the database."""

    calls: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)

    def begin(self) -> None:
        self.calls.append(0)
        self.written.append(0)

    def count(self, _frame: object, happening: str, _argument: object) -> None:
        if happening == "call" and self.calls:
            self.calls[-1] += 1

    def ratios(self) -> list[float]:
        """Return what late steps take of what early ones took."""
        return [median(each[LATE]) / median(each[EARLY]) for each in (self.calls, self.written)]


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meter]:
    meter, ask, encode = Meter(), turns.ask_planner, journal.encode

    def ask_and_begin(*arguments: Any) -> None:
        meter.begin()
        ask(*arguments)

    def encode_and_weigh(write: journal.Write) -> journal.Document:
        document = encode(write)
        if meter.written:
            meter.written[-1] += len(document.text)
        return document

    monkeypatch.setattr(turns, "ask_planner", ask_and_begin)
    monkeypatch.setattr(journal, "encode", encode_and_weigh)
    yield meter
    sys.setprofile(None)


@pytest.fixture
def run(transactional_db: None, settings: LazySettings) -> Iterator[Run]:
    settings.NULL_PLANNER_STEPS, settings.NULL_PLANNER_LATENCY_S = STEPS, 0.0
    settings.TOOLS_PYTHON_MODULES = ["runs.bench.noop"]
    turns.planner_of.cache_clear()
    (run,) = create_runs(*create_company(STEPS), 1)
    yield Run.objects.get(pk=run)
    turns.planner_of.cache_clear()


def drive_to_its_end(run: Run, meter: Meter) -> None:
    sys.setprofile(meter.count)
    while drive(run.pk):
        pass
    sys.setprofile(None)
    run.refresh_from_db()
    assert (run.state, run.steps) == ("completed", STEPS + 1)
    del meter.calls[: len(meter.calls) - STEPS], meter.written[: len(meter.written) - STEPS]


def test_a_late_step_takes_what_an_early_one_took(run: Run, meter: Meter) -> None:
    drive_to_its_end(run, meter)
    assert meter.ratios() == [pytest.approx(1, abs=0.1)] * 2


@pytest.mark.slow
@pytest.mark.budget
def test_if_all_were_arranged_anew_it_would_take_more(
    run: Run, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    window = Session.window

    def forget_and_arrange(self: Session) -> list[Block]:
        self.arranged.clear()
        return window(self)

    monkeypatch.setattr(Session, "window", forget_and_arrange)
    drive_to_its_end(run, meter)
    assert meter.ratios()[0] > 1.1
