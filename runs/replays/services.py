"""Replaying a run, for whoever may see it. Nothing is written: the database would refuse it."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection, transaction

from agentops.engine import ENGINE_VERSION
from agentops.engine.fold import UnfoldableEvent
from agentops.errors import PolicyDenied
from identities.models import User
from runs.forks.plans import read_version_of
from runs.models import Run, RunKind
from runs.replays.recording import Recording, read_recording
from runs.replays.report import Difference, Outcome, Report
from runs.replays.walk import MOST_DIFFERENCES, Walk

# Who has asked a model: of the others no request was sent anywhere.
ASKING = (RunKind.TASK, RunKind.FORK, RunKind.CASE)


def replay_run(*, actor: User, run: Run) -> Report:
    """Decide again what was decided in a run, from its record alone, and say what would differ, the first first.

    No model, no tool and no person is asked, nothing is charged, and no row changes. The words of the run are not
    told. Raises PolicyDenied for a run that is not the actor's to see, StateConflict for one that is too long.
    """
    if not Run.objects.visible_to(actor).filter(pk=run.pk).exists():
        raise PolicyDenied("not_visible", "the run belongs to a team that you are not on")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        row = Run.objects.get(pk=run.pk)
        return replay_recording(row, read_recording(cursor, run.pk))


def replay_recording(run: Run, recording: Recording) -> Report:
    """Return what a replay of a recording finds, beside the row of its run."""
    whole = len(recording.entries)
    if recording.engine > ENGINE_VERSION:
        return Report(run.pk, "newer_engine", recording.engine, ENGINE_VERSION, whole)
    if recording.erased:
        return Report(run.pk, "erased", recording.engine, ENGINE_VERSION, whole)
    try:
        walk = Walk(recording, read_version_of(run), asks_models=run.kind in ASKING)
    except (UnfoldableEvent, KeyError, ValueError, TypeError) as error:
        begun = Difference(0, 1, "history", recording.entries[0].kind, repr(error))
        return Report(run.pk, "different", recording.engine, ENGINE_VERSION, whole, differences=(begun,))
    walk.go(has_ended=run.has_ended)
    differences = walk.differences or _compare_row(run, walk)
    return Report(
        run.pk, _name(differences), recording.engine, ENGINE_VERSION, whole, len(walk.reader.commands),
        walk.state.step, walk.prompts, walk.uncompared, walk.verdicts, walk.answers, tuple(differences),
        is_cut=len(differences) >= MOST_DIFFERENCES,
    )  # fmt: skip


def _name(differences: list[Difference]) -> Outcome:
    if any(each.what == "missing" for each in differences):
        return "missing"
    return "different" if differences else "same"


def _compare_row(run: Run, walk: Walk) -> list[Difference]:
    """Compare what the row shows with what the record amounts to; one that goes on may have moved meanwhile."""
    if not run.has_ended:
        return []
    state, last = walk.state, walk.recording.entries[-1].seq
    shown = (run.state, run.steps, run.tokens, Decimal(run.usd))
    found = (state.ending, state.spent.steps, state.spent.tokens, state.spent.usd)
    pairs = zip(shown, found, strict=True)
    return [Difference(state.step, last, "row", str(row), str(now)) for row, now in pairs if row != now]
