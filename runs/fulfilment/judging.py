"""Judging each run of a type of task once: after its end, when nothing about it is in doubt any more.

A verdict is nothing that happened, but what follows from what did: the run's stream ends with the run, and the same
record under the same rules has the same verdict. So it is a row beside the run, as other projections are, with the
number of the rules by which it was found.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from agentops.errors import ValidationFailed
from runs.erasure import are_words_erased
from runs.fulfilment.declared import TaskType, read_tasks
from runs.fulfilment.evaluating import RULES, Verdict, judge
from runs.fulfilment.reading import find_calls, read_happened, read_specs
from runs.models import AgentVersion, Fulfilment, Run, RunMode

logger = logging.getLogger(__name__)

BATCH = 200
# What comes of reading what somebody wrote by hand in the place of a record.
_NO_RECORD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
ERASED = "what was said in it was erased before this was looked at"
UNREADABLE = "its record cannot be read"
_DUE = """
SELECT f.run_id FROM runs_fulfilment f JOIN runs_run r ON r.id = f.run_id
WHERE f.judged_at IS NULL AND r.ended_at IS NOT NULL AND NOT r.required_actions @> '[{"type": "outcome"}]'
ORDER BY f.run_id LIMIT %s
"""


def check_task(version: AgentVersion, name: str, mode: RunMode) -> None:
    """Raise ValidationFailed for a type of task that a version does not declare; no name is no task."""
    if not name:
        return
    declared = [task.name for task in read_tasks(version.tasks)]
    if name not in declared:
        known = ", ".join(declared) or "none"
        raise ValidationFailed(
            "unknown_task", f"version {version.number} does not declare it; it declares: {known}"
        )
    if mode == RunMode.PROPOSE:
        detail = "a run that proposes carries nothing out, so nothing could be told of a task: leave one of them out"
        raise ValidationFailed("task_of_proposal", detail)


def begin_judging(run: Run) -> None:
    """Have a run of a type of task judged once it has ended, in the transaction that starts it."""
    Fulfilment.objects.create(run=run, task=run.task)


def judge_ended(now: datetime) -> int:
    """Judge the runs that have ended since; return how many were."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, (BATCH,))
        due = [run for (run,) in cursor.fetchall()]
    return sum(_judge_apart(run, now) for run in due)


def judge_again(run: Run) -> None:
    """Judge a run anew whose rows were built anew; what was found of erased words stays, for nobody can find it now."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not are_words_erased(cursor, run.pk):
            Fulfilment.objects.filter(run=run).update(judged_at=None, fulfilled=None, checks=[])


def _judge_apart(run_id: UUID, now: datetime) -> bool:
    """Judge a run; one with which something is wrong is tried again, and must not keep all others waiting."""
    try:
        return _judge_run(run_id, now)
    except Exception:
        logger.exception("run %s could not be judged; it is tried again", run_id)
        return False


def _judge_run(run_id: UUID, now: datetime) -> bool:
    run = Run.objects.select_related("agent_version", "principal").get(pk=run_id)
    task = find_task(run.agent_version, run.task)
    calls = find_calls(run, task.tools)
    specs = read_specs(calls)  # before the transaction: it takes a connection of its own
    with transaction.atomic(), connection.cursor() as cursor:
        pending = Fulfilment.objects.select_for_update(skip_locked=True).filter(run=run, judged_at=None)
        row = pending.first()
        if row is None:
            return False
        verdicts: Sequence[Verdict] = ()
        if are_words_erased(cursor, run.pk):
            row.why_unknown = ERASED
        else:
            try:
                verdicts = judge(task, read_happened(cursor, run, calls, specs))
            except _NO_RECORD:
                logger.exception("run %s cannot be judged", run.pk)
                row.why_unknown = UNREADABLE
        _write(row, verdicts, now)
    return True


def _write(row: Fulfilment, verdicts: Sequence[Verdict], now: datetime) -> None:
    row.fulfilled = all(each.passed for each in verdicts) if verdicts else None
    row.checks = [{"passed": each.passed, "said": each.said} for each in verdicts]
    row.rules, row.judged_at = RULES, now
    row.save()


def find_task(version: AgentVersion, name: str) -> TaskType:
    """Return a type of task that a version declares: one of a run's version always is, for neither changes."""
    return next(task for task in read_tasks(version.tasks) if task.name == name)
