"""The gate: a version is not published unless it has passed every set of its agent that is marked as gating.

What counts is the last evaluation that was finished of exactly this behaviour by exactly these cases: both are named
by their digests, so a changed set, or a changed version, has not been evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Q

from runs.behaviour import behaviour_of
from runs.models import AgentVersion, Evaluation, EvaluationSet
from runs.preflight.findings import Finding

NOT_EVALUATED, FAILED = "not_evaluated", "evaluation_failed"


def check_evaluations(version: AgentVersion) -> Iterator[Finding]:
    """Yield, for each gating set that the version has not passed, what to do about it."""
    gating = EvaluationSet.objects.filter(identity=version.identity_id, gating=True, dropped_at=None)
    sets = list(gating.order_by("name"))
    digest = behaviour_of(version).digest() if sets else ""
    for row in sets:
        yield from _check(row, str(version), find_last(row, digest))


def find_last(row: EvaluationSet, version_digest: str) -> Evaluation | None:
    """Return the last evaluation of a behaviour by a set as it stands now, with how many runs ``passed`` ``of`` all."""
    rows = Evaluation.objects.filter(
        evaluation_set=row, set_digest=row.digest, version_digest=version_digest
    ).exclude(state=Evaluation.State.STOPPED)
    counted = rows.annotate(of=Count("results"), passed=Count("results", filter=Q(results__passed=True)))
    return counted.order_by("-id").first()


def _check(row: EvaluationSet, subject: str, last: Evaluation | None) -> Iterator[Finding]:
    if last is None or last.state != Evaluation.State.FINISHED:
        goes = "is still being tried by" if last else "has not been tried by"
        problem = f"it {goes} evaluation set {row.name} as both stand now"
        remedy = "Wait for the evaluation" if last else f"Evaluate it with {row.name}"
        yield Finding(NOT_EVALUATED, subject, problem, remedy)
        return
    passed, of = last.passed, last.of  # type: ignore[attr-defined]  # as annotated
    if not of or passed < of * row.pass_rate:
        problem = f"of evaluation set {row.name} it passed {passed} of {of} runs, and has to pass {row.pass_rate:.2%}"
        yield Finding(FAILED, subject, problem, "Look at what failed, and draft a version that passes")
