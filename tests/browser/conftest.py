"""One demo for all browser tests, a fresh window for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.desk import Desk, open_desk
from tests.browser.platform import Demo, live_demo
from tests.browser.visitor import Visitor, chromium, pictures

Open = Callable[..., Visitor]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the pictures are, if any were taken."""
    if pictures.cache_info().currsize:
        terminalreporter.write_line(f"pictures: {pictures()}")


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """Start the demo."""
    with live_demo() as started:
        yield started


@pytest.fixture(scope="session")
def desk(demo: Demo) -> Desk:
    """Set up agents that do what those of the demo company do not."""
    return open_desk(demo)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the browser."""
    with chromium() as started:
        yield started


@pytest.fixture
def visit(demo: Demo, browser: Browser) -> Iterator[Open]:
    """Open windows, signed in as somebody.

    A window in which the browser complained fails the test; so does one that is left on a page with a grave fault of
    accessibility: no journey can forget to look.
    """
    opened: list[Visitor] = []

    def open_window(name: str = "", **options: Any) -> Visitor:  # Any: a Visitor's keywords
        visitor = Visitor(browser, options.pop("url", demo.url), **options)
        opened.append(visitor)
        if name:
            visitor.sign_in(demo.people[name])
        return visitor

    yield open_window
    complaints = [complaint for visitor in opened for complaint in visitor.leave()]
    assert not complaints, "\n".join(complaints)
