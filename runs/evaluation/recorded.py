"""Making a case of a run: what was asked, what its tools answered, and checks that a person looks over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from agentops.canonical import canonical_json
from agentops.engine import events as e
from agentops.errors import NotFound, StateConflict
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from runs.erasure import are_words_erased
from runs.evaluation.declared import MOST_CHECKS, MOST_CONDITIONS
from runs.evaluation.sets import EDIT, add_case, lock_set
from runs.forks.recorded import UNREPEATED
from runs.fulfilment.declared import LONGEST_TEXT
from runs.models import EvaluationCase, EvaluationSet, Run, RunKind, RunMode, ToolCall
from runs.replays.recording import Recording, read_recording

Json = Any  # a value of a call, of an answer or of a case
# A run that looked for what earlier ones had noted had nothing from them that its words do not show.
_ELSEWHERE = UNREPEATED - {e.MEMORY_RECALLED} | {e.MESSAGE_RECEIVED}


@transaction.atomic
def make_case(
    *, actor: User, run: Run, evaluation_set: EvaluationSet, name: str, checks: Sequence[Json] | None = None
) -> EvaluationCase:
    """Make a case of a run that has ended: its request, its tools' answers, and checks, else those proposed of it.

    It holds words of the run, and goes with them when they are erased. Raises PolicyDenied, NotFound for a run of
    another agent or team, StateConflict for one whose course a case cannot repeat.
    """
    require(actor, EDIT, evaluation_set.identity.team)
    require_fresh_factor(actor)
    if not Run.objects.visible_to(actor).filter(pk=run.pk, identity=evaluation_set.identity_id).exists():
        raise NotFound("unknown_run", "There is no such run of this agent, or it is not for you to see.")
    with connection.cursor() as cursor:
        if are_words_erased(cursor, run.pk):  # until the commit they are not
            raise StateConflict("erased", "words of it were erased")
        written = describe_case(read_recording(cursor, run.pk), run, name)
    if checks is not None:
        written["checks"] = list(checks)
    return add_case(lock_set(evaluation_set), written, run, actor)


def propose_case(run: Run, name: str = "") -> dict[str, Json]:
    """Return the case that would be made of a run, for a person to look over; raises as ``make_case`` does."""
    with transaction.atomic(), connection.cursor() as cursor:
        if are_words_erased(cursor, run.pk):
            raise StateConflict("erased", "words of it were erased")
        return describe_case(read_recording(cursor, run.pk), run, name)


def describe_case(recording: Recording, run: Run, name: str) -> dict[str, Json]:
    """Return the case that a recording makes; raises StateConflict where people had a part that nobody repeats."""
    _check(recording, run)
    calls = list(ToolCall.objects.filter(run=run).order_by("step", "number"))
    case = {
        "name": name,
        "message": str((recording.entries[0].content or {}).get("message", "")),
        "outcomes": _outcomes(recording, calls),
        "checks": _propose_checks(recording, run, calls),
    }
    return {**case, "task": run.task} if run.task else case


def _check(recording: Recording, run: Run) -> None:
    if run.kind != RunKind.TASK or run.mode != RunMode.ACT or run.delegated_call is not None:
        raise StateConflict(
            "not_a_case", "only runs make cases that were given a task from outside and act on it"
        )
    if not run.has_ended:
        raise StateConflict("run_not_ended", f"the run is {run.state}: it is not recorded to its end yet")
    other = next((each.kind for each in recording.entries if each.kind in _ELSEWHERE), None)
    if other is not None:
        raise StateConflict("not_a_case", f"{other} is on its record, which a case does not repeat")


def _outcomes(recording: Recording, calls: Sequence[ToolCall]) -> list[Json]:
    """Return what calls were answered; the last of like ones answers however often it is asked."""
    found = [each for call in calls for each in _outcome_of(recording, call)]
    left = Counter(map(_signature, found))
    for each in found:
        left[_signature(each)] -= 1
        if left[_signature(each)] or each["call"] == e.ASK_USER:
            each["times"] = 1
    return found


def _outcome_of(recording: Recording, call: ToolCall) -> Iterator[dict[str, Json]]:
    entry = recording.written.get(call.outcome_seq or 0)
    content = entry.content if entry and isinstance(entry.content, dict) else {}
    if entry is not None and entry.kind == e.INPUT_RECEIVED:
        yield {"call": call.tool_name, "answer": content.get("text")}
        return
    told: dict[str, Json] = {"call": call.tool_name, "arguments": _said(recording, call)}
    if not isinstance(told["arguments"], dict) or entry is None:
        return
    if entry.kind == e.CALL_SUCCEEDED:
        yield {**told, "answer": content.get("value")}
    elif entry.kind == e.CALL_FAILED:
        detail = str(content.get("detail") or "").strip()[:LONGEST_TEXT]
        yield {**told, "error": call.code or "failed", **({"detail": detail} if detail else {})}
    elif call.code == "denied_by_human":
        yield {**told, "answer": None, "people": "deny"}


def _said(recording: Recording, call: ToolCall) -> Json:
    entry = recording.written.get(call.decided_seq or 0)
    proposed = (entry.content or {}).get("calls", ()) if entry else ()
    return next((each.get("arguments") for each in proposed if each["call"] == call.number), None)


def _signature(outcome: dict[str, Json]) -> bytes:
    return canonical_json([outcome["call"], outcome.get("arguments")])


def _propose_checks(recording: Recording, run: Run, calls: Sequence[ToolCall]) -> list[Json]:
    """Propose that it ends as it did, and that just those writes are made that were."""
    checks: list[Json] = [{"ended": [run.state]}]
    done = [call for call in calls if call.state == "succeeded" and call.effect not in ("", "read")]
    times = Counter(call.tool_name for call in done)
    for tool, number in times.items():
        same = [call for call in done if call.tool_name == tool]
        narrowed = [_narrow(recording, call) for call in same]
        checks += [{"called": tool, "times": number}]
        checks += [{"called": tool, "with": each} for each in _distinct(narrowed)]
    return checks[:MOST_CHECKS]


def _narrow(recording: Recording, call: ToolCall) -> list[Json]:
    """Return conditions for what is an id, a number or a choice: other words may say the same."""
    said = _said(recording, call) or {}
    plain = [(name, value) for name, value in said.items() if _is_exact(value)]
    return [
        {"at": f"/{name.replace('~', '~0').replace('/', '~1')}", "is": value}
        for name, value in plain[:MOST_CONDITIONS]
    ]


def _is_exact(value: Json) -> bool:
    if isinstance(value, str):
        return bool(value) and len(value) <= LONGEST_TEXT and value.split() == [value]
    return isinstance(value, int | float)


def _distinct(narrowed: Sequence[list[Json]]) -> list[list[Json]]:
    """Return each once, those that narrow nothing left out."""
    by_text = {canonical_json(each): each for each in narrowed if each}
    return list(by_text.values())
