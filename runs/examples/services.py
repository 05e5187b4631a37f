"""Saying which runs are examples to learn from, and writing those into a file: on the record, both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, User
from identities.policies import require
from runs.erasure import are_words_erased
from runs.examples.lines import make_lines
from runs.forks.plans import read_version_of
from runs.models import EXTERNAL, Example, Run, RunKind, Step
from runs.planner.messages import encode_json
from runs.replays.recording import read_recording

APPROVE, EXPORT = "runs.approve_example", "runs.export_example"
MOST_RUNS = 10_000
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Selection:
    """Which examples of an agent: of a version, of a type of task, of runs that began within a time."""

    version: int | None = None
    task: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Export:
    """A file that was written: how many runs and lines, how many approved steps were left out, its SHA-256 (hex)."""

    file: IO[bytes]
    runs: int
    lines: int
    left_out: int
    digest: str

    def chunks(self) -> Iterator[bytes]:
        """Yield the file, and close it."""
        with self.file:
            self.file.seek(0)
            while chunk := self.file.read(CHUNK):
                yield chunk


@transaction.atomic
def decide_example(
    *, actor: User, run: Run, verdict: str, reason: str, steps: Sequence[int] | None = None
) -> Example:
    """Say whether steps of a run, all that were decided by default, are an example to learn from; said anew, it counts.

    Raises PolicyDenied, ValidationFailed for steps that it has not, StateConflict for a run that is none to learn from.
    """
    require(actor, APPROVE, run.team)
    require_fresh_factor(actor)
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why: it stays on the record")
    if verdict not in Example.Verdict.values:
        raise ValidationFailed("bad_verdict", f"a verdict is one of {', '.join(Example.Verdict.values)}")
    _check(run)
    chosen = _check_steps(run, steps)
    row = Example.objects.select_for_update().filter(run=run).first() or Example(run=run)
    row.verdict, row.steps, row.decided_by, row.decided_at = verdict, chosen, actor, timezone.now()
    row.save()
    facts = {"run": str(run.pk), "verdict": verdict, "steps": chosen}
    record(
        row.pk, "example", Draft(f"example.{verdict}", row.decided_at, facts, {"reason": reason}, actor.pk)
    )
    return row


def _check(run: Run) -> None:
    if run.kind != RunKind.TASK or run.agent_version.planner == EXTERNAL:
        raise StateConflict(
            "not_an_example", "only runs are examples that a model of ours has planned, for a task"
        )
    if not run.has_ended:
        raise StateConflict("run_not_ended", f"the run is {run.state}: look at it when it has ended")
    with connection.cursor() as cursor:
        if are_words_erased(cursor, run.pk):  # until the commit they are not
            raise StateConflict("erased", "words of it were erased")


def _check_steps(run: Run, steps: Sequence[int] | None) -> list[int]:
    decided = Step.objects.filter(run=run, state="decided").values_list("number", flat=True)
    known = sorted(decided)
    chosen = known if steps is None else sorted(set(steps))
    if not chosen or not set(chosen) <= set(known):
        raise ValidationFailed(
            "unknown_step", f"the run has decided steps {', '.join(map(str, known)) or 'none'}"
        )
    return chosen


def export_examples(*, actor: User, identity: AgentIdentity, selection: Selection, reason: str) -> Export:
    """Write the approved examples of an agent as JSON lines of Chat Completions; return the file, which is recorded.

    What was erased is not in it, nor a step of which is not known for certain what the model was shown. Raises
    PolicyDenied, ValidationFailed without a reason or for more runs than one file takes.
    """
    require(actor, EXPORT, identity.team)
    require_fresh_factor(actor)
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say what for: it stays on the record")
    runs = list(find_approved(identity, selection).values_list("run", "steps")[: MOST_RUNS + 1])
    if len(runs) > MOST_RUNS:
        raise ValidationFailed("too_many_examples", f"a file takes {MOST_RUNS:,} runs: narrow the time")
    export = _write(runs)
    facts = {
        "runs": export.runs, "lines": export.lines, "left_out": export.left_out, "digest": export.digest,
        "version": selection.version, "task": selection.task, "identity": str(identity.pk),
        "since": selection.since.isoformat() if selection.since else None,
        "until": selection.until.isoformat() if selection.until else None,
    }  # fmt: skip
    entry = Draft("examples.exported", timezone.now(), facts, {"reason": reason}, actor.pk)
    with transaction.atomic():
        record(new_id(), "export", entry)
    return export


def find_approved(identity: AgentIdentity, selection: Selection) -> QuerySet[Example]:
    """Return the approved examples of an agent, the oldest run first."""
    asked = {
        "run__agent_version__number": selection.version,
        "run__task": selection.task,
        "run__created_at__gte": selection.since,
        "run__created_at__lt": selection.until,
    }
    narrowed = {name: value for name, value in asked.items() if value is not None}
    rows = Example.objects.filter(run__identity=identity, verdict=Example.Verdict.APPROVED, **narrowed)
    return rows.order_by("run")


def _write(runs: Sequence[tuple[UUID, list[int]]]) -> Export:
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115  whoever reads the export closes it
    sha, written_runs, lines, left_out = hashlib.sha256(), 0, 0, 0
    for run_id, steps in runs:
        made = list(_lines_of(run_id, steps))
        for line in made:
            sha.update(line)
            file.write(line)
        written_runs, lines, left_out = (
            written_runs + bool(made),
            lines + len(made),
            left_out + len(steps) - len(made),
        )
    return Export(file, written_runs, lines, left_out, sha.hexdigest())


def _lines_of(run_id: UUID, steps: list[int]) -> Iterator[bytes]:
    run = Run.objects.select_related("agent_version").get(pk=run_id)
    version = read_version_of(run)  # before the transaction: a connection of its own
    with transaction.atomic(), connection.cursor() as cursor:
        if are_words_erased(cursor, run.pk):
            return
        recording = read_recording(cursor, run.pk)
    for line in make_lines(recording, version, set(steps)):
        yield encode_json(line.as_json()) + b"\n"


def find_example_run(viewer: User, run_id: Any) -> Run:  # Any: a UUID, or what an address says
    """Return a run that somebody may see; raises NotFound."""
    rows = Run.objects.visible_to(viewer).select_related("team", "agent_version", "identity")
    run = rows.filter(pk=run_id).first()
    if run is None:
        raise NotFound("unknown_run", "There is no such run, or it is not for you to see.")
    return run
