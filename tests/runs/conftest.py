"""A company whose runs can be driven in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_django import Settings

from runs import driver, turns
from runs.memory.meaning.provider import embedder_of
from runs.planner.client import close_clients
from tests.cast import Cast
from tests.runs.company import HERE, Company
from tests.runs.deeds import WORLD
from tests.runs.planner.provider import Provider


class FaultWatch(logging.Handler):
    """Keeps what the driver says when it fails: the run rests, and would end well all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(logging.Formatter().format(record))


@contextmanager
def watched_driver() -> Iterator[list[str]]:
    """Collect the faults that the driver logs in this process."""
    watch, logger = FaultWatch(), logging.getLogger("runs.driver")
    logger.addHandler(watch)
    yield watch.seen
    logger.removeHandler(watch)


@pytest.fixture
def company(
    transactional_db: None, cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    """Provide a company with a scripted provider behind the real client; a fault of the driver fails the test."""
    provider = Provider()
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = provider.base_url, "sk-test"
    settings.TOOLS_PYTHON_MODULES = [HERE]
    monkeypatch.setattr(turns, "BACKOFF_BASE_S", 0.001)  # as that of the company's tools
    turns.planner_of.cache_clear()
    embedder_of.cache_clear()
    WORLD.reset()
    with watched_driver() as faults:
        made = Company(cast, provider, faults=faults)
        yield made
    made.check()
    turns.planner_of.cache_clear()
    embedder_of.cache_clear()
    close_clients()
    provider.close()


@pytest.fixture
def others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other runs wait for a worker, so that a driver hands its own on at the end of each time slice."""
    monkeypatch.setattr(driver, "is_turn_over", lambda _: True)
