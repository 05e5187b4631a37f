"""What came of one case: each check in a sentence, and what its run took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from agentops.engine import events as e
from runs.erasure import are_words_erased
from runs.evaluation.declared import Case
from runs.evaluation.plans import NOT_SCRIPTED, read_case_of
from runs.fulfilment.declared import TaskType, read_tasks
from runs.fulfilment.evaluating import Verdict, judge
from runs.fulfilment.reading import find_calls, read_happened
from runs.models import EvaluationResult, Run, ToolCall

ERASED = "its words were erased before it was judged"
# Of the ledger, for what no row has: how long models took, and whom a call would have waited for.
_TAKEN = """
SELECT coalesce(sum((facts ->> 'latency_ms')::bigint) FILTER (WHERE kind = ANY(%s)), 0),
    count(*) FILTER (WHERE facts ? 'would_ask')
FROM ledger_entry WHERE stream = %s
"""
_OF_MODELS = [e.STEP_DECIDED, e.MODEL_FAILED, e.SUMMARY_WRITTEN, e.SUMMARY_FAILED]


def score(result: EvaluationResult) -> None:
    """Judge a result whose run has ended, once."""
    run = result.run
    if run is None or not run.has_ended:
        raise ValueError("it has not ended")
    case = (
        None if _is_erased(run) else read_case_of(run.pk)
    )  # before the transaction: a connection of its own
    with transaction.atomic(), connection.cursor() as cursor:
        locked = EvaluationResult.objects.select_for_update(of=("self",)).get(pk=result.pk)
        if locked.passed is not None:
            return
        if case is None or are_words_erased(cursor, run.pk):
            locked.passed, locked.why = False, ERASED
        else:
            _judge(cursor, locked, run, case)
        for name, value in _figures(cursor, run).items():
            setattr(locked, name, value)
        locked.save()


def _is_erased(run: Run) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        return are_words_erased(cursor, run.pk)


def _judge(cursor: Any, row: EvaluationResult, run: Run, case: Case) -> None:  # Any: Django's cursor
    declared = read_tasks(run.agent_version.tasks)
    task = next((each for each in declared if each.name == case.task), None)
    checks = (*case.checks, *(task.checks if task else ()))
    whole = TaskType(case.name, "", checks)
    calls = find_calls(run, whole.tools)
    verdicts = judge(whole, read_happened(cursor, run, calls, {}))
    why = next(_find_faults(run, case, task, verdicts), "")
    row.checks = [{"passed": each.passed, "said": each.said} for each in verdicts]
    row.why = why
    row.passed = not why and all(each.passed for each in verdicts)


def _find_faults(run: Run, case: Case, task: TaskType | None, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield what lets a case fail whatever its checks say."""
    missed = ToolCall.objects.filter(run=run, code=NOT_SCRIPTED).order_by("step", "number").first()
    if missed is not None:
        yield (
            f"in step {missed.step} it called {missed.tool_name} in a way for which the case has no outcome; "
            "what came after says nothing"
        )
    if case.task and task is None:
        yield f"the version declares no type of task {case.task}"
    if run.state != "completed" and not case.says_how_it_ends:
        yield f"it ended as {run.state}, and no check says that it may"
    if not verdicts:
        yield "there is nothing to judge it by"


def _figures(cursor: Any, run: Run) -> dict[str, Any]:  # Any: Django's cursor; columns
    cursor.execute(_TAKEN, (_OF_MODELS, run.pk))
    model_ms, approvals = cursor.fetchone()
    calls = ToolCall.objects.filter(run=run)
    missed = calls.filter(code=NOT_SCRIPTED).count()
    return {
        "steps": run.steps,
        "tokens": run.tokens,
        "usd": run.usd,
        "model_ms": model_ms,
        "approvals": approvals,
        "denials": calls.filter(state="refused").count() - missed,
        "tool_errors": calls.filter(state="failed").count(),
        "misses": missed,
    }
