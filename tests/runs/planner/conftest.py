"""A scripted provider, and the real client that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from runs.planner.answers import PlannerAnswer, PlannerFailure
from runs.planner.client import close_clients
from runs.planner.openai_chat import OpenAIPlanner
from tests.runs.planner.provider import Provider, Turn
from tests.runs.planner.questions import API_KEY, question

Ask = Callable[[Turn], PlannerAnswer | PlannerFailure]


@pytest.fixture
def provider() -> Iterator[Provider]:
    scripted = Provider()
    yield scripted
    close_clients()
    scripted.close()


@pytest.fixture
def planner(provider: Provider) -> OpenAIPlanner:
    return OpenAIPlanner(base_url=provider.base_url, api_key=API_KEY)


@pytest.fixture
def ask(provider: Provider, planner: OpenAIPlanner) -> Ask:
    """Return a function that plays one turn and returns what the planner makes of it."""

    def play(turn: Turn) -> PlannerAnswer | PlannerFailure:
        provider.play(turn)
        return planner.ask(question())

    return play
