"""Undoing a run: looked at before, and started by a person; the rest is a run like any other."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.messages import send_after_commit
from agentops.text import is_blank
from agentops.tracing import continue_trace
from identities.factors import require_fresh_factor
from identities.models import ApiKey, User
from identities.policies import may_govern
from runs.bounds import Bounds
from runs.models import Proof, Run, RunKind
from runs.policies import CONTROL, May
from runs.queues import DRIVE, queue_of
from runs.starting import create_run, find_principal, record_start, refuse_stopped
from runs.undoing.effects import read_tried
from runs.undoing.forecast import forecast
from runs.undoing.foresight import Foreseen, foresee
from runs.undoing.plans import ToUndo, UndoPlan


def may_undo(actor: User, run: Run) -> May:
    """Return whether somebody may undo a run: a person of its team who may steer its runs, whoever started it."""
    if not actor.is_active or actor.kind != User.Kind.PERSON:
        return May(False, "not_allowed", "only people undo what was done")
    if not Run.objects.visible_to(actor).filter(pk=run.pk).exists():
        return May(False, "not_visible", "the run belongs to a team that you are not on")
    decision = may_govern(actor, CONTROL, run.team)
    return May(decision.allowed, "" if decision.allowed else "not_permitted", "; ".join(decision.reasons))


def foresee_undo(*, actor: User, run: Run) -> list[Foreseen]:
    """Return what an undo of a run would do, effect by effect, and what policy would say now; raises PolicyDenied."""
    may_undo(actor, run).enforce()
    return forecast(actor, run, foresee(run.pk, run.team_id))


def undo_run(*, actor: User, run: Run, reason: str, credential: ApiKey | None = None) -> Run:
    """Start to undo what a run has done: a run of its own, for the same user, whose steps are the compensations.

    Each is assessed, approved where a person has to, and made once, whoever asks how often. Raises PolicyDenied,
    ValidationFailed without a reason, StateConflict while the run goes on, while it is being undone, where nothing
    is left that could be, and where its agent may not act.
    """
    may_undo(actor, run).enforce()
    # Read before a row is locked: under the lock only what may have changed since is read again.
    return _undo(actor, run, reason, credential, foresee(run.pk, run.team_id))


@transaction.atomic
def _undo(actor: User, run: Run, reason: str, credential: ApiKey | None, foreseen: Sequence[Foreseen]) -> Run:
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    locked = Run.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.pk)
    may_undo(actor, locked).enforce()
    require_fresh_factor(actor)
    _check(locked)
    effects = _still_to_undo(locked, foreseen)
    if not effects:
        raise StateConflict("nothing_to_undo", "nothing is left of this run that could be undone")
    return _start(actor, locked, UndoPlan(locked.pk, effects), reason, credential)


def _still_to_undo(run: Run, foreseen: Sequence[Foreseen]) -> tuple[ToUndo, ...]:
    """Return what an undo takes on: what no other has undone since that was looked at."""
    with connection.cursor() as cursor:
        tried = read_tried(cursor, run.pk)
    wanted = [each.to_undo for each in foreseen if each.to_undo is not None]
    return tuple(each for each in wanted if (each.place not in tried or tried[each.place].word == "not"))


def _check(run: Run) -> None:
    if run.kind == RunKind.UNDO:
        raise StateConflict("is_an_undo", "an undo is not undone: start the task anew")
    if not run.has_ended:
        raise StateConflict("run_not_ended", f"the run is {run.state}: cancel or kill it first")
    if run.undos.filter(ended_at=None).exists():
        raise StateConflict("undo_under_way", "this run is being undone already")
    if not run.identity.may_act(timezone.now()):
        raise StateConflict("agent_not_active", f"the agent is {run.identity.state}, or has expired")


def _start(actor: User, run: Run, plan: UndoPlan, reason: str, credential: ApiKey | None) -> Run:
    principal = find_principal(run.identity, run.principal.issuer, run.principal.subject)
    version = run.agent_version
    refuse_stopped(principal, version)
    made = create_run(
        actor=actor, version=version, principal=principal, application=None, trace=continue_trace("", ""),
        bounds=Bounds(), proof=Proof.STAFF, credential=credential, undoes=run, max_steps=len(plan.effects) + 1,
    )  # fmt: skip
    # The same compensation may be due twice: that is no circle.
    record_start(made, actor, "", "staff", reason=reason, undoes=plan.as_facts(), repeat_limit=0)
    send_after_commit(DRIVE, str(made.pk), queue=queue_of(made.priority))
    return made
