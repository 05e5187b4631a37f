"""Histories that real drivers have recorded: an engine that would decide otherwise must say so before release.

A run that is going on when the engine changes is folded by the new one, so a rule may only change together
with ``ENGINE_VERSION``. New files: ``manage.py record_history RUN > tests/replay/histories/NAME.json``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agentops.engine.fold import fold_all
from agentops.engine.probes import check_history
from agentops.engine.replay import replay
from runs.histories import dump_history, load_history, load_probes

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def test_there_are_histories() -> None:
    assert len(HISTORIES) >= 20


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_the_engine_still_decides_what_was_recorded(path: Path) -> None:
    events = load_history(path.read_text())
    commands = replay(events)
    assert len(commands) >= 1
    assert fold_all(events).seq == len(events)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_the_engine_would_have_decided_the_same_at_any_other_moment(path: Path) -> None:
    text = path.read_text()
    check_history(load_history(text), load_probes(text))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_is_written_as_it_was_read(path: Path) -> None:
    text = path.read_text()
    assert dump_history(load_history(text)) == text


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_holds_no_words(path: Path) -> None:
    """Facts only: nothing that a customer, a model or a tool has said."""
    text = path.read_text()
    for canary in ("canary", "customer-1", "A-1", "Please help", "delivered"):
        assert canary not in text
