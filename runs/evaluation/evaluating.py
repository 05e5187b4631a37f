"""Having a version tried by the cases of a set: begun by a person, carried on by a task, within a budget of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from agentops.errors import AgentOpsError, NotFound, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.tracing import continue_trace
from identities.models import Principal, User
from identities.policies import may_govern
from runs.back_pressure import check_room
from runs.behaviour import behaviour_of
from runs.bounds import Bounds
from runs.erasure import are_words_erased
from runs.evaluation.scoring import score
from runs.evaluation.sets import lock_set
from runs.models import (
    EXTERNAL,
    AgentVersion,
    Evaluation,
    EvaluationCase,
    EvaluationResult,
    EvaluationSet,
    Priority,
    Proof,
    Run,
)
from runs.policies import START, May
from runs.queues import DRIVE, queue_of
from runs.starting import create_run, find_principal, record_start, refuse_stopped

logger = logging.getLogger(__name__)

State = Evaluation.State
ISSUER, SUBJECT = "evaluation", "nobody"
MOST_REPEATS = 50
MOST_RUNS = 1_000
AT_ONCE = 8  # runs of one evaluation that go side by side
BATCH = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """How often each case is run, and what all of them together may cost, USD."""

    max_usd: Decimal
    repeat: int = 1


def may_evaluate(actor: User, evaluation_set: EvaluationSet) -> May:
    """Return whether somebody may have versions tried: a person who sees the set and may start runs of its agent."""
    if not actor.is_active or actor.kind != User.Kind.PERSON:
        return May(False, "not_allowed", "only people have versions evaluated")
    if not EvaluationSet.objects.visible_to(actor).filter(pk=evaluation_set.pk).exists():
        return May(False, "not_visible", "the set belongs to a team that you are not on, or was dropped")
    agent = evaluation_set.identity
    decision = may_govern(actor, START, agent.team, agent)
    return May(decision.allowed, "" if decision.allowed else "agent_not_granted", "; ".join(decision.reasons))


@transaction.atomic
def evaluate(
    *, actor: User, evaluation_set: EvaluationSet, version: AgentVersion, trial: Trial
) -> Evaluation:
    """Have a version, a draft or one that was published, tried by every case of a set.

    What is tried is named by the digests of both: a later change of either makes the result one of something else.
    Raises PolicyDenied, ValidationFailed for a trial that cannot be, StateConflict for an agent that may not act.
    """
    may_evaluate(actor, evaluation_set).enforce()
    check_room(Priority.LOW, evaluation_set.identity.team_id)
    locked = lock_set(evaluation_set)
    cases = list(locked.cases.all())
    version = AgentVersion.objects.get(pk=version.pk)  # as it is written, whatever somebody holds
    _check(locked, version, trial, len(cases))
    made = Evaluation.objects.create(
        evaluation_set=locked, version=version, set_digest=locked.digest, repeat=trial.repeat,
        version_digest=behaviour_of(version).digest(), max_usd=trial.max_usd, started_by=actor,
    )  # fmt: skip
    EvaluationResult.objects.bulk_create(
        EvaluationResult(
            evaluation=made, place=place, case=case.name, repetition=number, source_run_id=case.source_run_id
        )
        for place, case in enumerate(cases, start=1)
        for number in range(1, trial.repeat + 1)
    )
    told = {"runs": len(cases) * trial.repeat, "max_usd": str(trial.max_usd)}
    _record(made, "evaluation.started", actor, told)
    send_after_commit("runs.evaluate")
    return made


def _check(locked: EvaluationSet, version: AgentVersion, trial: Trial, cases: int) -> None:
    if version.identity_id != locked.identity_id:
        raise ValidationFailed("another_agent", "the version is of another agent than the set")
    if version.planner == EXTERNAL:
        raise ValidationFailed(
            "planned_outside", "an agent outside plans by itself: nothing is asked of a model here"
        )
    if not locked.identity.may_act(timezone.now()):
        raise StateConflict("agent_not_active", f"the agent is {locked.identity.state}, or has expired")
    if not cases:
        raise StateConflict("no_cases", "the set has no cases")
    if not 1 <= trial.repeat <= MOST_REPEATS or cases * trial.repeat > MOST_RUNS:
        raise ValidationFailed(
            "bad_repeat", f"each case 1 to {MOST_REPEATS} times, and {MOST_RUNS} runs at most in all"
        )
    if not trial.max_usd.is_finite() or trial.max_usd < (version.max_usd or 0):
        raise ValidationFailed(
            "budget_too_small",
            f"one run of the version may cost up to {version.max_usd} USD: allow at least that",
        )


@transaction.atomic
def stop_evaluation(*, actor: User, evaluation: Evaluation) -> Evaluation:
    """Start no more of its cases; what has begun goes to its end, and counts for nothing."""
    may_evaluate(actor, evaluation.evaluation_set).enforce()
    locked = Evaluation.objects.select_for_update(of=("self",)).get(pk=evaluation.pk)
    if locked.state != State.RUNNING:
        raise StateConflict("not_running", f"the evaluation is {locked.state}")
    _end(locked, State.STOPPED, "by_a_person", actor)
    return locked


def find_evaluation(viewer: User, evaluation_id: Any) -> Evaluation:  # Any: a UUID, or what an address says
    """Return an evaluation that somebody may see; raises NotFound."""
    rows = Evaluation.objects.visible_to(viewer)
    found = rows.select_related("evaluation_set__identity__team", "version__identity", "started_by")
    row = found.filter(pk=evaluation_id).first()
    if row is None:
        raise NotFound("unknown_evaluation", "There is no such evaluation, or it is not for you to see.")
    return row


def find_before(evaluation: Evaluation) -> UUID | None:
    """Return which evaluation by the same set began last before one."""
    earlier = Evaluation.objects.filter(evaluation_set=evaluation.evaluation_set_id, pk__lt=evaluation.pk)
    return earlier.order_by("-id").values_list("pk", flat=True).first()


def carry_on() -> int:
    """Judge the cases whose runs have ended and start the next ones; return how many evaluations were looked at."""
    running = Evaluation.objects.filter(state=State.RUNNING).order_by("id").values_list("pk", flat=True)
    found = list(running[:BATCH])
    for evaluation in found:
        _carry_on_apart(evaluation)
    return len(found)


def _carry_on_apart(evaluation: UUID) -> None:
    """Carry one on; one with which something is wrong is tried again, and must not keep all others waiting."""
    try:
        _judge_ended(evaluation)
        while _start_next(evaluation):
            pass
        _finish(evaluation)
    except Exception:  # a boundary: the others go on
        logger.exception("evaluation %s could not be carried on; it is tried again", evaluation)


def _judge_ended(evaluation: UUID) -> None:
    pending = EvaluationResult.objects.filter(evaluation=evaluation, passed=None, run__ended_at__isnull=False)
    for result in pending.select_related("run__agent_version", "run__principal"):
        score(result)


def _start_next(evaluation: UUID) -> bool:
    """Start a run of the next case, if there is one and there is room and money for it; return whether it began."""
    row = Evaluation.objects.select_related("version", "evaluation_set__identity", "started_by").get(
        pk=evaluation
    )
    result = row.results.filter(run=None, passed=None).order_by("repetition", "place").first()
    if row.state != State.RUNNING or result is None:
        return False
    try:
        with transaction.atomic():
            return _start(row, result)
    except AgentOpsError as error:
        with transaction.atomic():
            locked = Evaluation.objects.select_for_update(of=("self",)).get(pk=evaluation)
            if locked.state == State.RUNNING:
                _end(locked, State.STOPPED, error.code)
        return False


def _start(row: Evaluation, result: EvaluationResult) -> bool:
    case = row.evaluation_set.cases.filter(name=result.case).first()
    if case is None:
        raise StateConflict("set_changed", "the case is no longer in the set")
    # In this order, as an erasure takes them: the end user, the run that the case was made of, the set.
    principal = _find_principal(row, case)
    refuse_stopped(principal, row.version)
    if case.source_run_id is not None:
        with connection.cursor() as cursor:
            if are_words_erased(cursor, case.source_run_id):
                raise StateConflict("set_changed", "the run that a case was made of was erased")
    if lock_set(row.evaluation_set).digest != row.set_digest:
        raise StateConflict("set_changed", "the set was changed")
    locked = Evaluation.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if not row.evaluation_set.identity.may_act(timezone.now()):
        raise StateConflict("agent_not_active", "the agent may not act any more")
    may_evaluate(row.started_by, row.evaluation_set).enforce()
    if locked.state != State.RUNNING or not _has_room(locked, row.version):
        return False
    _begin(row, result, case, principal)
    return True


def _find_principal(row: Evaluation, case: EvaluationCase) -> Principal:
    """Return for whom a case acts: the end user of the run that it was made of, else somebody of this name."""
    agent = row.evaluation_set.identity
    if case.source_run is not None:
        known = case.source_run.principal
        return find_principal(agent, known.issuer, known.subject)
    return find_principal(agent, ISSUER, case.written.get("subject") or SUBJECT)


def _has_room(locked: Evaluation, version: AgentVersion) -> bool:
    """Return whether one more may begin now; raises StateConflict where all have ended and the money is used up.

    Of a run that goes all is counted that it may cost: so they never cost more together, whatever each does.
    """
    begun = locked.results.exclude(run=None)
    going = begun.filter(run__ended_at=None).count()
    if going >= AT_ONCE:
        return False
    ended = begun.exclude(run__ended_at=None)
    spent = ended.aggregate(usd=Sum("run__usd"))["usd"] or Decimal(0)
    each = version.max_usd or Decimal(0)
    if spent + each * (going + 1) <= locked.max_usd:
        return True
    if not going:
        raise StateConflict("budget_used_up", f"{spent} of {locked.max_usd} USD are spent")
    return False


def _begin(row: Evaluation, result: EvaluationResult, case: EvaluationCase, principal: Principal) -> Run:
    actor, version = row.started_by, row.version
    version.identity = row.evaluation_set.identity
    made = create_run(
        actor=actor, version=version, principal=principal, application=None, trace=continue_trace("", ""),
        bounds=Bounds(), proof=Proof.STAFF, is_case=True, priority=Priority.LOW,
    )  # fmt: skip
    told = {"evaluation": str(row.pk), "set": str(row.evaluation_set_id), "set_digest": row.set_digest}
    record_start(
        made, actor, case.written["message"], "staff", kept={"case": case.written},
        case={**told, "place": result.place, "repetition": result.repetition},
    )  # fmt: skip
    EvaluationResult.objects.filter(pk=result.pk).update(run=made)
    send_after_commit(DRIVE, str(made.pk), queue=queue_of(made.priority))
    return made


def _finish(evaluation: UUID) -> None:
    with transaction.atomic():
        locked = Evaluation.objects.select_for_update(of=("self",)).get(pk=evaluation)
        if locked.state == State.RUNNING and not locked.results.filter(passed=None).exists():
            _end(locked, State.FINISHED, "")


def _end(locked: Evaluation, state: State, why: str, actor: User | None = None) -> None:
    locked.state, locked.why_stopped, locked.ended_at = state, why[:48], timezone.now()
    locked.save(update_fields=["state", "why_stopped", "ended_at"])
    passed = locked.results.filter(passed=True).count()
    facts = {"passed": passed, "of": locked.results.count(), **({"why": why[:48]} if why else {})}
    _record(locked, f"evaluation.{state}", actor, facts)


def _record(row: Evaluation, kind: str, actor: User | None, more: dict[str, Any]) -> None:  # Any: JSON
    facts = {
        "set": str(row.evaluation_set_id),
        "version": str(row.version_id),
        "set_digest": row.set_digest,
        "version_digest": row.version_digest,
        **more,
    }
    record(row.pk, "evaluation", Draft(kind, timezone.now(), facts, None, actor.pk if actor else None))
