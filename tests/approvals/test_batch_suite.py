"""The suite ``batch``: five thousand requests, one of them poisoned, one stale; time and statements are printed."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from agentops.ledger.verification import verify_streams
from approvals.batches.deciding import CHUNK
from approvals.batches.preparing import prepare_batch
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest
from runs.bench.meter import cpu_ms
from tests.approvals.batching import bend, codes_of, decide, let_sample, open_each, put_together, states_of
from tests.approvals.crowd import ask_first, make_crowd
from tests.approvals.test_batches import doubt
from tests.console.visits import page_of, sign_in
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company"]
pytestmark = [pytest.mark.batch, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MANY = 5_000
STATEMENTS_TO_PREPARE = 30
STATEMENTS_PER_PIECE = 30
STATEMENTS_OF_A_PAGE = 30


def measure(what: str, act: Callable[[], ApprovalBatch]) -> tuple[ApprovalBatch, int]:
    """Act, and print how long it took, how long it would on a machine that does nothing else, and how many statements.

    The latter is the CPU time of this process and of its PostgreSQL backend, which take turns.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((backend,),) = cursor.fetchall()
    began, worked, served = time.perf_counter(), time.process_time(), cpu_ms([backend])
    with CaptureQueriesContext(connection) as captured:
        batch = act()
    took, busy = time.perf_counter() - began, time.process_time() - worked
    asked = (cpu_ms([backend]) - served) / 1_000
    print(
        f"{what}: {took:.1f} s, {busy + asked:.1f} s of CPU ({busy:.1f} here, {asked:.1f} of PostgreSQL),"
        f" {len(captured)} statements"
    )
    return batch, len(captured)


def look_at(client: Client, batch: ApprovalBatch) -> ApprovalBatch:
    """Ask for the page of a batch."""
    response = client.get(page_of("approvals_approvalrequest", "batch", batch.pk))
    assert response.status_code == 200
    return batch


POISONS: dict[str, tuple[Callable[[Company, ApprovalRequest], object], str]] = {
    "row": (lambda c, r: bend("approvals_approvalrequest", r, amount=9_999, currency="USD"), "record_bent"),
    "evidence": (
        lambda c, r: bend("ledger_entry", r, content=sql.SQL("replace(content, 'B-', 'X-')")), "record_bent",
    ),
    "tainted": (doubt, "provenance_doubtful"),
}  # fmt: skip


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("verdict", ["approve"])
def test_five_thousand_with_one_poisoned_and_one_stale(
    company: Company, capsys: pytest.CaptureFixture[str], poison: str, verdict: str
) -> None:
    company.is_mutant = True  # the runs of the crowd were never driven
    fiona = company.cast.fiona
    let_sample(company.cast, at_least=5)
    crowd = make_crowd(ask_first(company), MANY)
    poisoned, stale = crowd[1_234], crowd[4_321]
    bend_it, code = POISONS[poison]
    bend_it(company, poisoned)
    pages, client = list[int](), sign_in(fiona)
    client.get("/admin/")
    with capsys.disabled():
        batch, opening = measure("put together", lambda: put_together(fiona, crowd, verdict, opened=False))
        open_each(
            fiona, [item.request for item in batch.items.filter(opening="drawn").select_related("request")]
        )
        batch, checking = measure("checked again", lambda: prepare_batch(batch))
        assert codes_of(batch) == {str(poisoned.pk): code}
        pages.append(measure("its page", lambda: look_at(client, batch))[1])
        bend("approvals_approvalrequest", stale, digest="e" * 64)
        done, deciding = measure("decided", lambda: decide(fiona, batch))
        pages.append(measure("its results", lambda: look_at(client, batch))[1])
    assert codes_of(done) == {str(poisoned.pk): code, str(stale.pk): "digest_changed"}
    assert states_of(done)["decided"] == MANY - 2
    decided = ApprovalDecision.objects.values_list("request", flat=True)
    assert len(decided) == len(set(decided)) == MANY - 2
    assert ApprovalRequest.objects.filter(state="approved").count() == MANY - 2
    assert max(opening, checking) <= STATEMENTS_TO_PREPARE
    assert max(pages) <= STATEMENTS_OF_A_PAGE
    assert deciding <= STATEMENTS_PER_PIECE * (MANY // CHUNK + 1)
    with connection.cursor() as cursor:
        report = verify_streams(cursor, [each.pk for each in crowd if each != poisoned])
    assert report.ok
    assert report.entries == 2 * (MANY - 1) - 1  # the stale one has no second
