"""Forking a run: checked and started here; the rest is a run like any other, whose calls are not made."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.messages import send_after_commit
from agentops.text import is_blank
from agentops.tracing import continue_trace
from identities.models import ApiKey, User
from identities.policies import may_govern
from runs.back_pressure import check_room
from runs.bounds import Bounds
from runs.erasure import are_words_erased
from runs.forks.plans import Fork
from runs.forks.policy import check_terms
from runs.forks.recorded import Recorded, index
from runs.models import Priority, Proof, Run, RunKind, RunMode
from runs.policies import START, May
from runs.queues import DRIVE, queue_of
from runs.replays.recording import Recording, read_recording
from runs.starting import create_run, find_principal, record_start, refuse_stopped
from runs.versions import read_price, read_version

LONGEST_INSTRUCTIONS = 50_000


def may_fork(actor: User, run: Run) -> May:
    """Return whether somebody may fork a run: a person who sees it, and may start runs of its agent."""
    if not actor.is_active or actor.kind != User.Kind.PERSON:
        return May(False, "not_allowed", "only people fork runs")
    if not Run.objects.visible_to(actor).filter(pk=run.pk).exists():
        return May(False, "not_visible", "the run belongs to a team that you are not on")
    decision = may_govern(actor, START, run.team, run.identity)
    return May(decision.allowed, "" if decision.allowed else "agent_not_granted", "; ".join(decision.reasons))


def fork_run(*, actor: User, run: Run, fork: Fork, credential: ApiKey | None = None) -> Run:
    """Start a fork of a run that has ended: a run of its own, that spends its own budget and has no effects.

    Its steps before ``fork.step`` are recalled, which costs the steps and nothing else. Raises PolicyDenied,
    ValidationFailed for changes that nobody could make, StateConflict for a run that cannot be forked there.
    """
    may_fork(actor, run).enforce()
    check_room(Priority.LOW, run.team_id)
    return _fork(actor, run, fork, credential)


@transaction.atomic
def _fork(actor: User, run: Run, fork: Fork, credential: ApiKey | None) -> Run:
    # Held until the commit: an erasure waits, and then finds the fork too.
    locked = Run.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.pk)
    _check_run(locked)
    _check_changes(locked, fork)
    with connection.cursor() as cursor:
        if are_words_erased(cursor, locked.pk):
            raise StateConflict("erased", "it cannot be forked: words of it were erased")
        recording = read_recording(cursor, locked.pk)
    _check_recording(_index(recording), fork)
    return _start(actor, locked, fork, recording.entries[0].content, credential)


def _index(recording: Recording) -> Recorded:
    try:
        return index(recording)
    except (KeyError, TypeError) as error:  # facts that somebody has bent
        raise StateConflict("not_recorded", f"the record cannot be read: {error!r}") from None


def _check_run(run: Run) -> None:
    if run.kind != RunKind.TASK or run.mode != RunMode.ACT or run.delegated_call is not None:
        raise StateConflict(
            "not_forkable",
            "only runs are forked that were given a task from outside and act on it themselves",
        )
    if not run.has_ended:
        raise StateConflict("run_not_ended", f"the run is {run.state}: it is not recorded to its end yet")
    if not run.identity.may_act(timezone.now()):
        raise StateConflict("agent_not_active", f"the agent is {run.identity.state}, or has expired")


def _check_changes(run: Run, fork: Fork) -> None:
    if fork.instructions is not None and is_blank(fork.instructions):
        raise ValidationFailed("instructions_missing", "instructions say something, or are left as they are")
    if len(fork.instructions or "") > LONGEST_INSTRUCTIONS:
        raise ValidationFailed("instructions_too_long", f"at most {LONGEST_INSTRUCTIONS} characters")
    if fork.model:
        try:
            read_price(fork.model)
        except NotFound as error:
            raise ValidationFailed("unknown_price", error.detail) from None
    check_terms(fork.terms, read_version(run.agent_version_id).catalogue)


def _check_recording(recorded: Recorded, fork: Fork) -> None:
    """Raise where the step is none of the run's, or what comes before it cannot be recalled."""
    if fork.step not in recorded.requests:
        last = max(recorded.requests, default=0)
        raise ValidationFailed(
            "unknown_step", f"the run has steps 1 to {last}" if last else "it has no steps"
        )
    request = recorded.requests[fork.step]
    first = next(iter(recorded.unrepeated), None)
    if first is not None and first.seq < request.seq:
        step = first.facts.get("step", 0)
        raise StateConflict(
            "not_forkable", f"{first.kind} in step {step} is not repeated: fork from an earlier step"
        )
    lacking = [step for step in range(1, fork.step) if step not in recorded.decisions]
    if lacking:
        raise StateConflict("not_recorded", f"what was decided in step {lacking[0]} is not recorded")


def _start(actor: User, run: Run, fork: Fork, told: Any, credential: ApiKey | None) -> Run:  # Any: JSON
    """Start it for the same end user, under the same limits of tools, and through no application: none waits for it."""
    principal = find_principal(run.identity, run.principal.issuer, run.principal.subject)
    refuse_stopped(principal, run.agent_version)
    made = create_run(
        actor=actor, version=run.agent_version, principal=principal, application=None, trace=continue_trace("", ""),
        bounds=Bounds(limits=run.limits), proof=Proof.STAFF, credential=credential, fork_of=run, priority=Priority.LOW,
    )  # fmt: skip
    words = {name: text for name, text in (told or {}).items() if name not in ("message", "reason")}
    record_start(
        made, actor, (told or {}).get("message", ""), "staff", kept={**words, **fork.as_content()},
        fork=fork.as_facts(),
    )  # fmt: skip
    send_after_commit(DRIVE, str(made.pk), queue=queue_of(made.priority))
    return made
