"""What the libraries that speak to others may log."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings


@pytest.mark.parametrize("name", ["httpcore2", "httpx2", "openai"])
def test_what_goes_over_the_wire_is_no_louder_than_everything_else(name: str) -> None:
    """Nor is it ever told in full, which the canaries watch."""
    told = logging.getLevelNamesMapping()[settings.LOG_LEVEL]
    assert logging.getLogger(name).level == max(told, logging.INFO)
