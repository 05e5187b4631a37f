"""Deciding about many requests together."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.batches.deciding import decide_batch
from approvals.batches.items import digest_batch, read_ready
from approvals.batches.preparing import open_batch
from tests.approvals.crowd import ask_first, make_crowd
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_try(company: Company) -> None:
    company.is_mutant = True
    n = 5000
    first = ask_first(company)
    made = make_crowd(first, n)
    from approvals.batches.opened import note_opened

    for m in made:
        note_opened(company.cast.fiona, m)
    t = time.perf_counter()
    with CaptureQueriesContext(connection) as q:
        batch = open_batch(actor=company.cast.fiona, verdict="approve", chosen={m.pk: m.digest for m in made})
    print("open", time.perf_counter() - t, len(q))
    t = time.perf_counter()
    with CaptureQueriesContext(connection) as q:
        decide_batch(
            actor=company.cast.fiona,
            batch=batch,
            digest=digest_batch(batch, read_ready(batch)),
            reason="x",
            channel="api",
            second_factor=True,
        )
    print("decide", time.perf_counter() - t, len(q))
    for x in q.captured_queries:
        if float(x["time"]) > 0.1:
            print(x["time"], x["sql"][:150])
