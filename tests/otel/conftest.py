"""A company whose spans go to a real receiver of OTLP, over HTTP, by the real exporter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.otel.receiver import Receiver
from tests.runs.conftest import company

__all__ = ["company"]  # fixtures


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """Provide a receiver that every run of the test is told to."""
    with Receiver() as running:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = running.url
        yield running
