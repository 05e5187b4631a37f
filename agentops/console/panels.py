"""The registry into which the apps put their panels: the console itself knows none of them.

A place is "dashboard", or a model's label such as "tools.tool" for the page of one object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

# Any: a panel's subject is whatever object its place shows, its context whatever its template takes.
Load = Callable[[HttpRequest, Any], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled part of a page. ``load`` returns what its template sees as ``panel``, or None to show nothing.

    ``size`` is its share of the page's width: third, half, two-thirds or full.
    """

    place: str
    title: str
    template: str
    load: Load
    order: int = 100
    url_name: str = ""
    size: str = "half"


@dataclass(frozen=True, slots=True)
class ShownPanel:
    panel: Panel
    context: Mapping[str, Any]


_panels: dict[str, dict[str, Panel]] = {}


def register_panel(panel: Panel) -> None:
    """Put a panel into its place; a second one of the same title replaces the first."""
    _panels.setdefault(panel.place, {})[panel.title] = panel


def panels_for(place: str, request: HttpRequest, subject: Any = None) -> list[ShownPanel]:
    """Return what the panels of a place have to show this user, in their order."""
    known = sorted(_panels.get(place, {}).values(), key=lambda panel: panel.order)
    loaded = ((panel, panel.load(request, subject)) for panel in known)
    return [ShownPanel(panel, context) for panel, context in loaded if context is not None]
