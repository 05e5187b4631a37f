"""Whether calls that wait for people could still go out: asked of many at once, before people decide about them.

By the function that decides when they do, from the arguments that people are shown. What was found about where values
come from was found when they were asked about, and stands on the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.utils import timezone

from agentops.database import borrowed
from agentops.engine.events import CALL_GATED, CALL_STAGED
from agentops.errors import ValidationFailed
from approvals.batches.checks import Candidate, Exclusion
from approvals.models import ApprovalRequest
from runs.models import ChangeSet, Run
from runs.versions import read_version
from tools.assessment import alike_since, assess, digest_for_dedupe
from tools.calls import Call
from tools.catalogue import read_spec
from tools.limits import read_limits, read_line
from tools.standing import Answer, Authority, Question
from tools.standings import read_standings

# As of which state of its target people were asked about a call that shows one.
_STATES = """
SELECT facts ->> 'approval', facts -> 'state' FROM ledger_entry
WHERE stream = ANY(%s) AND kind = ANY(%s) AND facts ->> 'approval' = ANY(%s) AND facts ? 'state'
"""


class Behind(NamedTuple):
    """What has to be known of the run that asked; as a whole row it would be read for thousands."""

    id: UUID
    ended_at: datetime | None
    line: Any  # Any: JSON
    limits: Any  # Any: JSON
    agent_version_id: UUID
    application_id: UUID | None
    started_by_id: UUID | None
    credential_id: UUID | None
    identity_id: UUID
    identity__name: str
    principal_id: UUID
    principal__issuer: str
    principal__subject: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A call as it would go out, and by whose authority."""

    call: Call
    by: Authority


def find_impossible(candidates: Sequence[Candidate]) -> dict[UUID, Exclusion]:
    """Return which of the calls could not go out as they were asked about, and why."""
    runs = _read_runs(candidates)
    ended = _find_ended(runs.values())
    found: dict[UUID, Exclusion] = {}
    planned: dict[UUID, tuple[ApprovalRequest, Planned]] = {}
    for each in candidates:
        request, run = each.request, runs.get(each.request.subject_ref)
        if run is None or run.ended_at is not None:
            found[request.pk] = Exclusion("run_ended", "the run that asked has ended")
        elif ended.intersection(link["run"] for link in run.line):
            found[request.pk] = Exclusion("parent_ended", "a run on whose behalf it is has ended")
        else:
            planned[request.pk] = request, _plan(run, each)
    return {**found, **_assess_all(planned)}


def _read_runs(candidates: Sequence[Candidate]) -> dict[str, Behind]:
    refs = [ref for each in candidates if (ref := _read_id(each.request.subject_ref)) is not None]
    rows = Run.objects.filter(pk__in=refs).values_list(*Behind._fields)
    return {**_read_proposing(refs), **{str(row[0]): Behind(*row) for row in rows}}


def _read_proposing(refs: Sequence[UUID]) -> dict[str, Behind]:
    """Return the runs that proposed what is staged, by the change set that is to make it."""
    behind = [f"run__{name}" for name in Behind._fields]
    rows = ChangeSet.objects.filter(pk__in=refs, state="offered").values_list("pk", *behind)
    return {str(row[0]): Behind(*row[1:]) for row in rows}


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:  # it was asked for something else than a run
        return None


def _find_ended(runs: Any) -> set[str]:  # Any: the view of a dictionary
    line = {link["run"] for run in runs for link in run.line}
    if not line:
        return set()
    ended = Run.objects.filter(pk__in=line, ended_at__isnull=False)
    return {str(pk) for pk in ended.values_list("pk", flat=True)}


def _plan(run: Behind, each: Candidate) -> Planned:
    line = read_line(run.line)
    version = read_version(run.agent_version_id)
    by = Authority(
        run.application_id, run.started_by_id, run.principal_id, version.planner, read_limits(run.limits), line,
        run.credential_id,
    )  # fmt: skip
    arguments = None if each.asked is None else each.asked.arguments
    call = Call(
        spec=read_spec(each.request.tool_version_id),
        arguments=arguments if isinstance(arguments, dict) else {},
        key=each.request.key,
        attempt=1,
        run_id=run.id,
        identity_id=run.identity_id,
        identity_name=run.identity__name,
        principal_issuer=run.principal__issuer,
        principal_subject=run.principal__subject,
        traceparent="",
        acts_for=tuple(link.identity_id for link in line),
    )
    return Planned(call, by)


def _assess_all(planned: Mapping[UUID, tuple[ApprovalRequest, Planned]]) -> dict[UUID, Exclusion]:
    if not planned:
        return {}
    questions = [_ask(each) for _, each in planned.values()]
    with borrowed() as connection:
        answers = read_standings(connection, questions)
    states = _read_states(planned)
    told = {
        pk: _judge(request, each, answer, states.get(str(pk)))
        for (pk, (request, each)), answer in zip(planned.items(), answers, strict=True)
    }
    return {pk: exclusion for pk, exclusion in told.items() if exclusion is not None}


def _read_states(planned: Mapping[UUID, tuple[ApprovalRequest, Planned]]) -> dict[str, Any]:  # Any: JSON
    """Return what was read of the targets when people were asked, by the request's id."""
    shown = {pk: each for pk, (_, each) in planned.items() if each.call.spec.preview is not None}
    if not shown:
        return {}
    runs, ids = list({each.call.run_id for each in shown.values()}), [str(pk) for pk in shown]
    with borrowed() as connection:
        return dict(connection.execute(_STATES, (runs, [CALL_GATED, CALL_STAGED], ids)).fetchall())


def _ask(each: Planned) -> Question:
    call, now = each.call, timezone.now()
    try:
        alike = digest_for_dedupe(call.spec, call.arguments)
    except ValidationFailed:  # there is no amount to read; the rules say so, too
        alike = ""
    return Question(
        call.identity_id, call.spec.tool_id, each.by, call.run_id, now,
        key=call.key, dedupe_digest=alike, dedupe_since=alike_since(call, now),
    )  # fmt: skip


def _judge(
    request: ApprovalRequest, each: Planned, answer: Answer | None, state: Mapping[str, str] | None
) -> Exclusion | None:
    assessment = assess(each.call, by=each.by, now=timezone.now(), known=answer)
    assessment = assessment if state is None else assessment.bound_to(state)
    name = each.call.spec.name
    if assessment.verdict == "DENY":
        return Exclusion(assessment.decision.code, f"it could not go out any more: {assessment.detail}")
    if assessment.forced_open:
        return Exclusion("forced_open", f"somebody has stopped all calls of {name}")
    if assessment.replay is not None:
        return Exclusion("already_done", "this very call has been made already")
    if assessment.digest != request.digest:
        detail = "under the terms that stand now, or by what is stored of it, it is another call than was asked about"
        return Exclusion("call_differs", detail)
    return None
