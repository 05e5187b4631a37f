"""The rail at the side: where a person can go, and how much waits there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

MOST_COUNTED = 1_000  # of what waits: every page has the rail, and nobody needs to know more of it


@dataclass(frozen=True, slots=True)
class Destination:
    """One entry of the rail; ``waiting`` are the rows that a person has to do there, ``shown`` says who has it."""

    label: str
    url_name: str
    order: int
    section: str = ""
    waiting: Callable[[HttpRequest], QuerySet[Any]] | None = None
    shown: Callable[[HttpRequest], bool] | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A destination as shown on one page."""

    label: str
    url: str
    section: str
    waiting: int
    current: bool

    @property
    def told(self) -> str:
        """Return how much waits, as it is shown."""
        return f"{MOST_COUNTED:,}+" if self.waiting >= MOST_COUNTED else str(self.waiting)


_destinations: dict[str, Destination] = {}


def register_destination(destination: Destination) -> None:
    """Put an entry into the rail; a second one for the same page replaces the first."""
    _destinations[destination.url_name] = destination


def stops_for(request: HttpRequest, at: str) -> list[Stop]:
    """Return the rail as this user has it on the page ``at``."""
    ordered = sorted(_destinations.values(), key=lambda d: d.order)
    urls = {d: reverse(d.url_name) for d in ordered if d.shown is None or d.shown(request)}
    around = [url for d, url in urls.items() if (at == url if d.order == 0 else at.startswith(url))]
    here = max(around, key=len, default="")  # a page may lie below another one's address
    rows = {d.url_name: d.waiting(request) for d in urls if d.waiting is not None}
    waiting = count_rows({name: _at_most(found) for name, found in rows.items()})
    return [
        Stop(d.label, url, d.section, waiting.get(d.url_name, 0), current=url == here)
        for d, url in urls.items()
    ]


def _at_most(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows if rows.query.is_sliced else rows.order_by().values("pk")[:MOST_COUNTED]


def count_rows(sets: Mapping[str, QuerySet[Any]]) -> dict[str, int]:
    """Count the rows of several sets in one statement."""
    names: list[str] = []
    counts: list[str] = []
    parameters: list[Any] = []
    for name, rows in sets.items():
        try:
            sql, values = (rows if rows.query.is_sliced else rows.order_by()).query.sql_with_params()
        except EmptyResultSet:
            continue
        names.append(name)
        counts.append(f"(SELECT count(*) FROM ({sql}) AS rows)")  # noqa: S608  the ORM wrote it
        parameters.extend(values)
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)}", parameters)
        return dict(zip(names, cursor.fetchone(), strict=True))
