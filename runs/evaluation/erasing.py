"""Taking the words of a run out of the cases that were made of it, and of what was found by them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from runs.evaluation.sets import refresh_digest
from runs.models import EvaluationCase, EvaluationResult, EvaluationSet, Run


def runs_of_cases(run: Run) -> QuerySet[Run]:
    """Return the runs in which a case was tried that was made of a run: they hold its words."""
    return Run.objects.filter(case_result__source_run=run)


def erase_cases(run: Run) -> None:
    """Delete the cases that were made of a run whose row is held, and the sentences that may quote it.

    How many passed stays. A set that loses a case is another one: what was found by it says nothing of it any more.
    """
    sets = EvaluationCase.objects.filter(source_run=run).values("evaluation_set")
    for row in EvaluationSet.objects.select_for_update().filter(pk__in=sets).order_by("pk"):
        row.cases.filter(source_run=run).delete()
        refresh_digest(row)
    EvaluationResult.objects.filter(Q(source_run=run) | Q(run=run)).update(checks=[])
