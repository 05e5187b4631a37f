"""The desk whose notes are found by their meaning, too."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.factories import PriceFactory
from tests.runs.company import Company
from tests.runs.memory.conftest import desk
from tests.runs.memory.meaning.thesaurus import meant
from tests.runs.planner.provider import vectors

__all__ = ["desk"]
MODEL = "embed-1"


@pytest.fixture
def clever(desk: Company, settings: Settings) -> Company:
    """Return the desk with a model for vectors, which knows some paraphrases, and its price."""
    settings.EMBEDDINGS_MODEL = MODEL
    PriceFactory.create(model=MODEL, version="embed-prices-1", output_usd_per_mtok=0)
    desk.provider.embed = vectors(meant)
    return desk
