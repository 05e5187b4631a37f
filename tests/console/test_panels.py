from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from agentops.console import panels
from agentops.console.panels import Panel, panels_for, register_panel


@pytest.fixture(autouse=True)
def _no_other_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_panels", {})


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get("/")


def give(value: Any) -> Any:
    return lambda request, subject: None if value is None else {"value": value, "subject": subject}


def test_panels_come_in_their_order_with_their_subject(request_: HttpRequest) -> None:
    register_panel(Panel("tools.tool", "Second", "t.html", give(2), order=20))
    register_panel(Panel("tools.tool", "First", "t.html", give(1), order=10))
    register_panel(Panel("elsewhere", "Other", "t.html", give(3)))
    shown = panels_for("tools.tool", request_, "a tool")
    assert [(panel.panel.title, panel.context["subject"]) for panel in shown] == [
        ("First", "a tool"),
        ("Second", "a tool"),
    ]


def test_a_panel_with_nothing_to_show_is_left_out(request_: HttpRequest) -> None:
    register_panel(Panel("dashboard", "Empty", "t.html", give(None)))
    assert panels_for("dashboard", request_) == []


def test_registering_twice_shows_it_once(request_: HttpRequest) -> None:
    for value in (1, 2):
        register_panel(Panel("dashboard", "Same", "t.html", give(value)))
    assert [panel.context["value"] for panel in panels_for("dashboard", request_)] == [2]
