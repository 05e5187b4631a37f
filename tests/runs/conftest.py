"""A company whose runs can be driven in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from runs import turns
from runs.planner.client import close_clients
from tests.cast import Cast
from tests.runs.company import HERE, Company
from tests.runs.deeds import WORLD
from tests.runs.planner.provider import Provider


@pytest.fixture
def company(transactional_db: None, cast: Cast, settings: Settings) -> Iterator[Company]:
    """Provide a company with a scripted provider behind the real client."""
    provider = Provider()
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = provider.base_url, "sk-test"
    settings.TOOLS_PYTHON_MODULES = [HERE]
    turns.planner_of.cache_clear()
    WORLD.reset()
    made = Company(cast, provider)
    yield made
    made.check()
    turns.planner_of.cache_clear()
    close_clients()
    provider.close()
