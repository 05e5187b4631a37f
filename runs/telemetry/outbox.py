"""Which runs are still to be told of, and from where: an outbox in PostgreSQL, beside the ledger that it reads.

Appends know nothing of it. A run's row is written with the run; whoever sends claims rows for a while, so that one
who dies in between leaves them to the next, who tells the same spans under the same ids.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from agentops.database import borrowed
from agentops.tracing import TraceContext
from runs.models import Run, SpanExport

CLAIM_S = 60.0
BATCH = 50
BACKOFF_BASE_S, BACKOFF_CAP_S = 5.0, 300.0

_CLAIM = """
WITH due AS (
    SELECT x.run_id FROM runs_span_export x JOIN ledger_stream s ON s.id = x.run_id
    WHERE x.due_at <= clock_timestamp() AND s.head_seq > x.seq
    ORDER BY x.due_at LIMIT %(batch)s FOR UPDATE OF x SKIP LOCKED
)
UPDATE runs_span_export x SET due_at = clock_timestamp() + make_interval(secs => %(claim_s)s)
FROM due WHERE x.run_id = due.run_id RETURNING x.run_id, x.seq, x.open_seq, x.parent_span, x.failures
"""
# A row that another one has moved meanwhile, because a claim ran out, stays as that one left it.
_MOVE = """
UPDATE runs_span_export SET seq = %(to)s, open_seq = %(open)s, due_at = clock_timestamp(), failures = 0
WHERE run_id = %(run)s AND seq = %(seq)s
"""
_FINISH = "DELETE FROM runs_span_export WHERE run_id = %(run)s AND seq = %(seq)s"
_PUT_OFF = """
UPDATE runs_span_export SET due_at = clock_timestamp() + make_interval(secs => %(after_s)s), failures = %(failures)s
WHERE run_id = %(run)s AND seq = %(seq)s
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A run of which something is to be told, behind entry ``seq``; earlier spans are open from ``open_seq`` on."""

    run: UUID
    seq: int
    open_seq: int
    parent_span: str
    failures: int

    @property
    def read_after(self) -> int:
        """Return behind which entry the reading begins."""
        return min(self.seq, self.open_seq - 1) if self.open_seq else self.seq


def begin_telling(run: Run, trace: TraceContext) -> None:
    """Have a run told of, in the transaction that starts it, if there is a collector and its caller wants it."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and trace.is_sampled:
        SpanExport.objects.create(run=run, parent_span=trace.parent_id)


def claim_due() -> list[Due]:
    """Claim runs that have moved since, the longest due first."""
    return [Due(*row) for row in _write(_CLAIM, batch=BATCH, claim_s=CLAIM_S)]


def move(due: Due, *, to: int, open_seq: int, has_ended: bool) -> None:
    """Note that the collector has taken what ended by an entry; of a run that has ended, nothing is left to note."""
    _write(_FINISH if has_ended else _MOVE, run=due.run, seq=due.seq, to=to, open=open_seq)


def put_off(due: Due) -> None:
    """Try a run again later, ever later while it fails, and not at the same moment as others."""
    failures = min(due.failures + 1, 30)
    after_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)  # noqa: S311  jitter
    _write(_PUT_OFF, run=due.run, seq=due.seq, after_s=after_s, failures=failures)


def release(due: Due) -> None:
    """Give a claimed run back untried."""
    _write(_PUT_OFF, run=due.run, seq=due.seq, after_s=0.0, failures=due.failures)


def _write(statement: str, **parameters: object) -> list[tuple[UUID, int, int, str, int]]:
    with borrowed() as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
