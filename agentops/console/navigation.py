"""The rail at the side: where a person can go, and how much waits there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Destination:
    """One entry of the rail; ``waiting`` counts what a person has to do there."""

    label: str
    url_name: str
    order: int
    section: str = ""
    waiting: Callable[[HttpRequest], int] | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A destination as shown on one page."""

    label: str
    url: str
    section: str
    waiting: int
    current: bool


_destinations: dict[str, Destination] = {}


def register_destination(destination: Destination) -> None:
    """Put an entry into the rail; a second one for the same page replaces the first."""
    _destinations[destination.url_name] = destination


def stops_for(request: HttpRequest, at: str) -> list[Stop]:
    """Return the rail as this user has it on the page ``at``."""
    stops = []
    for destination in sorted(_destinations.values(), key=lambda d: d.order):
        url = reverse(destination.url_name)
        stops.append(
            Stop(
                destination.label,
                url,
                destination.section,
                destination.waiting(request) if destination.waiting else 0,
                current=at == url if destination.order == 0 else at.startswith(url),
            )
        )
    return stops
