"""What the libraries that speak to others may log, and of which trace each line is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.conf import settings

from agentops.logs import JsonFormatter, TraceFilter, in_trace


@pytest.mark.parametrize("name", ["httpcore2", "httpx2", "openai"])
def test_what_goes_over_the_wire_is_no_louder_than_everything_else(name: str) -> None:
    """Nor is it ever told in full, which the canaries watch."""
    told = logging.getLevelNamesMapping()[settings.LOG_LEVEL]
    assert logging.getLogger(name).level == max(told, logging.INFO)


LOGGER = logging.Logger(
    "agentops.test"
)  # below no other: what cannot be shown in UTF-8 breaks pytest's reports


@pytest.fixture
def written() -> Iterator[StringIO]:
    """Collect what a handler like that of production writes."""
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(JsonFormatter())
    handler.addFilter(TraceFilter())
    LOGGER.addHandler(handler)
    yield handler.stream
    LOGGER.removeHandler(handler)


def lines(written: StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_says_of_which_trace_it_is(written: StringIO) -> None:
    with in_trace("a" * 32):
        LOGGER.error("within\n%s", "\ud800")
        with in_trace("b" * 32), ThreadPoolExecutor() as pool:
            pool.submit(copy_context().run, LOGGER.error, "in a thread").result()
    LOGGER.error("after")
    found = lines(written)
    assert [line["trace_id"] for line in found] == ["a" * 32, "b" * 32, ""]
    assert ascii(found[0]["message"]) == ascii("within\n\ud800")
    assert datetime.fromisoformat(found[0]["time"]).tzinfo is not None
    assert (found[0]["level"], found[0]["logger"]) == ("ERROR", "agentops.test")


def test_a_traceback_stays_in_its_line(written: StringIO) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        LOGGER.exception("it failed")
    (line,) = lines(written)
    assert line["exception"].endswith("ValueError: no")


@pytest.mark.parametrize("name", ["plain", "json"])
def test_both_formats_can_be_set_up(name: str) -> None:
    configured: Any = settings.LOGGING  # Any: as dictConfig takes it
    assert name in configured["formatters"]
    assert configured["handlers"]["console"]["filters"] == ["trace"]
