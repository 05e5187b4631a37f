"""Who somebody stands in for is asked once by a page, and anew by whatever changes something."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agentops.look_once import LookOnce
from approvals.deputies import read_absences
from approvals.models import Absence
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def looks(cast: Cast, method: str) -> tuple[int, list[int]]:
    """Return how many statements three looks of one request take, and how many absences each finds.

    Between the first and the second somebody goes away.
    """
    found: list[int] = []

    def answer(request: HttpRequest) -> HttpResponse:
        found.append(len(read_absences(cast.bob)))
        now = timezone.now()
        Absence.objects.create(
            absent=cast.fiona, deputy=cast.bob, begins_at=now, ends_at=now + timedelta(days=1),
            declared_by=cast.fiona, declared_at=now,
        )  # fmt: skip
        found.extend(len(read_absences(cast.bob)) for _ in range(2))
        return HttpResponse()

    with CaptureQueriesContext(connection) as queries:
        LookOnce(answer)(RequestFactory().generic(method, "/"))
    return sum("SELECT" in each["sql"] for each in queries.captured_queries), found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_looks_asks_once(cast: Cast, method: str) -> None:
    assert looks(cast, method) == (1, [0, 0, 0])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_who_acts_asks_anew(cast: Cast, method: str) -> None:
    assert looks(cast, method) == (3, [0, 1, 1])


def test_nothing_is_kept_for_the_next(cast: Cast) -> None:
    looks(cast, "GET")
    assert len(read_absences(cast.bob)) == 1
